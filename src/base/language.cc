#include "base/language.h"

#include "base/text.h"

#include <algorithm>

namespace vm {

bool is_language_tag(std::string_view s) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto is_letter_or_digit = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
    const std::vector<std::string> parts = split(s, '-');
    const std::string& language = parts.front();
    return s.size() <= 35 && language.size() >= 2 && language.size() <= 3 &&
           std::all_of(language.begin(), language.end(), is_letter) &&
           std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
               return !part.empty() && part.size() <= 8 &&
                      std::all_of(part.begin(), part.end(), is_letter_or_digit);
           });
}

}  // namespace vm
