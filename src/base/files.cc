#include "base/files.h"

#include "base/crash_point.h"
#include "base/ids.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace vm {

namespace fs = std::filesystem;

namespace {

tl::unexpected<Error> system_error(std::string operation, const fs::path& path, int code) {
    return fail_errno(code, std::move(operation), path.string());
}

std::int64_t nanoseconds(const timespec& t) {
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

void UniqueFd::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

FileStamp file_stamp(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

Result<UniqueFd> open_regular(const fs::path& path, const char* operation, ErrorKind otherwise) {
    // O_NONBLOCK means nothing to regular files.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return system_error(operation, path, errno);
    if (!S_ISREG(status.st_mode))
        return fail(otherwise, operation, path.string(), "it is not a regular file");
    return fd;
}

Result<std::string> read_file(const fs::path& path, std::size_t limit) {
    VM_ASSIGN(const UniqueFd fd, open_regular(path, "read", ErrorKind::kUnavailable));
    std::string content;
    char block[16U << 10];  // most files are configuration
    for (;;) {
        const ssize_t n = ::read(fd.get(), block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("read", path, errno);
        if (n == 0) return content;
        if (content.size() + static_cast<std::size_t>(n) > limit)
            return fail(ErrorKind::kUnavailable, "read", path.string(),
                        "larger than " + std::to_string(limit) + " bytes");
        content.append(block, static_cast<std::size_t>(n));
    }
}

Result<> write_all(int fd, std::string_view data, std::string_view object) {
    while (!data.empty()) {
        const ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("write", fs::path(object), errno);
        data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<> fsync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return system_error("fsync", directory, errno);
    return {};
}

Result<> write_file_atomic(const fs::path& path, std::string_view content, mode_t mode) {
    const fs::path temporary = path.string() + "." + new_id() + ".tmp";
    const auto attempt = [&]() -> Result<> {
        const UniqueFd fd(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
        if (!fd) return system_error("create", temporary, errno);
        if (::fchmod(fd.get(), mode) != 0) return system_error("chmod", temporary, errno);
        VM_TRY(write_all(fd.get(), content, temporary.string()));
        if (::fsync(fd.get()) != 0) return system_error("fsync", temporary, errno);
        VM_CRASH_POINT("rename file");
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            return system_error("rename to", path, errno);
        VM_CRASH_POINT("renamed file");
        return {};
    };
    if (auto done = attempt(); !done) {
        ::unlink(temporary.c_str());
        return done;
    }
    return fsync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<std::int64_t> copy_to_new_file(int in, const fs::path& path, mode_t mode) {
    const auto attempt = [&]() -> Result<std::int64_t> {
        const UniqueFd out(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
        if (!out) return system_error("create", path, errno);
        std::int64_t total = 0;
        std::vector<char> buffer(128U << 10);
        for (;;) {
            const ssize_t n = ::read(in, buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return system_error("copy to", path, errno);
            if (n == 0) break;
            VM_TRY(
                write_all(out.get(), {buffer.data(), static_cast<std::size_t>(n)}, path.string()));
            total += n;
        }
        if (::fsync(out.get()) != 0) return system_error("fsync", path, errno);
        return total;
    };
    auto done = attempt();
    if (!done && done.error().operation != "create") ::unlink(path.c_str());
    return done;
}

Result<UniqueFd> unnamed_file(const fs::path& directory) {
    UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd) return fd;
    // Some file systems (overlayfs, NFS) have no O_TMPFILE.
    std::string name = (directory / "tmp.XXXXXX").string();
    fd.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) return system_error("create a temporary file in", directory, errno);
    ::unlink(name.c_str());
    return fd;
}

Result<TemporaryFile> TemporaryFile::create(const fs::path& directory, std::string_view suffix) {
    fs::path path = directory / (new_id() + std::string(suffix));
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return system_error("create", path, errno);
    return TemporaryFile(std::move(path), std::move(fd));
}

TemporaryFile::~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace vm
