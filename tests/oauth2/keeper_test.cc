#include "oauth2/keeper.h"

#include "oauth2_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <sys/stat.h>
#include <thread>

namespace vm::testing {

namespace {

constexpr std::int64_t kMinute = 60'000;

class KeeperTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KeeperTest);
    CPPUNIT_TEST(a_good_token_costs_nothing);
    CPPUNIT_TEST(renews_before_the_end);
    CPPUNIT_TEST(a_short_life_is_used_for_three_quarters);
    CPPUNIT_TEST(a_rotated_refresh_token_is_kept);
    CPPUNIT_TEST(is_durable_before_it_is_used);
    CPPUNIT_TEST(asks_nobody_when_it_cannot_be_written);
    CPPUNIT_TEST(a_failing_server_is_asked_once_a_minute);
    CPPUNIT_TEST(the_old_one_serves_while_it_lasts);
    CPPUNIT_TEST(a_refused_token_is_replaced);
    CPPUNIT_TEST(but_once_a_minute);
    CPPUNIT_TEST(what_another_got_meanwhile_is_taken);
    CPPUNIT_TEST(revoked_is_not_asked_for_again);
    CPPUNIT_TEST(until_it_is_granted_anew);
    CPPUNIT_TEST(not_granted_says_what_to_do);
    CPPUNIT_TEST(another_clients_grant_is_none);
    CPPUNIT_TEST(client_credentials_need_no_grant);
    CPPUNIT_TEST(many_at_once_ask_once);
    CPPUNIT_TEST(mailboxes_do_not_meet);
    CPPUNIT_TEST(a_silent_server_is_asked_for_one);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<OAuth2Rig> rig_;

  public:
    void setUp() override {
        rig_ = std::make_unique<OAuth2Rig>();
        keeper_ = std::make_unique<oauth2::Keeper>(rig_->root.paths, rig_->clock, rig_->post());
    }
    void tearDown() override {
        keeper_.reset();
        rig_.reset();
    }

  private:
    std::unique_ptr<oauth2::Keeper> keeper_;

    std::string token(const std::string& refused = {}) {
        auto out = keeper_->token(rig_->client, Secret(refused));
        CPPUNIT_ASSERT_MESSAGE(out ? "" : out.error().text(), out.has_value());
        return out->reveal();
    }
    void assert_asked(std::size_t times) { CPPUNIT_ASSERT_EQUAL(times, rig_->asked.size()); }

    void a_good_token_costs_nothing() {
        rig_->grant();
        CPPUNIT_ASSERT_EQUAL(std::string("at-0"), token());
        assert_asked(0);
    }

    void renews_before_the_end() {
        rig_->grant();
        rig_->clock.advance(54 * kMinute);
        CPPUNIT_ASSERT_EQUAL(std::string("at-0"), token());
        rig_->clock.advance(kMinute + 1);
        rig_->say(OAuth2Rig::tokens("at-1"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        CPPUNIT_ASSERT_EQUAL(std::string("https://login.example.net/token "
                                         "grant_type=refresh_token&refresh_token=rt-0&client_id="
                                         "unit&client_secret=the%20client%27s"),
                             rig_->asked.at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        assert_asked(1);
        CPPUNIT_ASSERT_EQUAL(kStart, rig_->granted().granted);  // by the same grant
    }

    void a_short_life_is_used_for_three_quarters() {
        rig_->grant();
        rig_->clock.advance(60 * kMinute);
        rig_->say(OAuth2Rig::tokens("at-1", "", 300));
        token();
        rig_->clock.advance(224'000);
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        rig_->clock.advance(2000);
        rig_->say(OAuth2Rig::tokens("at-2", "", 300));
        CPPUNIT_ASSERT_EQUAL(std::string("at-2"), token());
    }

    void a_rotated_refresh_token_is_kept() {
        rig_->grant();
        for (int i = 1; i < 4; ++i) {
            rig_->clock.advance(60 * kMinute);
            rig_->say(OAuth2Rig::tokens("at-" + std::to_string(i), "rt-" + std::to_string(i)));
            token();
            CPPUNIT_ASSERT(rig_->asked.back().find("refresh_token=rt-" + std::to_string(i - 1)) !=
                           std::string::npos);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("rt-3"), rig_->granted().refresh_token.reveal());
    }

    void is_durable_before_it_is_used() {
        rig_->grant();
        rig_->clock.advance(60 * kMinute);
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        // What the disk refuses after the answer is no token.
        rig_->while_asked = [this] { break_disk(); };
        assert_error(keeper_->token(rig_->client), ErrorKind::kNoInput, "Not a directory");
        mend_disk();
        CPPUNIT_ASSERT_EQUAL(std::string("at-0"), rig_->granted().access_token.reveal());
    }

    void asks_nobody_when_it_cannot_be_written() {
        rig_->grant();
        rig_->clock.advance(56 * kMinute);
        // (Root may write everywhere: the key is what is missing.)
        const auto key = rig_->root.paths.key_file();
        const std::string text = rig_->root.read(key);
        rig_->root.write(key, "no key");
        CPPUNIT_ASSERT(!keeper_->token(rig_->client));
        assert_asked(0);
        rig_->root.write(key, text);
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
    }

    void break_disk() {
        std::filesystem::rename(rig_->root.paths.oauth2(), rig_->root.paths.var() / "aside");
        rig_->root.write(rig_->root.paths.oauth2(), "");
    }
    void mend_disk() {
        std::filesystem::remove(rig_->root.paths.oauth2());
        std::filesystem::rename(rig_->root.paths.var() / "aside", rig_->root.paths.oauth2());
    }

    void a_failing_server_is_asked_once_a_minute() {
        rig_->grant();
        rig_->clock.advance(60 * kMinute);
        for (int i = 0; i < 3; ++i)
            assert_error(keeper_->token(rig_->client), ErrorKind::kUnavailable, "out of reach");
        assert_asked(1);
        rig_->clock.advance(kMinute);
        assert_error(keeper_->token(rig_->client), ErrorKind::kUnavailable, "out of reach");
        assert_asked(2);
        rig_->clock.advance(kMinute);
        rig_->say(OAuth2Rig::no("", 503));
        assert_error(keeper_->token(rig_->client), ErrorKind::kRetryLater, "HTTP status 503");
        rig_->clock.advance(kMinute);
        rig_->say(OAuth2Rig::tokens("at-1"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
    }

    void the_old_one_serves_while_it_lasts() {
        rig_->grant();
        rig_->clock.advance(57 * kMinute);
        CPPUNIT_ASSERT_EQUAL(std::string("at-0"), token());
        CPPUNIT_ASSERT_EQUAL(std::string("at-0"), token());
        assert_asked(1);
        rig_->clock.advance(3 * kMinute);
        CPPUNIT_ASSERT(!keeper_->token(rig_->client));
    }

    void a_refused_token_is_replaced() {
        rig_->grant();
        rig_->say(OAuth2Rig::tokens("at-1"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token("at-0"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        assert_asked(1);
    }

    void but_once_a_minute() {
        rig_->grant();
        rig_->say(OAuth2Rig::tokens("at-1"));
        token("at-0");
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token("at-1"));
        assert_asked(1);
        rig_->clock.advance(kMinute);
        rig_->say(OAuth2Rig::tokens("at-2"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-2"), token("at-1"));
    }

    void what_another_got_meanwhile_is_taken() {
        rig_->grant("at-7");
        CPPUNIT_ASSERT_EQUAL(std::string("at-7"), token("at-0"));
        assert_asked(0);
    }

    void revoked_is_not_asked_for_again() {
        rig_->grant();
        rig_->say(OAuth2Rig::no("invalid_grant"));
        assert_error(keeper_->token(rig_->client, Secret("at-0")), ErrorKind::kAccount,
                     "invalid_grant: in its words; grant it: vmconfig mailbox authorize 101");
        assert_asked(1);
        // Nor by another process, nor is the refused token given out again.
        oauth2::Keeper another(rig_->root.paths, rig_->clock, rig_->post());
        rig_->clock.advance(10 * kMinute);
        assert_error(another.token(rig_->client), ErrorKind::kAccount, "invalid_grant");
        assert_asked(1);
    }

    void until_it_is_granted_anew() {
        rig_->grant();
        rig_->say(OAuth2Rig::no("invalid_grant"));
        CPPUNIT_ASSERT(!keeper_->token(rig_->client, Secret("at-0")));
        rig_->clock.advance(1);
        rig_->grant("at-5", "rt-5");
        CPPUNIT_ASSERT_EQUAL(std::string("at-5"), token());
        // The pause after a failure was the old grant's.
        rig_->say(OAuth2Rig::tokens("at-6"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-5"), token("at-5"));
        rig_->clock.advance(kMinute);
        CPPUNIT_ASSERT_EQUAL(std::string("at-6"), token("at-5"));
    }

    void not_granted_says_what_to_do() {
        assert_error(keeper_->token(rig_->client), ErrorKind::kAccount,
                     "has not been granted yet; grant it: vmconfig mailbox authorize 101");
        rig_->client.oauth2.client_id.clear();
        assert_error(keeper_->token(rig_->client), ErrorKind::kConfig, "OAuth2 Client ID");
        assert_asked(0);
    }

    void another_clients_grant_is_none() {
        rig_->grant();
        rig_->client.oauth2.client_id = "another";
        assert_error(keeper_->token(rig_->client), ErrorKind::kAccount, "another client");
    }

    void client_credentials_need_no_grant() {
        rig_->client.oauth2.flow = config::OAuth2Flow::kClientCredentials;
        rig_->say(OAuth2Rig::tokens("at-1"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        CPPUNIT_ASSERT(rig_->asked.at(0).find("grant_type=client_credentials&scope=mail&") !=
                       std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("at-1"), token());
        rig_->clock.advance(60 * kMinute);
        rig_->say(OAuth2Rig::no("invalid_client", 401));
        assert_error(keeper_->token(rig_->client), ErrorKind::kConfig, "OAuth2 Client Secret");
        rig_->clock.advance(kMinute);
        rig_->say(OAuth2Rig::tokens("at-2"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-2"), token());
        assert_asked(3);
    }

    void many_at_once_ask_once() {
        rig_->grant();
        rig_->clock.advance(60 * kMinute);
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        std::atomic<int> good{0};
        std::vector<std::thread> threads;
        oauth2::Keeper another(rig_->root.paths, rig_->clock, rig_->post());
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&, i] {
                const auto got = (i % 2 == 0 ? *keeper_ : another).token(rig_->client);
                if (got && got->reveal() == "at-1") ++good;
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(8, good.load());
        assert_asked(1);
    }

    void mailboxes_do_not_meet() {
        rig_->grant();
        rig_->clock.advance(60 * kMinute);
        rig_->say(OAuth2Rig::no("slow", 429));
        CPPUNIT_ASSERT(!keeper_->token(rig_->client));
        rig_->client.mailbox = "102";
        rig_->grant("at-102", "rt-102");
        CPPUNIT_ASSERT_EQUAL(std::string("at-102"), token());
        rig_->clock.advance(56 * kMinute);
        rig_->say(OAuth2Rig::tokens("at-103"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-103"), token());
    }

    // Thousands of mailboxes do not wait for it one after the other.
    void a_silent_server_is_asked_for_one() {
        for (const char* number : {"101", "102", "103"}) {
            rig_->client.mailbox = number;
            rig_->grant();
        }
        rig_->clock.advance(60 * kMinute);
        for (const char* number : {"101", "102", "103"}) {
            rig_->client.mailbox = number;
            assert_error(keeper_->token(rig_->client), ErrorKind::kUnavailable, "out of reach");
        }
        assert_asked(1);
        rig_->client.oauth2.token_endpoint = "https://another.example/token";
        rig_->client.mailbox = "104";
        rig_->grant("at-104");
        rig_->say(OAuth2Rig::tokens("at-105"));
        CPPUNIT_ASSERT_EQUAL(std::string("at-105"), token("at-104"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(KeeperTest);

}  // namespace

}  // namespace vm::testing
