// Authentication: the mechanism chosen, what happens when it cannot be had, and that no credential
// is ever traced, reported, or sent where it must not go.
#include "common/push_session.h"
#include "common/text.h"
#include "smtp_fixture.h"

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace vm::testing {

namespace {

using plug::Ending;
using plug::SmtpOptions;
using plug::SmtpSession;

const std::string kUser = "driver";
const std::string kPassword = "chariots of fire";

class SmtpAuthTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SmtpAuthTest);
    CPPUNIT_TEST(plain);
    CPPUNIT_TEST(login);
    CPPUNIT_TEST(cram_md5);
    CPPUNIT_TEST(xoauth2);
    CPPUNIT_TEST(xoauth2_refused_token);
    CPPUNIT_TEST(xoauth2_token_too_long_for_one_line);
    CPPUNIT_TEST(auto_prefers_cram_md5_where_the_connection_is_open);
    CPPUNIT_TEST(auto_prefers_plain_under_verified_tls);
    CPPUNIT_TEST(auto_takes_cram_md5_when_nothing_else_is_offered);
    CPPUNIT_TEST(not_offered_is_an_error);
    CPPUNIT_TEST(other_mechanisms_offered_is_an_error);
    CPPUNIT_TEST(helo_server_is_an_error);
    CPPUNIT_TEST(refused_credentials_keep_the_reply);
    CPPUNIT_TEST(no_password_over_an_open_connection);
    CPPUNIT_TEST(no_password_over_an_unverified_connection);
    CPPUNIT_TEST(secrets_are_in_no_line);
    CPPUNIT_TEST(no_half_of_a_secret_stays);
    CPPUNIT_TEST_SUITE_END();

    struct Result {
        Ending ending;
        std::vector<std::string> lines;
        std::string trace;
        int connections = 0;
    };

    static SmtpScript offering(const std::string& mechanisms) {
        SmtpScript script;
        script.ehlo = "250-h\r\n250-AUTH " + mechanisms + "\r\n250 PIPELINING\r\n";
        return script;
    }

    Result push(const SmtpScript& script, vm_auth auth) {
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        Result out;
        out.ending =
            SmtpSession(with_password(options_for(server), auth), host.session()).push(*message);
        server.stop();
        out.lines = server.lines();
        out.trace = host.trace();
        out.connections = server.connections();
        return out;
    }

    static void assert_sent(const Result& result) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending), int{VM_STEP_DOT},
                                     int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(250, result.ending.code);
    }
    static void assert_config(const Result& result, const std::string& text) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending), int{VM_CAUSE_CONFIG},
                                     int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(text, result.ending.text);
    }

    void plain() {
        const Result result = push(offering("LOGIN PLAIN"), VM_AUTH_PLAIN);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL("AUTH PLAIN " + plug::encode_base64(std::string(1, '\0') + kUser +
                                                                 std::string(1, '\0') + kPassword),
                             result.lines[1]);
    }

    void login() {
        SmtpScript script = offering("PLAIN LOGIN");
        script.instead = [](Peer& peer, const std::string& step) {
            if (step != "AUTH") return false;
            peer.say("334 UGFzc3dvcmQ6\r\n");
            peer.read_line();
            peer.say("235 2.7.0 in\r\n");
            return true;
        };
        const Result result = push(script, VM_AUTH_LOGIN);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL("AUTH LOGIN " + plug::encode_base64(kUser), result.lines[1]);
        CPPUNIT_ASSERT_EQUAL(plug::encode_base64(kPassword), result.lines[2]);
    }

    static SmtpScript challenging(const std::string& mechanisms) {
        SmtpScript script = offering(mechanisms);
        script.instead = [](Peer& peer, const std::string& step) {
            if (step != "AUTH") return false;
            peer.say("334 " + plug::encode_base64("<1896.697170952@heaven.af.mil>") + "\r\n");
            peer.read_line();
            peer.say("235 2.7.0 in\r\n");
            return true;
        };
        return script;
    }

    // RFC 2195.
    static std::string cram_answer() {
        const std::string challenge = "<1896.697170952@heaven.af.mil>";
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        HMAC(EVP_md5(), kPassword.data(), static_cast<int>(kPassword.size()),
             reinterpret_cast<const unsigned char*>(challenge.data()), challenge.size(), digest,
             &size);
        std::string out = kUser + " ";
        for (unsigned i = 0; i < size; ++i) {
            char hex[3];
            std::snprintf(hex, sizeof hex, "%02x", digest[i]);
            out += hex;
        }
        return plug::encode_base64(out);
    }

    void cram_md5() {
        const Result result = push(challenging("PLAIN CRAM-MD5"), VM_AUTH_CRAM_MD5);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(std::string("AUTH CRAM-MD5"), result.lines[1]);
        CPPUNIT_ASSERT_EQUAL(cram_answer(), result.lines[2]);
    }

    void xoauth2() {
        const Result result = push(offering("CRAM-MD5 XOAUTH2 OAUTHBEARER PLAIN"), VM_AUTH_XOAUTH2);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(
            "AUTH XOAUTH2 " + plug::encode_base64("user=" + kUser + "\x01" + "auth=Bearer " +
                                                  kPassword + "\x01\x01"),
            result.lines[1]);
    }

    void xoauth2_refused_token() {
        SmtpScript script = offering("XOAUTH2");
        script.auth =
            "334 " + plug::encode_base64(R"({"status":"401","schemes":"Bearer"})") + "\r\n";
        const Result result = push(script, VM_AUTH_XOAUTH2);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_REPLY}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(535, result.ending.code);
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"(535 the server refused the token: {"status":"401","schemes":"Bearer"})"),
            result.ending.text);
    }

    // RFC 4954 section 3: an initial response that does not fit waits for the server's 334.
    void xoauth2_token_too_long_for_one_line() {
        SmtpScript script = offering("XOAUTH2");
        script.instead = [](Peer& peer, const std::string& step) {
            if (step != "AUTH") return false;
            peer.say("334 \r\n");
            peer.read_line();
            peer.say("235 2.7.0 in\r\n");
            return true;
        };
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        SmtpOptions options = with_password(options_for(server), VM_AUTH_XOAUTH2);
        options.password = std::string(2000, 't');
        Result result;
        result.ending = SmtpSession(options, host.session()).push(*message);
        assert_sent(result);
        server.stop();
        CPPUNIT_ASSERT_EQUAL(std::string("AUTH XOAUTH2"), server.lines()[1]);
        CPPUNIT_ASSERT_EQUAL(plug::encode_base64("user=" + kUser + "\x01" + "auth=Bearer " +
                                                 options.password + "\x01\x01"),
                             server.lines()[2]);
        CPPUNIT_ASSERT(host.trace().find(server.lines()[2]) == std::string::npos);
    }

    void auto_prefers_cram_md5_where_the_connection_is_open() {
        const Result result = push(challenging("PLAIN LOGIN CRAM-MD5"), VM_AUTH_AUTO);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(std::string("AUTH CRAM-MD5"), result.lines[1]);
        CPPUNIT_ASSERT(
            push(offering("PLAIN LOGIN"), VM_AUTH_AUTO).lines[1].starts_with("AUTH PLAIN"));
    }

    Result push_under_tls(SmtpScript script, vm_auth auth) {
        TestCa ca;
        script.tls = ca.server("IP:127.0.0.1");
        script.implicit_tls = true;
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message;
        SmtpOptions options = with_password(options_for(server), auth);
        options.tls = VM_TLS_IMPLICIT;
        options.ca_file = ca.file();
        options.allow_cleartext_password = false;
        Result out;
        out.ending = SmtpSession(options, host.session()).push(*message);
        server.stop();
        out.lines = server.lines();
        out.connections = server.connections();
        return out;
    }

    void auto_prefers_plain_under_verified_tls() {
        const Result result = push_under_tls(offering("CRAM-MD5 LOGIN PLAIN"), VM_AUTH_AUTO);
        assert_sent(result);
        CPPUNIT_ASSERT(result.lines[1].starts_with("AUTH PLAIN "));
        CPPUNIT_ASSERT_EQUAL(1, result.connections);
    }

    void auto_takes_cram_md5_when_nothing_else_is_offered() {
        const Result result = push_under_tls(challenging("GSSAPI CRAM-MD5"), VM_AUTH_AUTO);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(2, result.connections);
    }

    void not_offered_is_an_error() {
        for (const vm_auth auth :
             {VM_AUTH_PLAIN, VM_AUTH_AUTO, VM_AUTH_CRAM_MD5, VM_AUTH_XOAUTH2}) {
            const Result result = push(SmtpScript{}, auth);
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
            CPPUNIT_ASSERT(result.ending.text.ends_with("the server offers no authentication"));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, result.lines.size());  // EHLO, and no MAIL
        }
    }

    void other_mechanisms_offered_is_an_error() {
        assert_config(push(offering("LOGIN CRAM-MD5"), VM_AUTH_PLAIN),
                      "authentication by PLAIN was asked for; the server offers LOGIN, CRAM-MD5");
        assert_config(push(offering("GSSAPI"), VM_AUTH_AUTO),
                      "authentication by PLAIN, LOGIN or CRAM-MD5 was asked for; the server offers "
                      "GSSAPI");
        const Result result = push(offering("PLAIN LOGIN"), VM_AUTH_XOAUTH2);
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, result.lines.size());
    }

    void helo_server_is_an_error() {
        SmtpScript script;
        script.ehlo = "500 5.5.1 what?\r\n";
        assert_config(push(script, VM_AUTH_LOGIN),
                      "authentication by LOGIN was asked for; the server offers no authentication");
    }

    void refused_credentials_keep_the_reply() {
        for (const vm_auth auth : {VM_AUTH_PLAIN, VM_AUTH_AUTO}) {
            SmtpScript script = offering("PLAIN LOGIN");
            script.auth = "535-5.7.8 Username and Password\r\n535 5.7.8 not accepted\r\n";
            const Result result = push(script, auth);
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_REPLY}, int{result.ending.cause});
            CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{result.ending.step});
            CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.8 Username and Password not accepted"),
                                 result.ending.text);
            CPPUNIT_ASSERT_EQUAL(1, result.connections);
        }
    }

    // Refused before there is a connection that could leak anything.
    void refuses_upfront(vm_tls tls, bool verify) {
        for (const vm_auth auth :
             {VM_AUTH_PLAIN, VM_AUTH_LOGIN, VM_AUTH_CRAM_MD5, VM_AUTH_AUTO, VM_AUTH_XOAUTH2}) {
            ScriptedServer server(offering("PLAIN"));
            FakeHost host;
            TestMessage message;
            SmtpOptions options = with_password(options_for(server), auth);
            options.allow_cleartext_password = false;
            options.tls = tls;
            options.verify = verify;
            const Ending ending = SmtpSession(options, host.session()).push(*message);
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{ending.cause});
            CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{ending.step});
            server.stop();
            CPPUNIT_ASSERT_EQUAL(0, server.connections());
        }
    }
    void no_password_over_an_open_connection() { refuses_upfront(VM_TLS_OPPORTUNISTIC, true); }
    void no_password_over_an_unverified_connection() {
        refuses_upfront(VM_TLS_IMPLICIT, false);
        refuses_upfront(VM_TLS_STARTTLS, false);
    }

    // Through the ABI, as the host uses it; the server repeats everything it was told.
    void secrets_are_in_no_line() {
        const std::string plain = std::string(1, '\0') + kUser + std::string(1, '\0') + kPassword;
        const std::string bearer =
            "user=" + kUser + "\x01" + "auth=Bearer " + kPassword + "\x01\x01";
        for (const vm_auth auth :
             {VM_AUTH_PLAIN, VM_AUTH_LOGIN, VM_AUTH_CRAM_MD5, VM_AUTH_XOAUTH2}) {
            SmtpScript script = offering("PLAIN LOGIN CRAM-MD5 XOAUTH2");
            script.instead = [&](Peer& peer, const std::string& step) {
                if (step != "AUTH") return false;
                if (auth == VM_AUTH_LOGIN || auth == VM_AUTH_CRAM_MD5) {
                    peer.say("334 " + plug::encode_base64("<challenge@x>") + "\r\n");
                    peer.read_line();
                }
                peer.say("535-5.7.8 wrong: " + peer.lines().back() + "\r\n535 5.7.8 I know " +
                         kPassword + ", " + plug::encode_base64(kPassword) + "\r\n");
                return true;
            };
            ScriptedServer server(script);
            FakeHost host;
            CPPUNIT_ASSERT(plug::use_host(host.table()));
            vm_options options{};
            options.struct_size = sizeof options;
            options.smtp.struct_size = options.account.struct_size = sizeof(vm_endpoint);
            options.smtp.host = "127.0.0.1";
            options.smtp.port = server.port();
            options.smtp.auth = static_cast<std::uint8_t>(auth);
            options.smtp.user = kUser.c_str();
            options.smtp.password = kPassword.c_str();
            options.allow_cleartext_password = 1;
            char error[100];
            vm_session* session = plug::open_session(&options, {}, error, sizeof error);
            CPPUNIT_ASSERT(session != nullptr);
            TestMessage message;
            vm_push_report report{};
            report.struct_size = sizeof report;
            plug::push_message(session, &*message, &report);
            plug::close_session(session);
            CPPUNIT_ASSERT_EQUAL(535, int{report.code});
            const std::string all = host.trace() + report.text;
            CPPUNIT_ASSERT(all.find("S: 535 5.7.8 I know [hidden], [hidden]") != std::string::npos);
            for (const std::string& secret : {kPassword, plain, bearer}) {
                CPPUNIT_ASSERT_MESSAGE(all, all.find(secret) == std::string::npos);
                CPPUNIT_ASSERT_MESSAGE(all,
                                       all.find(plug::encode_base64(secret)) == std::string::npos);
            }
            CPPUNIT_ASSERT(all.find(plug::encode_base64("<challenge@x>")) == std::string::npos);
        }
    }

    // A server repeats the password where its line is shortened for the report.
    void no_half_of_a_secret_stays() {
        for (const char* where : {"greeting", "MAIL"})
            for (std::size_t before = 40; before < 80; before += 3) {
                SmtpScript script = offering("PLAIN");
                script.instead = [&](Peer& peer, const std::string& step) {
                    if (step != where) return false;
                    peer.say(std::string(before, 'x') + kPassword + " and more\r\n");
                    return true;
                };
                ScriptedServer server(script);
                FakeHost host;
                plug::Redactor secrets;
                secrets.add(kPassword);
                SmtpSession session(with_password(options_for(server)),
                                    host.session(std::move(secrets)));
                TestMessage message;
                const std::string words = session.hide(session.push(*message).text);
                CPPUNIT_ASSERT_MESSAGE(words, words.find("chari") == std::string::npos);
                CPPUNIT_ASSERT_MESSAGE(words, words.find("not a valid") != std::string::npos);
                CPPUNIT_ASSERT(host.trace().find("chari") == std::string::npos);
            }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SmtpAuthTest);

}  // namespace

}  // namespace vm::testing
