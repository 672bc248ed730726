// Preloaded: the nth fsync (EIO) or write (ENOSPC) of files below VM_FAIL_ROOT fails, and with "+" every
// one from there on. VM_FAIL_AT says which, counted in each process: "fsync 3", "write 5+". What failed
// is appended to the file VM_FAIL_LOG, a line each.
#include "files_below.h"
#include "real.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace {

using shim::real;

const shim::FilesBelow& files() {
    static const shim::FilesBelow value("VM_FAIL_ROOT");
    return value;
}

void log_failure(const std::string& line) {
    const char* const file = std::getenv("VM_FAIL_LOG");
    const int fd = ::open(file ? file : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    if (fd < 0 || next(fd, line.data(), line.size()) < 0) std::abort();
    ::close(fd);
}

// Whether this call is the one.
bool fails(const char* operation, int fd) {
    static std::atomic<int> count = 0;
    const char* const wanted = std::getenv("VM_FAIL_AT");
    const std::size_t size = std::strlen(operation);
    if (!wanted || std::strncmp(wanted, operation, size) != 0 || wanted[size] != ' ') return false;
    const std::string path = files().path_of(fd);
    // SQLite's -shm is no data, and where it cannot be written nothing is done at all.
    if (path.empty() || path.find("vm.db-shm") != std::string::npos) return false;
    const int number = ++count;
    const int at = std::atoi(wanted + size);
    const bool on = std::strchr(wanted, '+') != nullptr;
    if (number != at && !(on && number > at)) return false;
    log_failure(std::string(operation) + " " + path + "\n");
    return true;
}

template <class Call>
auto failing(const char* operation, int fd, int code, Call call) -> decltype(call()) {
    if (!fails(operation, fd)) return call();
    errno = code;
    return -1;
}

}  // namespace

VM_SHIM int fsync(int fd) {
    return failing("fsync", fd, EIO, [&] { return real<int(int)>("fsync")(fd); });
}
VM_SHIM int fdatasync(int fd) {
    return failing("fsync", fd, EIO, [&] { return real<int(int)>("fdatasync")(fd); });
}
VM_SHIM ssize_t write(int fd, const void* data, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    return failing("write", fd, ENOSPC, [&] { return next(fd, data, size); });
}
VM_SHIM ssize_t writev(int fd, const iovec* parts, int count) {
    static auto* const next = real<ssize_t(int, const iovec*, int)>("writev");
    return failing("write", fd, ENOSPC, [&] { return next(fd, parts, count); });
}
VM_SHIM ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return failing("write", fd, ENOSPC, [&] { return next(fd, data, size, offset); });
}
VM_SHIM ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
    return failing("write", fd, ENOSPC, [&] { return next(fd, data, size, offset); });
}
