#include "agent/server_gate.h"

#include "agent/worker.h"

#include <cppunit/extensions/HelperMacros.h>

namespace vm::agent {

namespace {

using Verdict = ServerGate::Verdict;

class ServerGateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServerGateTest);
    CPPUNIT_TEST(unproven_server_gets_one_connection);
    CPPUNIT_TEST(proven_server_gets_four_and_more_as_it_goes_well);
    CPPUNIT_TEST(good_news_need_not_wait_for_the_end);
    CPPUNIT_TEST(connections_are_spread_over_time);
    CPPUNIT_TEST(open_connections_are_limited);
    CPPUNIT_TEST(limit_is_shared_by_workers);
    CPPUNIT_TEST(its_time_comes_before_its_place);
    CPPUNIT_TEST(server_that_turns_away_gets_what_it_bears);
    CPPUNIT_TEST(down_server_rests_and_is_probed_by_one);
    CPPUNIT_TEST(one_outage_counts_once);
    CPPUNIT_TEST(stalling_server_is_unproven_again);
    CPPUNIT_TEST(unproven_servers_share_half_of_the_threads);
    CPPUNIT_TEST(conversation_that_never_began_says_nothing);
    CPPUNIT_TEST(every_mailbox_has_exactly_one_worker);
    CPPUNIT_TEST_SUITE_END();

    void prove(ServerGate& gate, const std::string& server) {
        gate.started(server, 0, true);
        gate.finished(server, ServerSeen::kWorks);
    }

    void unproven_server_gets_one_connection() {
        ServerGate gate(16, 6);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);
        CPPUNIT_ASSERT(gate.ask("b", 0, true) == Verdict::kGo);
    }

    void good_news_need_not_wait_for_the_end() {
        ServerGate gate(16, 6);
        gate.started("a", 0, true);
        gate.works("a");
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
            gate.started("a", 0, true);
        }
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);
        gate.works("a");
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        // Told before: its end makes room for itself only.
        gate.finished("a", ServerSeen::kNothing);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);
    }

    void proven_server_gets_four_and_more_as_it_goes_well() {
        ServerGate gate(16, 6);
        prove(gate, "a");
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
            gate.started("a", 0, true);
        }
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);
        const auto fill = [&] {
            int more = 0;
            for (; gate.ask("a", 0, true) == Verdict::kGo; ++more) gate.started("a", 0, true);
            return more;
        };
        // One that ends well makes room for itself and for one more, up to six in all.
        for (const int more : {2, 2, 1, 1}) {
            gate.finished("a", ServerSeen::kWorks);
            CPPUNIT_ASSERT_EQUAL(more, fill());
        }
    }

    config::MiscSetup limits(int connections, int logins) {
        config::MiscSetup misc;
        misc.connections_a_server = connections;
        misc.logins_a_second = logins;
        return misc;
    }

    void connections_are_spread_over_time() {
        ServerGate gate(16, 16);
        gate.set_limits(limits(0, 8), 0, 2);  // four a second are this worker's
        const auto connect = [&](std::int64_t now) {
            if (gate.ask("a", now, true) != Verdict::kGo) return false;
            gate.started("a", now, true);
            gate.finished("a", ServerSeen::kWorks);
            return true;
        };
        for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(connect(1000));
        CPPUNIT_ASSERT(gate.ask("a", 1000, true) == Verdict::kPaced);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1250}, gate.may_connect_at("a", 1000));
        CPPUNIT_ASSERT(gate.ask("a", 1249, true) == Verdict::kPaced);
        CPPUNIT_ASSERT(gate.ask("a", 1000, false) == Verdict::kGo);  // it has a connection
        CPPUNIT_ASSERT(gate.ask("b", 1000, true) == Verdict::kGo);
        CPPUNIT_ASSERT(connect(1250));
        CPPUNIT_ASSERT(!connect(1260));
        // What was not used is not saved up for more than a second.
        for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(connect(100'000));
        CPPUNIT_ASSERT(!connect(100'000));
    }

    void open_connections_are_limited() {
        ServerGate gate(16, 16);
        gate.set_limits(limits(5, 0), 1, 2);
        prove(gate, "a");  // and its connection stays open
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kFull);
        CPPUNIT_ASSERT(gate.ask("a", 0, false) == Verdict::kGo);
        CPPUNIT_ASSERT(gate.ask("b", 0, true) == Verdict::kGo);
        gate.finished("a", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kFull);
        gate.closed("a");
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
    }

    void limit_is_shared_by_workers() {
        const auto share = [&](int connections, int index, int workers) {
            ServerGate gate(16, 16);
            gate.set_limits(limits(connections, 0), index, workers);
            for (int open = 0;; ++open) {
                if (gate.ask("a", 0, true) != Verdict::kGo) return open;
                prove(gate, "a");
            }
        };
        CPPUNIT_ASSERT_EQUAL(3, share(3, 0, 1));
        CPPUNIT_ASSERT_EQUAL(2, share(3, 0, 2));
        CPPUNIT_ASSERT_EQUAL(1, share(3, 1, 2));
        CPPUNIT_ASSERT_EQUAL(2, share(4, 1, 2));
        // However many workers share it, each has one.
        CPPUNIT_ASSERT_EQUAL(1, share(1, 0, 2));
        CPPUNIT_ASSERT_EQUAL(1, share(1, 1, 2));
    }

    // Nobody is to make room for one that may not connect yet.
    void its_time_comes_before_its_place() {
        ServerGate gate(16, 16);
        gate.set_limits(limits(1, 1), 0, 1);
        prove(gate, "a");
        CPPUNIT_ASSERT(gate.ask("a", 999, true) == Verdict::kPaced);
        CPPUNIT_ASSERT(gate.ask("a", 1000, true) == Verdict::kFull);
    }

    // Who turns one away while others are open is not down: it gets no more than it bears.
    void server_that_turns_away_gets_what_it_bears() {
        ServerGate gate(16, 16);
        for (int i = 0; i < 3; ++i) prove(gate, "a");
        gate.started("a", 0, true);
        gate.closed("a");
        CPPUNIT_ASSERT(gate.finished_turned_away("a", 0));
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kFull);
        CPPUNIT_ASSERT(gate.ask("a", 0, false) == Verdict::kGo);
        gate.closed("a");
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        gate.finished("a", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("a", 299'999, true) == Verdict::kFull);
        CPPUNIT_ASSERT(gate.ask("a", 300'000, true) == Verdict::kGo);  // it may bear more by now
        // What it has borne meanwhile is not forgotten when it turns one away again.
        for (int i = 0; i < 10; ++i) prove(gate, "a");
        gate.started("a", 3'000'000, true);
        gate.closed("a");
        CPPUNIT_ASSERT(gate.finished_turned_away("a", 3'000'000));
        CPPUNIT_ASSERT_EQUAL(13, gate.open("a"));
        CPPUNIT_ASSERT(gate.ask("a", 3'000'000, true) == Verdict::kFull);
        gate.closed("a");
        CPPUNIT_ASSERT(gate.ask("a", 3'000'000, true) == Verdict::kGo);
        // With none open it is down.
        gate.started("b", 0, true);
        gate.closed("b");
        CPPUNIT_ASSERT(!gate.finished_turned_away("b", 0));
        // One that is back after that may bear as many as ever.
        CPPUNIT_ASSERT(gate.ask("a", 3'000'001, true) == Verdict::kGo);
        gate.started("a", 3'000'001, true);
        CPPUNIT_ASSERT(gate.ask("a", 3'000'001, true) == Verdict::kFull);
        gate.finished_down("a", "refused", 1, 3'100'000);
        gate.started("a", 3'200'000, false);
        gate.finished("a", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("a", 3'200'000, true) == Verdict::kGo);
    }

    void down_server_rests_and_is_probed_by_one() {
        ServerGate gate(16, 6);
        prove(gate, "a");
        gate.started("a", 0, true);
        gate.finished_down("a", "connect: refused", 1, 31'000);
        CPPUNIT_ASSERT(gate.ask("a", 1001, true) == Verdict::kDown);
        CPPUNIT_ASSERT(gate.ask("a", 1001, false) == Verdict::kGo);  // by a connection it has
        CPPUNIT_ASSERT_EQUAL(std::string("connect: refused"), gate.down_reason("a"));
        const auto until = gate.down_until("a");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{31'000}, until);
        CPPUNIT_ASSERT_EQUAL(1, gate.failures("a"));
        CPPUNIT_ASSERT(gate.ask("a", until, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", until, true) == Verdict::kWait);
        gate.finished("a", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("a", until, true) == Verdict::kGo);
        CPPUNIT_ASSERT(gate.down_reason("a").empty());
        CPPUNIT_ASSERT_EQUAL(0, gate.failures("a"));
    }

    // Four dialogues that end with the same outage are one failure: the pause grows once.
    void one_outage_counts_once() {
        ServerGate gate(16, 6);
        prove(gate, "a");
        for (int i = 0; i < 4; ++i) gate.started("a", 0, true);
        const int failures = gate.failures("a") + 1;
        for (int i = 0; i < 4; ++i) gate.finished_down("a", "down", failures, 30'000);
        CPPUNIT_ASSERT_EQUAL(1, gate.failures("a"));
        CPPUNIT_ASSERT(gate.ask("a", 30'000, true) == Verdict::kGo);
    }

    // Lets everybody in and then goes silent: it must not get four of the threads again.
    void stalling_server_is_unproven_again() {
        ServerGate gate(16, 6);
        prove(gate, "a");
        gate.started("a", 0, true);
        gate.finished("a", ServerSeen::kStalls);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);
    }

    void unproven_servers_share_half_of_the_threads() {
        ServerGate gate(4, 6);
        gate.started("dead1", 0, true);
        CPPUNIT_ASSERT(gate.ask("dead2", 0, true) == Verdict::kGo);
        gate.started("dead2", 0, true);
        CPPUNIT_ASSERT(gate.ask("dead3", 0, true) == Verdict::kWait);
        gate.finished("dead1", ServerSeen::kWorks);
        CPPUNIT_ASSERT(gate.ask("dead1", 0, true) == Verdict::kGo);
        CPPUNIT_ASSERT(gate.ask("dead3", 0, true) == Verdict::kGo);
    }

    void conversation_that_never_began_says_nothing() {
        ServerGate gate(16, 6);
        gate.started("a", 0, true);
        gate.finished("a", ServerSeen::kNothing);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kGo);
        gate.started("a", 0, true);
        CPPUNIT_ASSERT(gate.ask("a", 0, true) == Verdict::kWait);  // still unproven
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
