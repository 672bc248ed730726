#include "base/ids.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sys/random.h>

namespace vm {

namespace {
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
}

std::string new_id(const Clock& clock) {
    std::array<unsigned char, 10> random{};
    for (std::size_t got = 0; got < random.size();) {
        const ssize_t n = ::getrandom(random.data() + got, random.size() - got, 0);
        if (n < 0 && errno != EINTR) std::abort();  // Linux: cannot fail for small requests
        if (n > 0) got += static_cast<std::size_t>(n);
    }
    std::string id(26, '0');
    auto time = static_cast<std::uint64_t>(clock.now());
    for (std::size_t i = 10; i-- > 0; time >>= 5) id[i] = kAlphabet[time & 31];
    // 80 bits as 16 groups of 5.
    unsigned buffer = 0, bits = 0;
    std::size_t out = 10;
    for (unsigned char byte : random) {
        buffer = buffer << 8 | byte;
        for (bits += 8; bits >= 5;) {
            bits -= 5;
            id[out++] = kAlphabet[buffer >> bits & 31];
        }
        buffer &= (1U << bits) - 1;
    }
    return id;
}

bool is_id(std::string_view text) {
    return text.size() == 26 && text[0] <= '7' && std::all_of(text.begin(), text.end(), [](char c) {
               return kAlphabet.find(c) != std::string_view::npos;
           });
}

}  // namespace vm
