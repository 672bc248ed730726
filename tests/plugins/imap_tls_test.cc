// IMAP under TLS from the first byte, which is not libcurl's: the certificates that are taken and
// refused, handshakes that do not come to their end, and the connection afterwards.
#include "common/tls_wire.h"
#include "imap_fixture.h"

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <csignal>
#include <malloc.h>
#include <memory>
#include <poll.h>

namespace vm::testing {

namespace {

using std::chrono::milliseconds;

class ImapTlsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ImapTlsTest);
    CPPUNIT_TEST(good_certificate);
    CPPUNIT_TEST(which_names_a_certificate_has);
    CPPUNIT_TEST(a_subject_alone_is_a_name);
    CPPUNIT_TEST(wrong_host);
    CPPUNIT_TEST(unknown_ca);
    CPPUNIT_TEST(expired);
    CPPUNIT_TEST(old_tls_is_refused);
    CPPUNIT_TEST(no_tls_at_all);
    CPPUNIT_TEST(verification_switched_off);
    CPPUNIT_TEST(one_that_is_not_checked_opens_no_way_for_others);
    CPPUNIT_TEST(changed_ca_file_is_read_again);
    CPPUNIT_TEST(name_is_told);
    CPPUNIT_TEST(no_session_is_taken_up_again);
    CPPUNIT_TEST(no_renegotiation);
    CPPUNIT_TEST(cut_handshake);
    CPPUNIT_TEST(slow_handshake);
    CPPUNIT_TEST(cancelled_handshake);
    CPPUNIT_TEST(long_answers);
    CPPUNIT_TEST(no_signal_when_the_server_is_gone);
    CPPUNIT_TEST(parks_and_peeks);
    CPPUNIT_TEST(little_is_kept_while_parked);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TestCa> ca_;

  public:
    void setUp() override { ca_ = std::make_unique<TestCa>(); }
    void tearDown() override { ca_.reset(); }

  private:
    static ScriptedServer::Script under(const ServerTls& tls, const ImapScript& script = {}) {
        return [tls, script](Peer& peer) {
            peer.start_tls(tls);
            script(peer);
        };
    }

    plug::AccountOptions options(const ScriptedServer& server) const {
        plug::AccountOptions out = account_options(server.port());
        out.tls = VM_TLS_IMPLICIT;
        out.ca_file = ca_->file();
        out.allow_cleartext_password = false;
        return out;
    }

    plug::AccountEnding folders(ScriptedServer& server, FakeHost& host,
                                const std::function<void(plug::AccountOptions&)>& adjust = {}) {
        plug::AccountOptions mine = options(server);
        if (adjust) adjust(mine);
        plug::imap::ImapSession session(std::move(mine), host.session());
        return session.folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                               [](const vm_folder&) {});
    }
    plug::AccountEnding folders(const ServerTls& tls,
                                const std::function<void(plug::AccountOptions&)>& adjust = {}) {
        ScriptedServer server(under(tls));
        FakeHost host;
        return folders(server, host, adjust);
    }

    // Before anything was said, for `reason`.
    void refused(const ScriptedServer::Script& script, vm_cause cause, const std::string& reason,
                 const std::function<void(plug::AccountOptions&)>& adjust = {}) {
        ScriptedServer server(script);
        FakeHost host;
        const auto end = folders(server, host, adjust);
        assert_failed(end, cause, reason);
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_CONNECT}, int{end.ending.step});
        server.stop();
        CPPUNIT_ASSERT_EQUAL(1, server.connections());
        CPPUNIT_ASSERT(server.lines().empty());
    }
    void refused(const ServerTls& tls, const std::string& reason) {
        refused(under(tls), VM_CAUSE_TLS, reason);
    }

    // ---- certificates ----

    void good_certificate() {
        assert_ok(folders(ca_->server("IP:127.0.0.1")));
        for (const char* name : {"localhost", "LocalHost"})
            assert_ok(folders(ca_->server("DNS:localhost"),
                              [&](plug::AccountOptions& mine) { mine.host = name; }));
    }

    void which_names_a_certificate_has() {
        const auto has = [this](const char* names, const char* host) {
            return plug::names(SSL_CTX_get0_certificate(ca_->server(names).get()), host);
        };
        for (const char* host : {"mail.example.com", "MAIL.example.COM", "mail.example.com."})
            CPPUNIT_ASSERT(has("DNS:Mail.example.com", host));
        CPPUNIT_ASSERT(has("DNS:other,DNS:*.example.com", "mail.example.com"));
        CPPUNIT_ASSERT(has("IP:192.0.2.1,IP:2001:db8::1", "2001:DB8:0::1"));
        for (const auto& [names, host] : {
                 std::pair{"DNS:example.com", "mail.example.com"},
                 std::pair{"DNS:mail.example.com", "example.com"},
                 std::pair{"DNS:mail.example.com", ".example.com"},
                 std::pair{"DNS:*.example.com", "example.com"},
                 std::pair{"DNS:*.example.com", "a.mail.example.com"},
                 std::pair{"DNS:m*.example.com", "mail.example.com"},
                 std::pair{"DNS:mail.*.com", "mail.example.com"},
                 std::pair{"DNS:*.com", "example.com"},
                 std::pair{"DNS:*", "localhost"},
                 std::pair{"DNS:192.0.2.1", "192.0.2.1"},
                 std::pair{"DNS:*.0.2.1", "192.0.2.1"},
                 std::pair{"IP:192.0.2.1", "192.0.2.2"},
                 std::pair{"IP:2001:db8::1", "2001:db8::2"},
                 std::pair{"DNS:elsewhere", "test server"},
             })
            CPPUNIT_ASSERT_MESSAGE(std::string(names) + " " + host, !has(names, host));
        CPPUNIT_ASSERT(!plug::names(nullptr, "mail.example.com"));
    }

    void a_subject_alone_is_a_name() {
        const auto has = [](const char* subject, const char* host, const char* beside = "") {
            const Certificate bare(X509_new(), X509_free);
            if (*beside != '\0') {
                const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
                    X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, beside),
                    X509_EXTENSION_free);
                CPPUNIT_ASSERT(X509_add_ext(bare.get(), names.get(), -1) == 1);
            }
            X509_NAME_add_entry_by_txt(X509_get_subject_name(bare.get()), "CN", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(subject), -1, -1, 0);
            return plug::names(bare.get(), host);
        };
        CPPUNIT_ASSERT(has("mail.example.com", "mail.example.com"));
        CPPUNIT_ASSERT(has("192.0.2.1", "192.0.2.1"));
        CPPUNIT_ASSERT(!has("*.0.2.1", "192.0.2.1"));
        CPPUNIT_ASSERT(!has("192.0.2.1", "192.0.2.2"));
        // Beside others it is none (RFC 2818 section 3.1).
        for (const char* host : {"mail.example.com", "192.0.2.1"}) {
            CPPUNIT_ASSERT(has(host, host, "email:postmaster@example.com"));
            CPPUNIT_ASSERT(!has(host, host, "DNS:elsewhere"));
            CPPUNIT_ASSERT(!has(host, host, "IP:192.0.2.9"));
        }
    }

    void wrong_host() {
        refused(ca_->server("DNS:mail.example.com,IP:192.0.2.1"),
                "certificate: hostname mismatch: ");
    }
    void unknown_ca() {
        refused(TestCa("someone else").server("IP:127.0.0.1"),
                "certificate: unable to get local issuer certificate");
        refused(TestCa().server("IP:127.0.0.1"), "certificate: certificate signature failure");
    }
    void expired() {
        refused(ca_->server("IP:127.0.0.1", -1), "certificate: certificate has expired");
    }
    void old_tls_is_refused() {
        const ServerTls tls = ca_->server("IP:127.0.0.1");
        SSL_CTX_set_security_level(tls.get(), 0);
        SSL_CTX_set_min_proto_version(tls.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(tls.get(), TLS1_1_VERSION);
        refused(tls, "TLS handshake: ");
        SSL_CTX_set_max_proto_version(tls.get(), TLS1_2_VERSION);
        assert_ok(folders(tls));
    }
    void no_tls_at_all() { refused(ImapScript(), VM_CAUSE_TLS, "TLS handshake: wrong version"); }

    static void unchecked(plug::AccountOptions& mine) {
        mine.verify = false;
        mine.allow_cleartext_password = true;
    }
    void verification_switched_off() {
        assert_ok(folders(TestCa().server("DNS:elsewhere", -1), unchecked));
        ScriptedServer server(under(ca_->server("IP:127.0.0.1")));
        FakeHost host;
        assert_failed(folders(server, host, [](auto& mine) { mine.verify = false; }),
                      VM_CAUSE_CONFIG, "the password would cross");
        CPPUNIT_ASSERT_EQUAL(0, server.connections());
    }
    void one_that_is_not_checked_opens_no_way_for_others() {
        const ServerTls foreign = TestCa("someone else").server("IP:127.0.0.1");
        for (int i = 0; i < 2; ++i) {
            assert_ok(folders(foreign, unchecked));
            refused(foreign, "certificate: unable to get local issuer certificate");
            assert_ok(folders(ca_->server("IP:127.0.0.1")));
        }
    }

    void changed_ca_file_is_read_again() {
        const ServerTls tls = ca_->server("IP:127.0.0.1");
        TestCa other;
        const auto use_other = [&](plug::AccountOptions& mine) { mine.ca_file = other.file(); };
        refused(under(tls), VM_CAUSE_TLS, "certificate: ", use_other);
        std::filesystem::copy_file(ca_->file(), other.file() + ".new");
        std::filesystem::rename(other.file() + ".new", other.file());
        assert_ok(folders(tls, use_other));
        refused(under(other.server("IP:127.0.0.1")), VM_CAUSE_TLS, "certificate: ", use_other);
    }

    // ---- the handshake ----

    // SNI (RFC 6066): names, not addresses.
    void name_is_told() {
        for (const auto& [host, told] :
             {std::pair{"LocalHost", "localhost"}, std::pair{"127.0.0.1", "nothing"}}) {
            const ServerTls tls = ca_->server("DNS:localhost,IP:127.0.0.1");
            std::string heard = "nothing";
            SSL_CTX_set_tlsext_servername_arg(tls.get(), &heard);
            SSL_CTX_set_tlsext_servername_callback(
                tls.get(), +[](SSL* ssl, int*, void* out) {
                    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
                    if (name != nullptr) *static_cast<std::string*>(out) = name;
                    return SSL_TLSEXT_ERR_OK;
                });
            assert_ok(folders(tls, [&, name = host](auto& mine) { mine.host = name; }));
            CPPUNIT_ASSERT_EQUAL(std::string(told), heard);
        }
    }

    void no_session_is_taken_up_again() {
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            const ServerTls tls = ca_->server("IP:127.0.0.1");
            SSL_CTX_set_min_proto_version(tls.get(), version);
            SSL_CTX_set_max_proto_version(tls.get(), version);
            for (int i = 0; i < 2; ++i) assert_ok(folders(tls));
            CPPUNIT_ASSERT_EQUAL(2L, SSL_CTX_sess_accept_good(tls.get()));
            CPPUNIT_ASSERT_EQUAL(0L, SSL_CTX_sess_hits(tls.get()));
        }
    }

    // The certificate that was looked at stays the only one.
    void no_renegotiation() {
        const ServerTls tls = ca_->server("IP:127.0.0.1");
        SSL_CTX_set_max_proto_version(tls.get(), TLS1_2_VERSION);
        int renegotiations = 0;
        ImapScript script;
        script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
            if (command == "CAPABILITY") renegotiations = peer.renegotiate();
            return false;
        };
        ScriptedServer server(under(tls, script));
        FakeHost host;
        CPPUNIT_ASSERT_EQUAL(int{VM_FAILED}, int{folders(server, host).status});
        server.stop();
        CPPUNIT_ASSERT_EQUAL(0, renegotiations);
    }

    // A server that has no room left goes away in the middle of it: that is no fault of its TLS.
    void cut_handshake() {
        refused([](Peer&) {}, VM_CAUSE_LOST, "");
        refused([](Peer& peer) { peer.read_bytes(5); }, VM_CAUSE_LOST, "");
        refused([](Peer& peer) { peer.reset(); }, VM_CAUSE_LOST, "");
        // (The begin of a record.)
        refused([](Peer& peer) { peer.say(std::string("\x16\x03\x03\x00", 4)); }, VM_CAUSE_LOST,
                "");
    }

    void slow_handshake() {
        refused([](Peer& peer) { peer.wait_until_closed(); }, VM_CAUSE_TIMEOUT, "timeout",
                [](plug::AccountOptions& mine) { mine.connect_timeout = milliseconds(300); });
    }

    void cancelled_handshake() {
        std::atomic<bool> there = false;
        ScriptedServer server([&](Peer& peer) {
            peer.read_bytes(5);
            there = true;
            peer.wait_until_closed();
        });
        FakeHost host;
        host.cancelled = [&] { return there.load(); };
        const auto before = std::chrono::steady_clock::now();
        assert_failed(folders(server, host), VM_CAUSE_CANCELLED, "stopped");
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
    }

    // ---- afterwards ----

    // More than is read at once, in records that are longer, too.
    void long_answers() {
        const std::string state = " (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7 HIGHESTMODSEQ 1)\r\n";
        std::string list;
        for (int i = 0; i <= 2000; ++i) {
            const std::string name = i == 0 ? "INBOX" : "folder" + std::to_string(i);
            list.append("* LIST () \"/\" ").append(name);
            list.append("\r\n* STATUS ").append(name).append(state);
        }
        ScriptedServer server(
            under(ca_->server("IP:127.0.0.1"), ImapScript().answer("LIST \"\" \"*\"", list)));
        FakeHost host;
        plug::imap::ImapSession session(options(server), host.session());
        std::size_t count = 0;
        assert_ok(session.folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                                  [&](const vm_folder&) { ++count; }));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2001}, count);
        CPPUNIT_ASSERT(session.counters().received > list.size());
    }

    // Not every host ignores the signal. (It is sent to the thread that writes, which may be the
    // scripted server's.)
    void no_signal_when_the_server_is_gone() {
        static thread_local int signals = 0;
        ScriptedServer server(under(ca_->server("IP:127.0.0.1")));
        FakeHost host;
        const auto before = std::signal(SIGPIPE, [](int) { ++signals; });
        {
            plug::imap::ImapSession session(options(server), host.session());
            assert_ok(session.folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                                      [](const vm_folder&) {}));
            server.stop();
        }
        std::signal(SIGPIPE, before);
        CPPUNIT_ASSERT_EQUAL(0, signals);
    }

    void parks_and_peeks() {
        std::atomic<bool> speak = false;
        ImapScript script;
        script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
            if (command != "IDLE") return false;
            peer.say("+ idling\r\n");
            while (!speak) ::poll(nullptr, 0, 5);
            peer.say("* 5 EXISTS\r\n");
            peer.wait_until_closed();
            return true;
        };
        ScriptedServer server(under(ca_->server("IP:127.0.0.1"), script));
        FakeHost host;
        plug::imap::ImapSession session(options(server), host.session());
        assert_ok(session.folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                                  [](const vm_folder&) {}));
        int fd = -1;
        bool news = true;
        assert_ok(session.park("INBOX", fd, news));
        CPPUNIT_ASSERT(!news);
        pollfd entry{fd, POLLIN, 0};
        CPPUNIT_ASSERT_EQUAL(0, ::poll(&entry, 1, 50));
        assert_ok(session.peek(news));
        CPPUNIT_ASSERT(!news);
        speak = true;
        CPPUNIT_ASSERT_EQUAL(1, ::poll(&entry, 1, 20'000));
        assert_ok(session.peek(news));
        CPPUNIT_ASSERT(news);
    }

    // A unit parks thousands. (The size of a kept handle of libcurl's, its context of OpenSSL's or
    // libetpan's buffers is more than what is left up to the bound.)
    void little_is_kept_while_parked() {
        constexpr std::size_t kMost = 18'000;
        std::atomic<int> parked = 0, over = 0;
        ImapScript script;
        script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
            if (command != "IDLE") return false;
            peer.say("+ idling\r\n");
            const int mine = ++parked;
            while (over < mine) ::poll(nullptr, 0, 5);  // what it holds itself does not change
            throw Peer::Gone{};
        };
        ScriptedServer server(under(ca_->server("IP:127.0.0.1"), script));
        FakeHost host;
        const std::shared_ptr<void> end(nullptr, [&](void*) { over = 2; });
        std::size_t kept = 0;
        for (int i = 0; i < 2; ++i) {  // the first makes what they share
            plug::AccountOptions mine = options(server);
            auto session =
                std::make_unique<plug::imap::ImapSession>(std::move(mine), host.session());
            assert_ok(session->folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                                       [](const vm_folder&) {}));
            int fd = -1;
            bool news = false;
            assert_ok(session->park("INBOX", fd, news));
            const std::size_t before = ::mallinfo2().uordblks;
            session.reset();
            kept = before - std::min(before, ::mallinfo2().uordblks);
            ++over;
        }
        CPPUNIT_ASSERT_MESSAGE(std::to_string(kept) + " bytes", kept <= kMost);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ImapTlsTest);

}  // namespace

}  // namespace vm::testing
