// Which of some messages are there, asked of the server by their UIDs. That a search does not name
// one is no proof yet that it is gone.
#ifndef VM_PLUGINS_SMTPIMAP4_UID_CHECK_H
#define VM_PLUGINS_SMTPIMAP4_UID_CHECK_H

#include "smtpimap4/dialogue.h"

#include <set>
#include <string>
#include <vector>

namespace vm::plug::imap {

// One use; stays where it is until the commands it added were answered.
class UidCheck {
  public:
    UidCheck() = default;
    UidCheck(const UidCheck&) = delete;
    UidCheck& operator=(const UidCheck&) = delete;

    // Adds the commands that ask for `uids`, ascending, of the selected folder; the steps may have
    // no other search among them, as the answers do not tell which command they are to.
    void add(const std::vector<std::uint32_t>& uids, std::vector<Dialogue::Step>& steps);
    // Given the answers to all steps: Ended unless each of the added ones was OK and said what is
    // there.
    void require_answers(const std::vector<Condition>& done, const std::string& folder);
    bool there(std::uint32_t uid) const;

  private:
    std::size_t first_ = 0, steps_ = 0;  // those added
    std::size_t answers_ = 0;            // SEARCH responses
    std::vector<std::uint32_t> asked_;
    std::set<std::uint32_t> there_;
};

}  // namespace vm::plug::imap

#endif
