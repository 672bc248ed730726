#include "asterisk/spool.h"

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
constexpr std::size_t kOpenMessages = 50;
constexpr const char* kMoveNote = ".vmasterisk-move";
constexpr std::size_t kNoteLimit = 1U << 20;

Result<UniqueFd> open_directory(const fs::path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "read", path.string());
    return fd;
}

UniqueFd open_file(const ListedFolder& folder, int number, const std::string& rest) {
    UniqueFd fd(::openat(folder.fd.get(), file_name(number, rest).c_str(),
                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (fd && (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))) fd.reset();
    return fd;
}

FileStamp stamp_of(const struct stat& status) {
    const auto nanoseconds = [](const timespec& t) {
        return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
    };
    return {status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

std::optional<Envelope> read_envelope(const ListedFolder& folder, int number) {
    const UniqueFd fd = open_file(folder, number, ".txt");
    if (!fd) return std::nullopt;
    std::string text(kEnvelopeLimit + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    text.resize(size);
    return parse_envelope(text);
}

// The recording in the forms that can be taken: what is lossless before what is not.
void open_recording(const ListedFolder& folder, int number, SpoolMessage& message) {
    for (const char* rest : {".wav", ".WAV"})
        if (UniqueFd fd = open_file(folder, number, rest)) message.audio.push_back(std::move(fd));
    for (const std::string& rest : folder.files.at(number))
        if (rest != ".wav" && rest != ".WAV" && rest != ".txt" && rest.starts_with('.'))
            message.other_forms += (message.other_forms.empty() ? "" : ", ") + rest.substr(1);
    message.files.push_back(open_file(folder, number, ".txt"));
    message.files.emplace_back(::fcntl(folder.fd.get(), F_DUPFD_CLOEXEC, 0));
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

}  // namespace

struct Spool::Folder : ListedFolder {};

struct Spool::Listing {
    std::vector<Folder> folders;  // by the order of kFolders
    std::vector<std::string> unread;
    std::optional<Locks> locks;

    Folder* find(std::string_view name) {
        const auto found = std::find_if(folders.begin(), folders.end(),
                                        [&](const Folder& folder) { return folder.name == name; });
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
    for (const std::string_view name : kFolders) {
        VM_ASSIGN(const int n, asterisk::break_own_locks(directory(box) / name, owner_));
        broken += n;
    }
    return broken;
}

// Takes the locks, and reads what is there.
Result<Spool::Listing> Spool::list(const Box& box) const {
    Listing out;
    VM_ASSIGN(const UniqueFd here, open_directory(directory(box)));
    std::set<std::pair<dev_t, ino_t>> seen;
    for (const std::string_view name : kFolders) {
        Folder folder;
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
    for (const Folder& folder : out.folders) paths.push_back(folder.path);
    VM_ASSIGN(Locks locks, Locks::take(paths, settings_.lock, owner_, kWait));
    out.locks.emplace(std::move(locks));
    for (Folder& folder : out.folders)
        if (auto done = folder.list(); !done) out.unread.push_back(done.error().text());
    return out;
}

std::string Spool::origin_of(const Box& box, const Envelope& envelope, const Known& known) const {
    const auto origin = [&](const std::string& name) {
        return "asterisk/" + settings_.unit + "/" + box.context + "/" + box.mailbox + "/" + name;
    };
    std::string old = origin(envelope.old_name);
    if (envelope.msg_id.empty()) return old;
    // Asterisk may have named it meanwhile.
    std::string named = origin(envelope.msg_id);
    return !known(named) && known(old) ? old : named;
}

Look Spool::collect(const Box& box, const Listing& listing, const Known& known,
                    const std::set<std::string>* refused) {
    Look out;
    out.unread = listing.unread;
    std::map<std::string, SpoolMessage> messages;
    std::map<std::string, Read> read;
    std::map<std::string, Read>& before = read_[box];
    std::size_t opened = 0;
    for (const Folder& folder : listing.folders) {
        out.folders.insert(folder.name);
        for (const auto& [number, rests] : folder.files) {
            if (!folder.has_envelope(number)) continue;
            const std::string path = (folder.path / file_name(number, ".txt")).string();
            const auto status = folder.look_at(number, ".txt");
            Read entry{status ? stamp_of(*status) : FileStamp{}, std::nullopt};
            const auto last = before.find(path);
            if (status && last != before.end() && last->second.stamp == entry.stamp)
                entry = last->second;
            else
                entry.envelope = read_envelope(folder, number);
            if (!entry.envelope || !status) {
                out.unread.push_back(path + ": it is no whole envelope of a message");
                continue;
            }
            const std::string origin = origin_of(box, *entry.envelope, known);
            SpoolMessage& message = messages[origin];
            if (message.places.empty()) {
                message.origin = origin;
                message.envelope = *entry.envelope;
                // What was deleted before anybody knew of it is not taken.
                if (refused != nullptr && folder.name != kDeleted && !known(origin) &&
                    !refused->contains(origin)) {
                    if (opened < kOpenMessages)
                        open_recording(folder, number, message);
                    else
                        out.more = true;
                    ++opened;
                }
            }
            message.places.push_back({folder.name, number, status->st_dev, status->st_ino});
            read.emplace(path, std::move(entry));
        }
    }
    before = std::move(read);
    for (auto& [origin, message] : messages) out.messages.push_back(std::move(message));
    return out;
}

// A process before this one was killed while it moved messages: to their ends with them.
Result<> Spool::finish_moves(const Box& box, const Known& known) {
    const fs::path note = directory(box) / kMoveNote;
    const auto text = read_file(note, kNoteLimit);
    if (!text && text.error().kind == ErrorKind::kNoInput) return {};
    if (!text) return fail(text.error());
    {
        VM_ASSIGN(Listing listing, list(box));
        const Look look = collect(box, listing, known, nullptr);
        for (const std::string& line : split(*text, '\n')) {
            const std::vector<std::string> parts = split(line, '\t');
            if (parts.size() != 3) continue;
            Folder *from = listing.find(parts[1]), *to = listing.find(parts[2]);
            const auto message =
                std::find_if(look.messages.begin(), look.messages.end(),
                             [&](const SpoolMessage& m) { return m.origin == parts[0]; });
            if (from == nullptr || to == nullptr || message == look.messages.end()) continue;
            for (const Place& place : message->places) {
                if (place.folder != from->name) continue;
                const bool arrived = std::any_of(
                    message->places.begin(), message->places.end(), [&](const Place& other) {
                        return other.folder == to->name && other.inode == place.inode &&
                               other.device == place.device;
                    });
                VM_TRY(arrived ? remove_files(*from, place.number)
                               : remove_strays(*to, *from, place.number));
            }
        }
    }
    if (::unlink(note.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove", note.string());
    return {};
}

Result<Look> Spool::look(const Box& box, const Known& known, const std::set<std::string>& refused) {
    VM_TRY(finish_moves(box, known));
    VM_ASSIGN(const Listing listing, list(box));
    return collect(box, listing, known, &refused);
}

Result<std::vector<Granted>> Spool::change(const Box& box, const std::vector<Wish>& wishes,
                                           const Known& known) {
    VM_TRY(finish_moves(box, known));
    const fs::path note = directory(box) / kMoveNote;
    std::string moves;
    for (const Wish& wish : wishes) {
        if (wish.to == kGone) continue;
        VM_TRY(make_folder(directory(box), wish.to));
        moves += wish.origin + "\t" + wish.from + "\t" + wish.to + "\n";
    }
    // (Written half, it is of moves that have not begun.)
    if (!moves.empty()) VM_TRY(write_note(note, moves));

    std::vector<Granted> out;
    std::set<Folder*> touched;
    VM_ASSIGN(Listing listing, list(box));
    const Look look = collect(box, listing, known, nullptr);
    for (const Wish& wish : wishes) {
        const auto message =
            std::find_if(look.messages.begin(), look.messages.end(),
                         [&](const SpoolMessage& m) { return m.origin == wish.origin; });
        const Place* from = nullptr;
        if (message != look.messages.end())
            for (const Place& place : message->places)
                if (place.folder == wish.from && from == nullptr) from = &place;
        Folder* to = listing.find(wish.to);
        if (from == nullptr || (wish.to != kGone && to == nullptr)) {
            out.push_back(Granted::kElsewhere);
            continue;
        }
        Folder* source = listing.find(from->folder);
        if (wish.to == kGone) {
            // Copies too; in Deleted it is gone.
            for (const Place& place : message->places) {
                if (place.folder == kDeleted) continue;
                Folder* folder = listing.find(place.folder);
                VM_TRY(remove_files(*folder, place.number));
                touched.insert(folder);
            }
        } else if (const auto number = to->next_number()) {
            if (auto linked = link_files(*source, from->number, *to, *number); !linked) {
                (void)to->list();
                (void)remove_strays(*to, *source, from->number);
                return fail(linked.error());
            }
            VM_TRY(remove_files(*source, from->number));
            touched.insert({source, to});
        } else {
            out.push_back(Granted::kFull);
            continue;
        }
        out.push_back(Granted::kDone);
    }
    listing.locks.reset();
    // What the unit takes for done stays so when the power is lost.
    for (const Folder* folder : touched)
        if (::fsync(folder->fd.get()) != 0)
            return fail_errno(errno, "fsync", folder->path.string());
    if (!moves.empty() && ::unlink(note.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove", note.string());
    return out;
}

}  // namespace vm::asterisk
