#include "agent/metrics_file.h"

#include "base/files.h"
#include "base/trace.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
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

// A file that no agent has written is somebody else's.
Result<> check_ours(const std::filesystem::path& path) {
    constexpr std::string_view kBegin = "# HELP vmemail_";
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return {};  // writing says what is wrong
    std::array<char, kBegin.size()> begin{};
    const ssize_t size = S_ISREG(status.st_mode) ? ::pread(fd.get(), begin.data(), begin.size(), 0)
                                                 : static_cast<ssize_t>(begin.size());
    if (size <= 0 || std::string_view(begin.data(), static_cast<std::size_t>(size)) == kBegin)
        return {};
    return fail(ErrorKind::kConfig, kWrite, path.string(), "it is there, and was not written by us",
                "name another one");
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
    Result<> done;
    if (!written_) done = check_ours(path_);
    if (done) done = replace(path_, text());
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
