// One request to a token server and its answer (RFC 6749, RFC 8628), made by a child process,
// vmoauth2: what a server says is parsed there, and comes back in a strict form of our own, which
// is checked. So neither libcurl nor a stranger's JSON is met by the agent or vmconfig.
//
// Both forms are lines "name=value". A request goes to the child's standard input, and the answer
// comes from its standard output; nothing of either is in an argument or the environment.
//
// Any thread. Errors never hold a secret.
#ifndef VM_OAUTH2_EXCHANGE_H
#define VM_OAUTH2_EXCHANGE_H

#include "base/error.h"
#include "base/secret.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vm::oauth2 {

// The longest tokens. What an AUTH command can hold (RFC 4954 section 4), and twice that.
inline constexpr std::size_t kAccessTokenLimit = 8191, kRefreshTokenLimit = 16384;

// Visible ASCII: what tokens and codes consist of (RFC 6749 appendix A has blanks in them, too,
// which no provider does and no mail server would take).
bool is_token(std::string_view text);

// A POST of application/x-www-form-urlencoded.
struct Request {
    std::string url;
    std::string ca_file;  // PEM; "": the system's store
    Secret body;          // form()
};
Secret form(const std::vector<std::pair<std::string_view, std::string_view>>& fields);

// What an answer may hold of RFC 6749 sections 5.1 and 5.2 and RFC 8628 section 3.2. Texts are one
// line without control characters.
struct Answer {
    int status = 0;  // HTTP
    Secret access_token, refresh_token, device_code;
    std::string token_type, scope, user_code, verification_uri, error, error_description;
    std::optional<std::int64_t> expires_in, interval;  // seconds
};

std::string to_text(const Request& request);
std::string to_text(const Answer& answer);
// kMessage when it is no such text: a line too many, a name twice, a value that cannot be.
Result<Request> parse_request(std::string_view text);
Result<Answer> parse_answer(std::string_view text);

// Who makes requests: the child below, or a test. kUnavailable, with what happened, when there was
// no answer of a token server.
using Post = std::function<Result<Answer>(const Request&)>;
// By `program`, the path of vmoauth2; 15 seconds at most.
Post post_by(std::filesystem::path program);

}  // namespace vm::oauth2

#endif
