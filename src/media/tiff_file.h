// libtiff with its manners taught: what it complains about is kept with the file instead of
// printed, and it neither maps files into memory nor allocates without bound. One thread at a time
// per file.
#ifndef VM_MEDIA_TIFF_FILE_H
#define VM_MEDIA_TIFF_FILE_H

#include "base/files.h"

#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <string>

namespace vm::media {

// What libtiff complains about while one file is open; it would otherwise print it.
struct Complaints {
    std::string first;
    std::uint64_t count = 0;
};

struct CloseTiff {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

// `mode` as TIFFFdOpen has it; `complaints` must outlive the result. Null when it is no TIFF file.
Tiff open_tiff(UniqueFd fd, const std::string& name, const char* mode, Complaints& complaints);

}  // namespace vm::media

#endif
