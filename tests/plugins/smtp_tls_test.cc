// TLS: the three modes, the certificates that are refused and why, and what an attacker may try.
#include "smtp_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>

namespace vm::testing {

namespace {

using plug::Ending;
using plug::SmtpOptions;
using plug::SmtpSession;

const char kEhlo[] = "250-h\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n";

class SmtpTlsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SmtpTlsTest);
    CPPUNIT_TEST(good_certificate);
    CPPUNIT_TEST(good_certificate_by_name);
    CPPUNIT_TEST(wrong_host);
    CPPUNIT_TEST(unknown_ca);
    CPPUNIT_TEST(expired);
    CPPUNIT_TEST(verification_switched_off);
    CPPUNIT_TEST(old_tls_is_refused);
    CPPUNIT_TEST(missing_ca_file);
    CPPUNIT_TEST(ca_file_without_certificate);
    CPPUNIT_TEST(changed_ca_file_is_read_again);
    CPPUNIT_TEST(starttls_stripped);
    CPPUNIT_TEST(starttls_refused);
    CPPUNIT_TEST(plaintext_injected_behind_starttls);
    CPPUNIT_TEST(what_was_said_before_tls_is_forgotten);
    CPPUNIT_TEST(plain_server_where_tls_is_expected);
    CPPUNIT_TEST(opportunistic_takes_an_unverified_certificate);
    CPPUNIT_TEST(opportunistic_goes_on_when_starttls_is_refused);
    CPPUNIT_TEST(opportunistic_falls_back_when_tls_does_not_work);
    CPPUNIT_TEST(large_message_under_tls);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TestCa> ca_;

  public:
    void setUp() override { ca_ = std::make_unique<TestCa>(); }
    void tearDown() override { ca_.reset(); }

  private:
    struct Result {
        Ending ending;
        std::vector<std::string> lines;
        int connections = 0;
        std::string trace;
    };

    Result push(const SmtpScript& script, vm_tls tls,
                const std::function<void(SmtpOptions&)>& adjust = nullptr,
                std::string text = "Subject: x\r\n\r\nx\r\n") {
        ScriptedServer server(script);
        FakeHost host;
        TestMessage message(std::move(text));
        SmtpOptions options = options_for(server);
        options.tls = tls;
        options.ca_file = ca_->file();
        if (adjust) adjust(options);
        Result out;
        out.ending = SmtpSession(options, host.session()).push(*message);
        server.stop();
        out.lines = server.lines();
        out.connections = server.connections();
        out.trace = host.trace();
        return out;
    }

    static SmtpScript script_with(const ServerTls& tls, vm_tls mode) {
        SmtpScript script;
        script.ehlo = kEhlo;
        script.tls = tls;
        script.implicit_tls = mode == VM_TLS_IMPLICIT;
        return script;
    }

    static void assert_sent(const Result& result) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending) + "\n" + result.trace,
                                     int{VM_STEP_DOT}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(250, result.ending.code);
    }

    // Refused in both modes, at the right step, for `reason`.
    void refused(const ServerTls& tls, const std::string& reason) {
        for (const vm_tls mode : {VM_TLS_IMPLICIT, VM_TLS_STARTTLS}) {
            const Result result = push(script_with(tls, mode), mode);
            const std::string what = describe(result.ending);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{VM_CAUSE_TLS}, int{result.ending.cause});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                what, int{mode == VM_TLS_IMPLICIT ? VM_STEP_CONNECT : VM_STEP_STARTTLS},
                int{result.ending.step});
            CPPUNIT_ASSERT_MESSAGE(what, result.ending.text.starts_with(reason));
            CPPUNIT_ASSERT_EQUAL(1, result.connections);
        }
    }

    void good_certificate() {
        for (const vm_tls mode : {VM_TLS_IMPLICIT, VM_TLS_STARTTLS})
            assert_sent(push(script_with(ca_->server("IP:127.0.0.1"), mode), mode,
                             [](SmtpOptions& options) {
                                 options = with_password(options);
                                 options.allow_cleartext_password = false;
                             }));
    }
    void good_certificate_by_name() {
        for (const vm_tls mode : {VM_TLS_IMPLICIT, VM_TLS_STARTTLS})
            assert_sent(push(script_with(ca_->server("DNS:localhost"), mode), mode,
                             [](SmtpOptions& options) { options.host = "localhost"; }));
    }

    void wrong_host() {
        refused(ca_->server("DNS:mail.example.com,IP:192.0.2.1"), "certificate: hostname mismatch");
    }
    void unknown_ca() {
        refused(TestCa("someone else").server("IP:127.0.0.1"),
                "certificate: unable to get local issuer certificate");
        refused(TestCa().server("IP:127.0.0.1"), "certificate: certificate signature failure");
    }
    void expired() {
        refused(ca_->server("IP:127.0.0.1", -1), "certificate: certificate has expired");
    }

    void verification_switched_off() {
        for (const vm_tls mode : {VM_TLS_IMPLICIT, VM_TLS_STARTTLS})
            assert_sent(push(script_with(TestCa().server("DNS:elsewhere"), mode), mode,
                             [](SmtpOptions& options) { options.verify = false; }));
    }

    ServerTls old_server() {
        ServerTls tls = ca_->server("IP:127.0.0.1");
        SSL_CTX_set_security_level(tls.get(), 0);
        SSL_CTX_set_min_proto_version(tls.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(tls.get(), TLS1_1_VERSION);
        return tls;
    }
    void old_tls_is_refused() { refused(old_server(), "TLS handshake: "); }

    void missing_ca_file() {
        const Result result = push(SmtpScript{}, VM_TLS_STARTTLS, [](SmtpOptions& options) {
            options.ca_file = "/nonexistent/ca.pem";
        });
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(std::string("CA file /nonexistent/ca.pem: No such file or directory"),
                             result.ending.text);
        CPPUNIT_ASSERT_EQUAL(0, result.connections);
    }

    void ca_file_without_certificate() {
        const Result result = push(SmtpScript{}, VM_TLS_STARTTLS,
                                   [](SmtpOptions& options) { options.ca_file = "/dev/null"; });
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{result.ending.cause});
        CPPUNIT_ASSERT(result.ending.text.starts_with("CA file /dev/null: "));
    }

    void changed_ca_file_is_read_again() {
        const SmtpScript script = script_with(ca_->server("IP:127.0.0.1"), VM_TLS_STARTTLS);
        TestCa other;
        const auto use_other = [&](SmtpOptions& options) { options.ca_file = other.file(); };
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_TLS},
                             int{push(script, VM_TLS_STARTTLS, use_other).ending.cause});
        std::filesystem::copy_file(ca_->file(), other.file() + ".new");
        std::filesystem::rename(other.file() + ".new", other.file());
        assert_sent(push(script, VM_TLS_STARTTLS, use_other));
    }

    void starttls_stripped() {
        SmtpScript script;
        script.ehlo = "250-h\r\n250 PIPELINING\r\n";
        const Result result = push(script, VM_TLS_STARTTLS);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_STARTTLS}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_TLS}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, result.lines.size());
    }

    void starttls_refused() {
        SmtpScript script = script_with(ca_->server("IP:127.0.0.1"), VM_TLS_STARTTLS);
        script.starttls = "454 4.7.0 not now\r\n";
        const Result result = push(script, VM_TLS_STARTTLS);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_STARTTLS}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_REPLY}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(454, result.ending.code);
    }

    // CVE-2011-0411 and its kin: what comes before TLS must not count behind it.
    void plaintext_injected_behind_starttls() {
        SmtpScript script = script_with(ca_->server("IP:127.0.0.1"), VM_TLS_STARTTLS);
        script.starttls = "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n";
        const Result result = push(script, VM_TLS_STARTTLS);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending), int{VM_STEP_STARTTLS},
                                     int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_PROTOCOL}, int{result.ending.cause});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, result.lines.size());
    }

    void what_was_said_before_tls_is_forgotten() {
        int hellos = 0;
        SmtpScript script = script_with(ca_->server("IP:127.0.0.1"), VM_TLS_STARTTLS);
        script.instead = [&](Peer& peer, const std::string& step) {
            if (step == "EHLO" && ++hellos == 2) peer.say("250 h\r\n");
            return step == "EHLO" && hellos == 2;
        };
        const Result result = push(script, VM_TLS_STARTTLS,
                                   [](SmtpOptions& options) { options = with_password(options); });
        CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(result.ending), int{VM_CAUSE_CONFIG},
                                     int{result.ending.cause});
        CPPUNIT_ASSERT(result.ending.text.ends_with("the server offers no authentication"));
    }

    void plain_server_where_tls_is_expected() {
        const Result result = push(SmtpScript{}, VM_TLS_IMPLICIT);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_CONNECT}, int{result.ending.step});
        CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_TLS}, int{result.ending.cause});
    }

    void opportunistic_takes_an_unverified_certificate() {
        const Result result =
            push(script_with(TestCa().server("DNS:elsewhere", -1), VM_TLS_OPPORTUNISTIC),
                 VM_TLS_OPPORTUNISTIC);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(std::string("STARTTLS"), result.lines[1]);
    }

    void opportunistic_goes_on_when_starttls_is_refused() {
        SmtpScript script = script_with(nullptr, VM_TLS_OPPORTUNISTIC);
        script.starttls = "454 4.7.0 not now\r\n";
        const Result result = push(script, VM_TLS_OPPORTUNISTIC);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(1, result.connections);
    }

    void opportunistic_falls_back_when_tls_does_not_work() {
        const Result result =
            push(script_with(old_server(), VM_TLS_OPPORTUNISTIC), VM_TLS_OPPORTUNISTIC);
        assert_sent(result);
        CPPUNIT_ASSERT_EQUAL(2, result.connections);
    }

    void large_message_under_tls() {
        std::string received;
        SmtpScript script = script_with(ca_->server("IP:127.0.0.1"), VM_TLS_IMPLICIT);
        script.on_data = [&](const std::string& data) { received = data; };
        std::string text;
        for (int i = 0; i < 100'000; ++i)
            text += "line " + std::to_string(i) + " of the message\r\n";
        assert_sent(push(script, VM_TLS_IMPLICIT, nullptr, text));
        CPPUNIT_ASSERT(text == received);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SmtpTlsTest);

}  // namespace

}  // namespace vm::testing
