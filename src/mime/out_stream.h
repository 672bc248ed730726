// A GMime stream that hands what is written to it to a Writer, in large blocks, counts the bytes,
// and keeps the reason of a failure. All of it was handed over after g_mime_stream_flush(). Inside
// this layer only; one thread.
#ifndef VM_MIME_OUT_STREAM_H
#define VM_MIME_OUT_STREAM_H

#include "base/error.h"
#include "mime/compose.h"
#include "mime/gobject.h"

#include <gmime/gmime.h>

#include <cstdint>
#include <string>

namespace vm::mime {

// Lives as long as the stream that writes through it.
struct Output {
    const Writer& writer;
    std::int64_t written = 0;
    Result<> state = {};  // the first failure
    std::string buffer = {};
};

Owned<GMimeStream> new_out_stream(Output& output);
// Where that stream writes to, for who appends to the buffer without a copy: then says so by
// appended(), which hands the buffer on when it is full; false when that failed.
Output& output_of(GMimeStream* stream);
bool appended(Output& output, std::size_t size);

}  // namespace vm::mime

#endif
