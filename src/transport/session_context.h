// What a session's functions of vm_host need: vm_options.context points to it.
#ifndef VM_TRANSPORT_SESSION_CONTEXT_H
#define VM_TRANSPORT_SESSION_CONTEXT_H

#include <functional>
#include <string>

namespace vm::transport {

struct SessionContext {
    std::string name;
    std::function<bool()> cancelled;
};

}  // namespace vm::transport

#endif
