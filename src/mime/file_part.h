// A GMimePart whose content is a file, written as base64 with CRLF. GMime's own way of writing one
// leads every byte through two filters, which is most of what a mail with a recording costs. Inside
// this layer only; one thread.
#ifndef VM_MIME_FILE_PART_H
#define VM_MIME_FILE_PART_H

#include "mime/gobject.h"

#include <gmime/gmime.h>

namespace vm::mime {

// `fd` is read from its start each time the part is written; it outlives the part. Where it cannot
// be read, writing fails. It is written to a stream of new_out_stream() only.
Owned<GMimeObject> new_file_part(const char* type, const char* subtype, int fd);

}  // namespace vm::mime

#endif
