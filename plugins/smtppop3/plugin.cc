// libsmtppop3.so: pushes by SMTP, deletes from a POP3 maildrop.
#include "common/account_session.h"
#include "common/push_session.h"
#include "smtppop3/pop3_session.h"

namespace {

constexpr vm::plug::AccountPlugin kAccount{vm::plug::pop3::make_pop3_account, 110, 995};

vm_session* open_session(const vm_options* options, char* error, size_t error_size) noexcept {
    return vm::plug::open_session(options, kAccount, error, error_size);
}

constexpr vm_transport kTransport = {
    VM_TRANSPORT_ABI,
    sizeof(vm_transport),
    "smtppop3",
    "SMTP push, POP3 account (libcurl, OpenSSL)",
    VM_CAN_SEARCH | VM_CAN_VISIT,
    open_session,
    vm::plug::close_session,
    vm::plug::push_message,
    vm::plug::find_message,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    vm::plug::visit_drop,
    nullptr,
    vm::plug::log_in_to_push,
};

}  // namespace

const vm_transport* vm_transport_entry(const vm_host* host) {
    return vm::plug::use_host(host) ? &kTransport : nullptr;
}
