#include "asterisk/inspect.h"

#include "asterisk/ami.h"
#include "asterisk/merge.h"
#include "asterisk/spool.h"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::asterisk {

namespace {

constexpr const char* kCheck = "check";
constexpr const char* kOwner =
    "have the unit owned by Asterisk's user, as which vmasterisk then runs: chown -R asterisk "
    "ROOT/etc ROOT/var ROOT/run";

Result<> log_in(const Settings& settings) {
    std::set<Box> none;
    return refresh(settings, none, std::chrono::seconds(10));
}

// Who makes locks and moves messages needs all rights on a directory.
void check_directory(const std::filesystem::path& directory, dev_t device, Findings& out) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return;  // Asterisk makes it when it needs it
    if (status.st_dev != device)
        out.problems.push_back({ErrorKind::kConfig, kCheck, directory.string(),
                                "it lies on another file system than its mailbox: messages cannot "
                                "be moved there",
                                "have the folders of a mailbox on one file system"});
    if (::faccessat(AT_FDCWD, directory.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        out.problems.push_back({ErrorKind::kPermission, kCheck, directory.string(),
                                fmt::format("user {} may not write there", ::geteuid()), kOwner});
    else if (status.st_uid != ::geteuid())
        out.problems.push_back(
            {ErrorKind::kPermission, kCheck, directory.string(),
             fmt::format("it belongs to user {}, and what user {} makes there may be of no use to "
                         "Asterisk",
                         status.st_uid, ::geteuid()),
             kOwner});
    if ((status.st_mode & S_IWOTH) != 0)
        out.problems.push_back({ErrorKind::kPermission, kCheck, directory.string(),
                                "every user of this machine may change what is there",
                                "chmod o-w " + directory.string()});
}

}  // namespace

Findings inspect(const Paths& paths, const Settings& settings) {
    Findings out;
    const Spool spool(settings, "");
    const auto boxes = spool.boxes();
    if (!boxes) {
        out.problems.push_back(boxes.error());
        return out;
    }
    for (const Box& box : *boxes) {
        const auto number = settings.number_of(paths, box);
        out.notes.push_back(box.text() + (number ? " is mailbox " + *number : " is left alone"));
        if (!number) continue;
        struct stat status {};
        if (::stat(spool.directory(box).c_str(), &status) != 0) continue;  // it was there just now
        check_directory(spool.directory(box), status.st_dev, out);
        for (const std::string_view folder : kFolders)
            check_directory(spool.directory(box) / folder, status.st_dev, out);
    }
    for (const auto& [box, number] : settings.numbers)
        if (number && !settings.number_of(paths, box))
            out.problems.push_back(
                {ErrorKind::kConfig, kCheck, settings_file(paths).string(),
                 box.text() + " is to be mailbox " + *number + ", which does not exist",
                 "vmconfig mailbox create " + *number});
    if (settings.ami_host.empty()) {
        out.notes.emplace_back(
            "no AMI Host: Asterisk's lamps follow by pollmailboxes in voicemail.conf");
    } else if (const auto login = log_in(settings); !login) {
        out.problems.push_back(login.error());
    } else {
        out.notes.push_back("the manager interface at " + settings.ami_host + " lets us in");
    }
    return out;
}

}  // namespace vm::asterisk
