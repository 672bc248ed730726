// The whole of it: which mailboxes there are, when each is looked at, and until when. One thread.
#ifndef VM_ASTERISK_ADAPTER_H
#define VM_ASTERISK_ADAPTER_H

#include "asterisk/ami.h"
#include "asterisk/box_sync.h"
#include "asterisk/watch.h"
#include "base/error.h"
#include "base/files.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vm::asterisk {

class Adapter {
  public:
    // All it is given outlives it. Who makes one knows that it is the only one of this root.
    Adapter(Unit& unit, const Settings& settings);

    // Looks at all mailboxes until nothing is left that can be done now, but not for longer than
    // that takes. `release`: held deletions of that mailbox of the unit go; "" for none.
    struct Summary {
        int added = 0, followed = 0, removed = 0, moved = 0, failed = 0;
        bool held = false;
        std::vector<std::string> plan;
    };
    Result<Summary> once(const std::string& release, bool dry);

    // Until `stop`, a descriptor, can be read, or etc/asterisk.ini is another file.
    enum class Ended { kStopped, kOtherSettings };
    Result<Ended> run(int stop);

  private:
    Result<> find_boxes();  // those there are now
    // Of a process before this one, in mailboxes that were not looked at yet.
    void break_own_locks(const std::vector<Box>& boxes);
    // Looks at one; whatever happens, it is looked at again in time.
    void look(BoxSync& box);
    void take_changes();  // of the unit

    Unit& unit_;
    const Settings& settings_;
    Spool spool_;
    Notices notices_;
    Watch watch_;
    Refresher refresher_;
    std::map<Box, BoxSync> boxes_;
    std::map<Box, std::int64_t> due_;  // steady time
    std::set<Box> unlocked_;           // where no lock of another process of ours is left
    std::int64_t mark_ = -1, sequence_ = 0;
};

}  // namespace vm::asterisk

#endif
