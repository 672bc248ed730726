#include "mime/out_stream.h"

namespace vm::mime {

namespace {

struct OutStream {
    GMimeStream parent;
    Output* output;
};
struct OutStreamClass {
    GMimeStreamClass parent;
};

constexpr std::size_t kBlock = 65536;

// Hands the buffer on.
bool write_buffer(Output& output) {
    if (output.state) output.state = output.writer(output.buffer);
    output.buffer.clear();
    return output.state.has_value();
}

ssize_t write_out_stream(GMimeStream* stream, const char* data, std::size_t size) {
    Output& output = output_of(stream);
    if (!output.state) return -1;
    output.buffer.append(data, size);
    return appended(output, size) ? static_cast<ssize_t>(size) : -1;
}

int flush_out_stream(GMimeStream* stream) {
    return write_buffer(output_of(stream)) ? 0 : -1;
}

void initialise_class(void* type_class, void*) {
    auto* methods = static_cast<GMimeStreamClass*>(type_class);
    methods->write = write_out_stream;
    methods->flush = flush_out_stream;
}

GType out_stream_type() {
    static const GType type = g_type_register_static_simple(
        GMIME_TYPE_STREAM, "VmOutStream", sizeof(OutStreamClass), initialise_class,
        sizeof(OutStream), nullptr, static_cast<GTypeFlags>(0));
    return type;
}

}  // namespace

Output& output_of(GMimeStream* stream) {
    return *reinterpret_cast<OutStream*>(stream)->output;
}

bool appended(Output& output, std::size_t size) {
    if (output.buffer.size() >= kBlock && !write_buffer(output)) return false;
    output.written += static_cast<std::int64_t>(size);
    return true;
}

Owned<GMimeStream> new_out_stream(Output& output) {
    output.buffer.reserve(kBlock + kBlock / 2);
    auto* stream = static_cast<OutStream*>(g_object_new(out_stream_type(), nullptr));
    stream->output = &output;
    g_mime_stream_construct(&stream->parent, 0, -1);
    return Owned<GMimeStream>(&stream->parent);
}

}  // namespace vm::mime
