// Preloaded: whenever a new file "….tmp" below VM_SWAP_BELOW has been made, somebody who may write
// to its directory puts a symbolic link to VM_SWAP_FOR in its place.
#include "files_below.h"
#include "real.h"

#include <cstdarg>
#include <cstdlib>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

int open_and_swap(const char* name, const char* path, int flags, mode_t mode) {
    static const shim::FilesBelow files("VM_SWAP_BELOW");
    const int fd = shim::real<int(const char*, int, ...)>(name)(path, flags, mode);
    const std::string file(path);
    const char* const other = std::getenv("VM_SWAP_FOR");
    if (fd < 0 || (flags & O_EXCL) == 0 || other == nullptr || !file.ends_with(".tmp") ||
        !files.is_below(file))
        return fd;
    if (::unlink(path) != 0 || ::symlink(other, path) != 0) std::abort();
    return fd;
}

}  // namespace

VM_SHIM int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_and_swap("open", path, flags, mode);
}

VM_SHIM int open64(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_and_swap("open64", path, flags, mode);
}
