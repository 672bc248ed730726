#include "asterisk/collect.h"

#include "asterisk/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <utility>

namespace vm::asterisk {

namespace {

// Files of so many messages are open at once.
constexpr std::size_t kOpenMessages = 50;
// No comment takes so long; what is older was left by a server that died.
constexpr std::time_t kStaleSeconds = 3600;
// The forms of a recording that the unit can take: what is lossless before what is not.
constexpr const char* kForms[] = {".wav", ".WAV"};
constexpr const char* kNoRecording = "none";

struct Found {
    const ListedFolder* folder;
    int number = 0;
    Place place;
    Envelope envelope;
    std::vector<std::string> forms;  // of kForms
    // Of the first form; and of what it was before the comment that is being recorded.
    std::vector<std::string> fingerprints;
    FileStamp stamp;
};

bool has(const std::vector<std::string>& rests, const std::string& rest) {
    return std::find(rests.begin(), rests.end(), rest) != rests.end();
}

// Whether a comment is being recorded before it; adds what it was.
Result<bool> is_commented(Found& found, Reader& reader) {
    const auto backups = found.folder->backups.find(found.number);
    if (backups == found.folder->backups.end()) return false;
    bool now = false;
    for (const std::string& rest : backups->second) {
        const auto status = found.folder->look_at(found.number, rest);
        if (!status || rest == "-bak.txt") continue;
        now = now || ::time(nullptr) - status->st_ctim.tv_sec < kStaleSeconds;
        if (found.forms.empty() || rest != "-bak" + found.forms.front()) continue;
        VM_ASSIGN(std::string before, reader.fingerprint(*found.folder, found.number, rest));
        found.fingerprints.push_back(std::move(before));
    }
    return now;
}

// kMessage: it is no message, and will not be one.
Result<Found> read_place(const ListedFolder& folder, int number,
                         const std::vector<std::string>& rests, Reader& reader) {
    Found out;
    out.folder = &folder;
    out.number = number;
    VM_ASSIGN(const auto envelope, reader.envelope(folder, number));
    const auto status = folder.look_at(number, ".txt");
    if (!envelope || !status)
        return fail(ErrorKind::kMessage, "read", (folder.path / file_name(number, ".txt")).string(),
                    "it is no whole envelope of a message");
    out.envelope = *envelope;
    out.place = {folder.name, number, status->st_dev, status->st_ino, false};
    for (const char* form : kForms) {
        if (!has(rests, form)) continue;
        const auto file = folder.look_at(number, form);
        if (file && !S_ISREG(file->st_mode)) continue;
        if (out.forms.empty()) {
            VM_ASSIGN(std::string fingerprint, reader.fingerprint(folder, number, form));
            out.fingerprints.push_back(std::move(fingerprint));
            if (file) out.stamp = stamp_of(*file);
        }
        out.forms.emplace_back(form);
    }
    VM_ASSIGN(out.place.commented, is_commented(out, reader));
    return out;
}

// The names that Asterisk has or had for it.
std::vector<std::string> names_of(const Envelope& envelope) {
    if (envelope.msg_id.empty()) return {envelope.old_name};
    return {envelope.msg_id, envelope.old_name};
}

std::string origin_of(const Found& found, const std::string& prefix, const Origins& known) {
    const std::vector<std::string> names = names_of(found.envelope);
    const auto origin = [&](const std::string& name, const std::string& fingerprint) {
        return fmt::format("{}{}/{}", prefix, name, fingerprint);
    };
    for (const std::string& fingerprint : found.fingerprints)
        for (const std::string& name : names)
            if (std::string out = origin(name, fingerprint); known.contains(out)) return out;
    return origin(names.front(), found.fingerprints.front());
}

// Of an envelope whose recording is gone, or was never there in a form that can be taken: what was
// half removed, or converted, is what it was.
std::string origin_without_recording(const Found& found, const std::string& prefix,
                                     const Origins& known,
                                     const std::map<std::string, SpoolMessage>& whole) {
    for (const auto& [origin, message] : whole)
        for (const Place& place : message.places)
            if (place.inode == found.place.inode && place.device == found.place.device)
                return origin;
    const std::vector<std::string> names = names_of(found.envelope);
    std::string there;
    for (const std::string& name : names) {
        const std::string begin = prefix + name + "/";
        for (auto it = known.lower_bound(begin); it != known.end() && it->starts_with(begin);
             ++it) {
            if (!whole.contains(*it)) return *it;
            if (there.empty()) there = *it;
        }
    }
    return there.empty() ? prefix + names.front() + "/" + kNoRecording : there;
}

Result<> open_files(const Found& found, SpoolMessage& message) {
    for (const std::string& form : found.forms) {
        VM_ASSIGN(UniqueFd file, found.folder->open(found.number, form));
        message.audio.push_back(std::move(file));
    }
    VM_ASSIGN(UniqueFd envelope, found.folder->open(found.number, ".txt"));
    message.files.push_back(std::move(envelope));
    message.files.emplace_back(::fcntl(found.folder->fd.get(), F_DUPFD_CLOEXEC, 0));
    return {};
}

std::string other_forms(const Found& found) {
    std::string out;
    for (const std::string& rest : found.folder->files.at(found.number))
        if (!has(found.forms, rest) && rest != ".txt" && rest.starts_with('.'))
            out += (out.empty() ? "" : ", ") + rest.substr(1);
    return out;
}

}  // namespace

Look collect(const std::vector<ListedFolder>& folders, const std::string& prefix,
             const Origins& known, const Refused& refused, Fresh fresh, Reader& reader) {
    Look out;
    std::vector<Found> places;
    const auto unread = [&](const Error& error) {
        out.unread.push_back(error.text());
        out.retry = out.retry || error.kind != ErrorKind::kMessage;
    };
    for (const ListedFolder& folder : folders) {
        out.folders.insert(folder.name);
        for (const auto& [number, rests] : folder.files) {
            if (!folder.has_envelope(number)) continue;
            if (auto found = read_place(folder, number, rests, reader))
                places.push_back(std::move(*found));
            else
                unread(found.error());
        }
    }
    reader.forget_others();

    std::map<std::string, SpoolMessage> messages;
    std::size_t opened = 0;
    const auto add = [&](const Found& found, const std::string& origin) -> Result<> {
        SpoolMessage message;
        message.origin = origin;
        message.envelope = found.envelope;
        const auto before = refused.find(origin);
        // What was deleted before anybody knew of it is not taken.
        message.fresh = fresh != Fresh::kIgnore && found.folder->name != kDeleted &&
                        !known.contains(origin) &&
                        (before == refused.end() || before->second.stamp != found.stamp);
        message.forms = found.forms;
        message.stamp = found.stamp;
        if (message.fresh) message.other_forms = other_forms(found);
        if (message.fresh && fresh == Fresh::kOpen && opened++ >= kOpenMessages) {
            message.fresh = false;
            out.more = true;
        }
        if (message.fresh && fresh == Fresh::kOpen) VM_TRY(open_files(found, message));
        messages.emplace(origin, std::move(message));
        return {};
    };
    for (const bool is_whole : {true, false}) {
        std::vector<std::pair<std::string, const Found*>> some;
        for (const Found& found : places)
            if (found.fingerprints.empty() != is_whole)
                some.emplace_back(is_whole
                                      ? origin_of(found, prefix, known)
                                      : origin_without_recording(found, prefix, known, messages),
                                  &found);
        for (const auto& [origin, found] : some) {
            // What is new is taken when it is what it will be.
            if (found->place.commented && !known.contains(origin)) {
                out.retry = true;
                continue;
            }
            if (!messages.contains(origin))
                if (auto added = add(*found, origin); !added) {
                    unread(added.error());
                    continue;
                }
            messages.at(origin).places.push_back(found->place);
        }
    }
    for (auto& [origin, message] : messages) out.messages.push_back(std::move(message));
    return out;
}

}  // namespace vm::asterisk
