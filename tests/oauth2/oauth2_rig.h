// A root with a key, a client, and a token server that says what a test wants.
#ifndef VM_TESTS_OAUTH2_OAUTH2_RIG_H
#define VM_TESTS_OAUTH2_OAUTH2_RIG_H

#include "../config/temp_root.h"
#include "base/clock.h"
#include "config/seal.h"
#include "oauth2/keeper.h"

#include <cppunit/TestAssert.h>

#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace vm::testing {

inline constexpr TimeMs kStart = 1'800'000'000'000;

class OAuth2Rig {
  public:
    OAuth2Rig() {
        std::filesystem::create_directories(root.paths.var());
        CPPUNIT_ASSERT(config::create_key(root.paths));
        client.mailbox = "101";
        client.oauth2.provider = config::OAuth2Provider::kOther;
        client.oauth2.client_id = "unit";
        client.oauth2.client_secret = Secret("the client's");
        client.oauth2.token_endpoint = "https://login.example.net/token";
        client.oauth2.device_endpoint = "https://login.example.net/device";
        client.oauth2.scope = "mail";
    }

    // The next answers, one a request; then it is out of reach.
    void say(oauth2::Answer answer) { answers.push_back(std::move(answer)); }
    static oauth2::Answer tokens(const std::string& access, const std::string& refresh = {},
                                 std::int64_t lifetime = 3600) {
        oauth2::Answer out;
        out.status = 200;
        out.token_type = "bearer";
        out.access_token = Secret(access);
        out.refresh_token = Secret(refresh);
        out.expires_in = lifetime;
        return out;
    }
    static oauth2::Answer no(const std::string& error, int status = 400) {
        oauth2::Answer out;
        out.status = status;
        out.error = error;
        out.error_description = "in its words";
        return out;
    }

    oauth2::Post post() {
        return [this](const oauth2::Request& request) -> Result<oauth2::Answer> {
            const std::lock_guard lock(mutex_);
            asked.push_back(request.url + " " + request.body.reveal());
            if (while_asked) while_asked();
            if (answers.empty())
                return fail(ErrorKind::kUnavailable, "OAuth2", "login.example.net", "out of reach");
            oauth2::Answer answer = std::move(answers.front());
            answers.pop_front();
            return answer;
        };
    }

    // What a person granted, an hour's token included.
    void grant(const std::string& access = "at-0", const std::string& refresh = "rt-0") {
        oauth2::Grant out = oauth2::new_grant(client, clock.now());
        oauth2::Tokens given;
        given.access = Secret(access);
        given.refresh = Secret(refresh);
        oauth2::put_tokens(out, std::move(given), clock.now());
        CPPUNIT_ASSERT(oauth2::write_grant(root.paths, client.mailbox, out));
    }
    oauth2::Grant granted() const {
        return oauth2::read_grant(root.paths, client.mailbox).value().value();
    }

    TempRoot root;
    ManualClock clock{kStart};
    oauth2::Client client;
    std::deque<oauth2::Answer> answers;
    std::vector<std::string> asked;
    std::function<void()> while_asked;

  private:
    std::mutex mutex_;
};

template <class T>
void assert_error(const Result<T>& result, ErrorKind kind, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("no error; expected: " + part, !result.has_value());
    const std::string text = result.error().text();
    CPPUNIT_ASSERT_MESSAGE(text + " lacks: " + part, text.find(part) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(to_string(kind)),
                                 std::string(to_string(result.error().kind)));
}

}  // namespace vm::testing

#endif
