#include "store/media_files.h"

#include "base/crash_point.h"
#include "base/files.h"
#include "base/identity.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace vm::store {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr const char* kSuffix = ".tmp";

Result<> make_directory(const fs::path& directory) {
    if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return fail_errno(errno, "create", directory.string());
}

}  // namespace

Result<IncomingMedia> IncomingMedia::copy(const fs::path& source, const fs::path& directory,
                                          const std::string& id, const std::string& extension) {
    const auto opened = [&] {
        const AsCaller caller;
        return open_regular(source, "read");
    };
    VM_ASSIGN(const UniqueFd in, opened());

    const std::string file = id + "." + extension;
    IncomingMedia media;
    media.directory_ = directory;
    media.name_ = file.substr(id.size() - 2, 2) + "/" + file;
    VM_TRY(make_directory(directory));
    VM_TRY(fsync_directory(directory.parent_path()));
    fs::path temporary = directory / (file + kSuffix);
    VM_ASSIGN(media.size_, copy_to_new_file(in.get(), temporary, 0600));
    media.current_ = std::move(temporary);  // (which cannot fail)
    return media;
}

IncomingMedia::IncomingMedia(IncomingMedia&& other) noexcept
    : directory_(std::move(other.directory_)),
      current_(std::exchange(other.current_, {})),
      name_(std::move(other.name_)),
      size_(other.size_) {}

IncomingMedia::~IncomingMedia() {
    if (!current_.empty()) ::unlink(current_.c_str());
}

Result<> IncomingMedia::publish() {
    fs::path target = directory_ / name_;
    const fs::path parent = target.parent_path();
    VM_TRY(make_directory(parent));
    VM_CRASH_POINT("rename media");
    if (::rename(current_.c_str(), target.c_str()) != 0)
        return fail_errno(errno, "rename to", target.string());
    current_ = std::move(target);
    VM_CRASH_POINT("renamed media");
    VM_TRY(fsync_directory(parent));
    // Also when the directory was there: the process that made it may not have come to its fsync.
    return fsync_directory(directory_);
}

void remove_media(const Paths& paths, const std::string& name) {
    VM_CRASH_POINT("remove media");
    ::unlink((paths.media() / name).c_str());
}

void remove_speech(const Paths& paths, const std::set<std::string>& ids) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(paths.speech(), error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        std::error_code ignored;
        if (ids.count(name.substr(0, name.find('.'))) > 0)
            std::filesystem::remove(at->path(), ignored);
    }
}

void sweep_temporaries(const Paths& paths, TimeMs now) {
    const auto sweep = [&](const fs::path& directory, const char* suffix) {
        std::error_code ignored;
        for (fs::directory_iterator it(directory, ignored), end; it != end; it.increment(ignored)) {
            struct stat status {};
            if ((suffix && it->path().extension() != suffix) ||
                ::lstat(it->path().c_str(), &status) != 0)
                continue;
            const TimeMs modified = static_cast<TimeMs>(status.st_mtim.tv_sec) * 1000;
            if (S_ISREG(status.st_mode) && now - modified > kDayMs) ::unlink(it->path().c_str());
        }
    };
    sweep(paths.media(), kSuffix);
    sweep(paths.spool(), nullptr);
}

}  // namespace vm::store
