// The inside of a Session: the plugin's session and what its calls need.
#ifndef VM_TRANSPORT_SESSION_STATE_H
#define VM_TRANSPORT_SESSION_STATE_H

#include "transport/plugin.h"
#include "transport/session_context.h"
#include "vm_transport.h"

#include <string>

namespace vm::transport {

struct Session::State {
    const vm_transport* table = nullptr;
    vm_session* session = nullptr;
    SessionContext context;
    std::string plugin;
    std::string server;
    PushStats stats;
    Traffic traffic;

    using AccountFunction = int (*)(vm_session*, const char*, vm_find_result*);
    Result<AccountAnswer> ask(AccountFunction function, const char* operation,
                              const std::string& id);

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State();
};

}  // namespace vm::transport

#endif
