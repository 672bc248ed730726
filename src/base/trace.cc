#include "base/trace.h"

#include "base/files.h"
#include "base/text.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <sys/stat.h>
#include <vector>

namespace vm {

namespace {

constexpr std::size_t kOldFiles = 3;
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e%z %P %L %v";

// Each formatted line in one write: a pipe keeps writes up to PIPE_BUF whole.
class PipeSink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit PipeSink(int fd) : fd_(fd) {}

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        (void)write_all(fd_, {line.data(), line.size()}, "trace");  // no master: nobody to tell
    }
    void flush_() override {}

  private:
    int fd_;
};

struct Trace {
    std::mutex mutex;
    std::shared_ptr<spdlog::logger> lines;   // guarded by mutex; copied out for use
    std::shared_ptr<spdlog::logger> copies;  // the same sinks without a prefix of their own
    std::atomic<bool> open{false};
    std::atomic<bool> everything{false};
};

Trace& state() {
    static Trace instance;
    return instance;
}

std::shared_ptr<spdlog::logger> logger_over(const std::vector<spdlog::sink_ptr>& sinks) {
    auto logger = std::make_shared<spdlog::logger>("vmemaild", sinks.begin(), sinks.end());
    logger->set_level(spdlog::level::debug);
    logger->flush_on(spdlog::level::debug);
    return logger;
}

spdlog::level::level_enum level_of(TraceLevel level) {
    switch (level) {
        case TraceLevel::kDebug:
            return spdlog::level::debug;
        case TraceLevel::kInfo:
            return spdlog::level::info;
        case TraceLevel::kWarning:
            return spdlog::level::warn;
        case TraceLevel::kError:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

}  // namespace

Result<> trace_open(const std::filesystem::path& file, std::int64_t max_bytes, bool echo) {
    // (A FIFO would keep the open waiting for a reader.)
    std::error_code ignored;
    const auto found = std::filesystem::status(file, ignored);
    if (std::filesystem::is_fifo(found) || std::filesystem::is_socket(found) ||
        std::filesystem::is_directory(found))
        return fail(ErrorKind::kPermission, "open trace", file.string(),
                    "it is no file to write to", "remove it");
    try {
        spdlog::file_event_handlers handlers;  // also for the files that rotation opens
        handlers.after_open = [](const spdlog::filename_t&, std::FILE* stream) {
            (void)::fchmod(::fileno(stream), 0640);
        };
        auto rotating = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            file.string(), static_cast<std::size_t>(max_bytes), kOldFiles, false, handlers);
        std::vector<spdlog::sink_ptr> sinks{rotating};
        if (echo) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
        // Both loggers share the sinks, whose pattern is plain; the prefix of our own lines is made
        // in trace_line, that of copied ones came with them.
        for (const auto& sink : sinks) sink->set_pattern("%v");
        const std::lock_guard lock(state().mutex);
        state().copies = logger_over(sinks);
        state().lines = nullptr;
        state().open = true;
        return {};
    } catch (const std::exception& problem) {
        return fail(ErrorKind::kPermission, "open trace", file.string(), problem.what(),
                    "it must belong to the unit's user, on a disk that can be written to");
    }
}

void trace_to_pipe(int fd) {
    auto sink = std::make_shared<PipeSink>(fd);
    sink->set_pattern(kPattern);
    const std::lock_guard lock(state().mutex);
    state().lines = logger_over({sink});
    state().copies = nullptr;
    state().open = true;
}

void trace_everything(bool on) {
    state().everything = on;
}

bool trace_enabled(TraceLevel level) {
    return state().open && (level != TraceLevel::kDebug || state().everything);
}

void trace_copy(std::string_view line) {
    std::shared_ptr<spdlog::logger> logger;
    {
        const std::lock_guard lock(state().mutex);
        logger = state().copies;
    }
    if (logger) logger->info("{}", sanitize_line(line, kTraceLineLimit + 200));
}

void trace_line(TraceLevel level, std::string_view line) {
    std::shared_ptr<spdlog::logger> lines, copies;
    {
        const std::lock_guard lock(state().mutex);
        lines = state().lines;
        copies = state().copies;
    }
    const std::string clean = without_direction_controls(sanitize_line(line, kTraceLineLimit));
    if (lines) {
        lines->log(level_of(level), "{}", clean);
    } else if (copies) {
        spdlog::pattern_formatter formatter(kPattern, spdlog::pattern_time_type::local, "");
        spdlog::memory_buf_t out;
        formatter.format(spdlog::details::log_msg("", level_of(level), clean), out);
        copies->info("{}", std::string_view(out.data(), out.size()));
    }
}

}  // namespace vm
