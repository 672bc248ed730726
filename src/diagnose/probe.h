// Looks at one mail server up to where a login would come: name, TCP, TLS, greeting, capabilities.
// Where a step fails it looks for what would work instead: another port, another use of TLS.
// Nothing secret is sent, whatever the certificate. Blocks; one thread. SIGPIPE is to be ignored.
#ifndef VM_DIAGNOSE_PROBE_H
#define VM_DIAGNOSE_PROBE_H

#include "config/config.h"
#include "diagnose/dialogue.h"
#include "diagnose/finding.h"

#include <functional>

namespace vm::diagnose {

using Tell = std::function<void(const Finding&)>;  // of each step, as it ends

// The last finding was one without fault: what the server can do is returned, and logging in may be
// tried. Nothing: it was not.
std::optional<Abilities> probe(Protocol protocol, const config::MailboxOptions& mailbox,
                               Millis timeout, const Tell& tell);

// The server of `mailbox` by that protocol.
const config::Server& server_of(const config::MailboxOptions& mailbox, Protocol protocol);

// Where servers of the protocol listen, the best first.
std::vector<std::uint16_t> usual_ports(Protocol protocol);

}  // namespace vm::diagnose

#endif
