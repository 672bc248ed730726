#include "config/store_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::config {

Result<UniqueFd> lock_etc(const Paths& paths) {
    const std::filesystem::path file = paths.etc() / "vmconfig.lock";
    UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock)
        return fail(errno_kind(errno), "lock", file.string(), errno_text(errno),
                    errno == ENOENT ? "create the root first: vmconfig init" : "");
    VM_TRY(give_to_owner(paths, file));
    while (::flock(lock.get(), LOCK_EX) != 0)
        if (errno != EINTR)
            return fail(errno_kind(errno), "lock", file.string(), errno_text(errno));
    return lock;
}

Result<> give_to_owner(const Paths& paths, const std::filesystem::path& path) {
    struct stat owner {};
    if (::geteuid() != 0 || ::stat(paths.etc().c_str(), &owner) != 0 || owner.st_uid == 0)
        return {};
    if (::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0)
        return fail(errno_kind(errno), "chown", path.string(), errno_text(errno));
    return {};
}

Result<> store_file(const Paths& paths, const std::filesystem::path& file, std::string_view content,
                    mode_t mode) {
    VM_TRY(write_file_atomic(file, content, mode));
    return give_to_owner(paths, file);
}

}  // namespace vm::config
