#include "agent/service_manager.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/trace.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace vm::agent {

namespace {

std::string take(const char* name) {
    const char* value = std::getenv(name);
    std::string out = value == nullptr ? "" : value;
    ::unsetenv(name);
    return out;
}

}  // namespace

ServiceManager::ServiceManager() : socket_(take("NOTIFY_SOCKET")) {
    const auto microseconds = parse_int(take("WATCHDOG_USEC"));
    const std::string whose = take("WATCHDOG_PID");
    if (microseconds && *microseconds > 0 && (whose.empty() || whose == std::to_string(::getpid())))
        watchdog_ms_ = *microseconds / 1000;
}

void ServiceManager::keep(std::int64_t steady_ms) {
    if (watchdog_ms_ == 0 || steady_ms < next_sign_ms_) return;
    next_sign_ms_ = steady_ms + watchdog_ms_ / 2;
    tell("WATCHDOG=1");
}

void ServiceManager::tell(const char* message) const {
    if (socket_.empty()) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool fits = socket_.size() < sizeof address.sun_path;
    std::memcpy(address.sun_path, socket_.data(), fits ? socket_.size() : 0);
    if (socket_.front() == '@') address.sun_path[0] = '\0';  // of the abstract namespace
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fits || !fd ||
        ::sendto(fd.get(), message, std::strlen(message), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size) < 0)
        trace(TraceLevel::kWarning, "tell the service manager {} at {}: {}", message, socket_,
              fits ? errno_text(errno) : "its name is too long");
}

}  // namespace vm::agent
