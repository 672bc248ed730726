// folders() of vm_transport.h on a connection: every folder of the scope with its state now.
#ifndef VM_PLUGINS_SMTPIMAP4_FOLDERS_H
#define VM_PLUGINS_SMTPIMAP4_FOLDERS_H

#include "smtpimap4/link.h"

#include <map>
#include <string>

namespace vm::plug::imap {

// What the host was told of folders, by the server's names; outlives connections.
struct ToldFolder {
    FolderState state;
    // How many messages there were when the last look that did not fail began.
    std::optional<std::uint32_t> looked_messages;
    std::uint32_t go_on = 0;  // where that look is to go on; 0: it is whole
};
using Told = std::map<std::string, ToldFolder>;

// Throws Ended; then nothing that `sink` got counts.
void give_folders(Link& link, const vm_scope& scope, Told& told, const FolderSink& sink);

}  // namespace vm::plug::imap

#endif
