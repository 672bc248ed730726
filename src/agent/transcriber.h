// Has what is said in voice messages written down by g_szTranscriptCommand, before their mails are
// sent: whatever becomes of that, each is settled in the store within g_nTranscriptTimeoutSec, with
// a line in the message's history, and a mail goes out when its own is (core/decide.h). Nobody's
// thread waits meanwhile.
//
// What a kill cut off is begun once more by the next worker, which counts the tries in the store,
// and no third time.
//
// want() in any thread, the others in the worker's main one; the command runs in a few of its own.
#ifndef VM_AGENT_TRANSCRIBER_H
#define VM_AGENT_TRANSCRIBER_H

#include "agent/in_hand.h"
#include "agent/metrics.h"
#include "agent/store_threads.h"
#include "base/clock.h"
#include "base/paths.h"
#include "config/config.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace vm::agent {

class Transcriber {
  public:
    struct Context {
        Paths paths;
        const Clock& clock;
        std::shared_ptr<store::Store> store;  // Store::for_threads()
        InHandTable* in_hand;                 // may be null
        Metrics* metrics;                     // may be null
        std::function<bool()> stopping;       // ends the commands that run
        std::function<void()> wake;           // called by its threads: there is news
    };
    explicit Transcriber(Context context);

    // These messages' mails wait for their transcripts. What is under way already stays so, and
    // keeps its time.
    void want(const std::shared_ptr<const config::MailboxOptions>& mailbox,
              const std::shared_ptr<const config::MiscSetup>& misc,
              const std::vector<std::string>& ids);
    // Settles, by `store`, those whose time is over and that nobody has begun. The mailboxes whose
    // queue is another one since the last call.
    std::set<std::string> take_news(store::Store& store);
    bool busy() const;

  private:
    struct Job {
        std::shared_ptr<const config::MailboxOptions> mailbox;
        std::shared_ptr<const config::MiscSetup> misc;
        std::int64_t deadline;  // steady
        bool running = false;
    };

    void run(const std::string& id, Result<store::Store*> store);
    Result<> make(const std::string& id, const Job& job, store::Store& store);
    void end(const std::string& id, std::int64_t news_at);
    void count(const store::Store::TranscriptEnd& end) const;

    const Context context_;
    std::mutex submitting_;  // to threads_; not taken within mutex_
    mutable std::mutex mutex_;
    std::map<std::string, Job> jobs_;           // guarded by mutex_; by message
    std::map<std::string, std::int64_t> news_;  // the same; mailbox -> steady time
    StoreThreads threads_;                      // last: its threads use everything above
};

// Whether the mails of `mailbox` wait for transcripts.
bool transcribes(const config::MailboxOptions& mailbox, const config::MiscSetup& misc);

}  // namespace vm::agent

#endif
