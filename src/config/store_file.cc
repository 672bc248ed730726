#include "config/store_file.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace vm::config {

namespace {

// Whose the files in etc/ are to be; nullopt: the caller's, as they come.
std::optional<FileOwner> owner_to_be(const Paths& paths) {
    struct stat etc {};
    if (::geteuid() != 0 || ::stat(paths.etc().c_str(), &etc) != 0 || etc.st_uid == 0)
        return std::nullopt;
    return FileOwner{etc.st_uid, etc.st_gid};
}

// The file to replace: what `file` leads to when it is a symbolic link, so that the link stays.
Result<std::filesystem::path> behind_link(const std::filesystem::path& file,
                                          const std::optional<FileOwner>& owner) {
    std::error_code error;
    if (!std::filesystem::is_symlink(std::filesystem::symlink_status(file, error))) return file;
    // The owner of the directory could let it lead to any file of the system.
    if (owner)
        return fail(ErrorKind::kPermission, "write", file.string(),
                    "it is a symbolic link, which root does not follow in another user's directory",
                    "run vmconfig as user " + std::to_string(owner->user) +
                        ", or put the file itself there");
    std::filesystem::path target = std::filesystem::canonical(file, error);
    if (error)
        return fail(
            errno_kind(error.value()), "write", file.string(),
            "it is a symbolic link, and what it leads to cannot be found: " + error.message(),
            "correct or remove the link");
    return target;
}

}  // namespace

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
    const auto owner = owner_to_be(paths);
    if (owner && ::lchown(path.c_str(), owner->user, owner->group) != 0)
        return fail(errno_kind(errno), "chown", path.string(), errno_text(errno));
    return {};
}

Result<> store_file(const Paths& paths, const std::filesystem::path& file, std::string_view content,
                    mode_t mode) {
    // The owner before the new file appears: at no moment is there one that the agent cannot read.
    const auto owner = owner_to_be(paths);
    VM_ASSIGN(const std::filesystem::path target, behind_link(file, owner));
    return write_file_atomic(target, content, mode, owner);
}

}  // namespace vm::config
