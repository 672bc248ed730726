// apply() of vm_transport.h on a connection, and the moving of messages it shares with recover().
#ifndef VM_PLUGINS_SMTPIMAP4_APPLY_H
#define VM_PLUGINS_SMTPIMAP4_APPLY_H

#include "smtpimap4/link.h"

#include <string>

namespace vm::plug::imap {

// Does `count` things in the folder. Throws Ended; results that `sink` got before stand.
void apply_changes(Link& link, const std::string& folder, std::uint32_t uidvalidity,
                   const vm_change* changes, std::size_t count, bool by_text,
                   const ChangeSink& sink);

}  // namespace vm::plug::imap

#endif
