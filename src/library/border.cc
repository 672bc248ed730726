#include "library/border.h"

#include "base/text.h"

#include <algorithm>

namespace vm::library {

int tell(vm_store_error* to, int status, const char* text) noexcept {
    if (to == nullptr) return status;
    to->status = status;
    const std::string_view whole = utf8_prefix(text, sizeof to->text - 1);
    char* const end = std::copy(whole.begin(), whole.end(), to->text);
    *end = '\0';
    // (Words of exceptions; those of errors are one line already.)
    std::replace_if(
        to->text, end, [](unsigned char c) { return c < ' '; }, ' ');
    return status;
}

int tell(vm_store_error* to, const Error& error) {
    return tell(to, exit_status(error.kind), error.text().c_str());
}

tl::unexpected<Error> wrong(const char* function, const char* what, const char* hint) {
    return fail(ErrorKind::kUsage, function, "", what, hint);
}

}  // namespace vm::library
