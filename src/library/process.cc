#include "library/process.h"

#include <atomic>
#include <unistd.h>
#include <utility>

namespace vm::library {

namespace {

// Of this process, or of the one it was forked from. (No lock: it could be held at a fork.)
std::atomic<pid_t> g_process{0};
std::atomic<int> g_open{0};

tl::unexpected<Error> forked(const char* function) {
    return fail(ErrorKind::kUsage, function, "",
                "this process was forked from one that has a store open",
                "exec() a program before the library is used");
}

}  // namespace

Result<OfProcess> OfProcess::enter(const char* function) {
    const pid_t self = ::getpid();
    if (g_open > 0 && g_process != self) return forked(function);
    g_process = self;
    ++g_open;
    return OfProcess(self);
}

OfProcess::OfProcess(OfProcess&& other) noexcept : process_(std::exchange(other.process_, 0)) {}

OfProcess::~OfProcess() {
    if (is_ours()) --g_open;
}

bool OfProcess::is_ours() const {
    return process_ == ::getpid();
}

Result<> OfProcess::check(const char* function) const {
    if (!is_ours()) return forked(function);
    return {};
}

}  // namespace vm::library
