#include "base/identity.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <optional>
#include <pwd.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace vm {

namespace {

struct Owner {
    uid_t user;
    gid_t group;
};
// The owner as whom root acts; nullopt: nothing was changed.
std::optional<Owner> g_owner;

bool take_owner() {
    return ::setegid(g_owner->group) == 0 && ::seteuid(g_owner->user) == 0;
}

bool take_caller() {
    return ::seteuid(0) == 0 && ::setegid(::getgid()) == 0;
}

// What root has in its environment is none of the owner's business.
void forget_environment() {
    static constexpr std::array<const char*, 4> kKept{"PATH", "TZ", "LANG", "LC_ALL"};
    std::map<std::string, std::string> kept;
    for (const char* name : kKept)
        if (const char* value = std::getenv(name)) kept.emplace(name, value);
    // Also where the process found it: /proc/self/environ shows that.
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry)
        ::explicit_bzero(*entry, std::strlen(*entry));
    ::clearenv();
    for (const auto& [name, value] : kept) ::setenv(name.c_str(), value.c_str(), 1);
}

// What cannot fail by then has failed: going on with other rights than those meant is no choice.
void demand(bool done) {
    if (done) return;
    std::perror("change of user");
    std::abort();
}

// Whose the unit's directories are, but for root's: by user, with the group of one of them.
Result<std::map<uid_t, gid_t>> owners(const Paths& paths) {
    std::map<uid_t, gid_t> out;
    for (const auto& directory : {paths.root, paths.etc(), paths.var(), paths.run()}) {
        for (const int flags : {AT_SYMLINK_NOFOLLOW, 0}) {
            struct stat seen {};
            if (::fstatat(AT_FDCWD, directory.c_str(), &seen, flags) == 0) {
                if (seen.st_uid != 0) out.emplace(seen.st_uid, seen.st_gid);
            } else if (errno != ENOENT) {
                return fail_errno(errno, "look at", directory.string());
            }
        }
    }
    return out;
}

}  // namespace

Result<> act_as_owner(const Paths& paths) {
    if (::geteuid() != 0) return {};
    VM_ASSIGN(const auto found, owners(paths));
    if (found.empty()) return {};
    const auto& [uid, gid] = *found.begin();
    const std::string id = std::to_string(uid);
    if (found.size() > 1)
        return fail(ErrorKind::kPermission, "act as the owner of", paths.root.string(),
                    "its directories belong to user " + id + " and to user " +
                        std::to_string(found.rbegin()->first),
                    "give all of it to one of them: chown -R");
    const passwd* const user = ::getpwuid(uid);
    // Never root's group, which may belong to a directory that root has made.
    const Owner owner{uid, user != nullptr ? user->pw_gid : gid != 0 ? gid : gid_t{uid}};
    const bool grouped = user != nullptr ? ::initgroups(user->pw_name, owner.group) == 0
                                         : ::setgroups(1, &owner.group) == 0;
    g_owner = owner;
    if (grouped && take_owner()) return {};
    const int code = errno;
    g_owner.reset();
    return fail(ErrorKind::kPermission, "act as user " + id, paths.root.string(), errno_text(code),
                "run it as user " + id + ", who owns the unit");
}

Result<> expect_owner(const Paths& paths) {
    if (::geteuid() != 0) return {};
    VM_ASSIGN(const auto found, owners(paths));
    if (found.empty()) return {};
    const std::string id = std::to_string(found.begin()->first);
    return fail(ErrorKind::kPermission, "open as root", paths.root.string(),
                "the unit belongs to user " + id, "run as user " + id + ", or call vmctl");
}

Result<> stay_owner() {
    if (!g_owner) return {};
    const Owner owner = *g_owner;
    demand(take_caller());
    if (::setresgid(owner.group, owner.group, owner.group) != 0 ||
        ::setresuid(owner.user, owner.user, owner.user) != 0) {
        const int code = errno;
        demand(take_owner());
        return fail(ErrorKind::kPermission, "become", "user " + std::to_string(owner.user),
                    errno_text(code), "run it as this user, who owns the unit");
    }
    g_owner.reset();
    forget_environment();
    return {};
}

AsCaller::AsCaller() {
    if (g_owner) demand(take_caller());
}
AsCaller::~AsCaller() {
    if (g_owner) demand(take_owner());
}

AsOwner::AsOwner() {
    if (g_owner) demand(take_owner());
}
AsOwner::~AsOwner() {
    if (g_owner) demand(take_caller());
}

}  // namespace vm
