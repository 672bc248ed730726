// Logging in to an IMAP server in as few round trips as can be: what the greeting says that the
// server can do is not asked for again, as libcurl does. For AUTHENTICATE PLAIN, XOAUTH2 and
// OAUTHBEARER with an initial response (RFC 4959) where TLS is there from the first byte or is not
// to be had; all else is log_in()'s.
#ifndef VM_PLUGINS_SMTPIMAP4_QUICK_LOGIN_H
#define VM_PLUGINS_SMTPIMAP4_QUICK_LOGIN_H

#include "smtpimap4/imap_handshake.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::plug::imap {

struct QuickLink {
    std::unique_ptr<Wire> wire;
    std::string received;  // behind the answer to the login
    bool opened = false;   // the opening was sent
};
using LoginResult = tl::expected<QuickLink, Ending>;

// Given what the server says before the login that it can do: what to send right behind the login,
// in the same flight; "": nothing. There must be no harm in it where the login is refused.
using Opening = std::function<std::string(const std::vector<std::string>& capabilities)>;

// As log_in(), and with its promises. Nothing: this server wants log_in(), which is remembered for
// the process; a password that it refused was not sent.
std::optional<LoginResult> quick_log_in(const ServerOptions& options, const Opening& opening,
                                        ImapHandshake& handshake, const Host& host,
                                        Counters& counters);

// From now on nothing is sent with the login to this server (in this process): it, or a proxy
// before it, did not go on with what came there.
void send_no_opening(const ServerOptions& options);

}  // namespace vm::plug::imap

#endif
