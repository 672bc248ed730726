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

bool DotStuffer::passes(std::string_view piece) {
    // (A LF at its start may belong to a CR that was read before.)
    if (cr_ || piece.ends_with('\r')) return false;
    bool line_start = line_start_;
    while (!piece.empty()) {
        if (line_start && piece.front() == '.') return false;
        const auto end = piece.find('\n');
        const std::string_view line = piece.substr(0, end);
        const auto cr = line.find('\r');
        line_start = end != std::string_view::npos;
        if (line_start ? cr == std::string_view::npos || cr + 1 < end
                       : cr != std::string_view::npos)
            return false;
        piece.remove_prefix(line_start ? end + 1 : piece.size());
    }
    line_start_ = line_start;
    return true;
}

void DotStuffer::finish(std::string& out) {
    if (!line_start_) out += "\r\n";
    line_start_ = true;
    cr_ = false;
}

}  // namespace vm::plug
