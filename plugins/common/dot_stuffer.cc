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
        // Two searches for one character each are far faster than one for either.
        std::string_view line = piece.substr(0, piece.find('\n'));
        line = line.substr(0, line.find('\r'));
        out.append(line);
        piece.remove_prefix(line.size());
    }
}

void DotStuffer::finish(std::string& out) {
    if (!line_start_) out += "\r\n";
    line_start_ = true;
    cr_ = false;
}

}  // namespace vm::plug
