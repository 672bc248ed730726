// A connected TCP socket as a Wire, and who owns it until then.
#ifndef VM_PLUGINS_COMMON_SOCKET_WIRE_H
#define VM_PLUGINS_COMMON_SOCKET_WIRE_H

#include "common/connection.h"

#include <utility>

namespace vm::plug {

// Waits for input, or room for output if that is wanted, or the end of the time.
void wait_for(int socket, bool for_room, std::chrono::milliseconds limit);

// Owns a socket.
class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&&) = delete;
    ~Socket();

    int get() const { return fd_; }

  private:
    int fd_;
};

class SocketWire : public Wire {
  public:
    explicit SocketWire(Socket socket) : socket_(std::move(socket)) {}

    Status send(std::string_view data, std::size_t& count) override;
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override;
    void wait(bool for_room, std::chrono::milliseconds limit) override {
        wait_for(socket_.get(), for_room, limit);
    }
    int descriptor() const override { return socket_.get(); }

  private:
    Socket socket_;
};

}  // namespace vm::plug

#endif
