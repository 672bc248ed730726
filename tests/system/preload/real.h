// For libraries that are preloaded into the programs under test: the function of the C library that
// one of ours stands before.
#ifndef VM_TESTS_SYSTEM_PRELOAD_REAL_H
#define VM_TESTS_SYSTEM_PRELOAD_REAL_H

#include <cstdlib>
#include <dlfcn.h>

#define VM_SHIM extern "C" __attribute__((visibility("default")))

namespace shim {

template <class Function>
Function* real(const char* name) {
    void* const found = ::dlsym(RTLD_NEXT, name);
    if (!found) std::abort();
    return reinterpret_cast<Function*>(found);
}

}  // namespace shim

#endif
