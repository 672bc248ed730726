#include "app/cli.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace vm;

class CliTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CliTest);
    CPPUNIT_TEST(an_exception_is_one_line_and_a_status);
    CPPUNIT_TEST(in_a_child_it_is_a_crash);
    CPPUNIT_TEST_SUITE_END();

    struct Ended {
        int status = 0;  // as waitpid() tells it
        std::string err;
    };

    // Runs `body` as the main of a process of its own.
    static Ended run(int (*body)(int, char**)) {
        int ends[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends));
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::dup2(ends[1], 2);
            ::close(ends[0]);
            ::close(ends[1]);
            char name[] = "/some/where/vmtest";
            char* argv[] = {name, nullptr};
            ::_exit(app::run_program(1, argv, body));
        }
        ::close(ends[1]);
        Ended ended;
        char buffer[512];
        for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            ended.err.append(buffer, static_cast<std::size_t>(n));
        ::close(ends[0]);
        CPPUNIT_ASSERT_EQUAL(pid, ::waitpid(pid, &ended.status, 0));
        return ended;
    }

    void an_exception_is_one_line_and_a_status() {
        CPPUNIT_ASSERT_EQUAL(7, WEXITSTATUS(run([](int, char**) { return 7; }).status));
        const Ended known = run([](int, char**) -> int { throw std::runtime_error("a\nb"); });
        CPPUNIT_ASSERT(WIFEXITED(known.status));
        CPPUNIT_ASSERT_EQUAL(69, WEXITSTATUS(known.status));
        CPPUNIT_ASSERT_EQUAL(std::string("vmtest: internal error: a b\n"), known.err);
        const Ended unknown = run([](int, char**) -> int { throw 1; });
        CPPUNIT_ASSERT_EQUAL(69, WEXITSTATUS(unknown.status));
        CPPUNIT_ASSERT_EQUAL(std::string("vmtest: internal error: unknown exception\n"),
                             unknown.err);
    }

    // The agent judges a worker by how it ended.
    void in_a_child_it_is_a_crash() {
        const Ended ended = run([](int, char**) {
            const pid_t pid = ::fork();
            if (pid == 0) throw std::runtime_error("x");
            int status = 0;
            ::waitpid(pid, &status, 0);
            return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        });
        CPPUNIT_ASSERT_EQUAL(SIGABRT, WEXITSTATUS(ended.status));
        CPPUNIT_ASSERT_EQUAL(std::string("vmtest: internal error: x\n"), ended.err);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CliTest);

}  // namespace
