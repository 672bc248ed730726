// The dialogue as the server sees it: what is sent, in which order and flight, and what is kept for
// the next message.
#include "smtp_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace vm::testing {

namespace {

using plug::Ending;
using plug::SmtpOptions;
using plug::SmtpSession;
using Lines = std::vector<std::string>;

const char kNoPipelining[] = "250-heaven.af.mil\r\n250 SIZE 1000\r\n";

class SmtpDialogueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SmtpDialogueTest);
    CPPUNIT_TEST(the_manuals_transcript);
    CPPUNIT_TEST(commands_come_in_one_flight);
    CPPUNIT_TEST(without_pipelining_one_by_one);
    CPPUNIT_TEST(a_kept_connection_costs_two_round_trips);
    CPPUNIT_TEST(refusal_keeps_the_connection_and_resets_it);
    CPPUNIT_TEST(first_refusal_decides);
    CPPUNIT_TEST(data_accepted_behind_a_refused_recipient_gets_a_lone_dot);
    CPPUNIT_TEST(no_empty_mail_after_a_refused_reset);
    CPPUNIT_TEST(no_lone_dot_for_a_recipient_that_was_accepted);
    CPPUNIT_TEST(kept_connection_closed_is_replaced_silently);
    CPPUNIT_TEST(kept_connection_with_421_is_replaced_silently);
    CPPUNIT_TEST(fresh_connection_closed_is_not_retried);
    CPPUNIT_TEST(replaced_once_only);
    CPPUNIT_TEST(surplus_reply_does_not_desynchronise);
    CPPUNIT_TEST(surplus_reply_is_not_taken_for_success);
    CPPUNIT_TEST(size_limit_is_known_before_sending);
    CPPUNIT_TEST(eight_bit_mime);
    CPPUNIT_TEST(unreadable_message_ends_without_dot_and_quit);
    CPPUNIT_TEST(shrunk_and_grown_messages_are_not_sent);
    CPPUNIT_TEST(early_refusal_while_sending);
    CPPUNIT_TEST(any_2xx_to_the_dot_is_success);
    CPPUNIT_TEST(addresses_cannot_inject);
    CPPUNIT_TEST(no_server_is_a_configuration_error);
    CPPUNIT_TEST(null_sender);
    CPPUNIT_TEST(stops_when_asked);
    CPPUNIT_TEST(waits_for_the_answer_to_the_dot_when_asked_to_stop);
    CPPUNIT_TEST(quit_is_bounded);
    CPPUNIT_TEST(ipv6);
    CPPUNIT_TEST_SUITE_END();

    void assert_ending(const Ending& ending, vm_step step, vm_cause cause, int code = 0) {
        const std::string what = describe(ending);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{step}, int{ending.step});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{cause}, int{ending.cause});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, code, ending.code);
    }
    void assert_sent(const Ending& ending) {
        assert_ending(ending, VM_STEP_DOT, VM_CAUSE_REPLY, 250);
    }

    // N4.8, "SMTP Sequence" of the manual; its server knows HELO.
    void the_manuals_transcript() {
        const std::string mail =
            "Date: 8 Aug 1998 04:10:45 -0000\r\nFrom: driver@sun.af.mil\r\n"
            "To: God@heaven.af.mil\r\nSubject: chariot is back in service\r\n\r\n"
            "I patched up the wheel. It's as good as new.\r\n";
        std::string received;
        SmtpScript script;
        script.ehlo = "502 unimplemented\r\n";
        script.mail = script.rcpt = "250 ok\r\n";
        script.dot = "250 ok 902549473 qp 24035\r\n";
        script.on_data = [&](const std::string& data) { received = data; };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message(mail);
        {
            SmtpSession session(options_for(server), host.session());
            const Ending ending = session.push(*message);
            assert_sent(ending);
            CPPUNIT_ASSERT_EQUAL(std::string("250 ok 902549473 qp 24035"), ending.text);
        }
        server.stop();
        const Lines expected{"EHLO sun.af.mil",
                             "HELO sun.af.mil",
                             "MAIL FROM:<driver@sun.af.mil>",
                             "RCPT TO:<God@heaven.af.mil>",
                             "DATA",
                             "QUIT"};
        CPPUNIT_ASSERT(expected == server.lines());
        CPPUNIT_ASSERT_EQUAL(mail, received);
    }

    void commands_come_in_one_flight() {
        bool together = false;
        SmtpScript script;
        script.instead = [&](Peer& peer, const std::string& step) {
            if (step == "MAIL")
                together = peer.read_line().starts_with("RCPT TO") && peer.read_line() == "DATA";
            if (step == "MAIL") peer.say(std::string("250 ok\r\n250 ok\r\n354 go\r\n"));
            if (step == "MAIL") peer.read_data();
            if (step == "MAIL") peer.say("250 ok\r\n");
            return step == "MAIL";
        };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        assert_sent(SmtpSession(options_for(server), host.session()).push(*message));
        CPPUNIT_ASSERT(together);
    }

    void without_pipelining_one_by_one() {
        bool alone = true;
        SmtpScript script;
        script.ehlo = kNoPipelining;
        script.instead = [&](Peer& peer, const std::string& step) {
            if (step == "MAIL" || step == "RCPT" || step == "DATA")
                alone = alone && !peer.has_more();
            return false;
        };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        CPPUNIT_ASSERT(alone);
        message.again();
        assert_sent(session.push(*message));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{4}, session.counters().round_trips);
    }

    void a_kept_connection_costs_two_round_trips() {
        ScriptedServer server{SmtpScript{}};
        FakeHost host;
        TestMessage message(std::string(300'000, 'x'));
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        CPPUNIT_ASSERT(session.connected());
        // TCP, EHLO, then the message's two. (The greeting is on its way when TCP stands.)
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{4}, session.counters().round_trips);
        for (int i = 0; i < 3; ++i) {
            message.again();
            assert_sent(session.push(*message));
            CPPUNIT_ASSERT(!session.connected());
            CPPUNIT_ASSERT_EQUAL(std::uint32_t{2}, session.counters().round_trips);
            CPPUNIT_ASSERT(session.counters().sent > 300'000 && session.counters().sent < 300'200);
        }
        CPPUNIT_ASSERT_EQUAL(1, server.connections());
    }

    void refusal_keeps_the_connection_and_resets_it() {
        for (const char* ehlo : {"250-h\r\n250 PIPELINING\r\n", "250 h\r\n"}) {
            int recipients = 0;
            SmtpScript script;
            script.ehlo = ehlo;
            script.data = "354 go\r\n";
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step == "RCPT" && ++recipients == 1) {
                    peer.say("550 5.1.1 no such user\r\n");
                    return true;
                }
                if (step == "DATA" && recipients == 1) {
                    peer.say("554 5.5.1 no valid recipients\r\n");
                    return true;
                }
                return false;
            };
            ScriptedServer server(script);
            FakeHost host;
            TestMessage message;
            {
                SmtpSession session(options_for(server), host.session());
                const Ending ending = session.push(*message);
                assert_ending(ending, VM_STEP_RCPT, VM_CAUSE_REPLY, 550);
                CPPUNIT_ASSERT_EQUAL(std::string("550 5.1.1 no such user"), ending.text);
                assert_sent(session.push(*message));
            }
            server.stop();
            CPPUNIT_ASSERT_EQUAL(1, server.connections());
            const Lines lines = server.lines();
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(lines.begin(), lines.end(), "RSET"));
        }
    }

    void first_refusal_decides() {
        SmtpScript script;
        script.mail = "451 4.7.1 greylisted\r\n";
        script.rcpt = "503 5.5.1 need MAIL\r\n";
        script.data = "503 5.5.1 need RCPT\r\n";
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        assert_ending(SmtpSession(options_for(server), host.session()).push(*message), VM_STEP_MAIL,
                      VM_CAUSE_REPLY, 451);
    }

    void data_accepted_behind_a_refused_recipient_gets_a_lone_dot() {
        std::string received = "nothing";
        SmtpScript script;
        script.rcpt = "550 5.1.1 no such user\r\n";
        script.dot = "250 2.0.0 ok, thrown away\r\n";
        script.on_data = [&](const std::string& data) { received = data; };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        {
            SmtpSession session(options_for(server), host.session());
            assert_ending(session.push(*message), VM_STEP_RCPT, VM_CAUSE_REPLY, 550);
            assert_ending(session.push(*message), VM_STEP_RCPT, VM_CAUSE_REPLY, 550);
        }
        server.stop();
        CPPUNIT_ASSERT_EQUAL(std::string(), received);
        CPPUNIT_ASSERT_EQUAL(1, server.connections());
    }

    // RSET is not known to the server, which takes the rest of the flight all the same: a lone dot
    // would be a second, empty mail for the recipient. Whether it is the new envelope's or the one
    // that was not reset does not matter.
    void no_empty_mail_after_a_refused_reset() {
        for (const bool recipient_again : {true, false})
            for (const char* ehlo : {"250-h\r\n250 PIPELINING\r\n", "250 h\r\n"}) {
                Lines mails;
                int recipients = 0;
                SmtpScript first, second;
                first.ehlo = second.ehlo = ehlo;
                first.rset = "502 5.5.1 not implemented\r\n";
                first.on_data =
                    second.on_data = [&](const std::string& data) { mails.push_back(data); };
                first.instead = [&](Peer& peer, const std::string& step) {
                    if (step == "RCPT" && (++recipients == 1 || !recipient_again)) {
                        peer.say("450 4.2.0 later\r\n");
                        return true;
                    }
                    if (step == "DATA" && recipients == 1) {
                        peer.say("503 5.5.1 no valid recipients\r\n");
                        return true;
                    }
                    return false;
                };
                ScriptedServer server({first, second});
                FakeHost host;
                TestMessage message;
                {
                    SmtpSession session(options_for(server), host.session());
                    assert_ending(session.push(*message), VM_STEP_RCPT, VM_CAUSE_REPLY, 450);
                    assert_sent(session.push(*message));
                    CPPUNIT_ASSERT(session.connected());
                }
                server.stop();
                CPPUNIT_ASSERT_EQUAL(2, server.connections());
                CPPUNIT_ASSERT_EQUAL(std::size_t{1}, mails.size());
                CPPUNIT_ASSERT_EQUAL(message.text(), mails.front());
            }
    }

    void no_lone_dot_for_a_recipient_that_was_accepted() {
        int mails = 0;
        SmtpScript script;
        script.mail = "451 4.7.1 greylisted\r\n";
        script.on_data = [&](const std::string&) { ++mails; };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        SmtpSession session(options_for(server), host.session());
        assert_ending(session.push(*message), VM_STEP_MAIL, VM_CAUSE_REPLY, 451);
        server.stop();
        CPPUNIT_ASSERT_EQUAL(0, mails);
    }

    // The first message goes through; then `bye` ends the connection.
    void replaced_after(const std::function<void(Peer&)>& bye) {
        SmtpScript first;
        first.instead = [&](Peer& peer, const std::string& step) {
            if (step == "dot") {
                peer.say("250 2.0.0 ok\r\n");
                bye(peer);
            }
            return false;
        };
        ScriptedServer server({first, SmtpScript{}});
        FakeHost host;
        TestMessage message;
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        message.again();
        assert_sent(session.push(*message));
        CPPUNIT_ASSERT(session.connected());
        CPPUNIT_ASSERT_EQUAL(2, server.connections());
    }
    void kept_connection_closed_is_replaced_silently() {
        replaced_after([](Peer&) { throw Peer::Gone{}; });
        replaced_after([](Peer& peer) {
            peer.read_line();  // MAIL of the second, unanswered
            throw Peer::Gone{};
        });
    }
    void kept_connection_with_421_is_replaced_silently() {
        replaced_after([](Peer& peer) {
            peer.say("421 4.4.2 idle too long\r\n");
            throw Peer::Gone{};
        });
        replaced_after([](Peer& peer) {
            peer.read_line();
            peer.say("421 4.3.2 going down\r\n");
            throw Peer::Gone{};
        });
    }

    void fresh_connection_closed_is_not_retried() {
        SmtpScript script;
        script.instead = [](Peer&, const std::string& step) {
            if (step == "MAIL") throw Peer::Gone{};
            return false;
        };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        assert_ending(SmtpSession(options_for(server), host.session()).push(*message), VM_STEP_MAIL,
                      VM_CAUSE_LOST);
        server.stop();
        CPPUNIT_ASSERT_EQUAL(1, server.connections());
    }

    void replaced_once_only() {
        SmtpScript first, second;
        first.instead = [](Peer& peer, const std::string& step) {
            if (step == "dot") peer.say("250 ok\r\n");
            if (step == "dot") throw Peer::Gone{};
            return false;
        };
        second.mail = "421 4.3.2 not now\r\n";
        ScriptedServer server({first, second});
        FakeHost host;
        TestMessage message;
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        message.again();
        assert_ending(session.push(*message), VM_STEP_MAIL, VM_CAUSE_REPLY, 421);
        CPPUNIT_ASSERT_EQUAL(2, server.connections());
    }

    void surplus_reply_does_not_desynchronise() {
        SmtpScript first, second;
        first.dot = "250 2.0.0 ok\r\n250 2.0.0 ok again\r\n";
        second.mail = "550 5.7.1 no\r\n";
        ScriptedServer server({first, second});
        FakeHost host;
        TestMessage message;
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        message.again();
        assert_ending(session.push(*message), VM_STEP_MAIL, VM_CAUSE_REPLY, 550);
        CPPUNIT_ASSERT_EQUAL(2, server.connections());
    }

    void surplus_reply_is_not_taken_for_success() {
        SmtpScript script;
        script.data = "354 go\r\n250 2.0.0 ok\r\n";
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        assert_ending(SmtpSession(options_for(server), host.session()).push(*message), VM_STEP_BODY,
                      VM_CAUSE_PROTOCOL);
    }

    void size_limit_is_known_before_sending() {
        SmtpScript script;
        script.ehlo = kNoPipelining;  // SIZE 1000
        ScriptedServer server(script);
        FakeHost host;
        TestMessage big(std::string(1001, 'x')), fitting(std::string(1000, 'x'));
        {
            SmtpSession session(options_for(server), host.session());
            const Ending ending = session.push(*big);
            assert_ending(ending, VM_STEP_MAIL, VM_CAUSE_SIZE_LIMIT);
            CPPUNIT_ASSERT_EQUAL(
                std::string("the message has 1001 bytes, the server takes at most 1000"),
                ending.text);
            CPPUNIT_ASSERT(event_of(ending) == DeliveryEvent::kFailure);
            assert_sent(session.push(*fitting));
        }
        server.stop();
        const Lines lines = server.lines();
        CPPUNIT_ASSERT_EQUAL(std::string("MAIL FROM:<driver@sun.af.mil> SIZE=1000"), lines[1]);
        CPPUNIT_ASSERT_EQUAL(1, server.connections());
    }

    void eight_bit_mime() {
        SmtpScript with, without;
        without.ehlo = kNoPipelining;
        FakeHost host;
        TestMessage message("Subject: x\r\n\r\nGr\xC3\xBC\xC3\x9F Gott\r\n");
        message.abi().eight_bit = 1;
        {
            ScriptedServer server(with);
            SmtpSession session(options_for(server), host.session());
            assert_sent(session.push(*message));
            server.stop();
            CPPUNIT_ASSERT(server.lines()[1].ends_with(" BODY=8BITMIME"));
        }
        ScriptedServer server(without);
        message.again();
        assert_ending(SmtpSession(options_for(server), host.session()).push(*message), VM_STEP_MAIL,
                      VM_CAUSE_CONFIG);
    }

    // N4.5.
    void unreadable_message_ends_without_dot_and_quit() {
        for (const std::size_t where : {std::size_t{0}, std::size_t{10}, std::size_t{100'000}}) {
            std::string rest = "?";
            SmtpScript script;
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step != "body") return false;
                rest.clear();
                try {
                    for (;;) {
                        peer.read_bytes(1);
                        rest += 'x';
                    }
                } catch (const Peer::Gone&) {
                }
                return true;
            };
            ScriptedServer server(script);
            FakeHost host;
            TestMessage message(std::string(200'000, 'x'));
            message.fail_at(where);
            SmtpSession session(options_for(server), host.session());
            const Ending ending = session.push(*message);
            server.stop();
            assert_ending(ending, VM_STEP_BODY, VM_CAUSE_LOCAL);
            CPPUNIT_ASSERT(event_of(ending) == DeliveryEvent::kDeferral);
            CPPUNIT_ASSERT(rest.size() <= where);  // no dot, no QUIT behind it
            CPPUNIT_ASSERT_EQUAL(std::string("DATA"), server.lines().back());
        }
    }

    void shrunk_and_grown_messages_are_not_sent() {
        for (const int difference : {-1, 1}) {
            ScriptedServer server{SmtpScript{}};
            FakeHost host;
            TestMessage message;
            message.abi().size = message.text().size() - static_cast<std::size_t>(difference);
            assert_ending(SmtpSession(options_for(server), host.session()).push(*message),
                          VM_STEP_BODY, VM_CAUSE_LOCAL);
        }
    }

    void early_refusal_while_sending() {
        for (const bool closes : {false, true}) {
            SmtpScript script;
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step != "body") return false;
                peer.read_bytes(1000);
                peer.say("552 5.3.4 too much\r\n");
                if (closes) throw Peer::Gone{};
                peer.wait_until_closed();
                return true;
            };
            ScriptedServer server(script);
            FakeHost host;
            TestMessage message(std::string(std::size_t{24} << 20, 'x'));
            const Ending ending = SmtpSession(options_for(server), host.session()).push(*message);
            assert_ending(ending, VM_STEP_BODY, VM_CAUSE_REPLY, 552);
            CPPUNIT_ASSERT_EQUAL(std::string("552 5.3.4 too much"), ending.text);
        }
    }

    void any_2xx_to_the_dot_is_success() {
        SmtpScript script;
        script.dot = "251 2.0.0 will forward\r\n";
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        const Ending ending = SmtpSession(options_for(server), host.session()).push(*message);
        assert_ending(ending, VM_STEP_DOT, VM_CAUSE_REPLY, 251);
        CPPUNIT_ASSERT(event_of(ending) == DeliveryEvent::kAccepted);
    }

    void addresses_cannot_inject() {
        ScriptedServer server{SmtpScript{}};
        FakeHost host;
        SmtpSession session(options_for(server), host.session());
        const std::string long_one(255, 'a');
        for (const std::string& bad :
             {std::string("a@b\r\nRCPT TO:<c@d>"), std::string("a@b> SIZE=1"), std::string("<a@b"),
              std::string("a\nb@c"), std::string("a\tb@c"), std::string("m\xC3\xBCller@b"),
              long_one}) {
            TestMessage to("x\r\n", "a@b", bad), from("x\r\n", bad, "a@b");
            assert_ending(session.push(*to), VM_STEP_NONE, VM_CAUSE_CONFIG);
            assert_ending(session.push(*from), VM_STEP_NONE, VM_CAUSE_CONFIG);
        }
        TestMessage to_nobody("x\r\n", "a@b", "");
        assert_ending(session.push(*to_nobody), VM_STEP_NONE, VM_CAUSE_CONFIG);
        CPPUNIT_ASSERT_EQUAL(0, server.connections());
    }

    void no_server_is_a_configuration_error() {
        FakeHost host;
        TestMessage message;
        assert_ending(SmtpSession(SmtpOptions{}, host.session()).push(*message), VM_STEP_NONE,
                      VM_CAUSE_CONFIG);
    }

    void null_sender() {
        ScriptedServer server{SmtpScript{}};
        FakeHost host;
        TestMessage message("x\r\n", "");
        SmtpSession session(options_for(server), host.session());
        assert_sent(session.push(*message));
        server.stop();
        CPPUNIT_ASSERT_EQUAL(std::string("MAIL FROM:<> SIZE=3"), server.lines()[1]);
    }

    void stops_when_asked() {
        for (const char* where : {"greeting", "MAIL", "body"}) {
            std::atomic<bool> stop = false;
            SmtpScript script;
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step != where) return false;
                stop = true;
                peer.wait_until_closed();
                return true;
            };
            ScriptedServer server(script);
            FakeHost host;
            host.cancelled = [&] { return stop.load(); };
            TestMessage message(std::string(std::size_t{24} << 20, 'x'));
            const Ending ending = SmtpSession(options_for(server), host.session()).push(*message);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(ending), int{VM_CAUSE_CANCELLED},
                                         int{ending.cause});
            CPPUNIT_ASSERT(event_of(ending) == DeliveryEvent::kDeferral);
        }
    }

    void waits_for_the_answer_to_the_dot_when_asked_to_stop() {
        std::atomic<bool> stop = false;
        std::atomic<int> asked = 0;
        SmtpScript script;
        script.instead = [&](Peer& peer, const std::string& step) {
            if (step != "dot") return false;
            stop = true;
            peer.say("250-2.0.0 nearly\r\n");
            peer.say("250 2.0.0 ok\r\n");
            return true;
        };
        ScriptedServer server(script);
        FakeHost host;
        host.cancelled = [&] {
            ++asked;
            return stop.load();
        };
        TestMessage message;
        assert_sent(SmtpSession(options_for(server), host.session()).push(*message));
        CPPUNIT_ASSERT(stop);
    }

    void quit_is_bounded() {
        SmtpScript script;
        script.instead = [](Peer& peer, const std::string& step) {
            if (step == "QUIT") peer.wait_until_closed();  // only the client's end ends this
            return false;
        };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        assert_sent(SmtpSession(options_for(server), host.session()).push(*message));
        server.stop();
        CPPUNIT_ASSERT_EQUAL(std::string("QUIT"), server.lines().back());
    }

    void ipv6() {
        ScriptedServer server({SmtpScript{}}, 6);
        FakeHost host;
        TestMessage message;
        SmtpOptions options = options_for(server);
        options.host = "::1";
        options.domain = "[IPv6:::1]";
        SmtpSession session(options, host.session());
        assert_sent(session.push(*message));
        server.stop();
        CPPUNIT_ASSERT_EQUAL(std::string("EHLO [IPv6:::1]"), server.lines()[0]);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SmtpDialogueTest);

}  // namespace

}  // namespace vm::testing
