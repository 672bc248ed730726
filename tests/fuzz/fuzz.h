// What the fuzz targets have in common. A target is one file of this directory with a function
// LLVMFuzzerTestOneInput(): it hands the bytes to the parser it is named after and holds what comes
// out to the promises of that parser's header, for any bytes whatever.
//
//   make fuzz [FUZZ=NAME...] [FUZZ_SECONDS=60]   looks for inputs that break a promise (libFuzzer)
//   make check                                   runs those of corpus/NAME through every target
//
// corpus/NAME holds small files with telling names: real dialogues, mails and files, and whatever
// was found once. NAME.dict, where there is one, has words of the format. Inputs are text as far as
// the format allows, so that a finding can be read.
#ifndef VM_TESTS_FUZZ_FUZZ_H
#define VM_TESTS_FUZZ_FUZZ_H

#include "base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace vm::fuzz {

[[noreturn]] inline void broken(const char* file, int line, const char* promise) {
    std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
    std::abort();
}

// Holds for every input, or it is a finding.
#define FUZZ_REQUIRE(promise) \
    ((promise) ? static_cast<void>(0) : ::vm::fuzz::broken(__FILE__, __LINE__, #promise))

inline std::string_view view(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Takes the first line off `input`, without its end: the part of an input that is not foreign, but
// says what is done with the rest.
inline std::string_view take_line(std::string_view& input) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return line;
}

// UTF-8 that stays on its line wherever it is printed.
inline bool is_one_line(std::string_view text) {
    return sanitize_line(text, text.size()) == text;
}

}  // namespace vm::fuzz

#endif
