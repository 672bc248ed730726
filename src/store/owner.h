// The unit's files belong to one user. What root makes on its behalf is given to that user, so that
// an agent without privileges can read what an administrator's vmctl stored. Any thread.
#ifndef VM_STORE_OWNER_H
#define VM_STORE_OWNER_H

#include "base/error.h"

#include <filesystem>

namespace vm::store {

// For root: gives `path` the owner and group of its directory. Nothing for other users.
Result<> give_to_owner(const std::filesystem::path& path);

}  // namespace vm::store

#endif
