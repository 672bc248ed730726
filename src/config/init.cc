// A new root: the directories with tight modes, misc.ini at its defaults, the key file.
#include "base/files.h"
#include "config/edit.h"
#include "config/misc_options.h"
#include "config/store_file.h"
#include "config/unit_key.h"

#include <cerrno>
#include <sys/stat.h>
#include <system_error>

namespace vm::config {

namespace fs = std::filesystem;

namespace {

// Creates `directory` with exactly `mode`; false when it exists.
Result<bool> make_directory(const fs::path& directory, mode_t mode) {
    if (::mkdir(directory.c_str(), 0700) == 0) {
        if (::chmod(directory.c_str(), mode) != 0)
            return fail_errno(errno, "chmod", directory.string());
        VM_TRY(fsync_directory(directory.parent_path()));
        return true;
    }
    const int problem = errno;
    std::error_code error;
    if (problem == EEXIST && fs::is_directory(directory, error)) return false;
    return fail_errno(problem, "create", directory.string(),
                      problem == EEXIST ? "remove what is in the way" : "");
}

}  // namespace

Result<std::vector<InitStep>> init_root(const Paths& paths) {
    std::vector<InitStep> steps;
    std::error_code error;
    fs::create_directories(paths.root.parent_path(), error);
    if (error) return fail_errno(error.value(), "create", paths.root.parent_path().string());

    // Passwords lie in etc/mailboxes, messages everywhere below var; run/ holds the agent's socket.
    struct Directory {
        fs::path path;
        mode_t mode;
    };
    for (const Directory& directory : {Directory{paths.root, 0755},
                                       {paths.etc(), 0750},
                                       {paths.mailboxes(), 0700},
                                       {paths.var(), 0700},
                                       {paths.media(), 0700},
                                       {paths.spool(), 0700},
                                       {paths.trace(), 0700},
                                       {paths.run(), 0750}}) {
        VM_ASSIGN(const bool created, make_directory(directory.path, directory.mode));
        steps.push_back({directory.path.string() + "/", created});
    }

    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    const auto make_file = [&](const fs::path& file, auto&& make) -> Result<> {
        const bool missing = !fs::exists(fs::symlink_status(file, error));
        if (missing) VM_TRY(make());
        steps.push_back({file.string(), missing});
        return {};
    };
    const auto make_misc = [&] { return store_file(paths.misc_ini(), misc_sample(paths), 0640); };
    VM_TRY(make_file(paths.misc_ini(), make_misc));
    VM_ASSIGN(const bool made_key, make_missing_key(paths));
    steps.push_back({paths.key_file().string(), made_key});
    return steps;
}

}  // namespace vm::config
