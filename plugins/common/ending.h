// How a push, or a part of it, ended: the facts of vm_push_report as C++.
#ifndef VM_PLUGINS_COMMON_ENDING_H
#define VM_PLUGINS_COMMON_ENDING_H

#include "common/connection.h"
#include "common/reply.h"
#include "vm_transport.h"

#include <optional>
#include <string>
#include <utility>

namespace vm::plug {

struct Ending {
    vm_step step = VM_STEP_NONE;
    vm_cause cause = VM_CAUSE_LOST;
    int code = 0;
    std::string enhanced;
    std::string text;
};

// The server's reply ended it.
inline Ending ending_of(vm_step step, const Reply& reply) {
    return {step, VM_CAUSE_REPLY, reply.code, reply.enhanced, reply.text()};
}

// Something else did.
inline Ending ending_of(vm_step step, vm_cause cause, std::string text) {
    return {step, cause, 0, {}, std::move(text)};
}

// A dialogue with an account met this on its connection while doing `what`. Nothing: it can go on.
// `garbage`: what kGarbage means in it.
std::optional<Ending> ending_of(Connection::Io io, const char* what, const char* garbage);

}  // namespace vm::plug

#endif
