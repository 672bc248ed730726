#include "common/socket_wire.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vm::plug {

namespace {

Wire::Status status_of(ssize_t n, std::size_t& count) {
    if (n > 0) {
        count = static_cast<std::size_t>(n);
        return Wire::Status::kOk;
    }
    const bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return again ? Wire::Status::kAgain : Wire::Status::kClosed;
}

}  // namespace

void wait_for(int socket, bool for_room, std::chrono::milliseconds limit) {
    pollfd entry{socket, static_cast<short>(for_room ? POLLIN | POLLOUT : POLLIN), 0};
    ::poll(&entry, 1, static_cast<int>(limit.count()));
}

Socket::~Socket() {
    if (fd_ >= 0) ::close(fd_);
}

Wire::Status SocketWire::send(std::string_view data, std::size_t& count) {
    return status_of(::send(socket_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                     count);
}

Wire::Status SocketWire::receive(char* buffer, std::size_t capacity, std::size_t& count) {
    return status_of(::recv(socket_.get(), buffer, capacity, MSG_DONTWAIT), count);
}

}  // namespace vm::plug
