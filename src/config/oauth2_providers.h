// What the large providers document of themselves: OAuth 2.0 endpoints, scopes and mail servers.
// One table; the options of a mailbox override each of its entries. Pure.
#ifndef VM_CONFIG_OAUTH2_PROVIDERS_H
#define VM_CONFIG_OAUTH2_PROVIDERS_H

#include "config/config.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vm::config {

struct ProviderPreset {
    OAuth2Provider provider = OAuth2Provider::kNone;
    // RFC 6749 section 3, RFC 8628 section 3.1; "{tenant}" stands for OAuth2 Tenant. Without a
    // device endpoint the provider gives no access to mail by device code.
    std::string_view token_endpoint, device_endpoint, authorization_endpoint;
    std::string_view default_tenant;
    std::string_view smtp_scope, imap4_scope, pop3_scope;
    std::string_view user_scope;         // besides, where a person grants the access
    std::string_view application_scope;  // with Client Credentials; "": not offered for mail
    // The options of its mail servers.
    std::vector<std::pair<const char*, const char*>> servers;
};

// nullptr for None and Other.
const ProviderPreset* find_preset(OAuth2Provider provider);
// By what OAuth2 Provider says, in any case.
std::optional<OAuth2Provider> find_provider(std::string_view name);
std::string_view name_of(OAuth2Provider provider);

}  // namespace vm::config

#endif
