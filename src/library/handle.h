// What struct vm_store is, and how its functions get at it.
#ifndef VM_LIBRARY_HANDLE_H
#define VM_LIBRARY_HANDLE_H

#include "base/error.h"
#include "base/paths.h"
#include "library/border.h"
#include "library/process.h"
#include "store/store.h"

#include <memory>
#include <string>

struct vm_store {
    vm::library::OfProcess process;
    vm::Paths paths;
    std::unique_ptr<vm::store::Store> store;  // for_threads()
};

namespace vm::library {

// kUsage: `store` is NULL, or was opened by the process that this one was forked from.
Result<> usable(const char* function, const vm_store* store);

// A message's id, a folder: kUsage when it is NULL.
Result<std::string> needed(const char* function, const char* what, const char* given);

// kUsage when `mailbox` is no number, kNoInput when there is no such mailbox.
Result<> known_mailbox(const char* function, const Paths& paths, const std::string& mailbox);

}  // namespace vm::library

#endif
