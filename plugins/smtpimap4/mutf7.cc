#include "smtpimap4/mutf7.h"

#include <cstdint>

namespace vm::plug::imap {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

// The code point at the front of `text`, which is cut off; nothing when it is not UTF-8.
std::optional<char32_t> take_code_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || text.size() < size) return std::nullopt;
    char32_t code = size == 1 ? lead : lead & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xC0) != 0x80) return std::nullopt;
        code = code << 6 | (byte & 0x3F);
    }
    constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return std::nullopt;
    text.remove_prefix(size);
    return code;
}

void put_utf8(std::string& out, char32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
    out += static_cast<char>(kLead[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

bool stands_for_itself(char32_t code) {
    return code >= 0x20 && code <= 0x7E;
}

// One run of UTF-16 as base64 between '&' and '-'.
class Base64Run {
  public:
    void put(char32_t code) {
        if (code >= 0x10000) {
            put_unit(0xD800 + ((code - 0x10000) >> 10));
            code = 0xDC00 + ((code - 0x10000) & 0x3FF);
        }
        put_unit(code);
    }
    // Ends the run; "" when nothing was put.
    std::string take() {
        if (out_.empty() && bits_ == 0) return {};
        if (bits_ > 0) out_ += kAlphabet[buffer_ << (6 - bits_) & 0x3F];
        std::string run = "&" + out_ + "-";
        *this = {};
        return run;
    }

  private:
    void put_unit(char32_t unit) {
        buffer_ = buffer_ << 16 | unit;
        bits_ += 16;
        for (; bits_ >= 6; bits_ -= 6) out_ += kAlphabet[buffer_ >> (bits_ - 6) & 0x3F];
    }
    std::string out_;
    std::uint64_t buffer_ = 0;
    int bits_ = 0;
};

// The UTF-16 units of a run's base64; a high surrogate waits for its other half.
bool decode_run(std::string_view run, std::string& out) {
    std::uint64_t buffer = 0;
    int bits = 0;
    char32_t high = 0;
    for (const char c : run) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return false;
        buffer = buffer << 6 | value;
        bits += 6;
        if (bits < 16) continue;
        bits -= 16;
        const auto unit = static_cast<char32_t>(buffer >> bits & 0xFFFF);
        const bool low = unit >= 0xDC00 && unit < 0xE000;
        if (low != (high != 0)) return false;
        if (unit >= 0xD800 && unit < 0xDC00) {
            high = unit;
            continue;
        }
        put_utf8(out, low ? 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00) : unit);
        high = 0;
    }
    return high == 0;
}

}  // namespace

std::optional<std::string> encode_mutf7(std::string_view utf8) {
    std::string out;
    Base64Run run;
    while (!utf8.empty()) {
        const auto code = take_code_point(utf8);
        if (!code) return std::nullopt;
        if (!stands_for_itself(*code)) {
            run.put(*code);
            continue;
        }
        out += run.take();
        out += static_cast<char>(*code);
        if (*code == '&') out += '-';
    }
    return out + run.take();
}

std::optional<std::string> decode_mutf7(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '&') {
            out += name[i];
            continue;
        }
        const auto end = name.find('-', i);
        if (end == std::string_view::npos) return std::nullopt;
        if (end == i + 1)
            out += '&';
        else if (!decode_run(name.substr(i + 1, end - i - 1), out))
            return std::nullopt;
        i = end;
    }
    // Other spellings of the same name would be another name to the server.
    if (encode_mutf7(out) != name) return std::nullopt;
    return out;
}

}  // namespace vm::plug::imap
