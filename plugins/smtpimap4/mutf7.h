// Mailbox names as IMAP4rev1 writes them: modified UTF-7 (RFC 3501 section 5.1.3). Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_MUTF7_H
#define VM_PLUGINS_SMTPIMAP4_MUTF7_H

#include <optional>
#include <string>
#include <string_view>

namespace vm::plug::imap {

// Nothing when `utf8` is not valid UTF-8.
std::optional<std::string> encode_mutf7(std::string_view utf8);
// Nothing when `name` is not modified UTF-7 in its only valid form: what encode_mutf7() would give.
std::optional<std::string> decode_mutf7(std::string_view name);

}  // namespace vm::plug::imap

#endif
