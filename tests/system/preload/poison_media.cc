// Preloaded: a recording whose size in bytes is the number in the file VM_POISON kills the process
// that decodes it, as a bug of the library would.
#include "real.h"

#include <sndfile.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>

VM_SHIM SNDFILE* sf_open_fd(int fd, int mode, SF_INFO* info, int close_desc) {
    static auto* const next =
        shim::real<SNDFILE*(int, int, SF_INFO*, int)>("sf_open_fd", "libsndfile.so.1");
    static const char* const name = std::getenv("VM_POISON");
    long poison = 0;
    if (FILE* file = name == nullptr ? nullptr : std::fopen(name, "r")) {
        if (std::fscanf(file, "%ld", &poison) != 1) poison = 0;
        std::fclose(file);
    }
    struct stat status = {};
    if (poison > 0 && ::fstat(fd, &status) == 0 && status.st_size == poison) {
        std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would make an exit status of it
        std::raise(SIGSEGV);
    }
    return next(fd, mode, info, close_desc);
}
