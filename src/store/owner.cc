#include "store/owner.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::store {

Result<> give_to_owner(const std::filesystem::path& path) {
    if (::geteuid() != 0) return {};
    struct stat directory {};
    if (::stat(path.parent_path().c_str(), &directory) != 0 ||
        ::lchown(path.c_str(), directory.st_uid, directory.st_gid) != 0)
        return fail(errno_kind(errno), "chown", path.string(), errno_text(errno));
    return {};
}

}  // namespace vm::store
