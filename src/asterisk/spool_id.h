// Whether what lies where a mailbox was is that mailbox. A spool that is not mounted is an empty
// directory, in which Asterisk then makes a mailbox, and what it had is gone from there without
// being deleted. So each mailbox has a mark, a random one, which the unit remembers. One thread.
#ifndef VM_ASTERISK_SPOOL_ID_H
#define VM_ASTERISK_SPOOL_ID_H

#include "asterisk/settings.h"
#include "base/error.h"
#include "base/paths.h"

#include <filesystem>

namespace vm::asterisk {

class SpoolId {
  public:
    // `directory`: of the mailbox.
    SpoolId(const Paths& paths, const std::filesystem::path& directory, const Box& box)
        : mark_(directory / ".vmasterisk-id"), remembered_(paths.var() / "asterisk" / box.text()) {}

    // Whether the mark is the one that is remembered. What cannot be read is not.
    bool is_known() const;
    // Remembers the mark that is there, or a new one.
    Result<> adopt() const;
    // No mark is known then.
    Result<> forget() const;

  private:
    const std::filesystem::path mark_, remembered_;
};

}  // namespace vm::asterisk

#endif
