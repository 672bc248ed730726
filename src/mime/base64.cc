#include "mime/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <endian.h>

namespace vm::mime {

namespace {

using Pair = std::array<char, 2>;

// The two characters of each 12 bits: half the look-ups of one character for each 6.
constexpr std::array<Pair, 4096> pairs() {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<Pair, 4096> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
    return out;
}

// One line without its end to `to`; returns behind it.
char* encode_line(std::string_view bytes, char* to) {
    static constexpr std::array<Pair, 4096> kPairs = pairs();
    const auto at = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(bytes[i]); };
    const auto put = [&](unsigned twelve_bits) {
        for (const char c : kPairs[twelve_bits]) *to++ = c;
    };
    std::size_t i = 0;
    // Six bytes at a time, as the upper part of a number.
    for (std::uint64_t number = 0; i + sizeof number <= bytes.size(); i += 6) {
        std::memcpy(&number, bytes.data() + i, sizeof number);
        number = be64toh(number);
        const auto put_at = [&](int shift) { put(static_cast<unsigned>(number >> shift & 4095)); };
        put_at(52), put_at(40), put_at(28), put_at(16);
    }
    for (; i + 3 <= bytes.size(); i += 3) {
        put(at(i) << 4 | at(i + 1) >> 4);
        put((at(i + 1) & 15) << 8 | at(i + 2));
    }
    if (bytes.size() - i == 2) {
        put(at(i) << 4 | at(i + 1) >> 4);
        put((at(i + 1) & 15) << 8);
        to[-1] = '=';
    } else if (bytes.size() - i == 1) {
        put(at(i) << 4);
        *to++ = '=';
        *to++ = '=';
    }
    return to;
}

}  // namespace

void append_base64_lines(std::string_view bytes, std::string& out) {
    constexpr std::size_t kLongest = kBase64LineBytes / 3 * 4 + 2;
    const std::size_t lines = (bytes.size() + kBase64LineBytes - 1) / kBase64LineBytes;
    const std::size_t before = out.size();
    out.resize(before + lines * kLongest);
    char* to = out.data() + before;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kBase64LineBytes))) {
        to = encode_line(bytes.substr(0, kBase64LineBytes), to);
        *to++ = '\r';
        *to++ = '\n';
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
}

}  // namespace vm::mime
