#include "agent/session_pool.h"

#include "agent/session_options.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

namespace vm::agent {

namespace {

class SessionPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionPoolTest);
    CPPUNIT_TEST(another_mailbox_of_the_same_account_goes_on);
    CPPUNIT_TEST(each_is_handed_out_once);
    CPPUNIT_TEST(whatever_defines_a_connection_tells_them_apart);
    CPPUNIT_TEST(tokens_are_the_mailboxes_own);
    CPPUNIT_TEST(without_a_login_the_account_is_only_a_sender);
    CPPUNIT_TEST(another_plugin_gets_its_own);
    CPPUNIT_TEST(those_that_waited_too_long_are_dropped);
    CPPUNIT_TEST(one_makes_room_for_another_of_its_server);
    CPPUNIT_TEST_SUITE_END();

    SessionPool pool_;

    static transport::Plugin plugin(const std::string& name = "scripted") {
        const char* build = std::getenv("VM_BUILD");
        auto out =
            transport::Plugin::load(std::filesystem::path(build == nullptr ? "build" : build) /
                                    "test" / ("lib" + name + ".so"));
        if (!out) CPPUNIT_FAIL(out.error().text());
        return *out;
    }
    static config::MailboxOptions mailbox(const std::string& number = "101") {
        config::MailboxOptions out;
        out.number = number;
        out.smtp.host = "smtp.example.net";
        out.smtp.port = 587;
        out.smtp.ssl = config::Ssl::kStartTls;
        out.smtp.auth = config::Auth::kPlain;
        out.smtp.account = "unit@example.net";
        out.smtp.password = Secret("secret");
        return out;
    }
    void put(const config::MailboxOptions& options, const std::string& server = "a",
             std::int64_t since = 0) {
        auto session = plugin().open(push_options(options, {}));
        if (!session) CPPUNIT_FAIL(session.error().text());
        pool_.put({std::move(*session), plugin(), server,
                   std::make_shared<const config::MailboxOptions>(options), since});
    }

    void another_mailbox_of_the_same_account_goes_on() {
        put(mailbox());
        config::MailboxOptions other = mailbox("102");
        // None of this is the connection's.
        other.email_name = "bob@example.net";
        other.imap4.account = "bob";
        other.language = "de";
        CPPUNIT_ASSERT(pool_.has(plugin(), other));
        CPPUNIT_ASSERT(pool_.take(plugin(), other).has_value());
    }

    void each_is_handed_out_once() {
        put(mailbox());
        put(mailbox());
        CPPUNIT_ASSERT(pool_.take(plugin(), mailbox()).has_value());
        CPPUNIT_ASSERT(pool_.take(plugin(), mailbox()).has_value());
        CPPUNIT_ASSERT(!pool_.has(plugin(), mailbox()));
        CPPUNIT_ASSERT(!pool_.take(plugin(), mailbox()).has_value());
    }

    void whatever_defines_a_connection_tells_them_apart() {
        put(mailbox());
        const std::function<void(config::MailboxOptions&)> edits[] = {
            [](auto& m) { m.smtp.host = "smtp.example.com"; },
            [](auto& m) { m.smtp.port = 465; },
            [](auto& m) { m.smtp.ssl = config::Ssl::kYes; },
            [](auto& m) { m.smtp.auth = config::Auth::kLogin; },
            [](auto& m) { m.smtp.account = "ann@example.net"; },
            [](auto& m) { m.smtp.password = Secret("other"); },
            [](auto& m) { m.domain = "unit.example.net"; },
            [](auto& m) { m.tls_ca_file = "/ca.pem"; },
            [](auto& m) { m.tls_verify = false; },
            [](auto& m) { m.allow_cleartext_password = true; },
            [](auto& m) { m.network_timeout_s = 10; }};
        for (const auto& edit : edits) {
            config::MailboxOptions other = mailbox("102");
            edit(other);
            CPPUNIT_ASSERT(!pool_.has(plugin(), other));
        }
        CPPUNIT_ASSERT(pool_.has(plugin(), mailbox("102")));
    }

    void tokens_are_the_mailboxes_own() {
        const auto with_provider = [](const std::string& number) {
            config::MailboxOptions out = mailbox(number);
            out.smtp.auth = config::Auth::kXOAuth2;
            out.smtp.password = Secret();
            out.oauth2.provider = config::OAuth2Provider::kGoogle;
            out.oauth2.client_id = "unit";
            return out;
        };
        put(with_provider("101"));
        CPPUNIT_ASSERT(!pool_.has(plugin(), with_provider("102")));
        config::MailboxOptions other = with_provider("101");
        other.oauth2.client_id = "another";
        CPPUNIT_ASSERT(!pool_.has(plugin(), other));
        CPPUNIT_ASSERT(pool_.has(plugin(), with_provider("101")));
        // Where the password is what logs in, the provider is nobody's business.
        config::MailboxOptions plain = mailbox("103");
        put(plain);
        plain.number = "104";
        plain.oauth2.provider = config::OAuth2Provider::kGoogle;
        CPPUNIT_ASSERT(pool_.has(plugin(), plain));
    }

    void without_a_login_the_account_is_only_a_sender() {
        config::MailboxOptions first = mailbox(), second = mailbox("102");
        first.smtp.auth = second.smtp.auth = config::Auth::kNone;
        second.smtp.account = "ann@example.net";
        put(first);
        CPPUNIT_ASSERT(pool_.has(plugin(), second));
    }

    void another_plugin_gets_its_own() {
        put(mailbox());
        CPPUNIT_ASSERT(!pool_.has(plugin("account"), mailbox()));
    }

    void those_that_waited_too_long_are_dropped() {
        put(mailbox(), "a", 1000);
        put(mailbox(), "b", 2000);
        CPPUNIT_ASSERT(pool_.drop_old(999 + SessionPool::kKeptMs).empty());
        const auto dropped = pool_.drop_old(1000 + SessionPool::kKeptMs);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, dropped.size());
        CPPUNIT_ASSERT_EQUAL(std::string("a"), dropped.front().server);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pool_.drop_all().size());
        CPPUNIT_ASSERT(pool_.drop_all().empty());
    }

    void one_makes_room_for_another_of_its_server() {
        put(mailbox("101"), "a");
        put(mailbox("102"), "b");
        put(mailbox("103"), "b");
        CPPUNIT_ASSERT_EQUAL(std::string("102"), pool_.drop_one("b")->mailbox->number);
        CPPUNIT_ASSERT_EQUAL(std::string("103"), pool_.drop_one("b")->mailbox->number);
        CPPUNIT_ASSERT(!pool_.drop_one("b"));
        CPPUNIT_ASSERT(pool_.drop_one("a").has_value());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionPoolTest);

}  // namespace

}  // namespace vm::agent
