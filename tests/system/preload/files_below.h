// For preloaded libraries: whether an open file lies below a directory that the environment names.
#ifndef VM_TESTS_SYSTEM_PRELOAD_FILES_BELOW_H
#define VM_TESTS_SYSTEM_PRELOAD_FILES_BELOW_H

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unistd.h>

namespace shim {

class FilesBelow {
  public:
    explicit FilesBelow(const char* variable) {
        if (const char* const text = std::getenv(variable)) root_ = text;
    }
    bool is_below(std::string_view path) const {
        return !root_.empty() && path.substr(0, root_.size()) == root_ &&
               (path.size() == root_.size() || path[root_.size()] == '/');
    }
    // Its path, or "" when it is another file. A file without a name has one here, too.
    std::string path_of(int fd) const {
        if (root_.empty() || fd < 0) return {};
        char path[4096];
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        const int code = errno;
        const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
        errno = code;
        if (size <= 0) return {};
        const std::string_view text(path, static_cast<std::size_t>(size));
        return is_below(text) ? std::string(text) : std::string();
    }

  private:
    std::string root_;
};

}  // namespace shim

#endif
