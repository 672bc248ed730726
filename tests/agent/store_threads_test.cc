#include "agent/store_threads.h"

#include "unit_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <future>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vm::testing {

namespace {

using agent::StoreThreads;

class StoreThreadsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoreThreadsTest);
    CPPUNIT_TEST(without_a_thread_a_job_gets_the_reason);
    CPPUNIT_TEST(with_few_threads_jobs_wait_their_turn);
    CPPUNIT_TEST_SUITE_END();

    static constexpr uid_t kNobody = 65534;

    // From now on this process starts no thread; its user is one who may not exceed limits.
    static bool forbid_threads() {
        const rlimit none{0, 0};
        return ::setrlimit(RLIMIT_NPROC, &none) == 0 &&
               (::geteuid() != 0 || ::setresuid(kNobody, kNobody, kNobody) == 0);
    }

    template <class Check>
    static void in_a_child(Check check) {
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(check() ? 0 : 1);
        int status = -1;
        CPPUNIT_ASSERT_EQUAL(pid, ::waitpid(pid, &status, 0));
        CPPUNIT_ASSERT_EQUAL(0, status);
    }

    void without_a_thread_a_job_gets_the_reason() {
        const UnitRoot root;
        in_a_child([&] {
            StoreThreads threads(
                store::Store::for_threads(root.paths, store::share_writer(root.paths)), 2);
            if (!forbid_threads()) return false;
            std::optional<Error> error;
            threads.submit([&](Result<store::Store*> store) {
                if (!store) error = store.error();
            });
            return error && error->kind == ErrorKind::kUnavailable &&
                   error->object.find("thread") != std::string::npos;
        });
    }

    void with_few_threads_jobs_wait_their_turn() {
        const UnitRoot root;
        in_a_child([&] {
            StoreThreads threads(
                store::Store::for_threads(root.paths, store::share_writer(root.paths)), 2);
            std::promise<void> running, go;
            std::promise<bool> done;
            threads.submit([&](Result<store::Store*>) {
                running.set_value();
                go.get_future().wait();
            });
            running.get_future().wait();
            if (!forbid_threads()) return false;
            threads.submit([&](Result<store::Store*> store) { done.set_value(store.has_value()); });
            go.set_value();
            return done.get_future().get();
        });
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StoreThreadsTest);

}  // namespace

}  // namespace vm::testing
