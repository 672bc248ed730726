// Whether a mail is one of the unit's, judged by what was fetched of it. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_IDENTITY_H
#define VM_PLUGINS_SMTPIMAP4_IDENTITY_H

#include "common/identity.h"
#include "smtpimap4/response.h"

namespace vm::plug::imap {

// By the header among the fetched fields (common/identity.h). With `by_text` by the token
// [VM:ID] in the first part of the text where there is no such header; a mail that answers another
// one may have quoted it, and is not believed.
Identity identify(const FetchData& message, bool by_text);

// What of a message identify() needs: an item list for FETCH, in parentheses.
const char* identity_items(bool by_text);

}  // namespace vm::plug::imap

#endif
