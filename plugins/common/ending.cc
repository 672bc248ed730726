#include "common/ending.h"

namespace vm::plug {

std::optional<Ending> ending_of(Connection::Io io, const char* what, const char* garbage) {
    const auto end = [](vm_cause cause, std::string text) {
        return ending_of(VM_STEP_ACCOUNT, cause, std::move(text));
    };
    switch (io) {
        case Connection::Io::kOk:
        case Connection::Io::kInput:
            break;
        case Connection::Io::kTimeout:
            return end(VM_CAUSE_TIMEOUT, std::string("no answer in time while ") + what);
        case Connection::Io::kLost:
            return end(VM_CAUSE_LOST,
                       std::string("the server closed the connection while ") + what);
        case Connection::Io::kGarbage:
            return end(VM_CAUSE_PROTOCOL, garbage);
        case Connection::Io::kCancelled:
            return end(VM_CAUSE_CANCELLED, std::string("stopped while ") + what);
    }
    return std::nullopt;
}

}  // namespace vm::plug
