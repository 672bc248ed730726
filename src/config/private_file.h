// Files that hold secrets: only their owner may read or change them. Any thread.
#ifndef VM_CONFIG_PRIVATE_FILE_H
#define VM_CONFIG_PRIVATE_FILE_H

#include "base/error.h"

#include <filesystem>
#include <string>

namespace vm::config {

// kPermission, naming the mode and the chmod to do, when group or others have any right on `path`,
// which holds `what` ("a password"); kNoInput and the like when it cannot be looked at.
Result<> check_private(const std::filesystem::path& path, const std::string& what);

}  // namespace vm::config

#endif
