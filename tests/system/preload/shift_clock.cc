// Preloaded: the wall clock is off by as many seconds as the file VM_CLOCK_OFFSET says, read anew
// each time; the monotonic clock goes on as if nothing had happened.
#include "real.h"

#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

using shim::real;

time_t offset() {
    static const char* const file = std::getenv("VM_CLOCK_OFFSET");
    const int fd = file ? ::open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    char text[32] = {};
    const ssize_t size = ::read(fd, text, sizeof text - 1);
    ::close(fd);
    return size > 0 ? std::atoll(text) : 0;
}

}  // namespace

VM_SHIM int clock_gettime(clockid_t clock, timespec* now) noexcept {
    static auto* const next = real<int(clockid_t, timespec*)>("clock_gettime");
    const int done = next(clock, now);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return done;
}
VM_SHIM int gettimeofday(timeval* now, void* zone) noexcept {
    static auto* const next = real<int(timeval*, void*)>("gettimeofday");
    const int done = next(now, zone);
    if (done == 0) now->tv_sec += offset();
    return done;
}
VM_SHIM time_t time(time_t* now) noexcept {
    timespec exact{};
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
