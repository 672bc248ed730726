// Every step of the dialogue times everything that can go wrong there, with and without PIPELINING:
// the step, cause and code reported, and what core::classify() makes of them (N4.7).
#include "smtp_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <map>

namespace vm::testing {

namespace {

using plug::Ending;
using plug::SmtpOptions;
using plug::SmtpSession;
using E = DeliveryEvent;

struct Stage {
    const char* name;  // as SmtpScript calls it
    vm_step step;
};

const Stage kStages[] = {
    {"greeting", VM_STEP_GREETING}, {"EHLO", VM_STEP_HELLO}, {"STARTTLS", VM_STEP_STARTTLS},
    {"AUTH", VM_STEP_AUTH},         {"MAIL", VM_STEP_MAIL},  {"RCPT", VM_STEP_RCPT},
    {"DATA", VM_STEP_DATA},         {"body", VM_STEP_BODY},  {"dot", VM_STEP_DOT},
};

// More than the sockets' buffers hold, so that the body is still being sent when it goes wrong.
constexpr std::size_t kLong = std::size_t{24} << 20;

class SmtpStagesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SmtpStagesTest);
    CPPUNIT_TEST(temporary_refusal);
    CPPUNIT_TEST(permanent_refusal);
    CPPUNIT_TEST(service_closing);
    CPPUNIT_TEST(connection_closed);
    CPPUNIT_TEST(connection_reset);
    CPPUNIT_TEST(server_stalls);
    CPPUNIT_TEST(server_talks_garbage);
    CPPUNIT_TEST(nobody_listens);
    CPPUNIT_TEST(name_does_not_resolve);
    CPPUNIT_TEST(all_is_well);
    CPPUNIT_TEST_SUITE_END();

    using Fault = std::function<void(Peer&, FakeHost&)>;

    // The ending when `fault` happens at `stage`.
    Ending push_with(const Stage& stage, const Fault& fault, bool pipelining,
                     std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
        FakeHost host;
        SmtpScript script;
        script.ehlo = "250-heaven.af.mil\r\n250-SIZE\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n";
        script.ehlo += pipelining ? "250 PIPELINING\r\n" : "250 8BITMIME\r\n";
        script.instead = [&](Peer& peer, const std::string& step) {
            const bool here = step == stage.name || (step == "HELO" && stage.step == VM_STEP_HELLO);
            if (here) fault(peer, host);
            return here;
        };
        if (stage.step != VM_STEP_STARTTLS) script.ehlo.erase(script.ehlo.find("250-STARTTLS"), 14);
        ScriptedServer server(script);
        SmtpOptions options = options_for(server);
        if (stage.step == VM_STEP_STARTTLS)
            options.tls = VM_TLS_STARTTLS;
        else
            options = with_password(options);
        options.connect_timeout = options.reply_timeout = options.dot_timeout = timeout;
        const bool long_one = stage.step == VM_STEP_BODY;
        TestMessage message(long_one ? std::string(kLong, 'x') : "Subject: x\r\n\r\nhello\r\n");
        Ending ending;
        {
            SmtpSession session(options, host.session());
            ending = session.push(*message);
        }
        server.stop();
        return ending;
    }

    void check(const Stage& stage, bool pipelining, const Ending& ending, vm_cause cause, int code,
               E event) {
        const std::string what =
            std::string(stage.name) + (pipelining ? " pipelined: " : ": ") + describe(ending);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{cause}, int{ending.cause});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{stage.step}, int{ending.step});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, code, ending.code);
        CPPUNIT_ASSERT_MESSAGE(what, event_of(ending) == event);
        CPPUNIT_ASSERT_MESSAGE(what, !ending.text.empty());
    }

    void refusal(int code, const std::string& enhanced, E at_connect, E later) {
        const std::string text = std::to_string(code) + "-" + enhanced + " not\r\n" +
                                 std::to_string(code) + " " + enhanced + " today\r\n";
        for (const Stage& stage : kStages)
            for (const bool pipelining : {false, true}) {
                const Ending ending = push_with(
                    stage, [&](Peer& peer, FakeHost&) { peer.say(text); }, pipelining);
                check(stage, pipelining, ending, VM_CAUSE_REPLY, code,
                      stage.step < VM_STEP_MAIL ? at_connect : later);
                CPPUNIT_ASSERT_EQUAL(std::to_string(code) + " " + enhanced + " not today",
                                     ending.text);
                CPPUNIT_ASSERT_EQUAL(enhanced, ending.enhanced);
            }
    }

    void temporary_refusal() { refusal(451, "4.3.0", E::kDeferral, E::kDeferral); }
    void permanent_refusal() { refusal(550, "5.7.1", E::kDeferral, E::kFailure); }

    void service_closing() {
        for (const Stage& stage : kStages)
            for (const bool pipelining : {false, true})
                check(stage, pipelining,
                      push_with(
                          stage,
                          [](Peer& peer, FakeHost&) {
                              peer.say("421 4.3.2 shutting down\r\n");
                              throw Peer::Gone{};
                          },
                          pipelining),
                      VM_CAUSE_REPLY, 421, E::kDeferral);
    }

    // Behind the final dot nobody knows; before it nothing was delivered.
    static E without_reply(const Stage& stage) {
        return stage.step == VM_STEP_DOT ? E::kReplyLost : E::kDeferral;
    }

    void connection_closed() {
        for (const Stage& stage : kStages)
            for (const bool pipelining : {false, true})
                check(stage, pipelining,
                      push_with(
                          stage, [](Peer&, FakeHost&) { throw Peer::Gone{}; }, pipelining),
                      VM_CAUSE_LOST, 0, without_reply(stage));
    }

    void connection_reset() {
        for (const Stage& stage : kStages)
            for (const bool pipelining : {false, true})
                check(stage, pipelining,
                      push_with(
                          stage,
                          [](Peer& peer, FakeHost& host) {
                              host.wait_for("Connected to");  // else it is a refused connection
                              peer.reset();
                          },
                          pipelining),
                      VM_CAUSE_LOST, 0, without_reply(stage));
    }

    void server_stalls() {
        for (const Stage& stage : kStages)
            check(stage, true,
                  push_with(
                      stage, [](Peer& peer, FakeHost&) { peer.wait_until_closed(); }, true,
                      std::chrono::milliseconds(1200)),
                  VM_CAUSE_TIMEOUT, 0, without_reply(stage));
    }

    void server_talks_garbage() {
        const std::string endless = "250 " + std::string(400'000, 'x');
        for (const std::string& garbage : std::initializer_list<std::string>{
                 endless, "hello there\r\n", "25O ok\r\n", "999 ok\r\n", "2500 ok\r\n",
                 "550-5.1.1 no\r\n551 5.1.1 no\r\n", "\r\n", "\x16\x03\x01\r\n"})
            for (const Stage& stage : kStages)
                check(stage, true,
                      push_with(
                          stage,
                          [&](Peer& peer, FakeHost&) {
                              peer.say(garbage);
                              peer.wait_until_closed();
                          },
                          true),
                      VM_CAUSE_PROTOCOL, 0, without_reply(stage));
    }

    void nobody_listens() {
        ScriptedServer server([](Peer&) {});
        const SmtpOptions options = options_for(server);
        server.stop();
        FakeHost host;
        TestMessage message;
        const Ending ending = SmtpSession(options, host.session()).push(*message);
        check({"connect", VM_STEP_CONNECT}, false, ending, VM_CAUSE_REFUSED, 0, E::kDeferral);
        CPPUNIT_ASSERT_EQUAL(
            "127.0.0.1 port " + std::to_string(options.port) + ": Connection refused", ending.text);
    }

    void name_does_not_resolve() {
        FakeHost host;
        TestMessage message;
        SmtpOptions options;
        // A label too long for DNS: refused by the resolver itself, without the network.
        options.host = std::string(64, 'a') + ".invalid";
        options.port = 25;
        options.domain = "sun.af.mil";
        check({"connect", VM_STEP_CONNECT}, false,
              SmtpSession(options, host.session()).push(*message), VM_CAUSE_DNS, 0, E::kDeferral);
    }

    void all_is_well() {
        for (const bool pipelining : {false, true}) {
            const Stage nowhere{"nowhere", VM_STEP_DOT};
            check(nowhere, pipelining, push_with(nowhere, nullptr, pipelining), VM_CAUSE_REPLY, 250,
                  E::kAccepted);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SmtpStagesTest);

}  // namespace

}  // namespace vm::testing
