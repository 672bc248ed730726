// What the ABI's vm_session is inside, and how answers go back to a host. For the glue alone.
#ifndef VM_PLUGINS_COMMON_SESSION_H
#define VM_PLUGINS_COMMON_SESSION_H

#include "common/account.h"
#include "common/smtp_session.h"

#include <algorithm>
#include <cstring>
#include <memory>

struct vm_session {
    vm::plug::SmtpSession smtp;
    std::unique_ptr<vm::plug::Account> account;  // null: the plugin has none
};

namespace vm::plug {

// Hands `answer` to the host: as much of it as the host's struct, which may be older, has room for.
template <class Struct>
void answer_with(Struct* out, Struct answer) {
    const std::uint32_t size = out->struct_size;
    answer.struct_size = size;
    std::memcpy(out, &answer, std::min<std::size_t>(size, sizeof answer));
}

}  // namespace vm::plug

#endif
