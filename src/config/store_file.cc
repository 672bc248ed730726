#include "config/store_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <system_error>
#include <thread>

namespace vm::config {

namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

// The file to replace: what `file` leads to when it is a symbolic link, so that the link stays.
Result<std::filesystem::path> behind_link(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_symlink(std::filesystem::symlink_status(file, error))) return file;
    std::filesystem::path target = std::filesystem::canonical(file, error);
    if (error)
        return fail(
            errno_kind(error.value()), "write", file.string(),
            "it is a symbolic link, and what it leads to cannot be found: " + error.message(),
            "correct or remove the link");
    return target;
}

}  // namespace

Result<UniqueFd> lock_etc(const Paths& paths, std::optional<std::chrono::seconds> longest) {
    const std::filesystem::path file = paths.etc() / "vmconfig.lock";
    UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock)
        return fail_errno(errno, "lock", file.string(),
                          errno == ENOENT ? "create the root first: vmconfig init" : "");
    const auto start = std::chrono::steady_clock::now();
    while (::flock(lock.get(), LOCK_EX | (longest ? LOCK_NB : 0)) != 0) {
        if (errno == EWOULDBLOCK) {
            if (std::chrono::steady_clock::now() - start >= *longest)
                return fail(ErrorKind::kUnavailable, "lock", file.string(),
                            "another edit is being written", "try again when it has ended");
            std::this_thread::sleep_for(kLookAgain);
        } else if (errno != EINTR) {
            return fail_errno(errno, "lock", file.string());
        }
    }
    return lock;
}

Result<> store_file(const std::filesystem::path& file, std::string_view content, mode_t mode) {
    VM_ASSIGN(const std::filesystem::path target, behind_link(file));
    return write_file_atomic(target, content, mode);
}

}  // namespace vm::config
