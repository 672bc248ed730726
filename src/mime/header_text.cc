#include "mime/header_text.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace vm::mime {

namespace {

constexpr std::size_t kMaxPlainWord = 60;
constexpr std::string_view kStart = "=?utf-8?Q?", kEnd = "?=";
constexpr std::size_t kMaxEncodedWord = 75, kMaxLine = 78;

bool is_safe(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!*+-/").find(c) != std::string_view::npos;
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

bool is_plain_header_text(std::string_view text) {
    if (text.find("=?") != std::string_view::npos) return false;
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }))
        return false;
    const std::vector<std::string> words = split(text, ' ');
    return std::all_of(words.begin(), words.end(), [](const std::string& word) {
        return !word.empty() && word.size() <= kMaxPlainWord;
    });
}

std::string encoded_words(std::string_view text, std::size_t column) {
    std::string out(kStart);
    std::size_t length = kStart.size();  // of the current word
    std::size_t limit = std::min(kMaxEncodedWord, kMaxLine - column);
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        while (end < text.size() && continues_character(text[end])) ++end;
        std::string character;
        for (const char c : text.substr(i, end - i)) {
            if (c == ' ')
                character += '_';
            else if (is_safe(c))
                character += c;
            else
                character += fmt::format("={:02X}", static_cast<unsigned char>(c));
        }
        if (length + character.size() + kEnd.size() > limit) {
            out.append(kEnd).append("\n ").append(kStart);
            length = kStart.size();
            limit = kMaxEncodedWord;
        }
        out += character;
        length += character.size();
        i = end;
    }
    return out.append(kEnd);
}

}  // namespace vm::mime
