#include "common/reply.h"

#include "common/text.h"

namespace vm::plug {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::string enhanced_status(std::string_view text, int code) {
    // class "." 1-3 digits "." 1-3 digits, then a blank or the end.
    std::size_t i = 0;
    if (text.empty() || text[0] - '0' != code / 100) return {};
    i = 1;
    for (int part = 0; part < 2; ++part) {
        if (i >= text.size() || text[i] != '.') return {};
        const std::size_t start = ++i;
        while (i < text.size() && is_digit(text[i])) ++i;
        if (i == start || i - start > 3) return {};
    }
    if (i < text.size() && text[i] != ' ') return {};
    return std::string(text.substr(0, i));
}

std::string Reply::text() const {
    std::string out = std::to_string(code);
    if (!enhanced.empty()) out += " " + enhanced;
    for (const std::string& line : lines) {
        std::string_view words = line;
        if (!enhanced.empty() && enhanced_status(words, code) == enhanced)
            words.remove_prefix(enhanced.size());
        const std::string clean = one_line(words);
        if (!clean.empty()) out += " " + clean;
    }
    return out;
}

ReplyParser::State ReplyParser::feed(std::string_view line) {
    const bool first = !open_;
    open_ = false;
    const bool shaped = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) &&
                        is_digit(line[2]) && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
    if (!shaped) return State::kGarbage;
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (first) {
        reply_ = Reply{};
        reply_.code = code;
    } else if (code != reply_.code || reply_.lines.size() >= kMaxReplyLines) {
        return State::kGarbage;
    }
    const std::string_view rest = line.size() > 4 ? line.substr(4) : std::string_view{};
    if (reply_.enhanced.empty()) reply_.enhanced = enhanced_status(rest, code);
    reply_.lines.emplace_back(rest);
    open_ = line.size() > 3 && line[3] == '-';
    return open_ ? State::kMore : State::kComplete;
}

}  // namespace vm::plug
