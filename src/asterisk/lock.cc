#include "asterisk/lock.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace vm::asterisk {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTake = "lock";
constexpr const char* kLock = ".lock";
constexpr std::chrono::milliseconds kStep{5};

// The name that ours has before it is the lock; Asterisk's end with a random number.
std::string own_name(const std::string& owner) {
    return fmt::format(".lock-vm{:016x}", fnv1a(owner));
}

// True: taken; false: somebody has it.
Result<bool> try_lock_file(const fs::path& folder, const std::string& owner) {
    const fs::path lock = folder / kLock;
    if (::faccessat(AT_FDCWD, lock.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return false;
    const fs::path own = folder / own_name(owner);
    ::unlink(own.c_str());  // left by a process that was killed
    {
        const UniqueFd fd(
            ::open(own.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
        if (!fd) return fail_errno(errno, kTake, folder.string());
        VM_CRASH_POINT("made lock file");
        if (auto written = write_all(fd.get(), owner, own.string()); !written) {
            ::unlink(own.c_str());
            return fail(written.error());
        }
    }
    const int code = ::link(own.c_str(), lock.c_str()) == 0 ? 0 : errno;
    VM_CRASH_POINT("locked");
    ::unlink(own.c_str());
    if (code == 0 || code == EEXIST) return code == 0;
    return fail_errno(code, kTake, folder.string());
}

// nullopt: somebody has it.
Result<std::optional<UniqueFd>> try_flock(const fs::path& folder) {
    const fs::path lock = folder / "lock";
    UniqueFd fd(::open(lock.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno(errno, kTake, lock.string());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
        return fail_errno(errno, kTake, lock.string());
    }
    // Asterisk removes the file before it lets it go: who waited for that one has none.
    struct stat held {
    }, there{};
    if (::fstat(fd.get(), &held) != 0 || ::lstat(lock.c_str(), &there) != 0 ||
        held.st_ino != there.st_ino || held.st_dev != there.st_dev)
        return std::nullopt;
    return fd;
}

tl::unexpected<Error> taken(const fs::path& folder, LockMode mode) {
    if (mode == LockMode::kFlock)
        return fail(ErrorKind::kRetryLater, kTake, folder.string(), "Asterisk holds its lock");
    struct stat status {};
    const fs::path lock = folder / kLock;
    std::string since;
    if (::lstat(lock.c_str(), &status) == 0)
        since = ", made " + format_rfc3339(TimeMs{status.st_mtime} * 1000);
    return fail(ErrorKind::kRetryLater, kTake, folder.string(),
                "somebody else's lock is there" + since,
                "it is tried again; where it stays, its holder has died: remove " + lock.string());
}

}  // namespace

Locks::Locks(Locks&& other) noexcept
    : files_(std::exchange(other.files_, {})), held_(std::exchange(other.held_, {})) {}

Locks::~Locks() {
    if (!files_.empty()) VM_CRASH_POINT("unlock");
    for (const fs::path& file : files_) ::unlink(file.c_str());
}

Result<Locks> Locks::take(const std::vector<fs::path>& folders, LockMode mode,
                          const std::string& owner, std::chrono::milliseconds wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    for (;;) {
        Locks locks;
        const fs::path* busy = nullptr;
        for (const fs::path& folder : folders) {
            if (mode == LockMode::kLockFile) {
                VM_ASSIGN(const bool got, try_lock_file(folder, owner));
                if (got)
                    locks.files_.push_back(folder / kLock);
                else
                    busy = &folder;
            } else {
                VM_ASSIGN(std::optional<UniqueFd> got, try_flock(folder));
                if (got)
                    locks.held_.push_back(std::move(*got));
                else
                    busy = &folder;
            }
            if (busy != nullptr) break;
        }
        if (busy == nullptr) return locks;
        if (std::chrono::steady_clock::now() >= until) return taken(*busy, mode);
        { const Locks released(std::move(locks)); }
        std::this_thread::sleep_for(kStep);
    }
}

Result<int> break_own_locks(const fs::path& folder, const std::string& owner) {
    int broken = 0;
    const auto remove = [&](const fs::path& file) -> Result<> {
        if (::unlink(file.c_str()) == 0)
            ++broken;
        else if (errno != ENOENT)
            return fail_errno(errno, "remove", file.string());
        return {};
    };
    VM_TRY(remove(folder / own_name(owner)));
    // What does not say that it is ours is somebody else's.
    const fs::path lock = folder / kLock;
    struct stat status {};
    if (::lstat(lock.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return broken;
    const auto content = read_file(lock);
    if (content && *content == owner) VM_TRY(remove(lock));
    return broken;
}

}  // namespace vm::asterisk
