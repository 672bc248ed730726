#include "agent/in_hand.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <deque>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace vm::agent;

class InHandTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(InHandTest);
    CPPUNIT_TEST(what_is_in_hand_is_read);
    CPPUNIT_TEST(of_a_process_that_was_killed);
    CPPUNIT_TEST(many_threads);
    CPPUNIT_TEST(more_than_there_are_slots);
    CPPUNIT_TEST(no_table);
    CPPUNIT_TEST_SUITE_END();

    void what_is_in_hand_is_read() {
        InHandTable table;
        CPPUNIT_ASSERT(table.read().empty());
        {
            const InHand push(&table, "101", Work::kPush), sync(&table, "101", Work::kSync);
            const InHand again(&table, "101", Work::kSync);
            const InHand other(&table, "12345678", Work::kVisit);
            const auto read = table.read();
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, read.size());
            CPPUNIT_ASSERT((read.at("101") == std::vector{Work::kPush, Work::kSync}));
            CPPUNIT_ASSERT(read.at("12345678") == std::vector{Work::kVisit});
        }
        CPPUNIT_ASSERT(table.read().empty());
    }

    void of_a_process_that_was_killed() {
        InHandTable table;
        const pid_t child = ::fork();
        if (child == 0) {
            const InHand gone(&table, "7", Work::kClose);
            { const InHand done(&table, "8", Work::kPush); }
            std::raise(SIGKILL);
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT(WIFSIGNALED(status));
        const auto read = table.read();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, read.size());
        CPPUNIT_ASSERT(read.at("7") == std::vector{Work::kClose});
        table.clear();
        CPPUNIT_ASSERT(table.read().empty());
    }

    void many_threads() {
        InHandTable table;
        const InHand kept(&table, "1", Work::kPush);
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&table, i] {
                for (int n = 0; n < 2000; ++n)
                    const InHand note(&table, std::to_string(100 + i), Work::kSync);
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, table.read().size());
    }

    // Nothing is overwritten, and nothing else happens.
    void more_than_there_are_slots() {
        InHandTable table;
        std::deque<InHand> notes;
        for (int i = 0; i < 100; ++i)
            notes.emplace_back(&table, std::to_string(1 + i), Work::kPurge);
        const auto read = table.read();
        CPPUNIT_ASSERT(read.size() >= 30 && read.size() < 100);
        CPPUNIT_ASSERT(read.contains("1") && !read.contains("100"));
        notes.clear();
        CPPUNIT_ASSERT(table.read().empty());
    }

    void no_table() { const InHand note(nullptr, "101", Work::kPush); }
};
CPPUNIT_TEST_SUITE_REGISTRATION(InHandTest);

}  // namespace
