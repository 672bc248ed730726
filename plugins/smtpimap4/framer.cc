#include "smtpimap4/framer.h"

#include "common/text.h"
#include "smtpimap4/scanner.h"

namespace vm::plug::imap {

namespace {

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

Framer::State Framer::look(std::string_view received) {
    for (;;) {
        const auto end =
            scanned_ < received.size() ? received.find('\n', scanned_) : std::string_view::npos;
        const std::size_t text = std::min(end, received.size());
        if (text > literals_ && text - literals_ > kMaxText) return State::kTooLong;
        if (end == std::string_view::npos) {
            scanned_ = std::max(scanned_, received.size());
            return State::kMore;
        }
        const auto literal =
            literal_length(without_end(received.substr(line_start_, end + 1 - line_start_)));
        scanned_ = end + 1;
        if (!literal) return State::kComplete;
        literals_ += *literal;
        if (literals_ > kMaxLiterals) return State::kTooLong;
        line_start_ = scanned_ += *literal;
    }
}

std::size_t Framer::take() {
    const std::size_t size = scanned_;
    *this = {};
    return size;
}

std::string Framer::shown(std::string_view received) const {
    std::string_view line = received.substr(0, scanned_);
    std::string out;
    while (!line.empty()) {
        const auto end = line.find('\n');
        const std::string_view text = without_end(line.substr(0, end + 1));
        out += text;
        const auto literal = literal_length(text);
        line.remove_prefix(std::min(line.size(), end + 1 + literal.value_or(0)));
    }
    return one_line(out);
}

}  // namespace vm::plug::imap
