#include "agent/control.h"

#include "base/text.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr std::string_view kRetry = " retry";

// The address of the socket; nullopt when the path is too long for one.
std::optional<sockaddr_un> address_of(const Paths& paths) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = paths.socket().string();
    if (path.size() >= sizeof address.sun_path) return std::nullopt;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

UniqueFd datagram_socket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

void poke(const Paths& paths, const std::string& mailbox, bool retry) {
    const auto address = address_of(paths);
    const UniqueFd fd = datagram_socket();
    if (!address || !fd) return;
    const std::string text = mailbox + (retry ? std::string(kRetry) : "");
    ::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
}

bool agent_running(const Paths& paths) {
    const UniqueFd fd(::open(paths.lock_file().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return false;
    // Asks without taking it: a look at the wrong moment must not keep an agent from starting.
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<UniqueFd> open_control_socket(const Paths& paths) {
    const auto address = address_of(paths);
    if (!address)
        return fail(ErrorKind::kConfig, "open control socket", paths.socket().string(),
                    "the path is longer than a socket's may be", "use a root with a shorter name");
    UniqueFd fd = datagram_socket();
    ::unlink(address->sun_path);
    if (!fd ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::chmod(address->sun_path, 0660) != 0)
        return fail(errno_kind(errno), "open control socket", address->sun_path, errno_text(errno));
    return fd;
}

std::vector<Poke> read_pokes(int socket) {
    std::vector<Poke> pokes;
    char buffer[64];
    for (;;) {
        const ssize_t n = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pokes;
        std::string_view text(buffer, static_cast<std::size_t>(n));
        const bool retry = text.ends_with(kRetry);
        if (retry) text.remove_suffix(kRetry.size());
        if (is_mailbox_number(text)) pokes.push_back({std::string(text), retry});
    }
}

}  // namespace vm::agent
