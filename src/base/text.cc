#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace vm {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Length of the valid UTF-8 sequence at s[i], 0 when there is none (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view s, std::size_t i) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
    const unsigned char c = at(i);
    if (c < 0x80) return 1;
    std::size_t n = 0;
    unsigned char low = 0x80, high = 0xBF;
    if (c >= 0xC2 && c <= 0xDF) {
        n = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
        n = 3;
        if (c == 0xE0) low = 0xA0;
        if (c == 0xED) high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        n = 4;
        if (c == 0xF0) low = 0x90;
        if (c == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (i + n > s.size() || at(i + 1) < low || at(i + 1) > high) return 0;
    for (std::size_t k = 2; k < n; ++k)
        if (at(i + k) < 0x80 || at(i + k) > 0xBF) return 0;
    return n;
}

}  // namespace

std::string_view trim(std::string_view s) {
    while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
    return s;
}

bool is_same_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view s) {
    std::string out(s);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

std::vector<std::string> split(std::string_view s, char separator) {
    std::vector<std::string> out;
    for (;;) {
        const auto at = s.find(separator);
        out.emplace_back(s.substr(0, at));
        if (at == std::string_view::npos) return out;
        s.remove_prefix(at + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i != 0) out += separator;
        out += parts[i];
    }
    return out;
}

std::optional<std::int64_t> parse_int(std::string_view s) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (error != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
    return value;
}

namespace {

// One character, in UTF-8: C0, DEL, C1 (U+0080..U+009F), line and paragraph separator.
bool is_control(std::string_view one) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(one[at]); };
    if (one.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
    if (one.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
    return one == "\xE2\x80\xA8" || one == "\xE2\x80\xA9";
}

}  // namespace

std::string sanitize_line(std::string_view s, std::size_t limit) {
    std::string out;
    out.reserve(std::min(s.size(), limit));
    for (std::size_t i = 0; i < s.size();) {
        const std::size_t n = utf8_length(s, i);
        const std::size_t width = n == 0 ? 1 : n;
        if (out.size() + width > limit) break;
        if (n == 0)
            out += '?';
        else if (is_control(s.substr(i, n)))
            out += ' ';
        else
            out.append(s, i, n);
        i += width;
    }
    return out;
}

std::string without_direction_controls(std::string_view s) {
    // In UTF-8: D8 9C; E2 80 8E, 8F and AA..AE; E2 81 A6..A9.
    const auto length_of_one = [](std::string_view at) -> std::size_t {
        if (at.starts_with("\xD8\x9C")) return 2;
        if (at.size() < 3 || at[0] != '\xE2') return 0;
        const bool general = at[1] == '\x80' && (at[2] == '\x8E' || at[2] == '\x8F' ||
                                                 (at[2] >= '\xAA' && at[2] <= '\xAE'));
        const bool isolates = at[1] == '\x81' && at[2] >= '\xA6' && at[2] <= '\xA9';
        return general || isolates ? 3 : 0;
    };
    std::string out;
    for (std::size_t i = 0; i < s.size();) {
        const std::size_t skipped = length_of_one(s.substr(i, 3));
        if (skipped == 0) out += s[i];
        i += std::max<std::size_t>(skipped, 1);
    }
    return out;
}

bool is_utf8(std::string_view s) {
    for (std::size_t i = 0; i < s.size();) {
        const std::size_t n = utf8_length(s, i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

std::string_view utf8_prefix(std::string_view s, std::size_t limit) {
    if (s.size() <= limit) return s;
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
    while (limit > 0 && continues(s[limit])) --limit;
    return s.substr(0, limit);
}

std::uint64_t fnv1a(std::string_view s) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : s) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    return hash;
}

bool is_mailbox_number(std::string_view s) {
    return !s.empty() && s.size() <= 8 &&
           std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace vm
