// One mailbox of Asterisk's and the unit's mailbox that it is, kept in step: what is new in the
// spool comes into the unit, and what changed on one side happens on the other (merge.h). It is a
// comparison of states: each step is committed to the store after it was done in the spool, so that
// who is killed anywhere decides the same again. One thread.
//
// Invariants:
// - gone is what two looks, some seconds apart, found nowhere in folders that are all there and
//   could all be read; nothing else is read as a deletion;
// - where more than Unit::mass_deletion_limit messages, and more than half, are gone at once, or
//   any from a directory that is not known as theirs (spool_id.h), nothing is deleted until a
//   person says so;
// - a message that cannot be taken, moved or removed keeps no other waiting;
// - nothing waits for the unit's store, or a disk, while a folder is locked.
#ifndef VM_ASTERISK_BOX_SYNC_H
#define VM_ASTERISK_BOX_SYNC_H

#include "asterisk/merge.h"
#include "asterisk/settings.h"
#include "asterisk/spool.h"
#include "asterisk/spool_id.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/trace.h"
#include "store/store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vm::asterisk {

// What it keeps in step with Asterisk.
struct Unit {
    const Paths& paths;
    store::Store& store;
    const Clock& clock;
    // Whether it is sent as mail, and how its file is inspected (NewMessage).
    std::function<Result<>(store::NewMessage&)> prepare;
    // Messages of `mailbox` changed.
    std::function<void(const std::string& mailbox)> changed;
    std::int64_t mass_deletion_limit = 50;
};

// Words for a person, each once until it is another.
class Notices {
  public:
    void say(const std::string& about, const std::string& text);
    void forget(const std::string& about) { said_.erase(about); }

  private:
    std::map<std::string, std::string> said_;
};

class BoxSync {
  public:
    // `number`: the unit's mailbox. All it is given outlives it.
    BoxSync(Unit& unit, const Settings& settings, Spool& spool, Notices& notices, Box box,
            std::string number)
        : unit_(unit),
          settings_(settings),
          spool_(spool),
          notices_(notices),
          box_(std::move(box)),
          number_(std::move(number)) {}

    struct Done {
        int added = 0, followed = 0, removed = 0, moved = 0;
        int failed = 0;  // messages, of which a person was told
        // Something is left to do, to be tried after so long.
        std::optional<std::int64_t> again_ms;
        // Something may be otherwise after so long, and nobody tells.
        std::optional<std::int64_t> retry_ms;
        bool held = false;              // deletions
        std::vector<std::string> plan;  // dry: a line each
    };
    // One look, and what follows from it. `release`: held deletions go. `dry`: nothing is done.
    Result<Done> run(bool release, bool dry);

    const Box& box() const { return box_; }
    const std::string& number() const { return number_; }

  private:
    struct Known {
        const store::Origin* row;
        const SpoolMessage* message;  // nullptr: not found
    };

    void check_identity(const std::vector<Known>& known, bool release);
    Result<> take(const SpoolMessage& message, Done& done);
    void take_all(const Look& look, Done& done);
    // For ever: as long as the recording is the one it is, and this lives.
    void refuse(const SpoolMessage& message, const std::string& words, std::int64_t until);
    Result<> settle(const std::vector<Known>& known, const Origins& origins, const Look& look,
                    bool release, Done& done);
    std::set<std::string> certainly_gone(const std::vector<Known>& known, const Look& look,
                                         bool release, Done& done);
    Result<> carry_out(const std::vector<Wish>& wishes, const Origins& origins, Done& done);

    Unit& unit_;
    const Settings& settings_;
    Spool& spool_;
    Notices& notices_;
    const Box box_;
    const std::string number_;
    bool dry_ = false;
    bool is_known_ = false;  // the directory; as of this look
    Refused refused_;
    std::map<std::string, std::int64_t> missed_;  // origin -> steady time of the first look
};

}  // namespace vm::asterisk

#endif
