// What is asked of a token server and what its answers mean: RFC 6749 sections 4.1.3, 4.4 and 6,
// RFC 8628. Any thread; blocks as long as `post`.
//
// Errors by consequence: kUnavailable, there was no answer; kRetryLater, the server cannot tell
// now; kAccount, a person must grant the access (again); kConfig, the server does not take this
// client or what it asks for.
#ifndef VM_OAUTH2_GRANT_H
#define VM_OAUTH2_GRANT_H

#include "config/config.h"
#include "oauth2/exchange.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vm::oauth2 {

// On whose behalf tokens are asked for.
struct Client {
    std::string mailbox;  // number
    config::OAuth2 oauth2;
    std::string ca_file;  // "": the system's store
};
Client client_of(const config::MailboxOptions& mailbox);

struct Tokens {
    Secret access, refresh;          // refresh: empty, the old one stays
    std::int64_t lifetime_s = 3600;  // of the access token
    std::string scope;               // as far as the server says
};

Result<Tokens> refresh(const Post& post, const Client& client, const Secret& refresh_token);
Result<Tokens> ask_as_client(const Post& post, const Client& client);

// The device flow: what a person is to be told, and what it is asked for with.
struct DeviceCode {
    Secret device_code;
    std::string user_code, verification_uri;
    std::int64_t expires_s = 0, interval_s = 5;
};
Result<DeviceCode> ask_device_code(const Post& post, const Client& client);
// Nothing: the person has not decided yet, and the next question comes after `interval_s`, which a
// server that is asked too often makes longer.
Result<std::optional<Tokens>> ask_device_tokens(const Post& post, const Client& client,
                                                DeviceCode& code);

// The authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 8252), where there is
// no device flow: a person opens `url` in a browser and brings back the address it ends at, which
// is one of this machine's where nobody listens.
struct CodeRequest {
    std::string url, state;
    Secret verifier;
};
Result<CodeRequest> make_code_request(const Client& client, const std::string& account);
// `brought` is that address, or the code alone. kUsage when it is neither.
Result<Tokens> ask_with_code(const Post& post, const Client& client, const CodeRequest& request,
                             std::string_view brought);

}  // namespace vm::oauth2

#endif
