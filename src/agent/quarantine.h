// Which mailboxes are kept apart because a worker died while it had them in hand.
//
// Such a mailbox leaves its share and is run in a worker of its own: at once the first time, as it
// may be innocent of the death, and after a growing pause when that worker died, too. A change of
// its options or a person's request ends the pause. When the worker of its own has done everything
// that was to be done, the mailbox returns to its share. How often it killed a worker of its own,
// and how often it returned, is remembered for an hour longer, so that one that does it again and
// again does not begin anew.
//
// Pure bookkeeping in the master's memory: `steady` is Clock::steady_ms(), `now` the time of day.
#ifndef VM_AGENT_QUARANTINE_H
#define VM_AGENT_QUARANTINE_H

#include "agent/in_hand.h"
#include "base/clock.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vm::agent {

struct Death {
    std::string how;          // "signal 11 (Segmentation fault)"
    std::vector<Work> works;  // what was being done for the mailbox
    TimeMs at = 0;
    bool alone = false;  // it was a worker of its own
};

class Quarantine {
  public:
    void died(const std::string& mailbox, Death death, std::int64_t steady);
    // Its worker has done everything.
    void released(const std::string& mailbox, std::int64_t steady);
    // It may be tried at once. False when it is not in quarantine.
    bool end_pause(const std::string& mailbox);

    bool holds(const std::string& mailbox) const;
    std::set<std::string> mailboxes() const;
    // How long a worker of its own has to live before the mailbox may return, in milliseconds: what
    // returned before, and was in the hands of a worker that died again, has perhaps not met there
    // what it dies of.
    std::int64_t stay_ms(const std::string& mailbox) const;
    // Those whose pause is over, the one that has waited longest first.
    std::vector<std::string> due(std::int64_t steady) const;

    // Why and since when, and what comes next, for the mailbox's status; `goes_on`: the agent does.
    std::string words(const std::string& mailbox, std::int64_t steady, TimeMs now,
                      bool goes_on) const;
    // Of the last death, for the history of the messages that were being sent.
    std::string what_happened(const std::string& mailbox) const;
    // "sending its messages and synchronising its account"
    static std::string words(const std::vector<Work>& works);

  private:
    struct Entry {
        bool held = false;
        Death last;
        int deaths = 0;        // since it came in
        int deaths_alone = 0;  // since long
        int returns = 0;       // likewise
        std::int64_t try_at = 0, forget_at = 0;
    };
    std::map<std::string, Entry> entries_;
};

// The pause before a worker that died is started again: none when it had lived a while, else one
// that grows.
class RestartPause {
  public:
    // Returns the pause, in milliseconds.
    std::int64_t died(std::int64_t lived_ms);

  private:
    int early_ = 0;  // in a row
};

}  // namespace vm::agent

#endif
