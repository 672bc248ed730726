// A recording as another file of one channel, by libsndfile. Inside this layer only.
#ifndef VM_MEDIA_CONVERT_H
#define VM_MEDIA_CONVERT_H

#include "base/error.h"
#include "media/sound.h"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace vm::media {

struct Conversion {
    const char* operation;        // for errors
    int rate;                     // samples a second of the result
    std::int64_t bytes_a_second;  // that the result has at least
    std::function<OpenedSound(int fd)> open;
    const char* hint;                      // when it cannot be opened: what libsndfile lacks
    std::function<bool()> cancelled = {};  // asked once a block: whether to give up
};

// Reads `wav` to its end and writes it to `out`, block by block, mode 0600. kMessage: `wav` is
// damaged; kConfig: libsndfile cannot write such a file; kUnavailable: no room, or cancelled.
Result<> convert(const std::filesystem::path& wav, const std::filesystem::path& out,
                 const Conversion& conversion);

}  // namespace vm::media

#endif
