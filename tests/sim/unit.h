// The unit: its store, its options, and the agent as the worker drives it (agent/worker_turns.cc,
// agent/sync_schedule.cc), but in one thread and in whatever order a schedule wants. What the
// process remembers is in one place, so that it can be lost.
#ifndef VM_TESTS_SIM_UNIT_H
#define VM_TESTS_SIM_UNIT_H

#include "../base/temporary_directory.h"
#include "agent/mailbox_run.h"
#include "agent/sync_run.h"
#include "random.h"
#include "schedule.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::sim {

// Thrown at a commit of a process that dies; nothing of the agent may catch it.
struct Killed {};

// Where stores lie: one for many schedules, each of which has mailboxes of its own.
class Ground {
  public:
    Ground();  // in $TMPDIR
    const Paths& paths() const { return paths_; }
    unsigned next_number() { return ++number_; }
    const transport::Plugin& imap() const { return imap_; }
    const transport::Plugin& drop() const { return drop_; }
    const std::filesystem::path& recording() const { return recording_; }

  private:
    testing::TemporaryDirectory directory_;
    Paths paths_;
    std::filesystem::path recording_;
    transport::Plugin imap_, drop_;
    unsigned number_ = 100;
};

struct Box {
    std::string number;
    unsigned first_account = 0;  // the other one is the next
    unsigned account = 0;
    std::shared_ptr<const config::MailboxOptions> options;
    bool pushing = false, passing = false;
    // What the process remembers.
    struct Memory {
        std::optional<transport::AccountSession> session;
        bool unit_changed = true;
        bool off_unnoted = false;
        std::vector<agent::UnrecordedOutcome> unrecorded;
        std::shared_ptr<const config::MailboxOptions> session_options;
    } memory;
};

// The options name this account, and the address that mail reaches it by.
inline void set_account(config::MailboxOptions& options, unsigned account) {
    options.imap4.account = options.pop3.account = std::to_string(account);
    options.email_name = options.imap4.account + "@example.com";
}

class Unit {
  public:
    Unit(Ground& ground, const Setting& setting, std::uint64_t seed);

    store::Store& store() { return *store_; }
    ManualClock& clock() { return clock_; }
    std::vector<Box>& boxes() { return boxes_; }
    const config::MiscSetup& misc() const { return misc_; }
    // Replaces the options, as a file that was edited does.
    void edit(Box& box, const config::MailboxOptions& options);

    // The worker's steps. All may throw Killed.
    agent::RunResult turn(Box& box);
    agent::SyncResult pass(Box& box);
    int purge(Box& box);

    void forget();  // everything but what is on disk
    void start();   // what a worker does first
    Result<std::string> add(Box& box, MessageKind kind, bool urgent);
    std::filesystem::path media(const Message& message) { return store_->media_path(message); }

  private:
    void read_changes();
    void note_switched_off(Box& box);

    Ground& ground_;
    const bool drop_;
    ManualClock clock_{1'800'000'000'000};
    Random jitter_;
    config::MiscSetup misc_;
    std::vector<Box> boxes_;
    std::unique_ptr<store::Store> store_;
    std::int64_t changes_seen_ = 0;
};

}  // namespace vm::sim

#endif
