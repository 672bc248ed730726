// Preloaded: files below VM_FAIL_ROOT on a disk that fails, as the first line of the file
// VM_FAIL_WHAT has it at that moment:
//
//   fsync 3      the third fsync of a process fails (EIO); "fsync 3+": and every one after it
//   write 5      the fifth write fails (ENOSPC), so does 5+
//   readonly     nothing can be changed, also through files that are open for writing (EROFS)
//
// What failed is appended to the file VM_FAIL_LOG, a line each.
#include "files_below.h"
#include "real.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace {

using shim::Open;
using shim::real;

const shim::FilesBelow& files() {
    static const shim::FilesBelow value("VM_FAIL_ROOT");
    return value;
}

int open_file(const char* variable, int flags) {
    static auto* const next = real<Open>("open");
    const char* const file = std::getenv(variable);
    return next(file ? file : "/dev/null", flags | O_CLOEXEC, 0600);
}

std::string what() {
    char text[64] = {};
    const int code = errno;
    const int fd = open_file("VM_FAIL_WHAT", O_RDONLY);
    if (fd >= 0 && ::read(fd, text, sizeof text - 1) < 0) std::abort();
    if (fd >= 0) ::close(fd);
    errno = code;
    return {text, std::strcspn(text, "\n")};
}

void log_failure(const std::string& line) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    const int fd = open_file("VM_FAIL_LOG", O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0 || next(fd, line.data(), line.size()) < 0) std::abort();
    ::close(fd);
}

// SQLite's -shm is no data, and where it cannot be written nothing is done at all.
bool concerns(const std::string& path) {
    return files().is_below(path) && path.find("vm.db-shm") == std::string::npos;
}

// The number of the error that this call meets, 0 for none.
int error_of(const std::string& operation, const std::string& path) {
    static std::atomic<int> count = 0;
    if (!concerns(path)) return 0;
    const std::string wanted = what();
    int code = 0;
    if (wanted == "readonly" && operation != "fsync") {
        code = EROFS;
    } else if (wanted.rfind(operation + " ", 0) == 0) {
        const long number = ++count;
        const long at = std::strtol(wanted.c_str() + operation.size(), nullptr, 10);
        const bool on = wanted.back() == '+';
        if (number == at || (on && number > at)) code = operation == "fsync" ? EIO : ENOSPC;
    }
    if (code != 0) log_failure(operation + " " + path + "\n");
    return code;
}

template <class Call>
auto failing(const char* operation, const std::string& path, Call call) -> decltype(call()) {
    const int code = error_of(operation, path);
    if (code == 0) return call();
    errno = code;
    return -1;
}

template <class Call>
int opening(const char* path, int flags, Call call) {
    const bool changes = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
    return changes ? failing("open", path, call) : call();
}

int opened(const char* name, const char* path, int flags, mode_t mode) {
    return opening(path, flags, [&] { return real<Open>(name)(path, flags, mode); });
}

}  // namespace

VM_SHIM_OPENS(opened)

VM_SHIM int mkostemp(char* pattern, int flags) {
    return failing("open", pattern,
                   [&] { return real<int(char*, int)>("mkostemp")(pattern, flags); });
}
VM_SHIM int fsync(int fd) {
    return failing("fsync", files().path_of(fd), [&] { return real<int(int)>("fsync")(fd); });
}
VM_SHIM int fdatasync(int fd) {
    return failing("fsync", files().path_of(fd), [&] { return real<int(int)>("fdatasync")(fd); });
}
VM_SHIM ssize_t write(int fd, const void* data, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    return failing("write", files().path_of(fd), [&] { return next(fd, data, size); });
}
VM_SHIM ssize_t writev(int fd, const iovec* parts, int count) {
    static auto* const next = real<ssize_t(int, const iovec*, int)>("writev");
    return failing("write", files().path_of(fd), [&] { return next(fd, parts, count); });
}
VM_SHIM ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return failing("write", files().path_of(fd), [&] { return next(fd, data, size, offset); });
}
VM_SHIM ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
    return failing("write", files().path_of(fd), [&] { return next(fd, data, size, offset); });
}
VM_SHIM int ftruncate(int fd, off_t size) noexcept {
    return failing("change", files().path_of(fd),
                   [&] { return real<int(int, off_t)>("ftruncate")(fd, size); });
}
VM_SHIM int ftruncate64(int fd, off_t size) noexcept {
    return failing("change", files().path_of(fd),
                   [&] { return real<int(int, off_t)>("ftruncate64")(fd, size); });
}
VM_SHIM int rename(const char* from, const char* to) noexcept {
    return failing("change", to,
                   [&] { return real<int(const char*, const char*)>("rename")(from, to); });
}
VM_SHIM int link(const char* from, const char* to) noexcept {
    return failing("change", to,
                   [&] { return real<int(const char*, const char*)>("link")(from, to); });
}
VM_SHIM int unlink(const char* path) noexcept {
    return failing("change", path, [&] { return real<int(const char*)>("unlink")(path); });
}
VM_SHIM int mkdir(const char* path, mode_t mode) noexcept {
    return failing("change", path,
                   [&] { return real<int(const char*, mode_t)>("mkdir")(path, mode); });
}
