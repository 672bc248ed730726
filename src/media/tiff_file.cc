#include "media/tiff_file.h"

#include "base/own_process.h"
#include "base/text.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace vm::media {

namespace {

constexpr tmsize_t kMaxAllocation = 64 << 20;

int note_error(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
    auto& complaints = *static_cast<Complaints*>(user);
    if (complaints.count++ == 0) {
        std::array<char, 200> text{};
        std::vsnprintf(text.data(), text.size(), format, arguments);
        complaints.first = sanitize_line(
            module != nullptr ? std::string(module) + ": " + text.data() : std::string(text.data()),
            200);
    }
    return 1;  // handled: nothing goes to stderr
}

int ignore_warning(TIFF*, void*, const char*, const char*, va_list) {
    return 1;
}

}  // namespace

Tiff open_tiff(UniqueFd fd, const std::string& name, const char* mode, Complaints& complaints) {
    static std::once_flag once;
    std::call_once(once, [] {  // what libtiff still sends to its global handlers
        if (!owns_process()) return;
        TIFFSetErrorHandler(nullptr);
        TIFFSetWarningHandler(nullptr);
    });
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
        TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note_error, &complaints);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
    Tiff tiff(TIFFFdOpenExt(fd.get(), name.c_str(), mode, options.get()));
    if (tiff) static_cast<void>(fd.release());  // TIFFClose closes it
    return tiff;
}

}  // namespace vm::media
