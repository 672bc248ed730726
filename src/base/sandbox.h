// What a sandboxed child of process.h may not do: system calls and resources. Inside this layer
// only.
#ifndef VM_BASE_SANDBOX_H
#define VM_BASE_SANDBOX_H

#include "base/error.h"
#include "base/process.h"

#include <linux/filter.h>
#include <vector>

namespace vm {

// The filter of system calls, a program for seccomp(2). Made once by libseccomp; any thread.
// kUnavailable when that cannot be done.
Result<std::vector<sock_filter>> sandbox_filter();

// Confines the calling process, for good and across exec; false with errno when the kernel refuses.
// Async-signal-safe: for a child between fork and exec.
bool enter_sandbox(const std::vector<sock_filter>& filter, const SandboxLimits& limits);

}  // namespace vm

#endif
