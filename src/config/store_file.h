// Writing into etc/: the lock and symbolic links, for edit.cc and init.cc.
#ifndef VM_CONFIG_STORE_FILE_H
#define VM_CONFIG_STORE_FILE_H

#include "base/files.h"
#include "base/paths.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace vm::config {

// Waits for the lock on etc/vmconfig.lock, for so long at most if a time is given (kUnavailable
// then); it is held as long as the descriptor lives. kNoInput when there is no etc/.
Result<UniqueFd> lock_etc(const Paths& paths,
                          std::optional<std::chrono::seconds> longest = std::nullopt);

// write_file_atomic; a symbolic link stays, and the file behind it is replaced.
Result<> store_file(const std::filesystem::path& file, std::string_view content, mode_t mode);

}  // namespace vm::config

#endif
