#include "base/trace.h"

#include "base/text.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <sys/stat.h>

namespace vm {

namespace {

constexpr std::size_t kOldFiles = 3;

std::mutex g_mutex;
std::shared_ptr<spdlog::logger> g_logger;  // guarded by g_mutex; copied out for use
std::atomic<int> g_level{spdlog::level::off};

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

Result<> trace_open(const std::filesystem::path& file, std::int64_t max_bytes, bool everything,
                    bool echo) {
    try {
        const mode_t previous = ::umask(0027);
        auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            file.string(), static_cast<std::size_t>(max_bytes), kOldFiles);
        ::umask(previous);
        std::vector<spdlog::sink_ptr> sinks{sink};
        if (echo) {
            auto console = std::make_shared<spdlog::sinks::stderr_sink_mt>();
            console->set_level(everything ? spdlog::level::debug : spdlog::level::info);
            sinks.push_back(console);
        }
        auto logger = std::make_shared<spdlog::logger>("vmemaild", sinks.begin(), sinks.end());
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %P %L %v");
        logger->set_level(everything ? spdlog::level::debug : spdlog::level::info);
        logger->flush_on(spdlog::level::info);
        const std::lock_guard lock(g_mutex);
        g_logger = logger;
        g_level = logger->level();
        return {};
    } catch (const std::exception& problem) {
        return fail(ErrorKind::kPermission, "open trace", file.string(), problem.what());
    }
}

bool trace_enabled(TraceLevel level) {
    return level_of(level) >= g_level.load(std::memory_order_relaxed);
}

void trace_line(TraceLevel level, std::string_view line) {
    std::shared_ptr<spdlog::logger> logger;
    {
        const std::lock_guard lock(g_mutex);
        logger = g_logger;
    }
    if (logger) logger->log(level_of(level), "{}", sanitize_line(line));
}

}  // namespace vm
