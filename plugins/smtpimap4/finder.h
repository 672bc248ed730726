// Looking for one of the unit's messages by its id: find() and recover() of vm_transport.h.
#ifndef VM_PLUGINS_SMTPIMAP4_FINDER_H
#define VM_PLUGINS_SMTPIMAP4_FINDER_H

#include "smtpimap4/link.h"

#include <cstdint>
#include <string>

namespace vm::plug::imap {

// In every folder of the account that can be selected. Throws Ended unless all could be searched,
// or the message was found.
FoundMessage find_everywhere(Link& link, const std::string& id, bool by_text);

// In `folder`, which is selected: the newest copy's UID that is not marked as deleted; 0: there is
// none. `message_id`: "" when it is not known. Throws Ended unless it could be searched.
std::uint32_t find_live(Link& link, const std::string& folder, const std::string& id,
                        const std::string& message_id, bool by_text);

// In the trash folder; from there to folder `to`, the host's name of it. Throws Ended.
vm_change_result recover_from_trash(Link& link, const std::string& id,
                                    const std::string& message_id, const std::string& to,
                                    bool by_text);

}  // namespace vm::plug::imap

#endif
