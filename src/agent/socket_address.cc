#include "agent/socket_address.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::agent {

SocketAddress::SocketAddress(const std::filesystem::path& socket) {
    address_.sun_family = AF_UNIX;
    std::string path = socket.string();
    if (path.size() >= sizeof address_.sun_path) {
        directory_.reset(::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        path =
            "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + socket.filename().string();
    }
    std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
}

Result<> bind_socket(int socket, const std::filesystem::path& path, const char* operation) {
    const SocketAddress address(path);
    ::unlink(address.path());
    if (::bind(socket, address.get(), SocketAddress::size()) != 0 ||
        ::chmod(address.path(), 0660) != 0)
        return fail_errno(errno, operation, path.string());
    return {};
}

}  // namespace vm::agent
