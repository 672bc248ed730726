// libsmtppop3.so: pushes by SMTP; the POP3 side of the account is not there yet and says so.
#include "common/push_session.h"

namespace {

int account(vm_session*, const char*, vm_find_result* result) noexcept {
    return vm::plug::answer_not_supported(result, "libsmtppop3.so");
}

constexpr vm_transport kTransport = {
    VM_TRANSPORT_ABI,
    sizeof(vm_transport),
    "smtppop3",
    "SMTP push (libcurl, OpenSSL); POP3 account: not supported yet",
    0,
    vm::plug::open_session,
    vm::plug::close_session,
    vm::plug::push_message,
    account,
    account,
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
