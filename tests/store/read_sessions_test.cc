// The sessions that many threads read by.
#include "store/read_sessions.h"

#include "root.h"
#include "store/store.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace {

using namespace vm;
using namespace vm::store;

class ReadSessionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReadSessionsTest);
    CPPUNIT_TEST(no_more_than_allowed_and_each_for_one_at_a_time);
    CPPUNIT_TEST(what_cannot_be_opened_is_told_each_time);
    CPPUNIT_TEST(a_store_of_many_threads_reads_what_was_written);
    CPPUNIT_TEST_SUITE_END();

    static constexpr int kThreads = 8, kLimit = 2, kTimes = 50;

    template <class Body>
    static void in_threads(const Body& body) {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) threads.emplace_back(body);
        for (std::thread& thread : threads) thread.join();
    }

    void no_more_than_allowed_and_each_for_one_at_a_time() {
        const Root root;
        root.open();
        ReadSessions sessions(root.paths, kLimit);
        std::mutex mutex;
        std::set<soci::session*> seen, lent;
        std::atomic<int> wrong = 0;
        in_threads([&] {
            for (int i = 0; i < kTimes; ++i) {
                const auto loan = good(sessions.borrow());
                {
                    const std::lock_guard lock(mutex);
                    seen.insert(loan.get());
                    if (!lent.insert(loan.get()).second) ++wrong;
                }
                std::this_thread::yield();  // others come while it is lent
                const std::lock_guard lock(mutex);
                lent.erase(loan.get());
            }
        });
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
        CPPUNIT_ASSERT(!seen.empty() && seen.size() <= kLimit);
        // Two at once are two; a third is the first that comes back.
        auto first = good(sessions.borrow());
        const auto second = good(sessions.borrow());
        soci::session* const was = first.get();
        CPPUNIT_ASSERT(was != second.get());
        soci::session* got = nullptr;
        std::thread third([&] { got = good(sessions.borrow()).get(); });
        first.reset();
        third.join();
        CPPUNIT_ASSERT_EQUAL(was, got);
    }

    void what_cannot_be_opened_is_told_each_time() {
        const Root root;
        ReadSessions sessions(Paths(root.paths.root / "nowhere"), kLimit);
        for (int i = 0; i < 2 * kLimit; ++i) {
            const auto loan = sessions.borrow();
            CPPUNIT_ASSERT(!loan);
            CPPUNIT_ASSERT(loan.error().kind == ErrorKind::kNoInput);
        }
    }

    void a_store_of_many_threads_reads_what_was_written() {
        const Root root;
        root.open();
        const auto store = Store::for_threads(root.paths, share_writer(root.paths));
        std::atomic<int> wrong = 0;
        in_threads([&] {
            for (int i = 0; i < kTimes / 5; ++i) {
                const auto id = store->add(root.message());
                if (!id || !store->get(*id)) ++wrong;
            }
        });
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t{kThreads * (kTimes / 5)},
                             good(store->list({"101", std::nullopt, false})).size());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ReadSessionsTest);

}  // namespace
