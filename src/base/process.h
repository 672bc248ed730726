// Runs a helper program (tiff2pdf, a notification command) as a child with a time limit.
#ifndef VM_BASE_PROCESS_H
#define VM_BASE_PROCESS_H

#include "base/error.h"

#include <chrono>
#include <string>
#include <vector>

namespace vm {

struct ProcessOutput {
    int exit_code = 0;        // 128 + signal when killed
    std::string diagnostics;  // the last 4 KiB of what it wrote to stdout and stderr
};

// Runs `argv` (argv[0] is looked up in PATH), with no shell, stdin from /dev/null, a minimal
// environment (PATH, LANG=C, TZ=UTC) and no inherited descriptors; kills it after `limit`. Blocks.
// An error means that it could not be started (kConfig, naming the program) or ran out of time
// (kUnavailable); a non-zero exit code is the caller's to judge.
Result<ProcessOutput> run_process(const std::vector<std::string>& argv,
                                  std::chrono::milliseconds limit);

}  // namespace vm

#endif
