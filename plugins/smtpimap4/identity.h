// Whether a mail is one of the unit's, judged by what was fetched of it: never by what a search
// says, which matches parts of words and whatever a sender writes. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_IDENTITY_H
#define VM_PLUGINS_SMTPIMAP4_IDENTITY_H

#include "smtpimap4/response.h"

#include <optional>
#include <string>
#include <string_view>

namespace vm::plug::imap {

// 26 characters of Crockford's base32, as the unit makes them.
bool plausible_id(std::string_view id);

struct Identity {
    std::string id;             // "": none, or none that can be believed
    std::string message_id;     // without <>
    bool has_id_field = false;  // there is a header X-VM-Message-Id, whatever is in it
};

// By header: exactly one X-VM-Message-Id among the fetched fields. With `by_text` by the token
// [VM:ID] in the first part of the text where there is no such header; a mail that answers another
// one may have quoted it, and is not believed.
Identity identify(const FetchData& message, bool by_text);

// What of a message identify() needs: an item list for FETCH, in parentheses.
const char* identity_items(bool by_text);

}  // namespace vm::plug::imap

#endif
