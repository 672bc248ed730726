// What lies in the folders of a mailbox, message by message. Inside this layer only; for who holds
// the folders' locks.
#ifndef VM_ASTERISK_COLLECT_H
#define VM_ASTERISK_COLLECT_H

#include "asterisk/reader.h"
#include "asterisk/spool.h"
#include "asterisk/spool_folder.h"

#include <string>
#include <vector>

namespace vm::asterisk {

// What is done about messages that are not known.
enum class Fresh {
    kIgnore,
    kList,  // which they are
    kOpen,  // their files too
};
// `folders`: by the order of kFolders. `prefix`: of all origins of the mailbox. `known`: these.
Look collect(const std::vector<ListedFolder>& folders, const std::string& prefix,
             const Origins& known, const Refused& refused, Fresh fresh, Reader& reader);

}  // namespace vm::asterisk

#endif
