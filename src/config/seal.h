// Sealed passwords: AES-256-GCM under the unit's key file (etc/vm.key, 0600), written as
// `sealed:v1:` + base64(nonce 12 bytes | ciphertext | tag 16 bytes). The seal is bound to mailbox
// and key name, so one copied to another mailbox or key does not open.
//
// Any thread; no shared state. Errors never contain the secret.
#ifndef VM_CONFIG_SEAL_H
#define VM_CONFIG_SEAL_H

#include "base/error.h"
#include "base/paths.h"
#include "base/secret.h"

#include <string>
#include <string_view>

namespace vm::config {

// What a sealed value belongs to.
struct SealContext {
    std::string mailbox;  // number
    std::string key;      // "Smtp Password"; case does not matter
};

bool is_sealed(std::string_view value);

// The unit's key. kConfig when the file is missing or damaged, kPermission when group or others may
// read or change it.
Result<Secret> load_key(const Paths& paths);

// A new random key in etc/vm.key, 0600, of the owner of etc/ when run by root. Must not be called
// when there is one: what it sealed would be lost.
Result<> create_key(const Paths& paths);

// `key` as load_key gives it.
Result<std::string> seal(const Secret& secret, const Secret& key, const SealContext& context);

// kConfig when the text is damaged, belongs elsewhere or was sealed with another key.
Result<Secret> unseal(std::string_view sealed, const Secret& key, const SealContext& context);

}  // namespace vm::config

#endif
