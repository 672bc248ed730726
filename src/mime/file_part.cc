#include "mime/file_part.h"

#include "mime/base64.h"
#include "mime/out_stream.h"

#include <cerrno>
#include <unistd.h>

namespace vm::mime {

namespace {

constexpr std::size_t kBlock = kBase64LineBytes * 512;  // of the file, in hand at a time

struct FilePart {
    GMimePart parent;
    int fd;
};
struct FilePartClass {
    GMimePartClass parent;
};

// As many of `capacity` bytes as the file has from `offset` on, or -1.
ssize_t read_block(int fd, char* buffer, std::size_t capacity, off_t offset) {
    std::size_t have = 0;
    while (have < capacity) {
        const ssize_t n =
            ::pread(fd, buffer + have, capacity - have, offset + static_cast<off_t>(have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(have);
}

ssize_t write_file(int fd, Output& output) {
    char block[kBlock];
    const std::int64_t before = output.written;
    for (off_t offset = 0;; offset += static_cast<off_t>(kBlock)) {
        const ssize_t n = read_block(fd, block, kBlock, offset);
        if (n < 0) return -1;
        const std::size_t had = output.buffer.size();
        append_base64_lines({block, static_cast<std::size_t>(n)}, output.buffer);
        if (!appended(output, output.buffer.size() - had)) return -1;
        if (static_cast<std::size_t>(n) < kBlock)
            return static_cast<ssize_t>(output.written - before);
    }
}

// GMimePart writes the header, and no content as it has been given none.
ssize_t write_part(GMimeObject* object, GMimeFormatOptions* format, gboolean content_only,
                   GMimeStream* stream) {
    auto* as_part = static_cast<GMimeObjectClass*>(g_type_class_peek(GMIME_TYPE_PART));
    const ssize_t header = as_part->write_to_stream(object, format, content_only, stream);
    if (header < 0) return -1;
    const ssize_t content = write_file(reinterpret_cast<FilePart*>(object)->fd, output_of(stream));
    return content < 0 ? -1 : header + content;
}

void initialise_class(void* type_class, void*) {
    static_cast<GMimeObjectClass*>(type_class)->write_to_stream = write_part;
}

GType file_part_type() {
    static const GType type = g_type_register_static_simple(
        GMIME_TYPE_PART, "VmFilePart", sizeof(FilePartClass), initialise_class, sizeof(FilePart),
        nullptr, static_cast<GTypeFlags>(0));
    return type;
}

}  // namespace

Owned<GMimeObject> new_file_part(const char* type, const char* subtype, int fd) {
    auto* part = static_cast<FilePart*>(g_object_new(file_part_type(), nullptr));
    part->fd = fd;
    Owned<GMimeObject> object(reinterpret_cast<GMimeObject*>(part));
    GMimeContentType* content_type = g_mime_content_type_new(type, subtype);
    g_mime_object_set_content_type(object.get(), content_type);
    g_object_unref(content_type);
    g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_BASE64);
    return object;
}

}  // namespace vm::mime
