// What a session's functions of vm_host need: vm_options.context points to it.
#ifndef VM_TRANSPORT_SESSION_CONTEXT_H
#define VM_TRANSPORT_SESSION_CONTEXT_H

#include "base/error.h"
#include "base/secret.h"

#include <functional>
#include <string>

namespace vm::transport {

struct SessionContext {
    std::string name;
    std::function<bool()> cancelled;
    std::function<Result<Secret>(const Secret& refused)> token;
};

}  // namespace vm::transport

#endif
