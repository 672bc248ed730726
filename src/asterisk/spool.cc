#include "asterisk/spool.h"

#include "asterisk/collect.h"
#include "asterisk/merge.h"
#include "asterisk/spool_folder.h"
#include "base/crash_point.h"
#include "base/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace vm::asterisk {

namespace fs = std::filesystem;
using store::kGone;

namespace {

// Asterisk holds a lock for milliseconds; who waits longer keeps other mailboxes waiting.
constexpr std::chrono::milliseconds kWait{300};
constexpr const char* kMoveNote = ".vmasterisk-move";
constexpr std::size_t kNoteLimit = 1U << 20;

Result<UniqueFd> open_directory(const fs::path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "read", path.string());
    return fd;
}

Result<> write_note(const fs::path& path, const std::string& text) {
    const UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!fd) return fail_errno(errno, "create", path.string());
    VM_TRY(write_all(fd.get(), text, path.string()));
    VM_CRASH_POINT("noted moves");
    return ::fsync(fd.get()) == 0 ? Result<>() : fail_errno(errno, "fsync", path.string());
}

// A new folder is as the mailbox's INBOX is.
Result<> make_folder(const fs::path& box, const std::string& name) {
    const fs::path folder = box / name;
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0) return {};
    if (::stat((box / kInbox).c_str(), &status) != 0 && ::stat(box.c_str(), &status) != 0)
        return fail_errno(errno, "read", box.string());
    if (::mkdir(folder.c_str(), 0700) != 0)
        return errno == EEXIST ? Result<>() : fail_errno(errno, "create", folder.string());
    if (::geteuid() == 0 && ::chown(folder.c_str(), status.st_uid, status.st_gid) != 0)
        return fail_errno(errno, "chown", folder.string());
    if (::chmod(folder.c_str(), status.st_mode & 07777) != 0)
        return fail_errno(errno, "chmod", folder.string());
    return fsync_directory(box);
}

const SpoolMessage* find(const Look& look, const std::string& origin) {
    const auto found =
        std::find_if(look.messages.begin(), look.messages.end(),
                     [&](const SpoolMessage& message) { return message.origin == origin; });
    return found == look.messages.end() ? nullptr : &*found;
}

// Whether the envelope at `place` is one of `folder` as well.
bool is_in(const SpoolMessage& message, const Place& place, const std::string& folder) {
    return std::any_of(message.places.begin(), message.places.end(), [&](const Place& other) {
        return other.folder == folder && other.inode == place.inode && other.device == place.device;
    });
}

}  // namespace

struct Spool::Listing {
    std::vector<ListedFolder> folders;  // by the order of kFolders
    std::vector<std::string> unread;
    std::optional<Locks> locks;

    ListedFolder* find(std::string_view name) {
        const auto found =
            std::find_if(folders.begin(), folders.end(),
                         [&](const ListedFolder& folder) { return folder.name == name; });
        return found == folders.end() ? nullptr : &*found;
    }
};

Result<std::vector<Box>> Spool::boxes() const {
    std::vector<Box> out;
    std::error_code error;
    const auto directories = [&](const fs::path& parent, const auto& take) {
        for (fs::directory_iterator it(parent, error), end; !error && it != end;
             it.increment(error)) {
            std::error_code ignored;
            if (it->is_directory(ignored)) take(it->path().filename().string());
        }
    };
    std::vector<std::string> contexts;
    directories(settings_.spool, [&](const std::string& name) { contexts.push_back(name); });
    if (error)
        return fail_errno(error.value(), "read the spool", settings_.spool.string(),
                          "is Spool in etc/asterisk.ini right, and may this user read it?");
    for (const std::string& context : contexts) {
        directories(settings_.spool / context, [&](const std::string& mailbox) {
            out.push_back({context, mailbox});
        });
        error.clear();  // one that cannot be read has no mailboxes for us
    }
    std::erase_if(out, [](const Box& box) { return !is_box(box); });
    std::sort(out.begin(), out.end());
    return out;
}

Result<int> Spool::break_own_locks(const Box& box) const {
    int broken = 0;
    std::optional<Error> trouble;
    for (const std::string_view name : kFolders) {
        const auto n = asterisk::break_own_locks(directory(box) / name, owner_);
        if (n)
            broken += *n;
        else if (!trouble)
            trouble = n.error();
    }
    if (trouble) return fail(std::move(*trouble));
    return broken;
}

// Takes the locks, and reads what is there.
Result<Spool::Listing> Spool::list(const Box& box) const {
    Listing out;
    VM_ASSIGN(const UniqueFd here, open_directory(directory(box)));
    std::set<std::pair<dev_t, ino_t>> seen;
    for (const std::string_view name : kFolders) {
        ListedFolder folder;
        folder.name = name;
        folder.path = directory(box) / name;
        auto fd = open_directory(folder.path);
        if (!fd && fd.error().kind == ErrorKind::kNoInput) continue;
        struct stat status {};
        if (!fd || ::fstat(fd->get(), &status) != 0) {
            out.unread.push_back(fd ? folder.path.string() : fd.error().text());
            continue;
        }
        // One folder under two names has each message once.
        if (!seen.emplace(status.st_dev, status.st_ino).second) continue;
        folder.fd = std::move(*fd);
        out.folders.push_back(std::move(folder));
    }
    std::vector<fs::path> paths;
    for (const ListedFolder& folder : out.folders) paths.push_back(folder.path);
    VM_ASSIGN(Locks locks, Locks::take(paths, settings_.lock, owner_, kWait));
    out.locks.emplace(std::move(locks));
    for (ListedFolder& folder : out.folders)
        if (auto done = folder.list(); !done) out.unread.push_back(done.error().text());
    return out;
}

// A process before this one was killed while it moved messages: to their ends with them. What
// cannot be ended now is as if it had not begun, and lies in two folders.
Result<> Spool::finish_moves(const Box& box, const Origins& known) {
    const fs::path note = directory(box) / kMoveNote;
    const auto text = read_file(note, kNoteLimit);
    if (!text && text.error().kind == ErrorKind::kNoInput) return {};
    if (!text) return fail(text.error());
    {
        VM_ASSIGN(Listing listing, list(box));
        const Look look =
            collect(listing.folders, prefix(box), known, {}, Fresh::kIgnore, readers_[box]);
        for (const std::string& line : split(*text, '\n')) {
            const std::vector<std::string> parts = split(line, '\t');
            if (parts.size() != 3) continue;
            ListedFolder *from = listing.find(parts[1]), *to = listing.find(parts[2]);
            const SpoolMessage* message = find(look, parts[0]);
            if (from == nullptr || to == nullptr || message == nullptr) continue;
            for (const Place& place : message->places) {
                if (place.folder != from->name) continue;
                if (is_in(*message, place, to->name))
                    (void)remove_files(*from, place.number);
                else
                    (void)remove_strays(*to, *from, place.number);
            }
        }
    }
    if (::unlink(note.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove", note.string());
    return {};
}

Result<Look> Spool::look(const Box& box, const Origins& known, const Refused& refused,
                         bool list_only) {
    VM_TRY(finish_moves(box, known));
    VM_ASSIGN(const Listing listing, list(box));
    Look out = collect(listing.folders, prefix(box), known, refused,
                       list_only ? Fresh::kList : Fresh::kOpen, readers_[box]);
    out.unread.insert(out.unread.begin(), listing.unread.begin(), listing.unread.end());
    out.retry = out.retry || !listing.unread.empty();
    return out;
}

Granted Spool::grant(const Box& box, const Wish& wish, const Look& look, Listing& listing) const {
    using How = Granted::How;
    const auto failed = [](const Error& error) { return Granted{How::kFailed, error.text()}; };
    const SpoolMessage* message = find(look, wish.origin);
    const Place* from = nullptr;
    if (message == nullptr) return {How::kElsewhere, ""};
    for (const Place& place : message->places) {
        if (place.commented) return {How::kElsewhere, ""};
        if (place.folder == wish.from && from == nullptr) from = &place;
    }
    if (from == nullptr) return {How::kElsewhere, ""};
    if (wish.to == kGone) {
        // Copies too; in Deleted it is gone.
        for (const Place& place : message->places) {
            if (place.folder == kDeleted) continue;
            if (auto done = remove_files(*listing.find(place.folder), place.number); !done)
                return failed(done.error());
        }
        return {};
    }
    ListedFolder *source = listing.find(from->folder), *to = listing.find(wish.to);
    if (to == nullptr)
        return failed({ErrorKind::kUnavailable, "move to", (directory(box) / wish.to).string(),
                       "it cannot be made or read", ""});
    // (What could be linked before, and not be removed, is there.)
    if (!is_in(*message, *from, wish.to)) {
        const int number = to->next_number();
        if (number >= settings_.max_messages || number > kLastNumber) return {How::kFull, ""};
        if (auto linked = link_files(*source, from->number, *to, number); !linked) {
            (void)to->list();
            (void)remove_strays(*to, *source, from->number);
            return failed(linked.error());
        }
    }
    if (auto done = remove_files(*source, from->number); !done) return failed(done.error());
    return {};
}

Result<std::vector<Granted>> Spool::change(const Box& box, const std::vector<Wish>& wishes,
                                           const Origins& known) {
    VM_TRY(finish_moves(box, known));
    const fs::path note = directory(box) / kMoveNote;
    std::string moves;
    for (const Wish& wish : wishes) {
        if (wish.to == kGone) continue;
        // (Where it cannot be made, it is not found.)
        (void)make_folder(directory(box), wish.to);
        moves += wish.origin + "\t" + wish.from + "\t" + wish.to + "\n";
    }
    // (Written half, it is of moves that have not begun.)
    if (!moves.empty()) VM_TRY(write_note(note, moves));

    VM_ASSIGN(Listing listing, list(box));
    const Look look =
        collect(listing.folders, prefix(box), known, {}, Fresh::kIgnore, readers_[box]);
    std::vector<Granted> out;
    out.reserve(wishes.size());
    for (const Wish& wish : wishes) out.push_back(grant(box, wish, look, listing));
    listing.locks.reset();
    // What the unit takes for done stays so when the power is lost.
    for (const ListedFolder& folder : listing.folders)
        if (::fsync(folder.fd.get()) != 0) return fail_errno(errno, "fsync", folder.path.string());
    if (!moves.empty() && ::unlink(note.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove", note.string());
    return out;
}

}  // namespace vm::asterisk
