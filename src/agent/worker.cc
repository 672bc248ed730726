#include "agent/worker.h"

#include "agent/mailbox_run.h"
#include "agent/plugin_slot.h"
#include "agent/server_gate.h"
#include "agent/settings.h"
#include "agent/store_threads.h"
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
          settings_(options.paths,
                    [this](const std::string& number) {
                        return in_share(number, options_.index, options_.count) &&
                               (!options_.only_mailbox || *options_.only_mailbox == number);
                    }),
          gate_(static_cast<int>(kThreads)),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          threads_(options.paths, kThreads) {}
    ~Worker() { g_wake_fd = -1; }

    int run();

  private:
    // What the scheduler knows of a mailbox; its Turn runs in a thread while `running`.
    struct Actor {
        bool running = false;
        bool done_once = false;       // --once: had its turn
        TimeMs due = kNever;          // earliest next_attempt in the store
        std::int64_t not_before = 0;  // steady: pause after a failure of the store
        int store_failures = 0;
        std::string problem;                        // of its last turn
        std::vector<UnrecordedOutcome> unrecorded;  // the running job's while `running`
    };
    struct Finished {
        std::string mailbox, server;
        RunResult result;
    };

    Result<> open_store();
    void take_settings();
    void read_queue();
    bool start_turns();
    void start_turn(const std::string& number, Actor& actor,
                    const std::shared_ptr<const config::MailboxOptions>& mailbox);
    void take_finished();
    void write_status(const std::string& number);
    std::string mailbox_problem(const std::string& number) const;
    void take_retries(std::string_view lines);
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
    std::int64_t next_look_ = 0;  // steady: at the files
    bool look_at_queue_ = true;
    std::int64_t next_due_ = kNever;  // steady
    std::map<std::string, Actor> actors_;
    std::set<std::string> recovered_;

    PluginSlot plugin_;
    RunResult total_;
    std::atomic<int> waiting_turns_{0};  // mailboxes that wait for a thread: running ones yield

    std::mutex finished_mutex_;
    std::vector<Finished> finished_;  // guarded by finished_mutex_
    StoreThreads threads_;            // last: its threads use everything above
};

Result<> Worker::open_store() {
    VM_ASSIGN(store_, store::Store::open(options_.paths));
    return {};
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
    const bool changed = settings_.refresh();
    const auto now = settings_.current();
    const bool plugin_changed = plugin_.refresh(now->misc, steady);
    if (plugin_changed && !changed)
        for (const auto& [number, mailbox] : now->mailboxes) write_status(number);
    if (!changed) return;
    trace_everything(now->misc.trace_everything);
    look_at_queue_ = true;
    if (!now->misc_problem.empty()) trace(TraceLevel::kError, "{}", now->misc_problem);

    std::vector<std::string> fresh;
    for (const auto& [number, mailbox] : now->mailboxes) {
        actors_.try_emplace(number);
        actors_[number].problem.clear();
        if (recovered_.insert(number).second) fresh.push_back(number);
        if (!mailbox.problem.empty()) trace(TraceLevel::kError, "{}: {}", number, mailbox.problem);
    }
    std::erase_if(actors_, [&](const auto& entry) {
        return !entry.second.running && !now->mailboxes.contains(entry.first);
    });
    if (!fresh.empty()) {
        // Before this worker's first turn for these mailboxes nobody else can be sending for them:
        // the master holds the root's lock, and a dead worker's share is its successor's alone.
        const auto recovered = store_->recover(fresh, clock_.now() + kRecoveryPauseMs);
        if (!recovered)
            trace(TraceLevel::kError, "recovery: {}", recovered.error().text());
        else if (*recovered > 0)
            trace(TraceLevel::kWarning, "deliveries cut off by a crash, uncertain now: {}",
                  *recovered);
        if (recovered) total_.uncertain += *recovered;
    }
    for (const auto& [number, mailbox] : now->mailboxes) write_status(number);
}

void Worker::read_queue() {
    const auto mark = store_->change_mark();
    if (!mark) {
        trace(TraceLevel::kError, "queue: {}", mark.error().text());
        return;
    }
    if (*mark == mark_ && !look_at_queue_) return;
    const auto due = store_->due();
    if (!due) {
        trace(TraceLevel::kError, "queue: {}", due.error().text());
        return;
    }
    mark_ = *mark;
    look_at_queue_ = false;
    for (auto& [number, actor] : actors_) actor.due = kNever;
    for (const auto& entry : *due)
        if (const auto actor = actors_.find(entry.mailbox); actor != actors_.end())
            actor->second.due = entry.next_attempt;
}

// Starts every mailbox that is due and may run; false when none was started. Leaves in next_due_
// when the next one falls due; one that waits for a thread or its server is woken by a turn's end.
bool Worker::start_turns() {
    next_due_ = kNever;
    waiting_turns_ = 0;
    const auto settings = settings_.current();
    if (settings->misc.email_dll_path.empty()) return false;  // misc.ini was never valid
    if (!settings->misc.use_email_integration) return false;
    const std::int64_t steady = clock_.steady_ms();
    const TimeMs now = clock_.now();
    bool any = false;
    int waiting = 0;
    for (auto& [number, actor] : actors_) {
        if (actor.running || actor.due == kNever || (options_.once && actor.done_once)) continue;
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end() || !found->second.options || !found->second.seat)
            continue;
        const std::int64_t due = std::max(steady + (actor.due - now), actor.not_before);
        if (due > steady) {
            next_due_ = std::min(next_due_, due);
            continue;
        }
        if (running() >= kThreads ||
            gate_.ask(gate_key(*found->second.options), steady) == ServerGate::Verdict::kWait) {
            ++waiting;
            continue;
        }
        start_turn(number, actor, found->second.options);
        any = true;
    }
    waiting_turns_ = waiting;
    return any;
}

void Worker::start_turn(const std::string& number, Actor& actor,
                        const std::shared_ptr<const config::MailboxOptions>& mailbox) {
    const std::string server = gate_key(*mailbox);
    std::optional<std::string> down;
    TimeMs down_until = 0;
    const std::int64_t steady = clock_.steady_ms();
    if (gate_.ask(server, steady) == ServerGate::Verdict::kDown) {
        down = gate_.down_reason(server);
        down_until = clock_.now() + (gate_.down_until(server) - steady);
    } else {
        gate_.started(server);
    }
    actor.running = true;
    actor.done_once = true;
    auto* unrecorded = &actor.unrecorded;  // std::map nodes stay; erased only when not running
    threads_.submit([this, number, server, mailbox, down, down_until, unrecorded,
                     misc = settings_.current()->misc, plugin = plugin_.plugin(),
                     plugin_problem = plugin_.problem()](Result<store::Store*> store) {
        RunResult result;
        if (!store) {
            result.store_error = store.error();
            result.problem = store.error().text();
        } else {
            const RunContext context{options_.paths,
                                     clock_,
                                     **store,
                                     plugin,
                                     plugin_problem,
                                     misc,
                                     mailbox,
                                     *unrecorded,
                                     [] { return g_stop.load(); },
                                     [this] { return waiting_turns_ > 0; },
                                     random_jitter,
                                     down,
                                     down_until};
            result = run_mailbox(context);
        }
        {
            const std::lock_guard lock(finished_mutex_);
            finished_.push_back({number, down ? std::string() : server, std::move(result)});
        }
        const std::uint64_t one = 1;
        if (::write(wake_.get(), &one, sizeof one) < 0) return;  // full: the loop is awake anyway
    });
}

void Worker::take_finished() {
    std::vector<Finished> finished;
    {
        const std::lock_guard lock(finished_mutex_);
        finished.swap(finished_);
    }
    for (const Finished& turn : finished) {
        const RunResult& result = turn.result;
        Actor& actor = actors_[turn.mailbox];
        actor.running = false;
        actor.problem = result.problem;
        if (result.more) actor.done_once = false;
        if (result.server_down) actor.problem = *result.server_down;
        if (result.store_error) {
            actor.not_before =
                clock_.steady_ms() +
                std::min<std::int64_t>(1000LL << std::min(actor.store_failures++, 6), 60'000);
            trace(TraceLevel::kError, "{}: {}", turn.mailbox, result.store_error->text());
        } else {
            actor.store_failures = 0;
            actor.not_before = 0;
        }
        if (!turn.server.empty()) {
            // A turn that never came to talk says nothing about its server.
            if (result.talked)
                gate_.finished(turn.server, result.server_down, clock_.steady_ms(),
                               random_jitter());
            else
                gate_.cancelled(turn.server);
        }
        total_.sent += result.sent;
        total_.deferred += result.deferred;
        total_.failed += result.failed;
        total_.uncertain += result.uncertain;
        for (const std::string& note : result.notes)
            if (options_.once)
                std::fprintf(stderr, "vmemaild: %s: %s\n", turn.mailbox.c_str(), note.c_str());
        total_.switched_off += result.switched_off;
        if (result.store_error) total_.store_error = result.store_error;
        look_at_queue_ = true;
        write_status(turn.mailbox);
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
                   std::to_string(settings->misc.seats) + ")";
    }
    return plugin_.problem();
}

void Worker::write_status(const std::string& number) {
    const auto settings = settings_.current();
    const auto found = settings->mailboxes.find(number);
    if (found == settings->mailboxes.end()) return;
    store::MailboxStatus status;
    status.mailbox = number;
    status.changed = clock_.now();
    const bool off = found->second.options && !found->second.options->integration;
    if (!settings->misc.use_email_integration) {
        status.state = "off";
        status.reason = "g_bUseEmailIntegration is False";
    } else if (off && found->second.problem.empty()) {
        status.state = "off";
        status.reason = "Email Integration is No";
    } else {
        status.reason = mailbox_problem(number);
        if (status.reason.empty()) status.reason = actors_[number].problem;
        if (!status.reason.empty()) status.state = "error";
    }
    if (auto written = store_->set_status(status); !written)
        trace(TraceLevel::kError, "{}: status: {}", number, written.error().text());
}

// A person asked for another try of these mailboxes' messages: their servers' pauses end now.
void Worker::take_retries(std::string_view lines) {
    const auto settings = settings_.current();
    for (const std::string& number : split(lines, '\n')) {
        const auto found = settings->mailboxes.find(number);
        if (found != settings->mailboxes.end() && found->second.options)
            gate_.end_pause(gate_key(*found->second.options));
    }
}

// Sleeps until something happens or falls due; reads pokes. False when the master is gone.
bool Worker::wait() {
    const std::int64_t left = next_due_ - clock_.steady_ms();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, kLookMs));
    pollfd fds[] = {{wake_.get(), POLLIN, 0}, {options_.control_fd, POLLIN, 0}};
    if (::poll(fds, 2, timeout) < 0 && errno != EINTR) return false;
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
        if (n > 0) take_retries({buffer, static_cast<std::size_t>(n)});
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
        waiting |= enabled && actor.due != kNever;
    }
    if (!plugin_.problem().empty() && any_enabled && settings->misc.use_email_integration) {
        configuration = true;
        std::fprintf(stderr, "vmemaild: %s\n", plugin_.problem().c_str());
    }
    if (total_.store_error)
        std::fprintf(stderr, "vmemaild: %s\n", total_.store_error->text().c_str());
    if (!settings->misc.use_email_integration) {
        std::printf("nothing done: g_bUseEmailIntegration is False\n");
        return configuration ? 78 : 0;
    }
    std::printf("sent %d, deferred %d, failed %d, uncertain %d\n", total_.sent, total_.deferred,
                total_.failed, total_.uncertain);
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
        pollfd control{options_.control_fd, POLLIN, 0};
        ::poll(&control, 1, std::min(1000 << std::min(failures, 6), 60'000));
        if (stopping() || (control.revents & POLLHUP) != 0) return 0;
    }

    while (!stopping()) {
        take_settings();
        take_finished();
        read_queue();
        const bool started = start_turns();
        if (options_.once && !started && running() == 0) {
            // Mailboxes that wait for the gate are started as others end; with none running, none
            // waits.
            break;
        }
        if (!wait()) break;
    }
    g_stop = true;  // cancels what the threads are doing, within their dialogue
    while (running() > 0) {
        pollfd wake{wake_.get(), POLLIN, 0};
        ::poll(&wake, 1, static_cast<int>(kLookMs));
        std::uint64_t ignored = 0;
        if (::read(wake_.get(), &ignored, sizeof ignored) < 0) ignored = 0;
        take_finished();
    }
    if (!options_.once) return 0;
    read_queue();
    return once_status();
}

}  // namespace

bool in_share(const std::string& number, int index, int count) {
    return count <= 1 || parse_int(number).value_or(0) % count == index;
}

int recover_all(const Paths& paths) {
    const auto numbers = config::list_mailboxes(paths);
    auto store = store::Store::open(paths);
    if (!numbers || !store) return 0;
    const auto recovered = (*store)->recover(*numbers, system_clock().now() + kRecoveryPauseMs);
    return recovered && *recovered > 0 ? 1 : 0;
}

int run_worker(const WorkerOptions& options) {
    install_signals();
    return Worker(options).run();
}

}  // namespace vm::agent
