// Logging in to an IMAP server in as few round trips as can be: what the greeting says that the
// server can do is not asked for again, as libcurl does. For AUTHENTICATE PLAIN with an initial
// response (RFC 4959) where TLS is there from the first byte or is not to be had; all else is
// log_in()'s.
#ifndef VM_PLUGINS_SMTPIMAP4_QUICK_LOGIN_H
#define VM_PLUGINS_SMTPIMAP4_QUICK_LOGIN_H

#include "smtpimap4/imap_handshake.h"

#include <memory>
#include <optional>

namespace vm::plug::imap {

using LoginResult = tl::expected<std::unique_ptr<Wire>, Ending>;

// As log_in(), and with its promises. Nothing: this server wants log_in(), which is remembered for
// the process; a password that it refused was not sent.
std::optional<LoginResult> quick_log_in(const ServerOptions& options, ImapHandshake& handshake,
                                        const Host& host, Counters& counters);

}  // namespace vm::plug::imap

#endif
