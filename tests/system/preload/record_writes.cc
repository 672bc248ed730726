// Preloaded: logs, in their order over all processes, everything that changes files below
// VM_RECORD_ROOT, what is made durable, and what is said on stdout, to the file VM_RECORD_LOG.
// tests/system/powerloss.py reads it and says what each kind means.
//
// One lock is held from before an operation until it is logged, so the log's order is the true one.
// What is said is logged before it is said. What the log has no words for (a writable shared
// mapping of anything but SQLite's -shm, a link by descriptor) is logged as 'X', and the test
// fails.
#include "files_below.h"
#include "real.h"

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace {

using shim::mode_of;
using shim::Open;
using shim::real;

const shim::FilesBelow& files() {
    static const shim::FilesBelow value("VM_RECORD_ROOT");
    return value;
}

bool is_below_root(std::string_view path) {
    return files().is_below(path);
}

std::string absolute(const char* path) {
    if (path[0] == '/') return path;
    char* const cwd = ::getcwd(nullptr, 0);
    std::string out = std::string(cwd ? cwd : "") + "/" + path;
    std::free(cwd);
    return out;
}

// The path of an open file below the root; "" when it is another one.
std::string path_of(int fd) {
    return files().path_of(fd);
}

std::uint64_t inode_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

struct [[gnu::packed]] Header {
    std::uint32_t first_size, second_size;
    std::int32_t pid;
    std::uint64_t inode;
    std::int64_t offset;
    char kind;
};

// While one lives nobody else changes anything; errno is as it was when it goes.
class Log {
  public:
    Log() {
        const char* const file = std::getenv("VM_RECORD_LOG");
        static Open* const open_file = real<Open>("open");
        fd_ = open_file(file ? file : "", O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) std::abort();
    }
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    ~Log() {
        const int code = errno;
        ::close(fd_);
        errno = code;
    }
    void add(char kind, std::uint64_t inode, std::int64_t offset, std::string_view first,
             std::string_view second = {}) {
        const int code = errno;
        const Header header{static_cast<std::uint32_t>(first.size()),
                            static_cast<std::uint32_t>(second.size()),
                            ::getpid(),
                            inode,
                            offset,
                            kind};
        std::string line(reinterpret_cast<const char*>(&header), sizeof header);
        line.append(first).append(second);
        static auto* const write_file = real<ssize_t(int, const void*, size_t)>("write");
        if (write_file(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            std::abort();
        errno = code;
    }

  private:
    int fd_;
};

int opened(const char* name, const char* path, int flags, mode_t mode) {
    auto* const open_file = real<Open>(name);
    const std::string full = absolute(path);
    const bool changes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    if (!changes || !is_below_root(full)) return open_file(path, flags, mode);
    Log log;
    struct stat before {};
    const bool existed = ::lstat(full.c_str(), &before) == 0;
    const int fd = open_file(path, flags, mode);
    if (fd < 0) return fd;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        log.add('O', inode_of(fd), 0, full);
    else if (!existed)
        log.add('C', inode_of(fd), 0, full);
    else if ((flags & O_TRUNC) != 0)
        log.add('T', inode_of(fd), 0, full);
    return fd;
}

template <class Make>
int made_temporary(char* pattern, Make make) {
    if (!is_below_root(absolute(pattern))) return make();
    Log log;
    const int fd = make();
    if (fd >= 0) log.add('C', inode_of(fd), 0, absolute(pattern));
    return fd;
}

// `offset` < 0: where the descriptor stands.
template <class Write>
ssize_t written(int fd, off_t offset, Write write_it, std::string_view data) {
    const std::string path = path_of(fd);
    if (path.empty()) return write_it();
    Log log;
    if (offset < 0) {
        const int flags = ::fcntl(fd, F_GETFL);
        offset = ::lseek(fd, 0, (flags & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
    }
    const ssize_t done = write_it();
    if (done > 0)
        log.add('W', inode_of(fd), offset, path, data.substr(0, static_cast<std::size_t>(done)));
    return done;
}

template <class Resize>
int resized(int fd, off_t size, char kind, Resize resize) {
    const std::string path = path_of(fd);
    if (path.empty()) return resize();
    Log log;
    const int done = resize();
    if (done == 0) log.add(kind, inode_of(fd), size, path);
    return done;
}

// Logged when it has come back: before that nobody was promised anything.
template <class Sync>
int synced(int fd, Sync sync) {
    const std::string path = path_of(fd);
    if (path.empty()) return sync();
    Log log;
    const int done = sync();
    if (done == 0) log.add('S', inode_of(fd), 0, path);
    return done;
}

template <class Change>
int changed(char kind, const char* first, const char* second, Change change) {
    const std::string from = absolute(first), to = second ? absolute(second) : std::string();
    if (!is_below_root(from) && !is_below_root(to)) return change();
    Log log;
    const int done = change();
    if (done != 0) return done;
    struct stat status {};
    if (kind == 'M') (void)::lstat(from.c_str(), &status);
    log.add(kind, status.st_ino, 0, from, to);
    return done;
}

void not_modelled(const std::string& what) {
    Log().add('X', 0, 0, what);
}

std::string view_of(const iovec* parts, int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
        out.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return out;
}

void said(FILE* stream, std::string_view text) {
    if (stream == stdout && std::getenv("VM_RECORD_LOG")) Log().add('P', 0, 0, text);
}

}  // namespace

VM_SHIM_OPENS(opened)

VM_SHIM int openat(int directory, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (directory == AT_FDCWD || path[0] == '/') return opened("open", path, flags, mode);
    if ((flags & (O_CREAT | O_TRUNC)) != 0 && !path_of(directory).empty())
        not_modelled("openat of " + std::string(path));
    return real<int(int, const char*, int, ...)>("openat")(directory, path, flags, mode);
}

#define VM_TEMPORARY(name)                                                                   \
    VM_SHIM int name(char* pattern, int flags) {                                             \
        return made_temporary(pattern,                                                       \
                              [&] { return real<int(char*, int)>(#name)(pattern, flags); }); \
    }
VM_TEMPORARY(mkostemp)
VM_TEMPORARY(mkostemp64)
VM_SHIM int mkstemp(char* pattern) {
    return mkostemp(pattern, 0);
}
VM_SHIM int mkstemp64(char* pattern) {
    return mkostemp(pattern, 0);
}

VM_SHIM ssize_t write(int fd, const void* data, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    return written(fd, -1, [&] { return next(fd, data, size); },
                   {static_cast<const char*>(data), size});
}
VM_SHIM ssize_t writev(int fd, const iovec* parts, int count) {
    static auto* const next = real<ssize_t(int, const iovec*, int)>("writev");
    if (path_of(fd).empty()) return next(fd, parts, count);
    return written(
        fd, -1, [&] { return next(fd, parts, count); }, view_of(parts, count));
}
#define VM_PWRITE(name)                                                                  \
    VM_SHIM ssize_t name(int fd, const void* data, size_t size, off_t offset) {          \
        static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>(#name); \
        return written(fd, offset, [&] { return next(fd, data, size, offset); },         \
                       {static_cast<const char*>(data), size});                          \
    }
VM_PWRITE(pwrite)
VM_PWRITE(pwrite64)

#define VM_TRUNCATE(name)                                                                      \
    VM_SHIM int name(int fd, off_t size) noexcept {                                            \
        return resized(fd, size, 'T', [&] { return real<int(int, off_t)>(#name)(fd, size); }); \
    }
VM_TRUNCATE(ftruncate)
VM_TRUNCATE(ftruncate64)
#define VM_ALLOCATE(name)                                                                      \
    VM_SHIM int name(int fd, off_t offset, off_t size) {                                       \
        return resized(fd, offset + size, 'A',                                                 \
                       [&] { return real<int(int, off_t, off_t)>(#name)(fd, offset, size); }); \
    }
VM_ALLOCATE(posix_fallocate)
VM_ALLOCATE(posix_fallocate64)
#define VM_FALLOCATE(name)                                                           \
    VM_SHIM int name(int fd, int mode, off_t offset, off_t size) {                   \
        if (mode != 0 && !path_of(fd).empty()) not_modelled(#name " with a mode");   \
        return resized(fd, offset + size, 'A', [&] {                                 \
            return real<int(int, int, off_t, off_t)>(#name)(fd, mode, offset, size); \
        });                                                                          \
    }
VM_FALLOCATE(fallocate)
VM_FALLOCATE(fallocate64)

VM_SHIM int fsync(int fd) {
    return synced(fd, [&] { return real<int(int)>("fsync")(fd); });
}
VM_SHIM int fdatasync(int fd) {
    return synced(fd, [&] { return real<int(int)>("fdatasync")(fd); });
}

VM_SHIM int rename(const char* from, const char* to) noexcept {
    return changed('R', from, to,
                   [&] { return real<int(const char*, const char*)>("rename")(from, to); });
}
VM_SHIM int link(const char* from, const char* to) noexcept {
    return changed('L', from, to,
                   [&] { return real<int(const char*, const char*)>("link")(from, to); });
}
VM_SHIM int linkat(int from_directory, const char* from, int to_directory, const char* to,
                   int flags) noexcept {
    if (is_below_root(absolute(to)) || !path_of(to_directory).empty()) not_modelled("linkat");
    return real<int(int, const char*, int, const char*, int)>("linkat")(from_directory, from,
                                                                        to_directory, to, flags);
}
VM_SHIM int unlink(const char* path) noexcept {
    return changed('U', path, nullptr, [&] { return real<int(const char*)>("unlink")(path); });
}
VM_SHIM int rmdir(const char* path) noexcept {
    return changed('U', path, nullptr, [&] { return real<int(const char*)>("rmdir")(path); });
}
VM_SHIM int remove(const char* path) noexcept {
    return changed('U', path, nullptr, [&] { return real<int(const char*)>("remove")(path); });
}
VM_SHIM int unlinkat(int directory, const char* path, int flags) noexcept {
    if (directory != AT_FDCWD && path[0] != '/' && !path_of(directory).empty())
        not_modelled("unlinkat");
    return changed('U', path, nullptr, [&] {
        return real<int(int, const char*, int)>("unlinkat")(directory, path, flags);
    });
}
VM_SHIM int mkdir(const char* path, mode_t mode) noexcept {
    return changed('M', path, nullptr,
                   [&] { return real<int(const char*, mode_t)>("mkdir")(path, mode); });
}
VM_SHIM int symlink(const char* to, const char* path) noexcept {
    if (is_below_root(absolute(path))) not_modelled("symlink");
    return real<int(const char*, const char*)>("symlink")(to, path);
}

#define VM_MMAP(name)                                                                        \
    VM_SHIM void* name(void* at, size_t size, int protection, int flags, int fd,             \
                       off_t offset) noexcept {                                              \
        if (fd >= 0 && (flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0) {        \
            const std::string path = path_of(fd);                                            \
            const bool shm = path.size() > 4 && path.substr(path.size() - 4) == "-shm";      \
            if (!path.empty() && !shm) not_modelled("mmap of " + path);                      \
        }                                                                                    \
        return real<void*(void*, size_t, int, int, int, off_t)>(#name)(at, size, protection, \
                                                                       flags, fd, offset);   \
    }
VM_MMAP(mmap)
VM_MMAP(mmap64)

// std::cout is a FILE's: what it says goes through this function.
VM_SHIM size_t fwrite(const void* data, size_t size, size_t count, FILE* stream) {
    said(stream, {static_cast<const char*>(data), size * count});
    return real<size_t(const void*, size_t, size_t, FILE*)>("fwrite")(data, size, count, stream);
}
