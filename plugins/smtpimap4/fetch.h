// fetch() of vm_transport.h on a connection: the beginning of one message.
#ifndef VM_PLUGINS_SMTPIMAP4_FETCH_H
#define VM_PLUGINS_SMTPIMAP4_FETCH_H

#include "smtpimap4/link.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vm::plug::imap {

struct Beginning {
    std::uint32_t flags = 0;  // VM_FLAG_...
    std::string bytes;
};

// `size` bytes at most; nothing when there is no such message. Throws Ended.
std::optional<Beginning> fetch_beginning(Link& link, const std::string& folder,
                                         std::uint32_t uidvalidity, std::uint32_t uid,
                                         std::uint32_t size);

}  // namespace vm::plug::imap

#endif
