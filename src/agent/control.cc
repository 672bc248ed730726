#include "agent/control.h"

#include "agent/socket_address.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr std::string_view kRetry = " retry";

UniqueFd datagram_socket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool send_poke(int fd, const SocketAddress& address, const std::string& mailbox, Request request) {
    std::string text = mailbox;
    if (request == Request::kRetry) text += kRetry;
    if (request == Request::kSync) text += kSyncRequest;
    return ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, address.get(),
                    SocketAddress::size()) >= 0;
}

}  // namespace

std::string worker_line(const Poke& poke) {
    switch (poke.request) {
        case Request::kNothing:
            break;
        case Request::kRetry:
            return poke.mailbox + "\n";
        case Request::kSync:
            return poke.mailbox + std::string(kSyncRequest) + "\n";
    }
    return "\n";
}

void poke(const Paths& paths, const std::string& mailbox, Request request) {
    const SocketAddress address(paths.socket());
    const UniqueFd fd = datagram_socket();
    if (fd) send_poke(fd.get(), address, mailbox, request);
}

void poke(const Paths& paths, const std::set<std::string>& mailboxes, Request request) {
    const SocketAddress address(paths.socket());
    const UniqueFd fd = datagram_socket();
    if (!fd) return;
    // A socket takes ten at a time, by the kernel's default.
    const timeval patience{1, 0};
    ::fcntl(fd.get(), F_SETFL, 0);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (const std::string& mailbox : mailboxes)
        if (!send_poke(fd.get(), address, mailbox, request)) return;
}

bool agent_running(const Paths& paths) {
    const UniqueFd fd(
        ::open(paths.lock_file().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!fd) return false;
    // Asks without taking it: a look at the wrong moment must not keep an agent from starting.
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<UniqueFd> open_control_socket(const Paths& paths) {
    constexpr const char* kOpen = "open control socket";
    UniqueFd fd = datagram_socket();
    if (!fd) return fail_errno(errno, kOpen, paths.socket().string());
    VM_TRY(bind_socket(fd.get(), paths.socket(), kOpen));
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
        Request request = Request::kNothing;
        const auto take = [&](std::string_view suffix, Request meaning) {
            if (!text.ends_with(suffix)) return;
            text.remove_suffix(suffix.size());
            request = meaning;
        };
        take(kRetry, Request::kRetry);
        take(kSyncRequest, Request::kSync);
        if (is_mailbox_number(text)) pokes.push_back({std::string(text), request});
    }
}

}  // namespace vm::agent
