// TLS from the first byte by OpenSSL alone, for connections that are kept: all share one context,
// where libcurl keeps one for each beside its own state and buffers, twice of what a connection is
// otherwise. The rules are those that dial() gives libcurl: TLS 1.2 or later, a certificate that
// leads to a trusted one and names the host, no renegotiation, no session taken up again.
#ifndef VM_PLUGINS_COMMON_TLS_WIRE_H
#define VM_PLUGINS_COMMON_TLS_WIRE_H

#include "common/ca_store.h"
#include "common/dial.h"
#include "common/socket_wire.h"

namespace vm::plug {

// The handshake on a connected, non-blocking socket. `store` null: the certificate may be anyone's.
// Blocks until `deadline` at most; asks the host once a second whether to stop. Nothing was said
// over a connection whose certificate is refused. The error's kind is kTls, kLost, kTimeout,
// kCancelled or kConfig. Any thread.
tl::expected<std::unique_ptr<Wire>, DialError> start_tls(Socket socket, const std::string& host,
                                                         const CaStore& store, Deadline deadline,
                                                         const Host& owner);

// Whether the certificate is one of `host`, a name or an address.
bool names(X509* certificate, const std::string& host);

}  // namespace vm::plug

#endif
