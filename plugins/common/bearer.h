// Logging in with a bearer token (XOAUTH2; OAUTHBEARER, RFC 7628). Where the options have none the
// host is asked before each login (vm_host.token), and once more when the server refused what it
// gave.
#ifndef VM_PLUGINS_COMMON_BEARER_H
#define VM_PLUGINS_COMMON_BEARER_H

#include "common/host.h"
#include "common/login.h"

#include <optional>
#include <string>
#include <string_view>

namespace vm::plug {

bool is_bearer(vm_auth auth);

// The words that either mechanism sends before they are base64.
std::string xoauth2_words(const std::string& user, const std::string& token);
std::string oauthbearer_words(const ServerOptions& options, const std::string& token);
// `user` as GS2 has it (RFC 5801 section 4).
std::string sasl_name(const std::string& user);

// What the challenge by which a server refuses a token says (base64 of JSON): one line, never "".
std::string refusal_of(std::string_view challenge);

// The token of one login: in `options.password` for as long as the object lives. Does nothing for
// options that have a password, or need none.
class Bearer {
  public:
    Bearer(ServerOptions& options, Host& host);
    ~Bearer();
    Bearer(const Bearer&) = delete;
    Bearer& operator=(const Bearer&) = delete;

    // Before the login: why it cannot be; nothing: it can.
    std::optional<Ending> ask();
    // After a login that ended so: true when there is another token now to try once more with. Why
    // there is none is added to the ending's words.
    bool ask_another(Ending& ending);

  private:
    bool take(const char* refused);

    ServerOptions& options_;
    Host& host_;
    bool asks_;
    bool replaced_ = false;
    std::string error_;
};

// Everything the credentials look like on the wire.
Redactor redactor_for(const ServerOptions& options);

}  // namespace vm::plug

#endif
