// Opens a media file for the probes: a regular file only, and never one that could block (a FIFO, a
// device). Any thread.
#ifndef VM_MEDIA_OPEN_H
#define VM_MEDIA_OPEN_H

#include "base/error.h"
#include "base/files.h"

#include <cstdint>
#include <filesystem>

namespace vm::media {

struct MediaFile {
    UniqueFd fd;
    std::int64_t size = 0;
};

// kNoInput or kPermission when it cannot be opened, kMessage when it is no regular file or empty.
// `operation` goes into the error.
Result<MediaFile> open_media(const std::filesystem::path& file, const char* operation);

}  // namespace vm::media

#endif
