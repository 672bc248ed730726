// vmconfig mailbox authorize: a person, or the provider, grants this unit access to a mailbox's
// account (RFC 6749, RFC 8628), and the tokens are kept (oauth2/token_file.h).
#ifndef VM_APP_VMCONFIG_AUTHORIZE_H
#define VM_APP_VMCONFIG_AUTHORIZE_H

#include "app/vmconfig_commands.h"
#include "config/config.h"

#include <string>
#include <vector>

namespace vm::app {

void add_authorize_command(CLI::App& mailbox, VmconfigRequest& request);

// Adds to `edits` what --provider NAME sets and they do not: the provider, its servers, and the
// accounts where there are none yet but an e-mail address. kUsage for a name that none has.
Result<> add_provider(const Paths& paths, const std::string& number, const std::string& name,
                      std::vector<config::MailboxEdit>& edits);

}  // namespace vm::app

#endif
