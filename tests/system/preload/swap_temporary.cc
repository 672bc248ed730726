// Preloaded: whenever a new file "….tmp" below VM_SWAP_BELOW has been made, somebody who may write
// to its directory puts a symbolic link to VM_SWAP_FOR in its place.
#include "files_below.h"
#include "real.h"

#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace {

int open_and_swap(const char* name, const char* path, int flags, mode_t mode) {
    static const shim::FilesBelow files("VM_SWAP_BELOW");
    const int fd = shim::real<shim::Open>(name)(path, flags, mode);
    const std::string file(path);
    const char* const other = std::getenv("VM_SWAP_FOR");
    if (fd < 0 || (flags & O_EXCL) == 0 || other == nullptr || !file.ends_with(".tmp") ||
        !files.is_below(file))
        return fd;
    if (::unlink(path) != 0 || ::symlink(other, path) != 0) std::abort();
    return fd;
}

}  // namespace

VM_SHIM_OPENS(open_and_swap)
