#include "oauth2/token_file.h"

#include "oauth2_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <thread>

namespace vm::testing {

namespace {

class TokenFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TokenFileTest);
    CPPUNIT_TEST(what_is_written_is_read);
    CPPUNIT_TEST(no_secret_is_in_the_file);
    CPPUNIT_TEST(is_closed_to_others);
    CPPUNIT_TEST(belongs_to_one_mailbox);
    CPPUNIT_TEST(belongs_to_one_client);
    CPPUNIT_TEST(any_words_of_a_provider_can_be_kept);
    CPPUNIT_TEST(damage_is_told_with_what_to_do);
    CPPUNIT_TEST(can_be_removed);
    CPPUNIT_TEST(one_at_a_time_for_a_mailbox);
    CPPUNIT_TEST_SUITE_END();

    static oauth2::Grant full(const OAuth2Rig& rig) {
        oauth2::Grant out = oauth2::new_grant(rig.client, kStart);
        oauth2::Tokens tokens;
        tokens.access = Secret(std::string(oauth2::kAccessTokenLimit, 'a'));
        tokens.refresh = Secret(std::string(oauth2::kRefreshTokenLimit, 'r'));
        tokens.lifetime_s = 3599;
        tokens.scope = "mail more";
        oauth2::put_tokens(out, std::move(tokens), kStart + 1234);
        return out;
    }

    void what_is_written_is_read() {
        const OAuth2Rig rig;
        CPPUNIT_ASSERT(!oauth2::read_grant(rig.root.paths, "101").value());
        CPPUNIT_ASSERT_EQUAL(TimeMs{0}, oauth2::granted_at(rig.root.paths, "101"));
        const oauth2::Grant grant = full(rig);
        CPPUNIT_ASSERT(oauth2::write_grant(rig.root.paths, "101", grant));
        const oauth2::Grant read = rig.granted();
        CPPUNIT_ASSERT(read.access_token == grant.access_token);
        CPPUNIT_ASSERT(read.refresh_token == grant.refresh_token);
        CPPUNIT_ASSERT_EQUAL(kStart, read.granted);
        CPPUNIT_ASSERT_EQUAL(kStart + 1234, read.renewed);
        CPPUNIT_ASSERT_EQUAL(kStart + 1234 + 3'599'000, read.expires);
        CPPUNIT_ASSERT_EQUAL(std::string("mail more"), read.scope);
        CPPUNIT_ASSERT(oauth2::belongs_to(read, rig.client));
        CPPUNIT_ASSERT_EQUAL(kStart, oauth2::granted_at(rig.root.paths, "101"));
    }

    void no_secret_is_in_the_file() {
        OAuth2Rig rig;
        rig.grant("an-access-token", "a-refresh-token");
        const std::string text = rig.root.read(oauth2::grant_file(rig.root.paths, "101"));
        for (const char* part : {"an-access", "a-refresh", "client's"})
            CPPUNIT_ASSERT_MESSAGE(text, text.find(part) == std::string::npos);
    }

    void is_closed_to_others() {
        OAuth2Rig rig;
        rig.grant();
        const auto file = oauth2::grant_file(rig.root.paths, "101");
        CPPUNIT_ASSERT_EQUAL(mode_t{0700}, rig.root.mode(rig.root.paths.oauth2()));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, rig.root.mode(file));
        ::chmod(file.c_str(), 0640);
        assert_error(oauth2::read_grant(rig.root.paths, "101"), ErrorKind::kPermission,
                     "chmod 600");
    }

    // A file copied to another mailbox, or one token in the other's place, opens nothing.
    void belongs_to_one_mailbox() {
        OAuth2Rig rig;
        rig.grant();
        const auto file = oauth2::grant_file(rig.root.paths, "101");
        const std::string text = rig.root.read(file);
        rig.root.write(oauth2::grant_file(rig.root.paths, "102"), text);
        assert_error(oauth2::read_grant(rig.root.paths, "102"), ErrorKind::kConfig,
                     "vmconfig mailbox authorize 102");
        std::string swapped = text;
        swapped.replace(swapped.find("OAuth2 Refresh"), 14, "OAuth2 Access0");
        swapped.replace(swapped.find("OAuth2 Access T"), 15, "OAuth2 Refresh T");
        swapped.replace(swapped.find("OAuth2 Access0"), 14, "OAuth2 Access");
        rig.root.write(file, swapped);
        assert_error(oauth2::read_grant(rig.root.paths, "101"), ErrorKind::kConfig,
                     "sealed with another key, or for another mailbox or key");
    }

    void belongs_to_one_client() {
        const OAuth2Rig rig;
        const oauth2::Grant grant = full(rig);
        oauth2::Client other = rig.client;
        other.oauth2.client_id = "another";
        CPPUNIT_ASSERT(!oauth2::belongs_to(grant, other));
        other = rig.client;
        other.oauth2.token_endpoint = "https://elsewhere.example/token";
        CPPUNIT_ASSERT(!oauth2::belongs_to(grant, other));
        other = rig.client;
        other.oauth2.flow = config::OAuth2Flow::kClientCredentials;
        CPPUNIT_ASSERT(!oauth2::belongs_to(grant, other));
        other = rig.client;
        other.oauth2.client_secret = Secret("renewed at the provider's");
        other.oauth2.scope = "less";
        CPPUNIT_ASSERT(oauth2::belongs_to(grant, other));
    }

    void any_words_of_a_provider_can_be_kept() {
        const OAuth2Rig rig;
        oauth2::Grant grant = full(rig);
        grant.scope = "a ; b\n[OAuth2]\nGranted = x";
        grant.trouble = "no: \"x\" ; y = z\r\nOAuth2 Access Token = mine";
        CPPUNIT_ASSERT(oauth2::write_grant(rig.root.paths, "101", grant));
        const oauth2::Grant read = rig.granted();
        CPPUNIT_ASSERT_EQUAL(std::string("a , b [OAuth2] Granted = x"), read.scope);
        CPPUNIT_ASSERT_EQUAL(std::string("no: \"x\" , y = z  OAuth2 Access Token = mine"),
                             read.trouble);
        CPPUNIT_ASSERT(read.access_token == grant.access_token);
    }

    void damage_is_told_with_what_to_do() {
        OAuth2Rig rig;
        rig.grant();
        const auto file = oauth2::grant_file(rig.root.paths, "101");
        std::string text = rig.root.read(file);
        rig.root.write(file, "what is this\n");
        assert_error(oauth2::read_grant(rig.root.paths, "101"), ErrorKind::kConfig,
                     "vmconfig mailbox authorize 101");
        text[text.rfind("sealed:v1:") + 20] ^= 1;
        rig.root.write(file, text);
        assert_error(oauth2::read_grant(rig.root.paths, "101"), ErrorKind::kConfig,
                     "vmconfig mailbox authorize 101");
    }

    void can_be_removed() {
        OAuth2Rig rig;
        CPPUNIT_ASSERT(!oauth2::remove_grant(rig.root.paths, "101").value());
        rig.grant();
        CPPUNIT_ASSERT(oauth2::remove_grant(rig.root.paths, "101").value());
        CPPUNIT_ASSERT(!oauth2::read_grant(rig.root.paths, "101").value());
    }

    void one_at_a_time_for_a_mailbox() {
        const OAuth2Rig rig;
        std::atomic<int> inside{0}, met{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int k = 0; k < 50; ++k) {
                    const auto lock = oauth2::lock_grant(rig.root.paths, "101");
                    if (!lock || ++inside != 1) ++met;
                    std::this_thread::yield();
                    --inside;
                }
            });
        // Another mailbox's is held all the time.
        const auto other = oauth2::lock_grant(rig.root.paths, "102");
        CPPUNIT_ASSERT(other);
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, met.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TokenFileTest);

}  // namespace

}  // namespace vm::testing
