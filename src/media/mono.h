// Copies a recording as one channel at another sample rate. Inside this layer only.
#ifndef VM_MEDIA_MONO_H
#define VM_MEDIA_MONO_H

#include <sndfile.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace vm::media {

// Reads `in`, which `info` describes, block by block to its end, mixes its channels and writes them
// to `out` at `rate`. Returns the frames it read; nullopt when `out` did not take all, or
// `cancelled`, asked once a block, said so.
std::optional<std::int64_t> copy_as_mono(SNDFILE* in, const SF_INFO& info, SNDFILE* out, int rate,
                                         const std::function<bool()>& cancelled);

}  // namespace vm::media

#endif
