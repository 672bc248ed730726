// The trace: var/trace/vmemaild.trace, spdlog, rotating at MaxTraceFileSize bytes with 3 old files.
//
// One process owns the file, because two cannot rotate it: the master opens it with trace_open(),
// its workers write their lines to a pipe (trace_to_pipe) and the master copies them in
// (trace_copy). Until either was called nothing is written. Any thread.
//
// Never pass a secret: there is no redaction here on purpose. Secrets have no printable form
// (base/secret.h), and protocol dialogue comes from the plugins already redacted.
#ifndef VM_BASE_TRACE_H
#define VM_BASE_TRACE_H

#include "base/error.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace vm {

enum class TraceLevel { kDebug, kInfo, kWarning, kError };

// Opens (creating it, mode 0640) or re-opens the trace file. `echo` repeats every line on stderr.
Result<> trace_open(const std::filesystem::path& file, std::int64_t max_bytes, bool echo);

// From now on this process's lines go to `fd`, which stays the caller's. A line is at most
// kTraceLineLimit bytes and written at once, so that lines of several writers do not mix.
void trace_to_pipe(int fd);
inline constexpr std::size_t kTraceLineLimit = 3000;  // + prefix < PIPE_BUF

// TraceLevelOverride: debug lines, among them the protocol dialogue, are written too.
void trace_everything(bool on);

// A line another process's trace_to_pipe() wrote, as it came, without its newline.
void trace_copy(std::string_view line);

// One line; control characters in `line` are neutralised.
void trace_line(TraceLevel level, std::string_view line);
bool trace_enabled(TraceLevel level);

template <class... Args>
void trace(TraceLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (trace_enabled(level)) trace_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace vm

#endif
