#include "agent/control.h"

#include "base/text.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr std::string_view kRetry = " retry";

// The address of the socket. A path that is too long for one goes by way of its directory, which is
// open as long as the object lives.
class Address {
  public:
    explicit Address(const Paths& paths) {
        address_.sun_family = AF_UNIX;
        std::string path = paths.socket().string();
        if (path.size() >= sizeof address_.sun_path) {
            directory_.reset(::open(paths.run().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            path = "/proc/self/fd/" + std::to_string(directory_.get()) + "/" +
                   paths.socket().filename().string();
        }
        std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
    static socklen_t size() { return sizeof(sockaddr_un); }
    const char* path() const { return address_.sun_path; }

  private:
    sockaddr_un address_{};
    UniqueFd directory_;
};

UniqueFd datagram_socket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool send_poke(int fd, const Address& address, const std::string& mailbox, Request request) {
    std::string text = mailbox;
    if (request == Request::kRetry) text += kRetry;
    if (request == Request::kSync) text += kSyncRequest;
    return ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, address.get(), Address::size()) >=
           0;
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
    const Address address(paths);
    const UniqueFd fd = datagram_socket();
    if (fd) send_poke(fd.get(), address, mailbox, request);
}

void poke(const Paths& paths, const std::set<std::string>& mailboxes, Request request) {
    const Address address(paths);
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
    const Address address(paths);
    UniqueFd fd = datagram_socket();
    ::unlink(address.path());
    if (!fd || ::bind(fd.get(), address.get(), Address::size()) != 0 ||
        ::chmod(address.path(), 0660) != 0)
        return fail_errno(errno, "open control socket", paths.socket().string());
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
