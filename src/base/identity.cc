#include "base/identity.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
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
    return ::seteuid(0) == 0 && ::setegid(0) == 0;
}

// What cannot fail by then has failed: going on with other rights than those meant is no choice.
void demand(bool done) {
    if (done) return;
    std::perror("change of user");
    std::abort();
}

}  // namespace

Result<> act_as_owner(const std::filesystem::path& directory) {
    struct stat owned {};
    if (::geteuid() != 0 || ::stat(directory.c_str(), &owned) != 0 || owned.st_uid == 0) return {};
    const passwd* const user = ::getpwuid(owned.st_uid);
    const Owner owner{owned.st_uid, user != nullptr ? user->pw_gid : owned.st_gid};
    const bool grouped = user != nullptr ? ::initgroups(user->pw_name, owner.group) == 0
                                         : ::setgroups(1, &owner.group) == 0;
    g_owner = owner;
    if (grouped && take_owner()) return {};
    const int code = errno;
    g_owner.reset();
    const std::string id = std::to_string(owned.st_uid);
    return fail(ErrorKind::kPermission, "act as user " + id, directory.string(), errno_text(code),
                "run it as user " + id + ", who owns the unit");
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

UniqueFd open_as_caller(const std::filesystem::path& file, int flags) {
    int code = 0;
    UniqueFd fd;
    {
        const AsCaller caller;
        fd.reset(::open(file.c_str(), flags | O_CLOEXEC));
        code = errno;
    }
    errno = code;
    return fd;
}

}  // namespace vm
