// Text in header fields (RFC 2047). GMime encodes too, but makes encoded words of more than the 75
// characters that section 2 allows and chooses other charsets than UTF-8. Pure; any thread.
#ifndef VM_MIME_HEADER_TEXT_H
#define VM_MIME_HEADER_TEXT_H

#include <string>
#include <string_view>

namespace vm::mime {

// Whether `text` can stand in a header as it is: printable ASCII of words that can be folded,
// nothing that looks like an encoded word.
bool is_plain_header_text(std::string_view text);

// `text` (UTF-8, one line) as encoded words, each on a line of its own: "=?utf-8?Q?…?=\n =?…?=". In
// the alphabet that is allowed in display names too; characters are never split. The first line
// begins at `column`, after the header's name; no line is longer than 78 (RFC 5322 section 2.1.1).
std::string encoded_words(std::string_view text, std::size_t column);

}  // namespace vm::mime

#endif
