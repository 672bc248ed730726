#include "smtpimap4/scanner.h"

#include "common/text.h"
#include "smtpimap4/syntax.h"

namespace vm::plug::imap {

namespace {

constexpr int kDeepest = 50;

bool ends_atom(char c) {
    return std::string_view(" ()[]<>{}\"").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

}  // namespace

std::optional<std::size_t> literal_length(std::string_view line) {
    if (line.empty() || line.back() != '}') return std::nullopt;
    line.remove_suffix(1);
    if (!line.empty() && line.back() == '+') line.remove_suffix(1);
    const auto open = line.rfind('{');
    if (open == std::string_view::npos) return std::nullopt;
    return parse_number(line.substr(open + 1));
}

bool Scanner::take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
}

bool Scanner::take_word(std::string_view word) {
    if (rest_.size() < word.size() || !iequals(rest_.substr(0, word.size()), word)) return false;
    if (rest_.size() > word.size() && !ends_atom(rest_[word.size()])) return false;
    rest_.remove_prefix(word.size());
    return true;
}

std::optional<std::string_view> Scanner::take_atom() {
    std::size_t size = 0;
    while (size < rest_.size() && !ends_atom(rest_[size])) ++size;
    if (size == 0) return std::nullopt;
    const std::string_view atom = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return atom;
}

std::optional<std::string_view> Scanner::take_digits() {
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '9') ++size;
    if (size == 0) return std::nullopt;
    const std::string_view digits = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return digits;
}

std::optional<std::string> Scanner::take_quoted() {
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
        if (rest_[i] == '"') {
            rest_.remove_prefix(i + 1);
            return out;
        }
        if (rest_[i] == '\\' && ++i == rest_.size()) break;
        if (rest_[i] == '\r' || rest_[i] == '\n') break;
        out += rest_[i];
    }
    return std::nullopt;
}

std::optional<std::string> Scanner::take_literal() {
    const auto end = rest_.find('}');
    if (end == std::string_view::npos) return std::nullopt;
    const auto size = literal_length(rest_.substr(0, end + 1));
    std::size_t start = end + 1;
    if (start < rest_.size() && rest_[start] == '\r') ++start;
    if (!size || start >= rest_.size() || rest_[start] != '\n' || rest_.size() - start - 1 < *size)
        return std::nullopt;
    std::string out(rest_.substr(start + 1, *size));
    rest_.remove_prefix(start + 1 + *size);
    return out;
}

std::optional<std::string> Scanner::take_string() {
    if (rest_.empty()) return std::nullopt;
    if (rest_.front() == '"') return take_quoted();
    return rest_.front() == '{' ? take_literal() : std::nullopt;
}

std::optional<std::string> Scanner::take_astring() {
    if (auto text = take_string()) return text;
    // A mailbox name may have brackets in it: "[Gmail]".
    std::size_t size = 0;
    while (size < rest_.size() && (!ends_atom(rest_[size]) || rest_[size] == '[' ||
                                   rest_[size] == ']' || rest_[size] == '<' || rest_[size] == '>'))
        ++size;
    if (size == 0) return std::nullopt;
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
}

bool Scanner::skip_value(int depth) {
    if (depth > kDeepest) return false;
    if (!take('(')) return take_string() || take_astring();
    bool first = true;
    while (!take(')')) {
        if (!first && !take(' ')) return false;
        first = false;
        if (!skip_value(depth + 1)) return false;
    }
    return true;
}

bool Scanner::skip_value() {
    const std::string_view before = rest_;
    if (skip_value(0)) return true;
    rest_ = before;
    return false;
}

}  // namespace vm::plug::imap
