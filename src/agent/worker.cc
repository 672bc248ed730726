#include "agent/worker.h"

#include "agent/control.h"
#include "agent/mailbox_run.h"
#include "agent/message_waiting.h"
#include "agent/plugin_slot.h"
#include "agent/server_gate.h"
#include "agent/session_options.h"
#include "agent/settings.h"
#include "agent/store_threads.h"
#include "agent/sync_schedule.h"
#include "base/files.h"
#include "base/text.h"
#include "base/trace.h"
#include "mime/compose.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <mutex>
#include <poll.h>
#include <random>
#include <set>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr std::size_t kThreads = 16;
// How often the store and the files are looked at when nobody pokes.
constexpr std::int64_t kLookMs = 1000;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
// A delivery found in `sending` at the start was cut off by a crash; it may well have arrived.
constexpr std::int64_t kRecoveryPauseMs = 60'000;
// After so many messages a mailbox lets others have the thread, if any wait.
constexpr int kBatch = 50;
// So long after the start nothing is given up (RunContext::may_give_up).
constexpr std::int64_t kGraceMs = 3'600'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPurgeMs = 3'600'000;

std::atomic<bool> g_stop{false};
std::atomic<int> g_wake_fd{-1};

void on_stop_signal(int) {
    g_stop = true;
    const std::uint64_t one = 1;
    if (const int fd = g_wake_fd; fd >= 0)
        if (::write(fd, &one, sizeof one) < 0) return;
}

void install_signals() {
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
    ::sigaction(SIGHUP, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

double random_jitter() {
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

class Worker {
  public:
    explicit Worker(const WorkerOptions& options)
        : options_(options),
          settings_(options.paths, [this](const std::string& number) { return is_mine(number); }),
          gate_(static_cast<int>(kThreads)),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          threads_(options.paths, kThreads),
          waiting_(options.paths, [] { return g_stop.load(); }),
          sync_({options.paths, clock_, options.once, [] { return g_stop.load(); }, random_jitter,
                 wake_.get()}) {}
    ~Worker() { g_wake_fd = -1; }

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
        std::int64_t not_before = 0;  // steady: end of its pause
        int failures = 0;     // turns in a row that ended in a pause, or with the store's failure
        std::string problem;  // of its last turn
        bool store_failed = false;  // that problem is the store's
        bool named = false;         // --once: the problem was told with the messages it met
        // The options and Misc Setup that failures, pause and problem speak of.
        std::shared_ptr<const config::MailboxOptions> options;
        std::shared_ptr<const config::MiscSetup> misc;
        std::vector<UnrecordedOutcome> unrecorded;  // the running job's while `running`
    };
    struct Finished {
        std::string mailbox, server;  // server: "" when the gate was not asked
        int server_failures = 0;
        std::uint64_t queue_reads = 0;                          // when it began
        std::shared_ptr<const config::MailboxOptions> options;  // those it was done with
        RunResult result;
    };
    using Candidate = std::map<std::string, Actor>::value_type;

    bool is_mine(const std::string& number) const {
        return in_share(number, options_.index, options_.count) &&
               (!options_.only_mailbox || *options_.only_mailbox == number);
    }
    Result<> open_store();
    void recover();
    void take_settings();
    void read_queue();
    void read_changes();
    void take_passes();
    void purge_deleted();
    void note_switched_off(const std::string& number, const Settings::Mailbox& mailbox);
    bool start_turns();
    std::vector<Candidate*> due_now();
    void start_turn(const std::string& number, Actor& actor, const std::string& server);
    void take_finished();
    void take_pause(const Finished& turn, Actor& actor);
    void set_problem(const std::string& number, Actor& actor, const std::string& problem);
    void record_unrecorded(bool last);
    void store_failed(const std::string& number, Actor& actor, const Error& error);
    void write_status(const std::string& number);
    void write_stale_statuses();
    std::string mailbox_problem(const std::string& number) const;
    void take_requests();
    bool wait();
    int once_status();
    std::size_t running() const;
    bool stopping() const { return g_stop; }

    const WorkerOptions& options_;
    const Clock& clock_ = system_clock();
    SettingsReader settings_;
    ServerGate gate_;
    UniqueFd wake_;
    std::unique_ptr<store::Store> store_;  // the main thread's
    std::int64_t mark_ = -1;
    std::int64_t changes_seen_ = 0;  // in the store's sequence of them
    std::string requests_;           // lines from the master, the last perhaps not whole
    std::uint64_t queue_reads_ = 0;
    std::set<std::string> stale_statuses_;  // of these mailboxes, for the store could not take them
    std::int64_t next_look_ = 0;            // steady: at the files
    std::int64_t next_purge_ = 0;           // steady
    bool look_at_queue_ = true;
    std::int64_t next_due_ = kNever;  // steady
    std::map<std::string, Actor> actors_;
    bool recovered_ = false;
    const std::int64_t started_ = clock_.steady_ms();
    std::uint64_t starts_ = 0;
    std::atomic<std::uint64_t> settings_changes_{0};

    PluginSlot plugin_;
    RunResult total_;
    int passes_ = 0, changed_here_ = 0, changed_there_ = 0;  // by synchronisation
    std::map<std::string, TimeMs> answered_;  // when the last look that was asked for ended
    std::atomic<int> waiting_turns_{0};  // mailboxes that wait for a thread: running ones yield

    std::mutex finished_mutex_;
    std::vector<Finished> finished_;  // guarded by finished_mutex_
    StoreThreads threads_;            // its threads use everything above
    MessageWaiting waiting_;
    SyncSchedule sync_;  // its threads use wake_
};

Result<> Worker::open_store() {
    VM_ASSIGN(store_, store::Store::open(options_.paths));
    return {};
}

// Before this worker's first turn nobody else can be sending for its share: the master holds the
// root's lock, and a dead worker's share is its successor's alone.
void Worker::recover() {
    if (recovered_) return;
    const auto recovered =
        store_->recover([this](const std::string& number) { return is_mine(number); },
                        clock_.now() + kRecoveryPauseMs);
    recovered_ = recovered.has_value();
    if (!recovered) {
        trace(TraceLevel::kError, "recovery: {}", recovered.error().text());
        if (options_.once) total_.store_error = recovered.error();
        return;
    }
    if (*recovered > 0)
        trace(TraceLevel::kWarning, "deliveries cut off by a crash, uncertain now: {}", *recovered);
    total_.uncertain += *recovered;
}

std::size_t Worker::running() const {
    return static_cast<std::size_t>(std::count_if(
        actors_.begin(), actors_.end(), [](const auto& entry) { return entry.second.running; }));
}

// Makes the files' newest valid state the one in force.
void Worker::take_settings() {
    const std::int64_t steady = clock_.steady_ms();
    if (steady < next_look_)
        return;  // a look costs a stat(2) a mailbox; turns may end by the hundred
    next_look_ = steady + kLookMs;
    const bool changed = settings_.refresh(steady);
    const auto now = settings_.current();
    const bool plugin_changed = plugin_.refresh(*now->misc, steady);
    if (!changed && !plugin_changed) return;
    ++settings_changes_;
    look_at_queue_ = true;
    if (changed) {
        trace_everything(now->misc->trace_everything);
        if (!now->misc_problem.empty()) trace(TraceLevel::kError, "{}", now->misc_problem);
        for (const auto& [number, mailbox] : now->mailboxes) {
            actors_.try_emplace(number);
            if (!mailbox.problem.empty())
                trace(TraceLevel::kError, "{}: {}", number, mailbox.problem);
        }
        std::erase_if(actors_, [&](const auto& entry) {
            return !entry.second.running && entry.second.unrecorded.empty() &&
                   !now->mailboxes.contains(entry.first);
        });
    }
    sync_.take_settings(now, plugin_.plugin());
    for (auto& [number, actor] : actors_) {
        const auto mailbox = now->mailboxes.find(number);
        if (mailbox == now->mailboxes.end()) continue;
        note_switched_off(number, mailbox->second);
        if (plugin_changed || actor.options != mailbox->second.options || actor.misc != now->misc) {
            // What went wrong before may be mended.
            if (actor.options && actor.options != mailbox->second.options)
                trace(TraceLevel::kInfo, "{}: its options changed", number);
            actor.options = mailbox->second.options;
            if (actor.options) gate_.end_pause(gate_key(*actor.options));
            actor.misc = now->misc;
            actor.problem.clear();
            actor.failures = 0;
            actor.not_before = 0;
        }
        write_status(number);
    }
}

// Deleted messages whose retention is over go for good, a look an hour.
void Worker::purge_deleted() {
    const std::int64_t steady = clock_.steady_ms();
    if (steady < next_purge_) return;
    next_purge_ = steady + kPurgeMs;
    threads_.submit([this, settings = settings_.current()](Result<store::Store*> store) {
        for (const auto& [number, mailbox] : settings->mailboxes) {
            if (!store || (stopping() && !options_.once)) return;
            if (!mailbox.options) continue;
            const std::int64_t days = mailbox.options->deleted_retention_days;
            const auto purged = (*store)->purge(number, clock_.now() - days * kDayMs);
            if (!purged)
                trace(TraceLevel::kError, "{}: {}", number, purged.error().text());
            else if (*purged > 0)
                trace(TraceLevel::kInfo, "{}: {} deleted messages removed for good", number,
                      *purged);
        }
    });
}

// A mailbox whose integration is off is not looked at; when it is on again, what happened meanwhile
// is not read as deletions.
void Worker::note_switched_off(const std::string& number, const Settings::Mailbox& mailbox) {
    if (!mailbox.options || mailbox.options->integration) return;
    auto state = store_->sync_state(number);
    if (!state || state->account.empty() || !state->on) return;
    store::SyncCommit commit;
    commit.state = std::move(*state);
    commit.state->on = false;
    if (auto done = store_->commit_sync(number, commit); !done)
        trace(TraceLevel::kError, "{}: {}", number, done.error().text());
}

void Worker::read_queue() {
    const auto mark = store_->change_mark();
    if (!mark) {
        trace(TraceLevel::kError, "queue: {}", mark.error().text());
        return;
    }
    if (*mark == mark_ && !look_at_queue_) return;
    look_at_queue_ = false;
    read_changes();
    const auto due = store_->due();
    if (!due) {
        trace(TraceLevel::kError, "queue: {}", due.error().text());
        return;
    }
    mark_ = *mark;
    ++queue_reads_;
    for (auto& [number, actor] : actors_) actor.due = kNever;
    for (const auto& entry : *due)
        if (const auto actor = actors_.find(entry.mailbox); actor != actors_.end())
            actor->second.due = entry.next_attempt;
}

// Which mailboxes the phone changed since the last look: their accounts are to follow.
void Worker::read_changes() {
    const auto changes = store_->changes_since(changes_seen_);
    if (!changes) {
        trace(TraceLevel::kError, "changes: {}", changes.error().text());
        look_at_queue_ = true;
        return;
    }
    const std::int64_t seen = changes_seen_;
    for (const store::MailboxChange& change : *changes) {
        if (is_mine(change.mailbox)) {
            waiting_.changed(change.mailbox);
            if (change.phone_sequence > seen) sync_.unit_changed(change.mailbox);
        }
        changes_seen_ = std::max(changes_seen_, change.sequence);
    }
}

// The mailboxes whose turn it is, the one that has waited longest first. Leaves in next_due_ when
// the next one falls due.
std::vector<Worker::Candidate*> Worker::due_now() {
    const auto settings = settings_.current();
    const std::int64_t steady = clock_.steady_ms();
    const TimeMs now = clock_.now();
    std::vector<Candidate*> out;
    next_due_ = kNever;
    for (Candidate& candidate : actors_) {
        const auto& [number, actor] = candidate;
        if (actor.running || !actor.unrecorded.empty() || actor.due == kNever ||
            (options_.once && actor.done_once))
            continue;
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end() || !found->second.options || !found->second.seat)
            continue;
        std::int64_t due = actor.not_before;
        if (!is_due(actor.due, now)) due = std::max(due, steady + (actor.due - now));
        if (due > steady)
            next_due_ = std::min(next_due_, due);
        else
            out.push_back(&candidate);
    }
    std::sort(out.begin(), out.end(), [](const Candidate* a, const Candidate* b) {
        return a->second.last_start < b->second.last_start;
    });
    return out;
}

// Starts every mailbox that is due and may run; false when none was started. One that waits for a
// thread or its server is woken by a turn's end.
bool Worker::start_turns() {
    next_due_ = kNever;
    waiting_turns_ = 0;
    const auto settings = settings_.current();
    if (!recovered_) return false;
    if (settings->misc->email_dll_path.empty()) return false;  // misc.ini was never valid
    if (!settings->misc->use_email_integration || options_.sync_only) return false;
    const std::int64_t steady = clock_.steady_ms();
    bool any = false;
    int waiting = 0;
    for (Candidate* candidate : due_now()) {
        auto& [number, actor] = *candidate;
        const config::MailboxOptions& mailbox = *settings->mailboxes.at(number).options;
        // A mailbox that was switched off only clears its queue: no server is asked.
        const std::string server = mailbox.integration ? gate_key(mailbox) : std::string();
        const auto verdict = server.empty() ? ServerGate::Verdict::kGo : gate_.ask(server, steady);
        if (verdict == ServerGate::Verdict::kDown) {
            next_due_ = std::min(next_due_, gate_.down_until(server));
            set_problem(number, actor, gate_.down_reason(server));
        } else if (running() >= kThreads || verdict == ServerGate::Verdict::kWait) {
            ++waiting;
        } else {
            start_turn(number, actor, server);
            any = true;
        }
    }
    waiting_turns_ = waiting;
    return any;
}

void Worker::start_turn(const std::string& number, Actor& actor, const std::string& server) {
    const auto settings = settings_.current();
    const std::int64_t grace =
        std::min(kGraceMs, settings->misc->retry_timeout_min * std::int64_t{60'000});
    const bool may_give_up = options_.once || clock_.steady_ms() - started_ >= grace;
    const int server_failures = gate_.failures(server);
    if (!server.empty()) gate_.started(server);
    actor.running = true;
    actor.done_once = true;
    actor.last_start = ++starts_;
    auto* unrecorded = &actor.unrecorded;  // std::map nodes stay; erased only when not running
    threads_.submit([this, number, server, server_failures, may_give_up, unrecorded,
                     reads = queue_reads_, mailbox_failures = actor.failures, misc = settings->misc,
                     mailbox = settings->mailboxes.at(number).options, plugin = plugin_.plugin(),
                     plugin_problem = plugin_.problem(),
                     changes = settings_changes_.load()](Result<store::Store*> store) {
        RunResult result;
        if (!store) {
            result.store_error = store.error();
        } else {
            const RunContext context{options_.paths,
                                     clock_,
                                     **store,
                                     plugin,
                                     plugin_problem,
                                     *misc,
                                     mailbox,
                                     *unrecorded,
                                     [] { return g_stop.load(); },
                                     [this, changes](int done) {
                                         return settings_changes_ != changes ||
                                                (done >= kBatch && waiting_turns_ > 0);
                                     },
                                     random_jitter,
                                     server_failures,
                                     mailbox_failures,
                                     may_give_up};
            result = run_mailbox(context);
        }
        {
            const std::lock_guard lock(finished_mutex_);
            finished_.push_back(
                {number, server, server_failures, reads, mailbox, std::move(result)});
        }
        const std::uint64_t one = 1;
        if (::write(wake_.get(), &one, sizeof one) < 0) return;  // full: the loop is awake anyway
    });
}

// What a turn's end means for when its mailbox, and its server, may be tried next.
void Worker::take_pause(const Finished& turn, Actor& actor) {
    const RunResult& result = turn.result;
    const std::int64_t steady = clock_.steady_ms();
    const bool down = result.pause && result.pause->scope == PushScope::kServer;
    if (!turn.server.empty() && down)
        gate_.finished_down(turn.server, result.pause->reason,
                            result.sent > 0 ? 1 : turn.server_failures + 1,
                            steady + result.pause->ms);
    else if (!turn.server.empty())
        gate_.finished(turn.server, result.server);

    if (result.sent > 0) actor.failures = 0;
    if (result.store_error) {
        store_failed(turn.mailbox, actor, *result.store_error);
    } else if (result.pause && turn.options != actor.options) {
        // An edit came meanwhile, and may have mended it.
    } else if (result.pause) {
        if (!down) {
            actor.not_before = steady + result.pause->ms;
            ++actor.failures;
        }
        set_problem(turn.mailbox, actor, result.pause->reason);
    } else if (result.recorded > 0 || actor.store_failed) {
        actor.failures = 0;
        actor.not_before = 0;
        set_problem(turn.mailbox, actor, {});
    } else if (!result.more && turn.queue_reads == queue_reads_) {
        actor.due = result.wake_at.value_or(kNever);
    }
}

void Worker::store_failed(const std::string& number, Actor& actor, const Error& error) {
    actor.not_before = clock_.steady_ms() +
                       std::min<std::int64_t>(1000LL << std::min(actor.failures++, 6), 60'000);
    set_problem(number, actor, error.text());
    actor.store_failed = true;
    total_.store_error = error;
    trace(TraceLevel::kError, "{}: {}", number, error.text());
}

void Worker::take_finished() {
    std::vector<Finished> finished;
    {
        const std::lock_guard lock(finished_mutex_);
        finished.swap(finished_);
    }
    const auto settings = settings_.current();
    for (const Finished& turn : finished) {
        const RunResult& result = turn.result;
        Actor& actor = actors_[turn.mailbox];
        actor.running = false;
        if (result.more) actor.done_once = false;
        take_pause(turn, actor);
        total_.sent += result.sent;
        total_.deferred += result.deferred;
        total_.failed += result.failed;
        total_.uncertain += result.uncertain;
        total_.switched_off += result.switched_off;
        if (!options_.once) continue;
        actor.named |= !result.notes.empty();
        for (const std::string& note : result.notes)
            std::fprintf(stderr, "vmemaild: %s: %s\n", turn.mailbox.c_str(), note.c_str());
    }
}

void Worker::set_problem(const std::string& number, Actor& actor, const std::string& problem) {
    actor.store_failed = false;
    if (actor.problem == problem) return;
    actor.problem = problem;
    write_status(number);
}

void Worker::write_stale_statuses() {
    while (!stale_statuses_.empty()) {
        const std::string number = *stale_statuses_.begin();
        stale_statuses_.erase(stale_statuses_.begin());
        write_status(number);
        if (stale_statuses_.contains(number)) return;  // each try may wait for the store's lock
    }
}

void Worker::take_passes() {
    for (const SyncSchedule::Ended& ended : sync_.take_ended()) {
        look_at_queue_ |= ended.result.push_again;
        ++passes_;
        changed_here_ += ended.result.changed_here;
        changed_there_ += ended.result.changed_there;
        if (ended.asked_before > 0) answered_[ended.mailbox] = ended.asked_before;
        // A pass that ran while the integration was switched off has not noticed it.
        const auto settings = settings_.current();
        if (const auto found = settings->mailboxes.find(ended.mailbox);
            found != settings->mailboxes.end())
            note_switched_off(ended.mailbox, found->second);
        write_status(ended.mailbox);
    }
}

// Outcomes that the store could not take are offered to it again, whatever has become of their
// mailboxes: what is not recorded when the process ends will be taken for uncertain, and may be
// sent twice.
void Worker::record_unrecorded(bool last) {
    const std::int64_t steady = clock_.steady_ms();
    for (auto& [number, actor] : actors_) {
        if (actor.running || actor.unrecorded.empty()) continue;
        if (!last && actor.not_before > steady) continue;
        const auto done = record_outcomes(*store_, actor.unrecorded);
        look_at_queue_ = true;  // the change mark tells of other connections only
        if (!done) {
            store_failed(number, actor, done.error());
            return;  // each try may wait for the store's lock
        }
        actor.failures = 0;
        set_problem(number, actor, {});
    }
}

std::string Worker::mailbox_problem(const std::string& number) const {
    const auto settings = settings_.current();
    if (!settings->misc_problem.empty()) return settings->misc_problem;
    const auto found = settings->mailboxes.find(number);
    if (found != settings->mailboxes.end()) {
        if (!found->second.problem.empty()) return found->second.problem;
        if (!found->second.seat)
            return "no Unified Messaging seat left; set Email Integration = No elsewhere or raise "
                   "g_nUnifiedMessagingSeats (" +
                   std::to_string(settings->misc->seats) + ")";
    }
    return plugin_.problem();
}

void Worker::write_status(const std::string& number) {
    const auto settings = settings_.current();
    const auto found = settings->mailboxes.find(number);
    if (found == settings->mailboxes.end()) return;
    const SyncSchedule::View sync = sync_.view(number);
    store::MailboxStatus status;
    status.mailbox = number;
    status.changed = clock_.now();
    status.idle = sync.idle;
    status.condstore = sync.condstore;
    status.qresync = sync.qresync;
    status.last_sync = sync.last_sync;
    if (const auto answered = answered_.find(number); answered != answered_.end())
        status.answered = answered->second;
    const bool off = found->second.options && !found->second.options->integration;
    if (!settings->misc->use_email_integration) {
        status.state = "off";
        status.reason = "g_bUseEmailIntegration is False";
    } else if (off && found->second.problem.empty()) {
        status.state = "off";
        status.reason = "Email Integration is No";
    } else {
        status.reason = mailbox_problem(number);
        if (status.reason.empty()) status.reason = actors_[number].problem;
        if (status.reason.empty()) status.reason = sync.problem;
        if (!status.reason.empty()) status.state = "error";
        // (Of the store, as no pass may have been made since the start.)
        if (const auto state = store_->sync_state(number); state && !state->hold.empty()) {
            status.state = "hold";
            status.reason = state->hold;
        }
    }
    if (auto written = store_->set_status(status); !written) {
        stale_statuses_.insert(number);
        trace(TraceLevel::kError, "{}: status: {}", number, written.error().text());
    }
}

// What persons asked for: "NNN", another try of that mailbox's messages, so its server's pause ends
// now; "NNN sync", a look at its account.
void Worker::take_requests() {
    const auto settings = settings_.current();
    const auto end = requests_.rfind('\n');
    if (end == std::string::npos) return;
    const std::string lines = requests_.substr(0, end);
    requests_.erase(0, end + 1);
    for (std::string number : split(lines, '\n')) {
        if (number.ends_with(kSyncRequest)) {
            number.resize(number.size() - kSyncRequest.size());
            if (!sync_.ask(number)) {  // nothing to look at: status says why
                answered_[number] = clock_.now();
                write_status(number);
            }
            continue;
        }
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end() || !found->second.options) continue;
        gate_.end_pause(gate_key(*found->second.options));
        if (const auto actor = actors_.find(number); actor != actors_.end())
            actor->second.not_before = 0;
    }
}

// Sleeps until something happens or falls due; reads pokes. False when the master is gone.
bool Worker::wait() {
    const std::int64_t left = std::min(next_due_, sync_.next_due()) - clock_.steady_ms();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, kLookMs));
    pollfd fds[] = {
        {wake_.get(), POLLIN, 0}, {options_.control_fd, POLLIN, 0}, {sync_.fd(), POLLIN, 0}};
    if (::poll(fds, 3, timeout) < 0 && errno != EINTR) return false;
    if (fds[2].revents != 0) sync_.wake();
    std::uint64_t ignored = 0;
    if ((fds[0].revents & POLLIN) != 0 && ::read(wake_.get(), &ignored, sizeof ignored) < 0)
        ignored = 0;
    if (fds[1].revents != 0) {
        char buffer[512];
        const ssize_t n = ::read(options_.control_fd, buffer, sizeof buffer);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return false;
        // Which mailbox was poked does not matter: the queue says what is due. Its options may just
        // have been mended.
        look_at_queue_ = true;
        next_look_ = 0;
        if (n > 0) requests_.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
}

// --once: what the command says and ends with.
int Worker::once_status() {
    const auto settings = settings_.current();
    bool configuration = !settings->misc_problem.empty();
    if (configuration) std::fprintf(stderr, "vmemaild: %s\n", settings->misc_problem.c_str());
    bool waiting = total_.deferred > 0 || total_.uncertain > 0;
    bool any_enabled = false;
    for (auto& [number, actor] : actors_) {
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end()) continue;
        const bool enabled = !found->second.options || found->second.options->integration;
        any_enabled |= enabled;
        if (!found->second.problem.empty() || (enabled && !found->second.seat)) {
            configuration = true;
            std::fprintf(stderr, "vmemaild: %s: %s\n", number.c_str(),
                         mailbox_problem(number).c_str());
        }
        waiting |= enabled && actor.due != kNever && !options_.sync_only;
        const SyncSchedule::View sync = sync_.view(number);
        const std::string& trouble = sync.hold.empty() ? sync.problem : sync.hold;
        waiting |= !trouble.empty();
        if (!trouble.empty())
            std::fprintf(stderr, "vmemaild: %s: %s%s\n", number.c_str(),
                         sync.hold.empty() ? "" : "on hold: ", trouble.c_str());
        if (!actor.problem.empty() && !actor.named && actor.problem != plugin_.problem())
            std::fprintf(stderr, "vmemaild: %s: not tried: %s\n", number.c_str(),
                         actor.problem.c_str());
    }
    if (!plugin_.problem().empty() && any_enabled && settings->misc->use_email_integration) {
        configuration = true;
        std::fprintf(stderr, "vmemaild: %s\n", plugin_.problem().c_str());
    }
    if (total_.store_error)
        std::fprintf(stderr, "vmemaild: %s\n", total_.store_error->text().c_str());
    if (!settings->misc->use_email_integration) {
        std::printf("nothing done: g_bUseEmailIntegration is False\n");
        return configuration ? 78 : 0;
    }
    std::printf("sent %d, deferred %d, failed %d, uncertain %d\n", total_.sent, total_.deferred,
                total_.failed, total_.uncertain);
    if (passes_ > 0)
        std::printf("accounts looked at %d, changes on the phone %d, in the accounts %d\n", passes_,
                    changed_here_, changed_there_);
    std::fflush(stdout);
    if (configuration) return exit_status(ErrorKind::kConfig);
    if (total_.store_error) return exit_status(total_.store_error->kind);
    if (waiting) return exit_status(ErrorKind::kRetryLater);
    return total_.failed > 0 ? exit_status(ErrorKind::kUnavailable) : 0;
}

int Worker::run() {
    g_wake_fd = wake_.get();
    mime::initialise();
    // A store that cannot be opened (disk, permissions) is retried: the master would only start the
    // next worker into the same trouble.
    for (int failures = 0;; ++failures) {
        const auto opened = open_store();
        if (opened) break;
        trace(TraceLevel::kError, "{}", opened.error().text());
        if (options_.once) {
            std::fprintf(stderr, "vmemaild: %s\n", opened.error().text().c_str());
            return exit_status(opened.error().kind);
        }
        // Pokes are left unread: only the end of the master matters now.
        pollfd control{options_.control_fd, 0, 0};
        ::poll(&control, 1, std::min(1000 << std::min(failures, 6), 60'000));
        if (stopping() || (control.revents & POLLHUP) != 0) return 0;
    }

    while (!stopping()) {
        take_settings();
        recover();
        take_requests();  // after the settings: somebody may just have changed them
        purge_deleted();
        take_finished();
        record_unrecorded(false);
        write_stale_statuses();
        take_passes();
        read_queue();
        const bool pushing = start_turns() || running() > 0;
        // With --once the accounts are looked at when everything was pushed.
        const bool syncing = (!options_.once || !pushing) && (sync_.start() || sync_.running() > 0);
        // Mailboxes that wait for the gate are started as others end; with none running, none
        // waits.
        if (options_.once && !pushing && !syncing) break;
        waiting_.start(settings_.current()->misc->message_waiting_command, clock_.steady_ms());
        if (!wait()) break;
    }
    g_stop = true;  // cancels what the threads are doing, within their dialogue
    while (running() + sync_.running() > 0) {
        pollfd wake{wake_.get(), POLLIN, 0};
        ::poll(&wake, 1, static_cast<int>(kLookMs));
        std::uint64_t ignored = 0;
        if (::read(wake_.get(), &ignored, sizeof ignored) < 0) ignored = 0;
        take_finished();
        take_passes();
    }
    record_unrecorded(true);
    if (!options_.once) return 0;
    read_queue();
    waiting_.finish(settings_.current()->misc->message_waiting_command, clock_.steady_ms());
    return once_status();
}

}  // namespace

bool in_share(const std::string& number, int index, int count) {
    return count <= 1 || parse_int(number).value_or(0) % count == index;
}

int recover_all(const Paths& paths) {
    auto store = store::Store::open(paths);
    if (!store) return 0;
    const auto recovered = (*store)->recover([](const std::string&) { return true; },
                                             system_clock().now() + kRecoveryPauseMs);
    return recovered && *recovered > 0 ? 1 : 0;
}

int run_worker(const WorkerOptions& options) {
    install_signals();
    return Worker(options).run();
}

}  // namespace vm::agent
