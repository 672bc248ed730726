// The address of a socket in the file system. A path that is too long for one goes by way of its
// directory, which is open as long as the object lives.
#ifndef VM_AGENT_SOCKET_ADDRESS_H
#define VM_AGENT_SOCKET_ADDRESS_H

#include "base/files.h"

#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>

namespace vm::agent {

class SocketAddress {
  public:
    explicit SocketAddress(const std::filesystem::path& socket);
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
    static socklen_t size() { return sizeof(sockaddr_un); }
    const char* path() const { return address_.sun_path; }

  private:
    sockaddr_un address_{};
    UniqueFd directory_;
};

// Binds `socket` there with mode 0660, replacing what a dead agent left; `operation` is for the
// error.
Result<> bind_socket(int socket, const std::filesystem::path& path, const char* operation);

}  // namespace vm::agent

#endif
