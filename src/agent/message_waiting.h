// Runs g_szMessageWaitingCommand when a mailbox's counts are others than it was last run with, so
// that firmware can switch the lamp. What it was told is kept in the store: a change while no agent
// ran is told at the start. A command that fails is run again after a pause.
//
// Used by the worker's main thread; the commands run one after the other in a thread of its own.
#ifndef VM_AGENT_MESSAGE_WAITING_H
#define VM_AGENT_MESSAGE_WAITING_H

#include "agent/in_hand.h"
#include "agent/store_threads.h"
#include "base/paths.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace vm::agent {

class MessageWaiting {
  public:
    // `stopping` is asked between two commands.
    MessageWaiting(std::shared_ptr<store::Store> store, InHandTable* in_hand,
                   std::function<bool()> stopping)
        : in_hand_(in_hand), stopping_(std::move(stopping)), threads_(std::move(store), 1) {}

    // The counts of `mailbox` may have changed.
    void changed(const std::string& mailbox) { due_[mailbox] = 0; }
    // Starts what is due (`now`: steady_ms). With an empty command nothing is run, and what changed
    // meanwhile is told when there is one.
    void start(const std::string& command, std::int64_t now);
    // Waits for the command that is running, and runs those that are due; for --once.
    void finish(const std::string& command, std::int64_t now);

  private:
    void take_failed(std::int64_t now);
    void tell(const std::string& command, const std::string& mailbox, store::Store& store);

    InHandTable* const in_hand_;
    const std::function<bool()> stopping_;
    std::map<std::string, std::int64_t> due_;  // mailbox -> steady time
    std::mutex mutex_;
    std::condition_variable idle_;
    bool running_ = false;          // guarded by mutex_
    std::set<std::string> failed_;  // guarded by mutex_
    StoreThreads threads_;          // last: its thread uses everything above
};

}  // namespace vm::agent

#endif
