#include "asterisk/watch.h"

#include "asterisk/merge.h"
#include "asterisk/spool_folder.h"

#include <cstddef>
#include <cstring>
#include <string_view>
#include <sys/inotify.h>
#include <unistd.h>

namespace vm::asterisk {

namespace {

// A recording's envelope is renamed to its name, or written in place, or (by a build of Asterisk's
// that does so) linked.
constexpr std::uint32_t kEvents = IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_CREATE |
                                  IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

Watch::Watch(std::filesystem::path spool)
    : spool_(std::move(spool)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void Watch::watch(const std::filesystem::path& directory, const std::optional<Box>& box) {
    const int id = ::inotify_add_watch(inotify_.get(), directory.c_str(), kEvents);
    if (id < 0) return;  // it is looked at now and then
    watched_[id] = {box, is_folder(directory.filename().string())};
}

void Watch::add(const std::vector<Box>& boxes) {
    watch(spool_, std::nullopt);
    for (const Box& box : boxes) {
        watch(spool_ / box.context, std::nullopt);
        const std::filesystem::path directory = spool_ / box.context / box.mailbox;
        watch(directory, box);
        for (const std::string_view folder : kFolders) watch(directory / folder, box);
    }
}

Watch::News Watch::read() {
    News out;
    alignas(inotify_event) char buffer[16384];
    for (;;) {
        const ssize_t n = ::read(inotify_.get(), buffer, sizeof buffer);
        if (n <= 0) return out;
        for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= n;) {
            inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            const std::string_view name =
                event.len > 0 ? buffer + at + offsetof(inotify_event, name) : "";
            at += static_cast<ssize_t>(sizeof event + event.len);
            const auto found = watched_.find(event.wd);
            if ((event.mask & IN_Q_OVERFLOW) != 0 || found == watched_.end()) {
                out.directories = out.directories || (event.mask & IN_Q_OVERFLOW) != 0;
                continue;
            }
            const Watched watched = found->second;
            if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
                out.directories = true;
                if ((event.mask & IN_IGNORED) != 0) watched_.erase(found);
                continue;
            }
            if (watched.is_folder) {
                // (The locks are files there too, ours among them.)
                const auto file = parse_file_name(name);
                if (watched.box && file && file->second == ".txt") out.boxes.insert(*watched.box);
            } else if ((event.mask & IN_ISDIR) != 0) {
                out.directories = true;
                if (watched.box) out.boxes.insert(*watched.box);
            }
        }
    }
}

}  // namespace vm::asterisk
