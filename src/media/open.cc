#include "media/open.h"

#include <cerrno>
#include <sys/stat.h>

namespace vm::media {

Result<MediaFile> open_media(const std::filesystem::path& file, const char* operation) {
    MediaFile opened;
    VM_ASSIGN(opened.fd, open_regular(file, operation, ErrorKind::kMessage));
    struct stat status {};
    if (::fstat(opened.fd.get(), &status) != 0) return fail_errno(errno, operation, file.string());
    if (status.st_size == 0)
        return fail(ErrorKind::kMessage, operation, file.string(), "the file is empty");
    opened.size = status.st_size;
    return opened;
}

}  // namespace vm::media
