// Writing into etc/: the lock and the owner, for edit.cc and init.cc.
#ifndef VM_CONFIG_STORE_FILE_H
#define VM_CONFIG_STORE_FILE_H

#include "base/files.h"
#include "base/paths.h"

#include <string_view>

namespace vm::config {

// Waits for the lock on etc/vmconfig.lock; it is held as long as the descriptor lives. kNoInput
// when there is no etc/.
Result<UniqueFd> lock_etc(const Paths& paths);

// write_file_atomic; the new file belongs to the owner of etc/ when run by root. A symbolic link
// stays, and the file behind it is replaced: kPermission for root in another user's etc/.
Result<> store_file(const Paths& paths, const std::filesystem::path& file, std::string_view content,
                    mode_t mode);

// Gives `path` to the owner of etc/ when run by root.
Result<> give_to_owner(const Paths& paths, const std::filesystem::path& path);

}  // namespace vm::config

#endif
