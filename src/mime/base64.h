// Base64 as mails have it (RFC 2045 section 6.8). Pure; any thread.
#ifndef VM_MIME_BASE64_H
#define VM_MIME_BASE64_H

#include <string>
#include <string_view>

namespace vm::mime {

inline constexpr std::size_t kBase64LineBytes = 57;  // what one line holds

// Appends `bytes` in lines of 76 characters with CRLF, the last one too. What is appended in
// several calls is one text when all but the last give whole lines.
void append_base64_lines(std::string_view bytes, std::string& out);

}  // namespace vm::mime

#endif
