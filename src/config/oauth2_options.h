// The Mailbox Options that begin with OAuth2: the table's part, and what they mean together. For
// mailbox_options.cc and mailbox.cc.
#ifndef VM_CONFIG_OAUTH2_OPTIONS_H
#define VM_CONFIG_OAUTH2_OPTIONS_H

#include "config/config.h"
#include "config/option.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::config {

inline constexpr const char* kClientSecretKey = "OAuth2 Client Secret";

void add_oauth2_options(std::vector<Option>& options);

// A URL a client may be sent to: https, or http to this machine.
bool is_endpoint(std::string_view url);

// Fills mailbox.oauth2; `text` gives a valid option's text by its name. The servers are there.
void take_oauth2(MailboxOptions& mailbox, const std::function<std::string(std::string_view)>& text);

}  // namespace vm::config

#endif
