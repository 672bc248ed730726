// look() of vm_transport.h on a connection: what changed in one folder. It asks about the messages
// the host knows and those behind them, never about the whole folder.
#ifndef VM_PLUGINS_SMTPIMAP4_LOOK_H
#define VM_PLUGINS_SMTPIMAP4_LOOK_H

#include "smtpimap4/folders.h"
#include "smtpimap4/link.h"

namespace vm::plug::imap {

// Throws Ended; then nothing that `sink` got counts.
void look_at(Link& link, const vm_look& look, bool by_text, Told& told, const vm_look_sink& sink,
             vm_look_result& result);

}  // namespace vm::plug::imap

#endif
