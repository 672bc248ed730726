// The push half of a transport plugin as the ABI wants it, for every plugin that pushes by SMTP:
// put these functions into vm_transport. No exception leaves them.
#ifndef VM_PLUGINS_COMMON_PUSH_SESSION_H
#define VM_PLUGINS_COMMON_PUSH_SESSION_H

#include "vm_transport.h"

namespace vm::plug {

// Remembers the host and makes libcurl ready. False when the host speaks another ABI.
bool use_host(const vm_host* host) noexcept;

vm_session* open_session(const vm_options* options, char* error, size_t error_size) noexcept;
void close_session(vm_session* session) noexcept;
void push_message(vm_session* session, const vm_message* message, vm_push_report* report) noexcept;

// The well-formed no of an account function that `library` does not have.
int answer_not_supported(vm_find_result* result, const char* library) noexcept;

}  // namespace vm::plug

#endif
