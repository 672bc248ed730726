// Preloaded: the clocks are off by as many seconds as the file VM_CLOCK_OFFSET says, read anew each
// time: first the wall clock's, then (if there is a second number) the monotonic one's, which lets
// hours go by.
#include "real.h"

#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

using shim::real;

struct Offsets {
    time_t wall = 0, steady = 0;
};

Offsets offsets() {
    static const char* const file = std::getenv("VM_CLOCK_OFFSET");
    const int fd = file ? ::open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return {};
    char text[64] = {};
    const ssize_t size = ::read(fd, text, sizeof text - 1);
    ::close(fd);
    if (size <= 0) return {};
    char* rest = nullptr;
    const time_t wall = std::strtoll(text, &rest, 10);
    return {wall, std::strtoll(rest, nullptr, 10)};
}

}  // namespace

VM_SHIM int clock_gettime(clockid_t clock, timespec* now) noexcept {
    static auto* const next = real<int(clockid_t, timespec*)>("clock_gettime");
    const int done = next(clock, now);
    if (done != 0) return done;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += offsets().wall;
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)
        now->tv_sec += offsets().steady;
    return done;
}
VM_SHIM int gettimeofday(timeval* now, void* zone) noexcept {
    static auto* const next = real<int(timeval*, void*)>("gettimeofday");
    const int done = next(now, zone);
    if (done == 0) now->tv_sec += offsets().wall;
    return done;
}
VM_SHIM time_t time(time_t* now) noexcept {
    timespec exact{};
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
