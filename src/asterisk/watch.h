// Tells which mailboxes of the spool something happens in (inotify). It may tell too much, and is
// not relied on for more than speed: now and then all is looked at. One thread.
#ifndef VM_ASTERISK_WATCH_H
#define VM_ASTERISK_WATCH_H

#include "asterisk/settings.h"
#include "base/files.h"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace vm::asterisk {

class Watch {
  public:
    explicit Watch(std::filesystem::path spool);

    // Watches these mailboxes too, with the folders they have by now, and the directories above.
    void add(const std::vector<Box>& boxes);

    int fd() const { return inotify_.get(); }

    struct News {
        std::set<Box> boxes;       // their messages
        bool directories = false;  // some came or went, or events were lost: look at all of it
    };
    // Since the last call; never blocks.
    News read();

  private:
    void watch(const std::filesystem::path& directory, const std::optional<Box>& box);

    const std::filesystem::path spool_;
    UniqueFd inotify_;
    struct Watched {
        std::optional<Box> box;
        bool is_folder = false;
    };
    std::map<int, Watched> watched_;
};

}  // namespace vm::asterisk

#endif
