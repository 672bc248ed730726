#include "common/dot_stuffer.h"

namespace vm::plug {

void DotStuffer::feed(std::string_view piece, std::string& out) {
    out.reserve(out.size() + piece.size() + piece.size() / 32 + 4);
    while (!piece.empty()) {
        const char c = piece.front();
        if (c == '\r' || c == '\n') {
            if (c == '\r' || !cr_) out += "\r\n";
            cr_ = c == '\r';
            line_start_ = true;
            piece.remove_prefix(1);
            continue;
        }
        cr_ = false;
        if (line_start_ && c == '.') out += '.';
        line_start_ = false;
        const std::size_t end = piece.find_first_of("\r\n");
        out.append(piece.substr(0, end));
        piece.remove_prefix(end == std::string_view::npos ? piece.size() : end);
    }
}

void DotStuffer::finish(std::string& out) {
    if (!line_start_) out += "\r\n";
    line_start_ = true;
    cr_ = false;
}

}  // namespace vm::plug
