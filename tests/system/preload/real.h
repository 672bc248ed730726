// For libraries that are preloaded into the programs under test: the function of the C library that
// one of ours stands before.
#ifndef VM_TESTS_SYSTEM_PRELOAD_REAL_H
#define VM_TESTS_SYSTEM_PRELOAD_REAL_H

#include <cstdarg>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>

#define VM_SHIM extern "C" __attribute__((visibility("default")))

namespace shim {

template <class Function>
Function* real(const char* name) {
    void* const found = ::dlsym(RTLD_NEXT, name);
    if (!found) std::abort();
    return reinterpret_cast<Function*>(found);
}

// The same of a library that is loaded, perhaps not for everybody (RTLD_LOCAL).
template <class Function>
Function* real(const char* name, const char* library) {
    void* const handle = ::dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    void* const found = handle ? ::dlsym(handle, name) : nullptr;
    if (!found) std::abort();
    return reinterpret_cast<Function*>(found);
}

using Open = int(const char*, int, ...);

// The mode that open(2) was given, 0 when none.
inline mode_t mode_of(int flags, va_list arguments) {
    const bool has = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return has ? va_arg(arguments, mode_t) : 0;
}

}  // namespace shim

// open() and open64(), by `opened(name, path, flags, mode)`.
#define VM_SHIM_OPEN(name, opened)                           \
    VM_SHIM int name(const char* path, int flags, ...) {     \
        va_list arguments;                                   \
        va_start(arguments, flags);                          \
        const mode_t mode = shim::mode_of(flags, arguments); \
        va_end(arguments);                                   \
        return opened(#name, path, flags, mode);             \
    }
#define VM_SHIM_OPENS(opened) VM_SHIM_OPEN(open, opened) VM_SHIM_OPEN(open64, opened)

#endif
