// libsmtppop3.so: pushes by SMTP; the POP3 side of the account is not there yet and says so.
#include "common/account_session.h"
#include "common/push_session.h"

namespace {

vm_session* open_session(const vm_options* options, char* error, size_t error_size) noexcept {
    return vm::plug::open_session(options, {}, error, error_size);
}

constexpr vm_transport kTransport = {
    VM_TRANSPORT_ABI,
    sizeof(vm_transport),
    "smtppop3",
    "SMTP push (libcurl, OpenSSL); POP3 account: not supported yet",
    0,
    open_session,
    vm::plug::close_session,
    vm::plug::push_message,
    vm::plug::find_message,
    vm::plug::erase_message,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

const vm_transport* vm_transport_entry(const vm_host* host) {
    return vm::plug::use_host(host) ? &kTransport : nullptr;
}
