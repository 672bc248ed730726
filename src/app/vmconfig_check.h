// vmconfig mailbox check: the live test of a mailbox's servers, printed for people or as JSON. Not
// in vmconfig_commands.h, as this alone needs libssl, which no other program is to load.
#ifndef VM_APP_VMCONFIG_CHECK_H
#define VM_APP_VMCONFIG_CHECK_H

#include "app/vmconfig_commands.h"

namespace vm::app {

// Behind add_mailbox_commands(). `status`: what the program is to exit with.
void add_check_command(CLI::App& program, VmconfigRequest& request, int& status);

}  // namespace vm::app

#endif
