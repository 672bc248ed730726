// A session and its push half as the ABI wants them, for every plugin that pushes by SMTP: put
// these functions into vm_transport. No exception leaves them.
#ifndef VM_PLUGINS_COMMON_PUSH_SESSION_H
#define VM_PLUGINS_COMMON_PUSH_SESSION_H

#include "common/account.h"
#include "vm_transport.h"

namespace vm::plug {

// Remembers the host and makes libcurl ready. False when the host speaks another ABI.
bool use_host(const vm_host* host) noexcept;

// `account` is what the plugin has for the account half.
vm_session* open_session(const vm_options* options, const AccountPlugin& account, char* error,
                         size_t error_size) noexcept;
void close_session(vm_session* session) noexcept;
void push_message(vm_session* session, const vm_message* message, vm_push_report* report) noexcept;
int log_in_to_push(vm_session* session, vm_push_report* report) noexcept;

}  // namespace vm::plug

#endif
