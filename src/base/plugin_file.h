// Whether a file may be loaded as a plugin: it becomes part of the program, so only those who could
// change the program may be able to change it. The agent and vmconfig judge alike. Any thread.
#ifndef VM_BASE_PLUGIN_FILE_H
#define VM_BASE_PLUGIN_FILE_H

#include "base/error.h"

#include <filesystem>

namespace vm {

// The canonical path of `file`. kConfig, naming it, when it is missing, no regular file, not owned
// by root or the effective user, writable by group or others, or below a directory in which
// others can replace it.
Result<std::filesystem::path> check_plugin_file(const std::filesystem::path& file);

}  // namespace vm

#endif
