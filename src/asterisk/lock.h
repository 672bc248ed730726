// The lock on a folder of the spool, as Asterisk takes it (main/app.c, ast_lock_path): without it,
// nobody may add, remove or renumber messages there. One thread.
//
// kLockFile: `.lock` is there, made by link(2) from a file of a name of one's own. Asterisk has no
// way to tell a lock whose holder died, and loses the recordings of who then leaves a message. So
// ours say whose they are: what was left by a process that was killed is found by its next start.
// kFlock: flock(2) on the file `lock`, which goes with the process.
#ifndef VM_ASTERISK_LOCK_H
#define VM_ASTERISK_LOCK_H

#include "base/error.h"
#include "base/files.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace vm::asterisk {

enum class LockMode { kLockFile, kFlock };

// The locks of some folders; released in the end.
class Locks {
  public:
    // All of `folders`, or none: who has some does not wait for another, as Asterisk takes two in
    // either order. `owner` says whose they are: one line, the same for each process that takes the
    // place of another. kRetryLater, naming the folder, when one is still taken after `wait`.
    static Result<Locks> take(const std::vector<std::filesystem::path>& folders, LockMode mode,
                              const std::string& owner, std::chrono::milliseconds wait);
    Locks(Locks&& other) noexcept;
    Locks& operator=(Locks&&) = delete;
    ~Locks();

  private:
    Locks() = default;

    std::vector<std::filesystem::path> files_;  // kLockFile
    std::vector<UniqueFd> held_;                // kFlock
};

// Removes what a process of `owner` has left of its locks in `folder` when it was killed; only for
// who knows that none is alive. Returns how many files that were; 0 when there is no such folder.
Result<int> break_own_locks(const std::filesystem::path& folder, const std::string& owner);

}  // namespace vm::asterisk

#endif
