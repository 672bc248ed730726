// The class behind run_worker(), private to worker.cc (the loop and what it reads), worker_turns.cc
// (the queue: which mailbox may push, and what became of it), worker_status.cc (what is told) and
// worker_metrics.cc (what is counted).
#ifndef VM_AGENT_WORKER_STATE_H
#define VM_AGENT_WORKER_STATE_H

#include "agent/mailbox_run.h"
#include "agent/message_waiting.h"
#include "agent/plugin_slot.h"
#include "agent/server_gate.h"
#include "agent/session_pool.h"
#include "agent/settings.h"
#include "agent/store_threads.h"
#include "agent/sync_schedule.h"
#include "agent/transcriber.h"
#include "agent/worker.h"
#include "base/files.h"

#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <set>

namespace vm::agent {

inline constexpr std::size_t kThreads = 24;
inline constexpr int kAtOnce = 16;  // with one server
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

class Worker {
  public:
    explicit Worker(const WorkerOptions& options);
    ~Worker();

    int run();

  private:
    // What the scheduler knows of a mailbox; its Turn runs in a thread while `running`.
    struct Actor {
        bool running = false;
        bool done_once = false;  // --once: had its turn
        std::uint64_t last_start = 0;
        // The earliest next_attempt in the store; of a queue that a turn found nothing to do in,
        // what that turn said: some deliveries wait for an option, not for a time.
        TimeMs due = kNever;
        std::uint64_t queue_reads = 0;         // how often `due` was read from the store
        std::uint64_t transcripts_wanted = 0;  // the same, when it was last looked at for those
        std::int64_t not_before = 0;           // steady: end of its pause
        int failures = 0;     // turns in a row that ended in a pause, or with the store's failure
        std::string problem;  // of its last turn
        bool store_failed = false;  // that problem is the store's
        bool on_hold = false;       // as its status says
        std::string state;          // the same; "" when it could not be written
        bool named = false;         // --once: the problem was told with the messages it met
        // The options and Misc Setup that failures, pause and problem speak of.
        std::shared_ptr<const config::MailboxOptions> options;
        std::shared_ptr<const config::MiscSetup> misc;
        std::vector<UnrecordedOutcome> unrecorded;  // the running job's while `running`
    };
    struct Finished {
        std::string mailbox, server;  // server: "" when the gate was not asked
        int server_failures = 0;
        std::uint64_t queue_reads = 0;                          // the actor's when it began
        std::shared_ptr<const config::MailboxOptions> options;  // those it was done with
        RunResult result;
        std::optional<SessionPool::Kept> session;  // for the next one
        bool server_worked;                        // which was told already
    };
    using Candidate = std::map<std::string, Actor>::value_type;

    bool is_of_my_share(const std::string& number) const {
        return in_share(number, options_.index, options_.count) &&
               (!options_.only_mailbox || *options_.only_mailbox == number);
    }
    // Without those in quarantine.
    bool is_mine(const std::string& number) const {
        return is_of_my_share(number) && !excluded_.contains(number);
    }
    Result<> open_store();
    int note_quarantine();
    bool has_done_everything();
    void recover();
    void take_settings();
    void read_queue();
    bool read_whole_queue();
    bool read_requeued();
    bool read_changes();
    void take_passes();
    void take_transcripts();
    void want_transcripts(const std::string& number, Actor& actor);
    void watch_clock();
    bool trusts_clock(std::int64_t grace) const;
    void purge_deleted();
    void note_switched_off(const std::string& number);
    bool start_turns();
    std::vector<Candidate*> due_now();
    void start_turn(const std::string& number, Actor& actor, const std::string& server);
    void take_finished();
    void wake();
    bool tell_working(const std::string& server);
    bool is_news(const Finished& turn) const;
    void take_connection(Finished& turn);
    void take_pause(const Finished& turn, Actor& actor);
    void make_room(const std::string& server);
    void end_session(SessionPool::Kept kept);
    void end_idle_sessions(bool pushing);
    ServerGate::Verdict ask_gate(const std::string& server, const config::MailboxOptions& mailbox);
    void set_problem(const std::string& number, Actor& actor, const std::string& problem);
    void record_unrecorded(bool last);
    void store_failed(const std::string& number, Actor& actor, const Error& error);
    std::optional<store::MailboxStatus> status_of(const std::string& number,
                                                  const std::string& hold);
    void gather_statuses();
    void write_statuses();
    void count_turn(const Finished& turn);
    void update_gauges();
    void count_queue(const std::vector<store::Store::QueueDepth>& depths);
    void count_mailboxes(const std::vector<store::MailboxStatus>& statuses);
    std::string mailbox_problem(const std::string& number) const;
    void take_requests();
    bool wait();
    int once_status();
    static double random_jitter();  // 0 to 1
    static bool stopping();         // SIGTERM, SIGINT or the end of run()

    const WorkerOptions& options_;
    const Clock& clock_ = system_clock();
    std::set<std::string> excluded_ = options_.excluded;
    bool done_alone_ = false;  // options_.alone: the mailbox may return to its share
    std::string alone_words_ = options_.alone ? options_.alone->words : std::string();
    SettingsReader settings_;
    ServerGate gate_;
    UniqueFd wake_;
    // Of all threads' Stores.
    const std::shared_ptr<store::SharedWriter> writer_ = store::share_writer(options_.paths);
    const std::shared_ptr<store::Store> threads_store_ =
        store::Store::for_threads(options_.paths, writer_);
    std::unique_ptr<store::Store> store_;  // the main thread's
    std::int64_t mark_ = -1;
    std::int64_t next_mark_ = 0;           // steady: at the store's mark
    std::int64_t changes_seen_ = 0;        // in the store's sequence of them
    std::string requests_;                 // lines from the master, the last perhaps not whole
    std::set<std::string> statuses_due_;   // to be written, of these mailboxes
    std::int64_t statuses_at_ = kNever;    // steady: at the latest
    bool statuses_failed_ = false;         // the last time
    std::vector<store::Settled> settled_;  // the same
    // Mailboxes of which the store could not take that they were switched off, and why not.
    std::map<std::string, std::string> off_unnoted_;
    std::int64_t next_look_ = 0;      // steady: at the files
    std::int64_t next_purge_ = 0;     // steady
    bool look_at_queue_ = true;       // all of it, whoever changed what
    std::set<std::string> requeued_;  // else that of these mailboxes: it may have changed
    std::int64_t next_due_ = kNever;  // steady
    std::map<std::string, Actor> actors_;
    std::size_t running_ = 0;  // of these
    bool recovered_ = false;
    const std::int64_t started_ = clock_.steady_ms();
    // Since when the wall clock has gone as the steady one does: the start, or its last jump.
    std::int64_t clock_since_ = started_;
    std::int64_t clock_difference_ = clock_.now() - clock_.steady_ms();
    std::uint64_t starts_ = 0;
    std::atomic<std::uint64_t> settings_changes_{0};

    Metrics metrics_{options_.metrics};
    std::int64_t next_gauges_ = 0;   // steady
    std::int64_t gauges_mark_ = -1;  // the store's mark when they were read
    bool gauges_stale_ = true;       // what the main thread's session has written has changed since
    std::map<LabelValues, std::int64_t> queue_gauges_;  // as they are set
    const std::shared_ptr<oauth2::Keeper> tokens_ =
        std::make_shared<oauth2::Keeper>(options_.paths);
    PluginSlot plugin_{options_.plugin_crash};
    mime::TemplateCache templates_;
    RunResult total_;
    int passes_ = 0, changed_here_ = 0, changed_there_ = 0;  // by synchronisation
    std::map<std::string, TimeMs> answered_;  // when the last look that was asked for ended
    std::atomic<int> waiting_turns_{0};  // mailboxes that wait for a thread: running ones yield

    SessionPool sessions_;
    std::mutex finished_mutex_;
    std::vector<Finished> finished_;         // guarded by finished_mutex_
    std::vector<std::string> closed_;        // the same: connections to these servers
    std::multiset<std::string> closing_;     // connections to these, which still count
    bool waits_for_room_ = false;            // a turn, for one of them to be closed
    std::vector<std::string> working_;       // the same: servers that work, told by turns
    Transcriber transcriber_;                // its threads use wake_ and metrics_
    StoreThreads threads_;                   // its threads use everything above
    std::atomic<bool> interrupted_ = false;  // by a signal, before everything was done
    MessageWaiting waiting_;
    SyncSchedule sync_;  // its threads use wake_ and metrics_
};

}  // namespace vm::agent

#endif
