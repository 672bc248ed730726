// What every function of vmstore.h does at the border to C: arguments are looked at before they are
// used, errors and exceptions become a status and a line of text.
#ifndef VM_LIBRARY_BORDER_H
#define VM_LIBRARY_BORDER_H

#include "base/error.h"
#include "library/vmstore.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <pthread.h>
#include <string>

namespace vm::library {

// While it lives, pthread_cancel() waits: its unwinding would leave locks of the store behind.
class NotCancelled {
  public:
    NotCancelled() { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~NotCancelled() { ::pthread_setcancelstate(before_, nullptr); }
    NotCancelled(const NotCancelled&) = delete;
    NotCancelled& operator=(const NotCancelled&) = delete;

  private:
    int before_ = 0;
};

// Fills `to`, when there is one; returns `status`.
int tell(vm_store_error* to, int status, const char* text) noexcept;
int tell(vm_store_error* to, const Error& error);

// What may be left out when memory is used up, since the call has done what it is for.
template <class Body>
void quietly(const Body& body) noexcept {
    try {
        body();
    } catch (const std::exception&) {
        return;
    }
}

// Runs `body`, a Result<> or a Result<std::optional<Error>> with a note.
template <class Body>
int at_border(vm_store_error* to, const Body& body) noexcept {
    const NotCancelled whole;
    try {
        const auto done = body();
        if (!done) return tell(to, done.error());
        if constexpr (!std::is_void_v<typename decltype(body())::value_type>)
            if (*done) {
                tell(to, VM_STORE_OK, "");
                quietly([&] { tell(to, VM_STORE_OK, (*done)->text().c_str()); });
                return VM_STORE_OK;
            }
        return tell(to, VM_STORE_OK, "");
    } catch (const std::bad_alloc&) {
        return tell(to, VM_STORE_UNAVAILABLE, "out of memory");
    } catch (const std::exception& problem) {
        return tell(to, VM_STORE_UNAVAILABLE, problem.what());
    } catch (...) {
        return tell(to, VM_STORE_UNAVAILABLE, "internal error");
    }
}

tl::unexpected<Error> wrong(const char* function, const char* what, const char* hint = "");

// A structure of the caller's as this version has it. `least` is the size it was first declared
// with: what a shorter one does not have is zero, and what a longer one has beyond must be.
template <class Struct>
Result<Struct> taken(const char* function, const Struct* given,
                     std::size_t least = sizeof(Struct)) {
    constexpr std::size_t kLargest = 4096;  // no version has a larger one
    if (given == nullptr) return wrong(function, "the structure is NULL");
    std::size_t size = 0;
    std::memcpy(&size, given, sizeof size);
    if (size < least || size > kLargest)
        return wrong(function, "struct_size is not the structure's", "set it to its sizeof");
    const auto* bytes = reinterpret_cast<const char*>(given);
    for (std::size_t at = sizeof(Struct); at < size; ++at)
        if (bytes[at] != 0)
            return wrong(function, "the structure asks for what this version does not have",
                         "upgrade vmemail");
    Struct out{};
    std::memcpy(&out, given, std::min(size, sizeof(Struct)));
    return out;
}

inline std::string text_of(const char* given) {
    return given == nullptr ? "" : given;
}

}  // namespace vm::library

#endif
