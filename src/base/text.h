// Small text helpers used everywhere. Pure; any thread.
#ifndef VM_BASE_TEXT_H
#define VM_BASE_TEXT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm {

std::string_view trim(std::string_view s);
bool is_same_ignoring_case(std::string_view a, std::string_view b);  // of equal sizes
// ASCII only.
inline bool iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && is_same_ignoring_case(a, b);
}
std::string to_lower(std::string_view s);  // ASCII only
std::vector<std::string> split(std::string_view s, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Whole number, decimal, optional '-', nothing else around it; nullopt when not or out of range.
std::optional<std::int64_t> parse_int(std::string_view s);

// One printable line: CR, LF, NUL and other control characters become a space, bytes that are not
// UTF-8 become '?'; the line is cut at `limit` bytes on a character boundary. For foreign words
// (server replies, caller names) before they are logged, stored or put in a header.
std::string sanitize_line(std::string_view s, std::size_t limit = 2000);

// `s` without the characters that have no other purpose than to act on the direction of writing
// (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069): they can make a name or a number
// read as something else than it is. What is written from right to left needs none of them.
std::string without_direction_controls(std::string_view s);

bool is_utf8(std::string_view s);

// The first `limit` bytes of `s` (UTF-8), without the character that would be cut.
std::string_view utf8_prefix(std::string_view s, std::size_t limit);

// FNV-1a, 64 bits: tells texts apart, and guards nothing.
std::uint64_t fnv1a(std::string_view s);

// 1–8 digits: the form of a mailbox number, which is also a file name.
bool is_mailbox_number(std::string_view s);

}  // namespace vm

#endif
