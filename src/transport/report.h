// A plugin's report, judged: facts that fit together become a PushReport, everything else
// PushCause::kPlugin. Pure.
#ifndef VM_TRANSPORT_REPORT_H
#define VM_TRANSPORT_REPORT_H

#include "core/push.h"
#include "vm_transport.h"

#include <optional>
#include <string>

namespace vm::transport {

// `server` goes into the result as it is.
PushReport judge_report(const vm_push_report& report, std::string server);

// A text field of the ABI as one sanitised line; nullopt when it is not terminated.
std::optional<std::string> field_text(const char* field, std::size_t size);

}  // namespace vm::transport

#endif
