#include "agent/server_gate.h"

#include "agent/worker.h"

#include <cppunit/extensions/HelperMacros.h>

namespace vm::agent {

namespace {

using Verdict = ServerGate::Verdict;

class ServerGateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServerGateTest);
    CPPUNIT_TEST(unproven_server_gets_one_connection);
    CPPUNIT_TEST(proven_server_gets_four);
    CPPUNIT_TEST(down_server_rests_and_is_probed_by_one);
    CPPUNIT_TEST(one_outage_counts_once);
    CPPUNIT_TEST(stalling_server_is_unproven_again);
    CPPUNIT_TEST(unproven_servers_share_half_of_the_threads);
    CPPUNIT_TEST(conversation_that_never_began_says_nothing);
    CPPUNIT_TEST(every_mailbox_has_exactly_one_worker);
    CPPUNIT_TEST_SUITE_END();

    void prove(ServerGate& gate, const std::string& server) {
        gate.started(server);
        gate.finished(server, ServerSeen::kWorks);
    }

    void unproven_server_gets_one_connection() {
        ServerGate gate(16);
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kGo);
        gate.started("a");
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kWait);
        CPPUNIT_ASSERT(gate.ask("b", 0) == Verdict::kGo);
    }

    void proven_server_gets_four() {
        ServerGate gate(16);
        prove(gate, "a");
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kGo);
            gate.started("a");
        }
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kWait);
    }

    void down_server_rests_and_is_probed_by_one() {
        ServerGate gate(16);
        prove(gate, "a");
        gate.started("a");
        gate.finished_down("a", "connect: refused", 1, 31'000);
        CPPUNIT_ASSERT(gate.ask("a", 1001) == Verdict::kDown);
        CPPUNIT_ASSERT_EQUAL(std::string("connect: refused"), gate.down_reason("a"));
        const auto until = gate.down_until("a");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{31'000}, until);
        CPPUNIT_ASSERT_EQUAL(1, gate.failures("a"));
        CPPUNIT_ASSERT(gate.ask("a", until) == Verdict::kGo);
        gate.started("a");
        CPPUNIT_ASSERT(gate.ask("a", until) == Verdict::kWait);
        gate.finished("a", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("a", until) == Verdict::kGo);
        CPPUNIT_ASSERT(gate.down_reason("a").empty());
        CPPUNIT_ASSERT_EQUAL(0, gate.failures("a"));
    }

    // Four dialogues that end with the same outage are one failure: the pause grows once.
    void one_outage_counts_once() {
        ServerGate gate(16);
        prove(gate, "a");
        for (int i = 0; i < 4; ++i) gate.started("a");
        const int failures = gate.failures("a") + 1;
        for (int i = 0; i < 4; ++i) gate.finished_down("a", "down", failures, 30'000);
        CPPUNIT_ASSERT_EQUAL(1, gate.failures("a"));
        CPPUNIT_ASSERT(gate.ask("a", 30'000) == Verdict::kGo);
    }

    // Lets everybody in and then goes silent: it must not get four of the threads again.
    void stalling_server_is_unproven_again() {
        ServerGate gate(16);
        prove(gate, "a");
        gate.started("a");
        gate.finished("a", ServerSeen::kStalls);
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kGo);
        gate.started("a");
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kWait);
    }

    void unproven_servers_share_half_of_the_threads() {
        ServerGate gate(4);
        gate.started("dead1");
        CPPUNIT_ASSERT(gate.ask("dead2", 0) == Verdict::kGo);
        gate.started("dead2");
        CPPUNIT_ASSERT(gate.ask("dead3", 0) == Verdict::kWait);
        gate.finished("dead1", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("dead1", 0) == Verdict::kGo);
        CPPUNIT_ASSERT(gate.ask("dead3", 0) == Verdict::kGo);
    }

    void conversation_that_never_began_says_nothing() {
        ServerGate gate(16);
        gate.started("a");
        gate.finished("a", ServerSeen::kNothing);
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kGo);
        gate.started("a");
        CPPUNIT_ASSERT(gate.ask("a", 0) == Verdict::kWait);  // still unproven
    }

    void every_mailbox_has_exactly_one_worker() {
        for (const std::string number : {"0", "7", "101", "00101", "99999999"}) {
            for (int count = 1; count < 5; ++count) {
                int owners = 0;
                for (int index = 0; index < count; ++index)
                    owners += in_share(number, index, count) ? 1 : 0;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(number, 1, owners);
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ServerGateTest);

}  // namespace

}  // namespace vm::agent
