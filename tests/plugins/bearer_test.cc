// Logging in with tokens by SMTP, IMAP and POP3: what is sent, whom it is asked for, what happens
// when the server does not want it, and that none is in any line.
#include "common/bearer.h"

#include "common/push_session.h"
#include "imap_fixture.h"
#include "smtp_fixture.h"
#include "smtppop3/pop3_session.h"

#include <cppunit/extensions/HelperMacros.h>

#include <stdexcept>

namespace vm::testing {

namespace {

using Commands = std::vector<std::string>;

const std::string kUser = "driver@sun.af.mil";
const std::string kGone = "the-token-of-yesterday-0123456789", kGood = "the-token-of-today-012345";
const std::string kReason = R"({"status":"401","schemes":"bearer"})";

std::string xoauth2(const std::string& token) {
    return plug::encode_base64("user=" + kUser + "\x01" + "auth=Bearer " + token + "\x01\x01");
}
std::string oauthbearer(const std::string& token, std::uint16_t port) {
    return plug::encode_base64("n,a=" + kUser + ",\x01" + "host=127.0.0.1\x01" + "port=" +
                               std::to_string(port) + "\x01" + "auth=Bearer " + token + "\x01\x01");
}

template <class Options>
Options with_token(Options options, vm_auth auth, const std::string& token = {}) {
    options.auth = auth;
    options.user = kUser;
    options.password = token;
    options.allow_cleartext_password = true;
    return options;
}

// Gives kGood in kGone's place, and notes what it was asked.
struct Tokens {
    explicit Tokens(FakeHost& host, std::string first = kGood) : now(std::move(first)) {
        host.give_tokens([this](const std::string& refused) {
            asked.push_back(refused);
            if (refused == now) now = kGood;
            return now;
        });
    }
    std::string now;
    Commands asked;
};

SmtpScript smtp_offering(const std::string& mechanisms) {
    SmtpScript script;
    script.ehlo = "250-h\r\n250-AUTH " + mechanisms + "\r\n250 PIPELINING\r\n";
    return script;
}

// Takes kGood alone; refuses as Dovecot and Exchange do.
SmtpScript smtp_server(const std::string& mechanisms) {
    SmtpScript script = smtp_offering(mechanisms);
    script.instead = [](Peer& peer, const std::string& step) {
        if (step != "AUTH") return false;
        const std::string words =
            plug::decode_base64(peer.lines().back().substr(peer.lines().back().rfind(' ') + 1));
        if (words.find(kGood) != std::string::npos) {
            peer.say("235 2.7.0 in\r\n");
        } else {
            peer.say("334 " + plug::encode_base64(kReason) + "\r\n");
            peer.read_line();
            peer.say("535 5.7.8 authentication failed\r\n");
        }
        return true;
    };
    return script;
}

class BearerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BearerTest);
    CPPUNIT_TEST(smtp_oauthbearer);
    CPPUNIT_TEST(oauthbearer_where_that_alone_is_offered);
    CPPUNIT_TEST(a_name_is_quoted);
    CPPUNIT_TEST(the_host_is_asked_before_each_connection);
    CPPUNIT_TEST(a_refused_token_is_replaced_once);
    CPPUNIT_TEST(no_other_token_is_said_why);
    CPPUNIT_TEST(no_token_no_connection);
    CPPUNIT_TEST(no_token_is_asked_for_where_none_may_be_sent);
    CPPUNIT_TEST(a_server_that_cannot_tell_gets_no_other);
    CPPUNIT_TEST(a_host_that_gives_nonsense);
    CPPUNIT_TEST(imap_in_the_first_flight);
    CPPUNIT_TEST(imap_refused_with_more_behind_it);
    CPPUNIT_TEST(imap_by_libcurl);
    CPPUNIT_TEST(pop3);
    CPPUNIT_TEST(no_token_is_in_any_line);
    CPPUNIT_TEST(a_session_needs_one_or_a_host_that_has_them);
    CPPUNIT_TEST_SUITE_END();

    struct Result {
        plug::Ending ending;
        Commands lines;
        std::string trace;
        int connections = 0;
        std::uint16_t port = 0;
    };
    static Result push(const ScriptedServer::Script& script, vm_auth auth, FakeHost& host,
                       const std::string& token = {}) {
        ScriptedServer server(script);
        TestMessage message;
        Result out;
        {
            plug::SmtpSession session(with_token(options_for(server), auth, token), host.session());
            out.ending = session.push(*message);
            out.ending.text = session.hide(out.ending.text);
        }
        server.stop();
        out.lines = server.lines();
        out.trace = host.trace();
        out.connections = server.connections();
        out.port = server.port();
        return out;
    }
    static void assert_sent(const Result& result) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending), 250, result.ending.code);
        for (const std::string& token : {kGood, kGone})
            CPPUNIT_ASSERT(result.trace.find(token) == std::string::npos);
    }

    void smtp_oauthbearer() {
        FakeHost host;
        const Result result =
            push(smtp_server("PLAIN XOAUTH2 OAUTHBEARER"), VM_AUTH_OAUTHBEARER, host, kGood);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL("AUTH OAUTHBEARER " + oauthbearer(kGood, result.port),
                             result.lines.at(1));
        const Result refused = push(smtp_server("OAUTHBEARER"), VM_AUTH_OAUTHBEARER, host, kGone);
        CPPUNIT_ASSERT_EQUAL(535, refused.ending.code);
        CPPUNIT_ASSERT_EQUAL("535 5.7.8 authentication failed (" + kReason + ")",
                             refused.ending.text);
        CPPUNIT_ASSERT_EQUAL(std::string("AQ=="), refused.lines.at(2));  // RFC 7628 section 3.2.3
    }

    void oauthbearer_where_that_alone_is_offered() {
        FakeHost host;
        Result result = push(smtp_server("PLAIN OAUTHBEARER"), VM_AUTH_XOAUTH2, host, kGood);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL("AUTH OAUTHBEARER " + oauthbearer(kGood, result.port),
                             result.lines.at(2));
        result = push(smtp_server("OAUTHBEARER XOAUTH2"), VM_AUTH_XOAUTH2, host, kGood);
        CPPUNIT_ASSERT_EQUAL("AUTH XOAUTH2 " + xoauth2(kGood), result.lines.at(1));
        result = push(smtp_server("XOAUTH2"), VM_AUTH_OAUTHBEARER, host, kGood);
        CPPUNIT_ASSERT_EQUAL(
            std::string("authentication by OAUTHBEARER was asked for; the server offers XOAUTH2"),
            result.ending.text);
    }

    void a_name_is_quoted() {
        CPPUNIT_ASSERT_EQUAL(std::string("a=3Db=2Cc@d"), plug::sasl_name("a=b,c@d"));
        ScriptedServer server(smtp_server("OAUTHBEARER"));
        FakeHost host;
        plug::SmtpOptions options = with_token(options_for(server), VM_AUTH_OAUTHBEARER, kGood);
        options.user = "a=b,c";
        TestMessage message;
        plug::SmtpSession(std::move(options), host.session()).push(*message);
        server.stop();
        const std::string words = plug::decode_base64(server.lines().at(1).substr(17));
        CPPUNIT_ASSERT_EQUAL(std::string("n,a=a=3Db=2Cc,"), words.substr(0, 14));
    }

    // Also before that which takes the place of one that was closed.
    void the_host_is_asked_before_each_connection() {
        SmtpScript closing = smtp_server("XOAUTH2");
        const auto login = closing.instead;
        closing.instead = [&](Peer& peer, const std::string& step) {
            if (step == "AUTH") return login(peer, step);
            if (step != "dot") return false;
            peer.say("250 2.0.0 taken\r\n");
            throw Peer::Gone{};
        };
        ScriptedServer server(closing);
        FakeHost host;
        Tokens tokens(host);
        plug::SmtpSession session(with_token(options_for(server), VM_AUTH_XOAUTH2), host.session());
        for (int i = 0; i < 3; ++i) {
            TestMessage message;
            CPPUNIT_ASSERT_EQUAL(250, session.push(*message).code);
        }
        CPPUNIT_ASSERT((tokens.asked == Commands{"", "", ""}));
    }

    void a_refused_token_is_replaced_once() {
        FakeHost host;
        Tokens tokens(host, kGone);
        const Result result = push(smtp_server("XOAUTH2"), VM_AUTH_XOAUTH2, host);
        assert_sent(result);
        CPPUNIT_ASSERT((tokens.asked == Commands{"", kGone}));
        CPPUNIT_ASSERT_EQUAL(2, result.connections);
        // One that does not want any is not asked for ever.
        SmtpScript script = smtp_offering("XOAUTH2");
        script.auth = "535 5.7.3 unsuccessful\r\n";
        int given = 0;
        host.give_tokens([&](const std::string&) { return kGood + std::to_string(++given); });
        const Result refused = push(script, VM_AUTH_XOAUTH2, host);
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.3 unsuccessful"), refused.ending.text);
        CPPUNIT_ASSERT_EQUAL(2, refused.connections);
        CPPUNIT_ASSERT_EQUAL(2, given);
    }

    void no_other_token_is_said_why() {
        SmtpScript script = smtp_offering("XOAUTH2");
        script.auth = "535 5.7.3 unsuccessful\r\n";
        FakeHost host;
        host.give_tokens([](const std::string& refused) {
            if (!refused.empty()) throw std::runtime_error("revoked; authorize it");
            return kGone;
        });
        Result result = push(script, VM_AUTH_XOAUTH2, host);
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.3 unsuccessful; revoked; authorize it"),
                             result.ending.text);
        CPPUNIT_ASSERT_EQUAL(535, result.ending.code);
        host.give_tokens([](const std::string&) { return kGone; });  // the same again
        result = push(script, VM_AUTH_XOAUTH2, host);
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.3 unsuccessful"), result.ending.text);
        CPPUNIT_ASSERT_EQUAL(1, result.connections);
    }

    void no_token_no_connection() {
        FakeHost host;
        host.give_tokens([](const std::string&) -> std::string {
            throw std::runtime_error("not granted\nyet");
        });
        const Result result = push(smtp_server("XOAUTH2"), VM_AUTH_XOAUTH2, host);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(std::string("not granted yet"), result.ending.text);
        CPPUNIT_ASSERT_EQUAL(0, result.connections);
    }

    void no_token_is_asked_for_where_none_may_be_sent() {
        FakeHost host;
        Tokens tokens(host);
        ScriptedServer server(smtp_server("XOAUTH2"));
        plug::SmtpOptions options = with_token(options_for(server), VM_AUTH_XOAUTH2);
        options.allow_cleartext_password = false;
        TestMessage message;
        const auto ending = plug::SmtpSession(std::move(options), host.session()).push(*message);
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{ending.cause});
        CPPUNIT_ASSERT(ending.text.find("certificate is not checked") != std::string::npos);
        CPPUNIT_ASSERT(tokens.asked.empty());
        CPPUNIT_ASSERT_EQUAL(0, server.connections());
    }

    void a_server_that_cannot_tell_gets_no_other() {
        for (const char* reply : {"454 4.7.0 later\r\n", "421 4.3.2 closing\r\n"}) {
            FakeHost host;
            Tokens tokens(host, kGone);
            SmtpScript script = smtp_offering("XOAUTH2");
            script.auth = reply;
            push(script, VM_AUTH_XOAUTH2, host);
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, tokens.asked.size());
        }
        for (const char* answer :
             {"@ NO [UNAVAILABLE] later\r\n", "@ BAD what\r\n", "* BYE enough\r\n"}) {
            FakeHost host;
            Tokens tokens(host, kGone);
            look(imap_offering("AUTH=XOAUTH2", answer), VM_AUTH_XOAUTH2, host);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, std::size_t{1}, tokens.asked.size());
        }
    }

    void a_host_that_gives_nonsense() {
        for (const char* token : {"", "with\rcontrol"}) {
            FakeHost host;
            host.give_tokens([&](const std::string&) { return std::string(token); });
            const Result result = push(smtp_server("XOAUTH2"), VM_AUTH_XOAUTH2, host);
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
            CPPUNIT_ASSERT_EQUAL(0, result.connections);
        }
    }

    // ---- IMAP ----

    static ImapScript imap_offering(const std::string& mechanisms, const std::string& answer,
                                    bool initial = true) {
        ImapScript script;
        script.greeting = "* OK [CAPABILITY IMAP4rev1 " + std::string(initial ? "SASL-IR " : "") +
                          "ENABLE " + mechanisms + "] ready\r\n";
        script.capability = "IMAP4rev1 " + mechanisms;
        return script.answer("AUTHENTICATE", answer);
    }
    static std::string imap_in() {
        return "@ OK [CAPABILITY " + ImapScript().capability_inside + "] in\r\n";
    }

    struct Looked {
        plug::AccountEnding end;
        Commands lines;
        std::string trace;
        std::uint16_t port = 0;
    };
    static Looked look(const std::vector<ScriptedServer::Script>& scripts, vm_auth auth,
                       FakeHost& host, const std::string& token = {}) {
        ScriptedServer server(scripts);
        Looked out;
        out.port = server.port();
        {
            plug::imap::ImapSession session(with_token(account_options(server.port()), auth, token),
                                            host.session());
            vm_scope scope{};
            scope.struct_size = sizeof scope;
            scope.mode = VM_SCOPE_INBOX;
            out.end = session.folders(scope, [](const vm_folder&) {});
            out.end.ending.text = session.hide(out.end.ending.text);
        }
        server.stop();
        out.lines = server.lines();
        out.trace = host.trace();
        for (const std::string& secret : {kGood, kGone})
            CPPUNIT_ASSERT(out.trace.find(secret) == std::string::npos);
        return out;
    }
    static Looked look(const ImapScript& script, vm_auth auth, FakeHost& host,
                       const std::string& token = {}) {
        return look(std::vector<ScriptedServer::Script>{script}, auth, host, token);
    }

    void imap_in_the_first_flight() {
        FakeHost host;
        Looked looked =
            look(imap_offering("AUTH=XOAUTH2", imap_in()), VM_AUTH_XOAUTH2, host, kGood);
        assert_ok(looked.end);
        CPPUNIT_ASSERT_EQUAL("A002 AUTHENTICATE XOAUTH2 " + xoauth2(kGood), looked.lines.at(0));
        CPPUNIT_ASSERT(looked.lines.at(1).find("ENABLE") != std::string::npos);
        for (const vm_auth auth : {VM_AUTH_XOAUTH2, VM_AUTH_OAUTHBEARER}) {
            looked = look(imap_offering("AUTH=OAUTHBEARER", imap_in()), auth, host, kGood);
            assert_ok(looked.end);
            CPPUNIT_ASSERT_EQUAL("A002 AUTHENTICATE OAUTHBEARER " + oauthbearer(kGood, looked.port),
                                 looked.lines.at(0));
        }
    }

    // The next command is taken for the answer to its challenge; the one after the next token is
    // not.
    void imap_refused_with_more_behind_it() {
        for (const char* mechanism : {"XOAUTH2", "OAUTHBEARER"}) {
            FakeHost host;
            Tokens tokens(host, kGone);
            const std::string offered = std::string("AUTH=") + mechanism;
            const Looked looked =
                look({imap_offering(offered, "+ " + plug::encode_base64(kReason) + "\r\n"),
                      imap_offering(offered, imap_in())},
                     VM_AUTH_XOAUTH2, host);
            assert_ok(looked.end);
            CPPUNIT_ASSERT((tokens.asked == Commands{"", kGone}));
            CPPUNIT_ASSERT(looked.trace.find(plug::encode_base64(kReason)) == std::string::npos);
        }
        FakeHost host;
        const Looked refused =
            look(imap_offering("AUTH=OAUTHBEARER", "+ " + plug::encode_base64(kReason) + "\r\n"),
                 VM_AUTH_OAUTHBEARER, host, kGone);
        assert_failed(refused.end, VM_CAUSE_REPLY, "NO the server refused the token: " + kReason);
    }

    void imap_by_libcurl() {
        FakeHost host;
        ImapScript script = imap_offering("AUTH=OAUTHBEARER", "", false);
        script.instead = [](Peer& peer, const std::string& tag, const std::string& command) {
            if (!command.starts_with("AUTHENTICATE")) return false;
            peer.say("+ \r\n");
            const bool good =
                plug::decode_base64(peer.read_line()).find(kGood) != std::string::npos;
            if (!good) {
                peer.say("+ " + plug::encode_base64(kReason) + "\r\n");
                peer.read_line();
            }
            peer.say(tag + (good ? " OK in\r\n" : " NO [AUTHENTICATIONFAILED] no\r\n"));
            return true;
        };
        Tokens tokens(host, kGone);
        assert_ok(look(script, VM_AUTH_OAUTHBEARER, host).end);
        CPPUNIT_ASSERT((tokens.asked == Commands{"", kGone}));
        const Looked refused = look(script, VM_AUTH_OAUTHBEARER, host, kGone);
        assert_failed(refused.end, VM_CAUSE_REPLY,
                      "NO [AUTHENTICATIONFAILED] no (" + kReason + ")");
    }

    // ---- POP3 ----

    static void pop3_server(Peer& peer) {
        peer.say("+OK ready\r\n");
        for (;;) {
            const std::string line = peer.read_line();
            if (line == "CAPA") {
                peer.say("+OK\r\nUIDL\r\nTOP\r\nSASL XOAUTH2 OAUTHBEARER\r\n.\r\n");
            } else if (line.starts_with("AUTH ")) {
                // (What is longer than 255 bytes is sent behind a challenge.)
                std::string words = line.substr(line.rfind(' ') + 1);
                if (words.size() < 20) {
                    peer.say("+ \r\n");
                    words = peer.read_line();
                }
                if (plug::decode_base64(words).find(kGood) != std::string::npos) {
                    peer.say("+OK in\r\n");
                    continue;
                }
                peer.say("+ " + plug::encode_base64(kReason) + "\r\n");
                peer.read_line();
                peer.say("-ERR [AUTH] no\r\n");
            } else if (line == "UIDL") {
                peer.say("+OK\r\n.\r\n");
            } else {
                peer.say("+OK\r\n");
                if (line == "QUIT") return;
            }
        }
    }

    void pop3() {
        for (const vm_auth auth : {VM_AUTH_XOAUTH2, VM_AUTH_OAUTHBEARER}) {
            ScriptedServer server(&pop3_server);
            FakeHost host;
            Tokens tokens(host, kGone);
            plug::AccountOptions options = with_token(account_options(server.port()), auth);
            plug::pop3::Pop3Session session(options, host.session());
            plug::FoundMessage found;
            assert_ok(session.find(kId, found));
            CPPUNIT_ASSERT((tokens.asked == Commands{"", kGone}));
            host.give_tokens([](const std::string&) { return kGone; });
            const auto end = session.find(kId, found);
            assert_failed(end, VM_CAUSE_REPLY,
                          auth == VM_AUTH_XOAUTH2 ? "-ERR the server refused the token: " + kReason
                                                  : "-ERR [AUTH] no (" + kReason + ")");
            server.stop();
            CPPUNIT_ASSERT(host.trace().find(kGone) == std::string::npos);
        }
    }

    // Servers that repeat what they were told, as it is, in base64, and within other base64.
    void no_token_is_in_any_line() {
        for (std::size_t before = 0; before < 4; ++before) {
            const std::string wrapped =
                plug::encode_base64(std::string(before, 'x') + kGood + "and more");
            SmtpScript script = smtp_offering("OAUTHBEARER XOAUTH2");
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step != "AUTH") return false;
                peer.say("535-5.7.8 " + peer.lines().back() + "\r\n535 5.7.8 " + kGood + " " +
                         wrapped + "\r\n");
                return true;
            };
            for (const vm_auth auth : {VM_AUTH_XOAUTH2, VM_AUTH_OAUTHBEARER}) {
                FakeHost host;
                Tokens tokens(host);
                const Result result = push(script, auth, host);
                const std::string all = result.trace + result.ending.text;
                CPPUNIT_ASSERT_EQUAL(535, result.ending.code);
                for (const std::string& secret :
                     {kGood, plug::encode_base64(kGood), wrapped, xoauth2(kGood),
                      oauthbearer(kGood, result.port), wrapped.substr(4, 28)})
                    CPPUNIT_ASSERT_MESSAGE(all, all.find(secret) == std::string::npos);
            }
            FakeHost host;
            Tokens tokens(host);
            const Looked looked = look(
                imap_offering("AUTH=XOAUTH2", "* OK " + wrapped + "\r\n@ NO " + wrapped + "\r\n"),
                VM_AUTH_XOAUTH2, host);
            const std::string all = looked.trace + looked.end.ending.text;
            CPPUNIT_ASSERT_MESSAGE(all, all.find("NO ") != std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(all, all.find(wrapped.substr(4, 28)) == std::string::npos);
        }
    }

    void a_session_needs_one_or_a_host_that_has_them() {
        vm_options options{};
        options.struct_size = sizeof options;
        options.smtp.struct_size = options.account.struct_size = sizeof(vm_endpoint);
        options.smtp.host = "127.0.0.1";
        options.smtp.user = "driver";
        options.allow_cleartext_password = 1;
        for (const vm_auth auth : {VM_AUTH_XOAUTH2, VM_AUTH_OAUTHBEARER, VM_AUTH_PLAIN})
            for (const bool gives : {false, true}) {
                FakeHost host;
                if (gives) host.give_tokens([](const std::string&) { return kGood; });
                CPPUNIT_ASSERT(plug::use_host(host.table()));
                options.smtp.auth = static_cast<std::uint8_t>(auth);
                char error[100] = "";
                vm_session* session = plug::open_session(&options, {}, error, sizeof error);
                CPPUNIT_ASSERT_EQUAL(gives && auth != VM_AUTH_PLAIN, session != nullptr);
                if (session != nullptr)
                    plug::close_session(session);
                else
                    CPPUNIT_ASSERT_EQUAL(std::string("authentication without a password"),
                                         std::string(error));
            }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BearerTest);

}  // namespace

}  // namespace vm::testing
