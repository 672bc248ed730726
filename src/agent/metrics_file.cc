#include "agent/metrics_file.h"

#include "base/files.h"
#include "base/trace.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr const char* kWrite = "write metrics";

// node_exporter reads what ends in .prom, in the middle of a write as well: the file appears at
// once.
Result<> replace(const std::filesystem::path& path, const std::string& text) {
    const std::string temporary = path.string() + ".tmp";
    ::unlink(temporary.c_str());  // of an agent that was killed
    const UniqueFd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return fail_errno(errno, kWrite, temporary);
    Result<> done;
    if (::fchmod(fd.get(), 0644) != 0) done = fail_errno(errno, kWrite, temporary);
    if (done) done = write_all(fd.get(), text, temporary);
    if (done && ::rename(temporary.c_str(), path.c_str()) != 0)
        done = fail_errno(errno, kWrite, path.string());
    if (!done) ::unlink(temporary.c_str());
    return done;
}

}  // namespace

void MetricsFile::keep(std::int64_t now, const std::filesystem::path& path,
                       const std::function<std::string()>& text) {
    if (path != path_) {
        remove();
        path_ = path;
        next_ = now;
    }
    if (path_.empty() || now < next_) return;
    next_ = now + kPeriodMs;
    const auto done = replace(path_, text());
    if (done) {
        written_ = true;
        trouble_.clear();
    } else if (std::string words = done.error().text(); words != trouble_) {
        trouble_ = std::move(words);
        trace(TraceLevel::kError,
              "g_szMetricsFile: {}; its directory must be there, and the agent's user must be able "
              "to write there",
              trouble_);
    }
}

void MetricsFile::remove() {
    if (written_) ::unlink(path_.c_str());
    path_.clear();
    written_ = false;
    trouble_.clear();
}

}  // namespace vm::agent
