// The text of an HTML body, by libxml2's parser. Pure; any thread.
#ifndef VM_MIME_HTML_TEXT_H
#define VM_MIME_HTML_TEXT_H

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::mime {

struct HtmlText {
    std::string text;  // UTF-8
    bool truncated = false;
};

// What a reader sees of `html` (UTF-8, any other charset it names is not looked at): paragraphs are
// separated by an empty line, lines of a <blockquote> begin with "> ", links are their words,
// pictures their alternative words; scripts, styles and what is marked as not to be displayed are
// left out. HTML that is wrong or cut gives what can be made of it. Nothing is ever loaded. Memory
// and time are in proportion to `html`, whatever it contains: the text ends at `limit` bytes, and
// where elements are nested deeper than any mail needs.
HtmlText html_text(std::string_view html, std::size_t limit);

}  // namespace vm::mime

#endif
