#include "media/open.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace vm::media {

Result<MediaFile> open_media(const std::filesystem::path& file, const char* operation) {
    MediaFile opened;
    // O_NONBLOCK: opening a FIFO must not wait for its writer. It means nothing to regular files.
    opened.fd.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!opened.fd || ::fstat(opened.fd.get(), &status) != 0)
        return fail_errno(errno, operation, file.string());
    if (!S_ISREG(status.st_mode))
        return fail(ErrorKind::kMessage, operation, file.string(), "not a regular file");
    if (status.st_size == 0)
        return fail(ErrorKind::kMessage, operation, file.string(), "the file is empty");
    opened.size = status.st_size;
    return opened;
}

}  // namespace vm::media
