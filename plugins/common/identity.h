// Whether a mail is one of the unit's, judged by its header: never by what a search says, which
// matches parts of words and whatever a sender writes. Pure.
#ifndef VM_PLUGINS_COMMON_IDENTITY_H
#define VM_PLUGINS_COMMON_IDENTITY_H

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::plug {

inline constexpr std::size_t kIdSize = 26;

// 26 characters of Crockford's base32, as the unit makes them.
bool plausible_id(std::string_view id);

struct Identity {
    std::string id;                // "": none, or none that can be believed
    std::string message_id;        // without <>
    bool has_id_field = false;     // there is a header X-VM-Message-Id, whatever is in it
    bool answers_another = false;  // In-Reply-To or References
};

// By exactly one X-VM-Message-Id among the fields of `header` (RFC 5322; CRLF or LF).
Identity identify(std::string_view header);

// Whether the mail is message `id`: by its id; where it has no such field any more, by its
// Message-ID. "" as message_id is none.
bool is_message(const Identity& identity, std::string_view id, std::string_view message_id);

// The unit's Message-IDs: "ID@DOMAIN", or "ID.1@DOMAIN" of a message that was sent once more.
bool is_message_id_of(std::string_view message_id, std::string_view id);

}  // namespace vm::plug

#endif
