// Moves messages of the selected folder: MOVE (RFC 6851) where the server has it, else COPY,
// \Deleted and UID EXPUNGE; never a bare EXPUNGE, which would take others along.
#ifndef VM_PLUGINS_SMTPIMAP4_MOVER_H
#define VM_PLUGINS_SMTPIMAP4_MOVER_H

#include "smtpimap4/link.h"

#include <string>
#include <vector>

namespace vm::plug::imap {

// How messages left the selected folder.
struct Removed {
    Condition answer;     // not OK: they stay as they are
    bool marked = false;  // they stay, marked \Deleted; because of `expunge`
    Condition expunge;    // not OK: the server has said this; OK: it has no command for it
};

struct Moved {
    Condition answer;  // not OK: nothing was moved, or they are in the target and here as well
    bool no_target = false;  // because the target cannot be created
    Removed removed;         // without MOVE: from here
    // With UIDPLUS: the target's UIDVALIDITY, and where each message went.
    std::uint32_t uidvalidity = 0;
    UidRanges from, to;

    // The new UID; 0: the server does not say.
    std::uint32_t uid_of(std::uint32_t uid) const;
    // The server said what it moved, and this is not among it.
    bool left_out(std::uint32_t uid) const { return uidvalidity != 0 && !from.contains(uid); }
};

// Why nothing is filed in folder `target` when it is in no scope: it would be lost from sight.
std::string out_of_scope(Link& link, const std::string& target);

class Mover {
  public:
    explicit Mover(Link& link) : link_(link) {}

    // To folder `target`, which is created when missing. `clear`: their \Deleted first. Throws
    // Ended when the dialogue ends.
    Moved move(const std::vector<std::uint32_t>& uids, const std::string& target,
               bool clear = false);
    // Removes them for good where the server has UIDPLUS, else marks them.
    Removed remove(const std::vector<std::uint32_t>& uids);

    // For commands about `uids`: takes what the server says of them, and no more.
    static Dialogue::Answer about(const std::vector<std::uint32_t>& uids);
    // The same of STORE, which removes nothing.
    static Dialogue::Answer echo(const std::vector<std::uint32_t>& uids);

  private:
    Moved attempt(const std::vector<std::uint32_t>& uids, const std::string& target, bool clear);
    Dialogue::Answer read_copyuid(const std::vector<std::uint32_t>& uids, Moved& moved);

    Link& link_;
};

}  // namespace vm::plug::imap

#endif
