#include "asterisk/spool_folder.h"

#include "base/crash_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace vm::asterisk {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEnvelope = ".txt";
constexpr std::string_view kBackup = "-bak.";  // after "msg0007"

// In the order in which they become and cease to be a message.
std::vector<std::string> envelope_last(std::vector<std::string> rests) {
    std::stable_partition(rests.begin(), rests.end(),
                          [](const std::string& rest) { return rest != kEnvelope; });
    return rests;
}

}  // namespace

std::optional<std::pair<int, std::string>> parse_file_name(std::string_view name) {
    if (!name.starts_with("msg")) return std::nullopt;
    name.remove_prefix(3);
    const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits != 4) return std::nullopt;
    int number = 0;
    for (const char c : name.substr(0, digits)) number = number * 10 + (c - '0');
    const std::string rest(name.substr(digits));
    if (number > kLastNumber || (!rest.starts_with('.') && !rest.starts_with("intro.")))
        return std::nullopt;
    return std::pair{number, rest};
}

std::string file_name(int number, std::string_view rest) {
    return fmt::format("msg{:04}{}", number, rest);
}

FileStamp stamp_of(const struct stat& status) {
    const auto nanoseconds = [](const timespec& t) {
        return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
    };
    return {status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

Result<> ListedFolder::list() {
    files.clear();
    backups.clear();
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return fail_errno(errno, "read", path.string());
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr) break;
        const std::string file = entry->d_name;
        if (auto parsed = parse_file_name(file))
            files[parsed->first].push_back(std::move(parsed->second));
        else if (const std::size_t at = file.find(kBackup); at != std::string::npos)
            if (parsed = parse_file_name(file.substr(0, at) + ".bak"); parsed)
                backups[parsed->first].push_back(file.substr(at));
    }
    if (errno != 0) return fail_errno(errno, "read", path.string());
    for (auto& [number, rests] : files) std::sort(rests.begin(), rests.end());
    return {};
}

bool ListedFolder::has_envelope(int number) const {
    const auto found = files.find(number);
    return found != files.end() &&
           std::find(found->second.begin(), found->second.end(), kEnvelope) != found->second.end();
}

std::optional<struct stat> ListedFolder::look_at(int number, const std::string& rest) const {
    struct stat status {};
    if (::fstatat(fd.get(), file_name(number, rest).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return std::nullopt;
    return status;
}

Result<UniqueFd> ListedFolder::open(int number, const std::string& rest) const {
    const fs::path file = path / file_name(number, rest);
    UniqueFd out(::openat(fd.get(), file.filename().c_str(),
                          O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (!out && errno != ELOOP) return fail_errno(errno, "read", file.string());
    if (!out || ::fstat(out.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return fail(ErrorKind::kMessage, "read", file.string(), "it is no file");
    return out;
}

Result<> remove_files(ListedFolder& folder, int number) {
    const auto found = folder.files.find(number);
    if (found == folder.files.end()) return {};
    for (const std::string& rest : envelope_last(found->second)) {
        const std::string name = file_name(number, rest);
        VM_CRASH_POINT("remove spool file");
        if (::unlinkat(folder.fd.get(), name.c_str(), 0) != 0 && errno != ENOENT)
            return fail_errno(errno, "remove", (folder.path / name).string());
        VM_CRASH_POINT("removed spool file");
    }
    folder.files.erase(found);
    return {};
}

Result<> link_files(const ListedFolder& from, int number, ListedFolder& to, int target) {
    const auto found = from.files.find(number);
    if (found == from.files.end()) return {};
    for (const std::string& rest : envelope_last(found->second)) {
        const std::string old_name = file_name(number, rest), new_name = file_name(target, rest);
        VM_CRASH_POINT("link spool file");
        if (::linkat(from.fd.get(), old_name.c_str(), to.fd.get(), new_name.c_str(), 0) != 0)
            return fail_errno(errno, "link", (to.path / new_name).string());
        VM_CRASH_POINT("linked spool file");
    }
    to.files[target] = found->second;
    return {};
}

Result<> remove_strays(ListedFolder& folder, const ListedFolder& other, int number) {
    const auto message = other.files.find(number);
    if (message == other.files.end()) return {};
    for (const auto& [stray, rests] : folder.files) {
        if (folder.has_envelope(stray)) continue;
        for (const std::string& rest : rests) {
            const auto left = folder.look_at(stray, rest);
            const bool ours = left && std::any_of(message->second.begin(), message->second.end(),
                                                  [&](const std::string& of) {
                                                      const auto file = other.look_at(number, of);
                                                      return file && file->st_ino == left->st_ino &&
                                                             file->st_dev == left->st_dev;
                                                  });
            if (!ours) continue;
            const std::string name = file_name(stray, rest);
            if (::unlinkat(folder.fd.get(), name.c_str(), 0) != 0 && errno != ENOENT)
                return fail_errno(errno, "remove", (folder.path / name).string());
        }
    }
    return folder.list();
}

}  // namespace vm::asterisk
