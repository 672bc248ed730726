#include "base/own_process.h"

#include <atomic>

namespace vm {

namespace {

std::atomic<bool> g_owned{true};

}  // namespace

bool owns_process() {
    return g_owned;
}

void disown_process() {
    g_owned = false;
}

}  // namespace vm
