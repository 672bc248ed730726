// Language tags, as a mailbox names the language of its mails. Pure; any thread.
#ifndef VM_BASE_LANGUAGE_H
#define VM_BASE_LANGUAGE_H

#include <string_view>

namespace vm {

// The form of a tag (RFC 5646): a language of two or three letters, then parts of letters and
// digits, each behind a hyphen: "en", "pt-BR", "es-419", "zh-Hant-TW". Nothing that could lead out
// of a directory.
bool is_language_tag(std::string_view s);

}  // namespace vm

#endif
