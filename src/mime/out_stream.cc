#include "mime/out_stream.h"

#include "base/files.h"

#include <string_view>

namespace vm::mime {

namespace {

struct OutStream {
    GMimeStream parent;
    Output* output;
};
struct OutStreamClass {
    GMimeStreamClass parent;
};

ssize_t write_out_stream(GMimeStream* stream, const char* data, std::size_t size) {
    Output& output = *reinterpret_cast<OutStream*>(stream)->output;
    if (output.state) output.state = write_all(output.fd, std::string_view(data, size), "mail");
    if (!output.state) return -1;
    output.written += static_cast<std::int64_t>(size);
    return static_cast<ssize_t>(size);
}

int flush_out_stream(GMimeStream*) {
    return 0;
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

Owned<GMimeStream> new_out_stream(Output& output) {
    auto* stream = static_cast<OutStream*>(g_object_new(out_stream_type(), nullptr));
    stream->output = &output;
    g_mime_stream_construct(&stream->parent, 0, -1);
    return Owned<GMimeStream>(&stream->parent);
}

}  // namespace vm::mime
