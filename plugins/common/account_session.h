// The account half of a transport plugin as the ABI wants it, see vm_transport.h: put these
// functions into vm_transport. No exception leaves them; a session without account half answers
// VM_NOT_SUPPORTED.
#ifndef VM_PLUGINS_COMMON_ACCOUNT_SESSION_H
#define VM_PLUGINS_COMMON_ACCOUNT_SESSION_H

#include "vm_transport.h"

namespace vm::plug {

int find_message(vm_session* session, const char* id, vm_find_result* result) noexcept;
int list_folders(vm_session* session, const vm_scope* scope, void* context,
                 void (*sink)(void* context, const vm_folder* folder),
                 vm_account_report* report) noexcept;
int look_at_folder(vm_session* session, const vm_look* look, const vm_look_sink* sink,
                   vm_look_result* result, vm_account_report* report) noexcept;
int apply_changes(vm_session* session, const char* folder, uint32_t uidvalidity,
                  const vm_change* changes, size_t count, const vm_change_sink* sink,
                  vm_account_report* report) noexcept;
int recover_message(vm_session* session, const char* id, const char* message_id, const char* to,
                    vm_change_result* result, vm_account_report* report) noexcept;
int fetch_message(vm_session* session, const char* folder, uint32_t uidvalidity, uint32_t uid,
                  uint32_t size, void* context,
                  void (*sink)(void* context, uint32_t flags, const void* data, size_t size),
                  vm_account_report* report) noexcept;
int park_session(vm_session* session, const char* folder, int* fd, uint8_t* changed,
                 vm_account_report* report) noexcept;
int peek_session(vm_session* session, uint8_t* changed, vm_account_report* report) noexcept;
int ask_session(vm_session* session, uint8_t* waits, uint8_t* changed,
                vm_account_report* report) noexcept;
int visit_drop(vm_session* session, const vm_drop* drop, const vm_drop_sink* sink,
               vm_account_report* report) noexcept;

}  // namespace vm::plug

#endif
