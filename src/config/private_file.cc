#include "config/private_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <sys/stat.h>

namespace vm::config {

Result<> check_private(const std::filesystem::path& path, const std::string& what) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "read", path.string());
    if ((status.st_mode & 077) == 0) return {};
    return fail(ErrorKind::kPermission, "read", path.string(),
                fmt::format("it holds {} and its mode {:04o} gives group or others access", what,
                            status.st_mode & 07777),
                "chmod 600 " + path.string());
}

}  // namespace vm::config
