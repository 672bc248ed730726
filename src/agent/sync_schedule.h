// When each mailbox's account is looked at: the sync half of a worker's scheduler.
//
// A mailbox with nothing to do is a parked connection (IDLE) that costs no thread; its descriptor
// lies in one epoll set. It gets a pass when the server speaks, when the unit's side changed, when
// a person asks, or when its time has come: g_bImap4SyncPendingTimer where the server cannot tell
// of everything in the scope, else before an IDLE gets too old (RFC 2177).
//
// New connections are spread over time (ServerGate). Where fewer may be open to a server than there
// are mailboxes, these take turns: one that has something to do gets the place of the one whose
// connection has had nothing to do for longest, which is then looked at when its time has come. Its
// connection is closed before the other is opened.
//
// Used by the worker's main thread; passes run in threads of its own.
#ifndef VM_AGENT_SYNC_SCHEDULE_H
#define VM_AGENT_SYNC_SCHEDULE_H

#include "agent/in_hand.h"
#include "agent/metrics.h"
#include "agent/plugin_slot.h"
#include "agent/server_gate.h"
#include "agent/settings.h"
#include "agent/store_threads.h"
#include "agent/sync_run.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/paths.h"
#include "oauth2/keeper.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vm::agent {

class SyncSchedule {
  public:
    struct Options {
        Paths paths;
        const Clock& clock;
        bool once = false;               // a pass for each, and no parking
        int index = 0, workers = 1;      // which of the workers that share the limits this is
        std::function<bool()> stopping;  // asked in the threads too
        std::function<double()> jitter;  // uniform in [0, 1)
        int wake_fd = -1;                // eventfd that a pass's end writes to
        InHandTable* in_hand = nullptr;  // may be null
        Metrics* metrics = nullptr;      // may be null
        std::shared_ptr<store::Store> store = nullptr;     // the threads'
        std::shared_ptr<oauth2::Keeper> tokens = nullptr;  // may be null
    };
    explicit SyncSchedule(Options options);
    ~SyncSchedule();

    // The configuration in force; ends the pauses of mailboxes whose options changed.
    void take_settings(std::shared_ptr<const Settings> settings,
                       const std::optional<transport::Plugin>& plugin);
    // The unit's side of `mailbox` changed.
    void unit_changed(const std::string& mailbox);
    // A person wants a pass now: pauses end. False when the mailbox is not synchronised.
    bool ask(const std::string& mailbox);
    // The pauses alone end.
    bool end_pause(const std::string& mailbox);

    // Readable when wake() has something to do.
    int fd() const { return epoll_.get(); }
    void wake();
    // Starts every pass that is due and may run, but none of a mailbox in `withheld`, for the
    // reason that stands there; false when none was started, nor will be when its time to connect
    // has come.
    bool start(const std::map<std::string, std::string>& withheld);
    // Steady time of the next pass that waits for its time; max() when none does.
    std::int64_t next_due() const { return next_due_; }

    // What passes that ended found out.
    struct Ended {
        std::string mailbox;
        SyncResult result;
        // What persons asked for before this time is answered by it; 0: nobody asked.
        TimeMs asked_before = 0;
    };
    std::vector<Ended> take_ended();
    // The mailboxes of which view() has changed without a pass.
    std::set<std::string> take_restated() { return std::exchange(restated_, {}); }
    std::size_t running() const { return running_; }

    // How a mailbox stands, for its status.
    struct View {
        std::string problem, hold;
        bool connected = false;  // since the start: the next three are known
        bool idle = false, condstore = false, qresync = false;
        TimeMs last_sync = 0;  // the last complete pass; 0: none since the start
    };
    View view(const std::string& mailbox) const;

  private:
    struct Actor {
        bool running = false;
        bool done_once = false;
        bool wanted = true;    // a pass as soon as it may
        bool pending = false;  // for something happened: before those that wait for a first look
        bool unit_changed = true;  // since the last pass began
        bool asked = false;
        bool spoke = false;           // the server did, on the parked connection
        std::int64_t poll_at = 0;     // steady: a pass at the latest
        std::int64_t not_before = 0;  // steady: end of its pause
        int failures = 0;             // in a row
        bool noted = false;           // the pause is for things that a pass could not do
        std::uint64_t last_start = 0;
        std::shared_ptr<transport::AccountSession> session;  // its job's while running
        std::string server;                                  // the gate's name of it
        std::string open_at;     // the server that its connection is counted for; "": there is none
        double place = 0;        // among those that have waited as long
        bool looked_at = false;  // since the start
        int parked_fd = -1;
        std::optional<CountedIn> idle;  // while it is parked
        std::string busiest;  // where it is parked: the folder that most of the messages lie in
        std::shared_ptr<const config::MailboxOptions> options;
        std::shared_ptr<const config::MiscSetup> misc;
        View view;
    };
    struct Job {
        std::string mailbox, server;
        int server_failures = 0;
        bool unit_changed = false, spoke = false, asked = false, poll_due = false;
        bool was_parked = false, connects = false;
        bool asks = false;  // the parked connection, which may be all there is to do
        TimeMs started = 0;
        std::shared_ptr<const config::MailboxOptions> options;
        std::shared_ptr<const config::MiscSetup> misc;
        std::optional<transport::Plugin> plugin;
        std::shared_ptr<transport::AccountSession> session;
        std::string busiest, hold;
        // Results:
        bool passed = false;   // a pass was made; the server may only have given a sign of life
        bool checked = false;  // not that, but the parked connection was asked
        SyncResult result;
        transport::AccountStats features;  // of its connection
        int parked_fd = -1;
        bool park_unsupported = false;
    };
    using Actors = std::map<std::string, Actor>;
    using Due = Actors::value_type;

    bool goes_on(const SyncResult& result) const;
    void work(Job& job, Result<store::Store*> store) const;
    void run(Job& job, Result<store::Store*> store) const;
    static bool is_question(const Job& job);
    bool check(Job& job) const;
    void ask_parked(std::vector<Job> jobs);
    bool awaits_answer(Job& job) const;
    void park(Job& job) const;
    std::vector<Due*> due_now(std::int64_t now);
    bool make_room(const std::string& server, std::int64_t now);
    Job begin(const std::string& mailbox, Actor& actor);
    void submit(Job job);
    void submit(std::vector<Job> questions);
    void tell_ended(std::vector<Job> jobs);
    void count_closed(Actor& actor);
    Actors::iterator erase(Actors::iterator entry);
    void tell_progress();
    bool take(const Job& job, Actor& actor);
    // sync_metrics.cc
    void count(const Job& job) const;
    void count_down(const Job& job) const;
    void answer(const std::string& mailbox, Actor& actor);
    void take_pass(const SyncResult& result, Actor& actor);
    void take_failure(const Job& job, Actor& actor, const AccountFailure& failure);
    void pause(Actor& actor, bool asked);
    std::int64_t backoff(const Actor& actor, int failures) const;
    void unpark(Actor& actor);
    void drop_session(const std::string& mailbox, Actor& actor);
    void take_closed();
    void restate(const std::string& mailbox, Actor& actor, const std::string& problem);
    bool is_wanted(const Actor& actor, std::int64_t now) const;

    const Options options_;
    UniqueFd epoll_;
    ServerGate gate_;
    std::shared_ptr<const Settings> settings_;
    std::optional<transport::Plugin> plugin_;
    Actors actors_;
    std::size_t running_ = 0;            // of these
    std::map<int, std::string> parked_;  // by descriptor
    std::int64_t next_due_ = std::numeric_limits<std::int64_t>::max();
    std::vector<Ended> answers_;          // to persons who asked for what cannot be done now
    std::set<std::string> restated_;      // see take_restated()
    std::map<std::string, int> closing_;  // connections of a server that are just being closed
    std::uint64_t starts_ = 0;
    std::size_t looked_at_ = 0;        // actors, since the start
    std::size_t traced_progress_ = 0;  // the same, when the trace was told last
    std::int64_t next_progress_ = 0;

    std::mutex mutex_;
    std::vector<Job> ended_;           // guarded by mutex_
    std::vector<std::string> closed_;  // the same: servers, one for each connection
    StoreThreads threads_;             // last: its threads use everything above
};

}  // namespace vm::agent

#endif
