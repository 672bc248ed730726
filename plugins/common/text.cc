#include "common/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace vm::plug {

namespace {

constexpr std::size_t kShortestHidden = 4;
constexpr std::size_t kShortestInside = 12;
constexpr std::size_t kLongestShown = 7;  // of the begin of one
constexpr const char* kHidden = "[hidden]";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
char upper_char(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::string one_line(std::string_view text) {
    std::string out(text);
    std::replace_if(out.begin(), out.end(), is_control, ' ');
    const auto first = out.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

void copy_text(char* target, std::size_t capacity, std::string_view text) {
    const std::size_t n = std::min(text.size(), capacity - 1);
    std::memcpy(target, text.data(), n);
    target[n] = '\0';
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_control);
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), upper_char);
    return out;
}

bool iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return upper_char(x) == upper_char(y);
           });
}

std::string encode_base64(std::string_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // EVP writes a final NUL
    const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                  reinterpret_cast<const unsigned char*>(bytes.data()),
                                  static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(n));
    return out;
}

std::string decode_base64(std::string_view text) {
    std::string out(3 * (text.size() / 4) + 3, '\0');
    const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                  reinterpret_cast<const unsigned char*>(text.data()),
                                  static_cast<int>(text.size()));
    if (n < 0) return {};
    out.resize(static_cast<std::size_t>(n));
    // EVP counts the padding as zero bytes.
    for (std::size_t i = text.size(); i-- > 0 && text[i] == '=' && !out.empty();) out.pop_back();
    return out;
}

void wipe(std::string& secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

Redactor::~Redactor() {
    for (std::string& secret : secrets_) wipe(secret);
}

void Redactor::add(std::string_view secret) {
    if (secret.size() < kShortestHidden) return;
    secrets_.emplace_back(secret);
    secrets_.push_back(encode_base64(secret));
    if (secret.size() >= kShortestInside)
        for (const std::size_t before : {0U, 1U, 2U}) {
            std::string inside = encode_base64(std::string(before, '\0').append(secret));
            inside.resize(inside.find_last_not_of('=') + 1);
            // The first and the last character may be its neighbours' as well.
            if ((before + secret.size()) % 3 != 0) inside.pop_back();
            secrets_.push_back(inside.substr((before * 8 + 5) / 6));
            wipe(inside);
        }
    // The longest first, so that no part of one is left standing behind a shorter one.
    std::sort(secrets_.begin(), secrets_.end(),
              [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

std::string Redactor::hide(std::string_view text) const {
    std::string out(text);
    for (const std::string& secret : secrets_) {
        // Of a line that is megabytes of it the rest is not moved each time.
        std::string hidden;
        std::size_t from = 0;
        const std::string_view begin = std::string_view(secret).substr(0, kLongestShown + 1);
        for (std::size_t at; (at = out.find(begin, from)) != std::string::npos;) {
            hidden.append(out, from, at - from).append(kHidden);
            const auto end =
                std::mismatch(secret.begin(), secret.end(),
                              out.begin() + static_cast<std::ptrdiff_t>(at), out.end());
            from = static_cast<std::size_t>(end.second - out.begin());
        }
        if (from != 0) out = hidden.append(out, from);
    }
    return out;
}

}  // namespace vm::plug
