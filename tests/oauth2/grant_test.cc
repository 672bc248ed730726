#include "oauth2/grant.h"

#include "oauth2_rig.h"

#include <cppunit/extensions/HelperMacros.h>

namespace vm::testing {

namespace {

class GrantTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrantTest);
    CPPUNIT_TEST(device_flow);
    CPPUNIT_TEST(a_device_server_sets_the_pace);
    CPPUNIT_TEST(a_person_says_no);
    CPPUNIT_TEST(code_flow);
    CPPUNIT_TEST(what_a_person_brings_back);
    CPPUNIT_TEST(errors_by_consequence);
    CPPUNIT_TEST(only_bearer_tokens);
    CPPUNIT_TEST(a_public_client_has_no_secret_to_send);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<OAuth2Rig> rig_;

  public:
    void setUp() override { rig_ = std::make_unique<OAuth2Rig>(); }
    void tearDown() override { rig_.reset(); }

  private:
    static oauth2::Answer code(std::optional<std::int64_t> interval = 1) {
        oauth2::Answer out;
        out.status = 200;
        out.device_code = Secret("dc");
        out.user_code = "WDJB-MJHT";
        out.verification_uri = "https://example.com/device";
        out.expires_in = 600;
        out.interval = interval;
        return out;
    }
    bool asked(const std::string& part) const {
        return rig_->asked.back().find(part) != std::string::npos;
    }

    void device_flow() {
        rig_->say(code());
        auto told = oauth2::ask_device_code(rig_->post(), rig_->client);
        CPPUNIT_ASSERT(told);
        CPPUNIT_ASSERT_EQUAL(std::string("WDJB-MJHT"), told->user_code);
        CPPUNIT_ASSERT(asked("https://login.example.net/device scope=mail&client_id=unit"));
        rig_->say(OAuth2Rig::no("authorization_pending"));
        CPPUNIT_ASSERT(!oauth2::ask_device_tokens(rig_->post(), rig_->client, *told).value());
        CPPUNIT_ASSERT(
            asked("/token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A"
                  "device_code&device_code=dc&client_id=unit"));
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        const auto tokens = oauth2::ask_device_tokens(rig_->post(), rig_->client, *told);
        CPPUNIT_ASSERT(tokens && *tokens && (*tokens)->refresh.reveal() == "rt-1");
    }

    void a_device_server_sets_the_pace() {
        rig_->say(code(std::nullopt));
        auto told = oauth2::ask_device_code(rig_->post(), rig_->client).value();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, told.interval_s);
        rig_->say(OAuth2Rig::no("slow_down"));
        CPPUNIT_ASSERT(!oauth2::ask_device_tokens(rig_->post(), rig_->client, told).value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10}, told.interval_s);
        // Not so that it never ends, nor without a pause.
        rig_->say(code(100'000));
        CPPUNIT_ASSERT_EQUAL(
            std::int64_t{60},
            oauth2::ask_device_code(rig_->post(), rig_->client).value().interval_s);
        rig_->say(code(0));
        CPPUNIT_ASSERT_EQUAL(
            std::int64_t{1},
            oauth2::ask_device_code(rig_->post(), rig_->client).value().interval_s);
    }

    void a_person_says_no() {
        rig_->say(code());
        auto told = oauth2::ask_device_code(rig_->post(), rig_->client).value();
        for (const char* word : {"access_denied", "expired_token"}) {
            rig_->say(OAuth2Rig::no(word));
            assert_error(oauth2::ask_device_tokens(rig_->post(), rig_->client, told),
                         ErrorKind::kAccount, word);
        }
        rig_->say(OAuth2Rig::no("unauthorized_client"));
        assert_error(oauth2::ask_device_code(rig_->post(), rig_->client), ErrorKind::kConfig,
                     "does not take this client");
    }

    oauth2::CodeRequest code_request() {
        rig_->client.oauth2.authorization_endpoint = "https://login.example.net/authorize";
        return oauth2::make_code_request(rig_->client, "ann@example.com").value();
    }

    void code_flow() {
        const auto request = code_request();
        for (const char* part :
             {"https://login.example.net/authorize?response_type=code&client_id=unit&"
              "redirect_uri=http%3A%2F%2Flocalhost%3A14121&scope=mail&state=",
              "&code_challenge=", "&code_challenge_method=S256&login_hint=ann%40example.com&"})
            CPPUNIT_ASSERT_MESSAGE(request.url, request.url.find(part) != std::string::npos);
        CPPUNIT_ASSERT(request.url.find(request.verifier.reveal()) == std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t{43}, request.verifier.reveal().size());
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        CPPUNIT_ASSERT(oauth2::ask_with_code(
            rig_->post(), rig_->client, request,
            " http://localhost:14121/?state=" + request.state + "&code=4%2F0a-b&scope=x \n"));
        CPPUNIT_ASSERT(
            asked("grant_type=authorization_code&code=4%2F0a-b&redirect_uri="
                  "http%3A%2F%2Flocalhost%3A14121&code_verifier=" +
                  request.verifier.reveal() + "&"));
    }

    void what_a_person_brings_back() {
        const auto request = code_request();
        const auto brings = [&](const std::string& text) {
            return oauth2::ask_with_code(rig_->post(), rig_->client, request, text);
        };
        assert_error(brings(""), ErrorKind::kUsage, "no code");
        assert_error(brings("a b"), ErrorKind::kUsage, "no code");
        assert_error(brings("http://localhost:14121/"), ErrorKind::kUsage, "no code in it");
        assert_error(brings("http://localhost:14121/?code=x&state=other"), ErrorKind::kUsage,
                     "another question");
        assert_error(brings("http://localhost:14121/?code=x"), ErrorKind::kUsage,
                     "another question");
        assert_error(brings("http://localhost:14121/?error=access_denied%0a&state=x"),
                     ErrorKind::kAccount, "not granted: access_denied");
        CPPUNIT_ASSERT(rig_->asked.empty());
        rig_->say(OAuth2Rig::tokens("at-1", "rt-1"));
        CPPUNIT_ASSERT(brings("4/0a-b"));
        CPPUNIT_ASSERT(asked("code=4%2F0a-b&"));
    }

    void errors_by_consequence() {
        const auto ask = [&](const oauth2::Answer& answer) {
            rig_->say(answer);
            return oauth2::refresh(rig_->post(), rig_->client, Secret("rt"));
        };
        assert_error(ask(OAuth2Rig::no("invalid_grant")), ErrorKind::kAccount,
                     "vmconfig mailbox authorize 101");
        assert_error(ask(OAuth2Rig::no("interaction_required")), ErrorKind::kAccount, "grant it");
        assert_error(ask(OAuth2Rig::no("invalid_client", 401)), ErrorKind::kConfig,
                     "OAuth2 Client Secret");
        assert_error(ask(OAuth2Rig::no("invalid_scope")), ErrorKind::kConfig, "OAuth2 Scope");
        assert_error(ask(OAuth2Rig::no("invalid_request")), ErrorKind::kConfig, "invalid_request");
        assert_error(ask(OAuth2Rig::no("temporarily_unavailable", 400)), ErrorKind::kRetryLater,
                     "temporarily_unavailable");
        assert_error(ask(OAuth2Rig::no("", 302)), ErrorKind::kRetryLater, "HTTP status 302");
        assert_error(ask(OAuth2Rig::no("too_many", 429)), ErrorKind::kRetryLater, "too_many");
        // A token beside an error, or with another status, is none.
        oauth2::Answer both = OAuth2Rig::tokens("at");
        both.error = "invalid_grant";
        assert_error(ask(both), ErrorKind::kAccount, "invalid_grant");
        both = OAuth2Rig::tokens("at");
        both.status = 500;
        assert_error(ask(both), ErrorKind::kRetryLater, "500");
    }

    void only_bearer_tokens() {
        oauth2::Answer answer = OAuth2Rig::tokens("at");
        answer.token_type = "mac";
        rig_->say(answer);
        assert_error(oauth2::refresh(rig_->post(), rig_->client, Secret("rt")), ErrorKind::kConfig,
                     "of type mac");
    }

    void a_public_client_has_no_secret_to_send() {
        rig_->client.oauth2.client_secret = Secret();
        rig_->say(OAuth2Rig::tokens("at"));
        CPPUNIT_ASSERT(oauth2::refresh(rig_->post(), rig_->client, Secret("rt")));
        CPPUNIT_ASSERT(!asked("client_secret"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GrantTest);

}  // namespace

}  // namespace vm::testing
