// The certificates to trust, parsed once for all connections: a store of its own costs each TLS
// connection most of a megabyte and each handshake most of its time. Any thread.
#ifndef VM_PLUGINS_COMMON_CA_STORE_H
#define VM_PLUGINS_COMMON_CA_STORE_H

#include <openssl/x509.h>
#include <tl/expected.hpp>

#include <memory>
#include <string>

namespace vm::plug {

using CaStore = std::shared_ptr<X509_STORE>;

// The store of the PEM file `ca_file`, or of the system ("" ). A file that changed is read again.
// The error is the reason, naming the file.
tl::expected<CaStore, std::string> ca_store(const std::string& ca_file);

}  // namespace vm::plug

#endif
