// The trace file var/trace/vmemaild.trace (spdlog, rotating at MaxTraceFileSize bytes, 3 old files
// kept). Until trace_open() is called nothing is written. Any thread.
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

// Opens (creating it, mode 0640) or re-opens the trace. `everything` is TraceLevelOverride: debug
// lines, among them the protocol dialogue, are written too. `echo` repeats info and above on
// stderr.
Result<> trace_open(const std::filesystem::path& file, std::int64_t max_bytes, bool everything,
                    bool echo);

// One line; control characters in `line` are neutralised.
void trace_line(TraceLevel level, std::string_view line);
bool trace_enabled(TraceLevel level);

template <class... Args>
void trace(TraceLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (trace_enabled(level)) trace_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace vm

#endif
