// libsmtpimap4.so: pushes by SMTP, keeps the account in step by IMAP4.
#include "common/account_session.h"
#include "common/push_session.h"
#include "smtpimap4/imap_session.h"

namespace {

constexpr vm::plug::AccountPlugin kAccount{vm::plug::imap::make_imap_account, 143, 993};

vm_session* open_session(const vm_options* options, char* error, size_t error_size) noexcept {
    return vm::plug::open_session(options, kAccount, error, error_size);
}

constexpr vm_transport kTransport = {
    VM_TRANSPORT_ABI,
    sizeof(vm_transport),
    "smtpimap4",
    "SMTP push, IMAP4 account (libcurl, OpenSSL, libetpan)",
    VM_CAN_SEARCH | VM_CAN_SYNC,
    open_session,
    vm::plug::close_session,
    vm::plug::push_message,
    vm::plug::find_message,
    vm::plug::list_folders,
    vm::plug::look_at_folder,
    vm::plug::apply_changes,
    vm::plug::recover_message,
    vm::plug::fetch_message,
    vm::plug::park_session,
    vm::plug::peek_session,
    nullptr,
    vm::plug::ask_session,
    vm::plug::log_in_to_push,
};

}  // namespace

const vm_transport* vm_transport_entry(const vm_host* host) {
    return vm::plug::use_host(host) ? &kTransport : nullptr;
}
