// When the unit gets a key: never while there are passwords that only a lost one opens. For edit.cc
// and init.cc, which hold the lock on etc/.
#ifndef VM_CONFIG_UNIT_KEY_H
#define VM_CONFIG_UNIT_KEY_H

#include "base/error.h"
#include "base/paths.h"
#include "config/seal.h"

#include <vector>

namespace vm::config {

// Makes the unit's key when there is none; whether it did. kConfig, naming the mailboxes, when
// there is none but sealed passwords: the key was lost, and with a new one they would be lost for
// good. `replaced` do not count: passwords that the edit is about to write.
Result<bool> make_missing_key(const Paths& paths, const std::vector<SealContext>& replaced = {});

}  // namespace vm::config

#endif
