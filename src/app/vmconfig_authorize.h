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

// What --provider NAME sets: the provider, its servers, and the accounts where there are none yet
// but an e-mail address. kUsage for a name that none has.
Result<std::vector<config::MailboxEdit>> provider_edits(const Paths& paths,
                                                        const std::string& number,
                                                        const std::string& name);

}  // namespace vm::app

#endif
