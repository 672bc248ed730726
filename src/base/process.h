// Runs a helper program (tiff2pdf, a notification command, a speech synthesiser) as a child with a
// time limit; one that gets hostile bytes to read, in a sandbox. Any thread; blocks.
#ifndef VM_BASE_PROCESS_H
#define VM_BASE_PROCESS_H

#include "base/error.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vm {

struct ProcessOutput {
    int exit_code = 0;        // 128 + signal when killed
    std::string diagnostics;  // the last 4 KiB of what it wrote to stdout and stderr
};

// Runs `argv` (argv[0] is looked up in PATH), with no shell, stdin from /dev/null, a minimal
// environment (PATH, LANG=C, TZ=UTC) and no inherited descriptors; kills it after `limit`.
// An error means that it could not be started (kConfig, naming the program) or ran out of time
// (kUnavailable); a non-zero exit code is the caller's to judge.
Result<ProcessOutput> run_process(const std::vector<std::string>& argv,
                                  std::chrono::milliseconds limit);

// The program `name` that lies beside this one.
std::filesystem::path program_beside(const std::string& name);

struct SandboxLimits {
    std::chrono::milliseconds time{60'000};   // by the clock; then everything it started is killed
    std::chrono::seconds cpu{60};             // of one process, then the kernel kills it
    std::size_t output_bytes = 1U << 20;      // more on stdout, and it is killed
    std::size_t memory_bytes = 512ULL << 20;  // address space; not in a build with sanitizers
    int nice = 0;                             // how much it yields to others, to 19
};

struct SandboxOutput {
    int exit_code = 0;        // 128 + signal when killed, also by the limit of CPU time
    std::string output;       // all of stdout
    std::string diagnostics;  // the last 4 KiB of stderr
};

// Runs `argv` as run_process() does, but with `input` as its stdin and in "/", so that it can read
// files and write to its stdout and stderr, and do nothing else: no socket, no file written, made,
// changed or removed, no signal to and no look into another process, nothing mounted or loaded, no
// other session or process group. What it tries gets EPERM. It ends with this thread; what it
// started ends with it.
// Besides the errors of run_process(): kMessage when it wrote more than it may, kUnavailable when
// the kernel has no such sandbox.
Result<SandboxOutput> run_sandboxed(const std::vector<std::string>& argv, std::string_view input,
                                    const SandboxLimits& limits);
// The same with the file behind `input_fd` as its stdin, from where that stands. `cancelled` is
// asked a few times a second, when there is one; true: it is killed, kUnavailable.
Result<SandboxOutput> run_sandboxed(const std::vector<std::string>& argv, int input_fd,
                                    const SandboxLimits& limits,
                                    const std::function<bool()>& cancelled = {});

// The same without the sandbox, for one that is to reach the network: of `limits` those of
// memory and CPU time do not hold.
Result<SandboxOutput> run_with_input(const std::vector<std::string>& argv, std::string_view input,
                                     const SandboxLimits& limits);

}  // namespace vm

#endif
