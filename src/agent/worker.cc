#include "agent/worker.h"

#include "agent/control.h"
#include "agent/email_speech.h"
#include "agent/session_options.h"
#include "agent/worker_state.h"
#include "base/text.h"
#include "base/trace.h"
#include "mime/compose.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <random>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace vm::agent {

namespace {

// How often the store and the files are looked at when nobody pokes.
constexpr std::int64_t kLookMs = 1000;
// What became of it, when nobody knows better.
constexpr const char* kCutOff = "the agent ended while it was being sent";
// A delivery found in `sending` at the start was cut off by a crash; it may well have arrived.
constexpr std::int64_t kRecoveryPauseMs = 60'000;
// A mailbox in quarantine whose worker lived so long is not what others died of.
constexpr std::int64_t kProvedMs = 600'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPurgeMs = 3'600'000;
// Of the wall clock against the steady one, between two looks a second apart: more than any
// slewing.
constexpr std::int64_t kClockJumpMs = 60'000;

// So long may a stop take. The master ends what takes longer, a little sooner; when it is not there
// any more to do so, nobody else would, and no new agent could start meanwhile.
constexpr unsigned kStopSeconds = 35;

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
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Worker::Worker(const WorkerOptions& options)
    : options_(options),
      settings_(
          options.paths, [this](const std::string& number) { return is_mine(number); },
          options.only_mailbox),
      gate_(static_cast<int>(kThreads), kAtOnce),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      transcriber_({options.paths, clock_, threads_store_, options.in_hand, &metrics_, stopping,
                    [this] { wake(); }}),
      threads_(threads_store_, kThreads),
      waiting_(threads_store_, options.in_hand,
               [this] { return stopping() && (!options_.once || interrupted_); }),
      sync_({options.paths, clock_, options.once, options.index, options.count, stopping,
             random_jitter, wake_.get(), options.in_hand, &metrics_, threads_store_, tokens_}) {}

Worker::~Worker() {
    g_wake_fd = -1;
}

double Worker::random_jitter() {
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

bool Worker::stopping() {
    return g_stop;
}

Result<> Worker::open_store() {
    VM_ASSIGN(store_, store::Store::open(options_.paths, clock_, writer_));
    return {};
}

// Before this worker's first turn nobody else can be sending for its share: the master holds the
// root's lock, and a dead worker's share is its successor's alone.
void Worker::recover() {
    if (recovered_) return;
    const auto recovered =
        store_->recover([this](const std::string& number) { return is_mine(number); },
                        clock_.now() + kRecoveryPauseMs,
                        options_.recovery_reason.empty() ? kCutOff : options_.recovery_reason);
    recovered_ = recovered.has_value();
    if (!recovered) {
        trace(TraceLevel::kError, "recovery: {}", recovered.error().text());
        if (options_.once) total_.store_error = recovered.error();
        return;
    }
    if (*recovered > 0)
        trace(TraceLevel::kWarning, "deliveries cut off by a crash, uncertain now: {}", *recovered);
    total_.uncertain += *recovered;
    look_at_queue_ = true;
    if (*recovered > 0) metrics_.add(Metric::kDeliveries, {"", "uncertain"}, *recovered);
}

// Makes the files' newest valid state the one in force.
void Worker::take_settings() {
    const std::int64_t steady = clock_.steady_ms();
    if (steady < next_look_)
        return;  // a look costs a stat(2) a mailbox; turns may end by the hundred
    next_look_ = steady + kLookMs;
    // (Before what is in force now: it may be on again.)
    for (const auto& [number, why] : std::map(off_unnoted_)) note_switched_off(number);
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
    gate_.set_limits(*now->misc, options_.index, options_.count);
    sync_.take_settings(now, plugin_.plugin());
    for (auto& [number, actor] : actors_) {
        const auto mailbox = now->mailboxes.find(number);
        if (mailbox == now->mailboxes.end()) continue;
        note_switched_off(number);
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
        statuses_due_.insert(number);
    }
}

// A clock that is wrong at boot, or is set wrongly, is mended within minutes as a rule. Until it
// has gone steadily for a while nothing is done that only much time justifies and nobody can take
// back.
void Worker::watch_clock() {
    const std::int64_t steady = clock_.steady_ms();
    const std::int64_t difference = clock_.now() - steady;
    const std::int64_t jump = difference - clock_difference_;
    clock_difference_ = difference;
    if (std::abs(jump) < kClockJumpMs) return;
    clock_since_ = steady;
    look_at_queue_ = true;
    trace(TraceLevel::kWarning, "the clock was set {} by {} s", jump > 0 ? "forward" : "back",
          std::abs(jump) / 1000);
}

bool Worker::trusts_clock(std::int64_t grace) const {
    return options_.once || clock_.steady_ms() - clock_since_ >= grace;
}

// Deleted messages whose retention is over go for good, a look an hour.
void Worker::purge_deleted() {
    const std::int64_t steady = clock_.steady_ms();
    if (steady < next_purge_ || !trusts_clock(kPurgeMs)) return;
    next_purge_ = steady + kPurgeMs;
    // (The time of now, which is trusted.)
    threads_.submit(
        [this, settings = settings_.current(), now = clock_.now()](Result<store::Store*> store) {
            sweep_speech(options_.paths);
            if (!store) return;
            const auto deleted = (*store)->with_deleted();
            if (!deleted) return trace(TraceLevel::kError, "{}", deleted.error().text());
            for (const auto& [number, mailbox] : settings->mailboxes) {
                if (stopping() && !options_.once) return;
                if (!mailbox.options || !deleted->contains(number)) continue;
                const InHand note(options_.in_hand, number, Work::kPurge);
                const std::int64_t days = mailbox.options->deleted_retention_days;
                const bool drop =
                    config::transport_kind(*settings->misc) == config::TransportKind::kPop3 &&
                    has_account(*mailbox.options, *settings->misc);
                const auto purged = (*store)->purge(number, now - days * kDayMs, drop);
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
// What the store does not take is offered to it again, also when it is on again by then, and no
// pass begins before it has taken it.
void Worker::note_switched_off(const std::string& number) {
    const auto settings = settings_.current();
    const auto found = settings->mailboxes.find(number);
    const bool off = found != settings->mailboxes.end() && found->second.options &&
                     !found->second.options->integration;
    if (!off && !off_unnoted_.contains(number)) return;
    Result<> done;
    if (auto state = store_->sync_state(number); !state) {
        done = fail(state.error());
    } else if (!state->account.empty() && state->on) {
        store::SyncCommit commit;
        commit.state = std::move(*state);
        commit.state->on = false;
        done = store_->commit_sync(number, commit);
    }
    if (done)
        off_unnoted_.erase(number);
    else if (off_unnoted_.insert_or_assign(number, done.error().text()).second)
        trace(TraceLevel::kError, "{}: {}", number, done.error().text());
}

void Worker::take_passes() {
    for (SyncSchedule::Ended& ended : sync_.take_ended()) {
        if (ended.result.push_again || ended.result.changed_here > 0)
            requeued_.insert(ended.mailbox);
        ++passes_;
        changed_here_ += ended.result.changed_here;
        changed_there_ += ended.result.changed_there;
        if (ended.asked_before > 0) answered_[ended.mailbox] = ended.asked_before;
        // A pass that ran while the integration was switched off has not noticed it.
        note_switched_off(ended.mailbox);
        // (Alone, how it stands is told when everything was done.)
        if (!options_.alone) statuses_due_.insert(ended.mailbox);
        if (ended.result.settled) settled_.push_back(std::move(*ended.result.settled));
    }
}

// What persons asked for: "NNN", another try of that mailbox's messages, so its server's pause ends
// now; "NNN sync", a look at its account. And "NNN back": it is out of quarantine.
void Worker::take_requests() {
    auto settings = settings_.current();
    const auto end = requests_.rfind('\n');
    if (end == std::string::npos) return;
    const std::string lines = requests_.substr(0, end);
    requests_.erase(0, end + 1);
    for (std::string number : split(lines, '\n')) {
        if (number.ends_with(kSyncRequest)) {
            number.resize(number.size() - kSyncRequest.size());
            if (!sync_.ask(number)) {  // nothing to look at: status says why
                answered_[number] = clock_.now();
                statuses_due_.insert(number);
            }
            continue;
        }
        if (number.ends_with(kBack)) {
            number.resize(number.size() - kBack.size());
            excluded_.erase(number);
            next_look_ = 0;
            take_settings();
            settings = settings_.current();
            continue;
        }
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end() || !found->second.options) continue;
        gate_.end_pause(gate_key(*found->second.options));
        sync_.end_pause(number);
        requeued_.insert(number);  // it may have had nothing to do
        if (const auto actor = actors_.find(number); actor != actors_.end())
            actor->second.not_before = 0;
    }
}

// Sleeps until something happens or falls due; reads pokes. False when the master is gone.
bool Worker::wait() {
    const std::int64_t left =
        std::min({next_due_, sync_.next_due(), statuses_at_}) - clock_.steady_ms();
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
        // Which mailbox was poked does not matter: the store says what has changed. Its options may
        // just have been mended.
        next_look_ = next_mark_ = 0;
        if (n > 0) requests_.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
}

// Of a worker of one mailbox's own, with nothing left that may be done now: whether it has done
// what another may have died of. What that one was sending waits for its time first, and who could
// not reach a server has not done what it was to do there.
bool Worker::has_done_everything() {
    const std::string& number = *options_.only_mailbox;
    const auto counts = store_->counts(number);
    const Actor& actor = actors_[number];
    const std::int64_t lived = clock_.steady_ms() - started_;
    const bool well = counts && counts->uncertain == 0 && actor.problem.empty() &&
                      sync_.view(number).problem.empty();
    const bool settled = recovered_ && mark_ >= 0 && actor.unrecorded.empty() &&
                         off_unnoted_.empty() && counts && (well || lived > kProvedMs);
    if (settled) alone_words_.clear();
    statuses_due_.insert(number);
    write_statuses();
    done_alone_ = settled && lived >= options_.alone->stay_ms;
    return done_alone_;
}

// Says in the store how a mailbox in quarantine stands whose worker died again.
int Worker::note_quarantine() {
    const std::string& number = *options_.only_mailbox;
    settings_.refresh(clock_.steady_ms());
    recover();
    answered_[number] = clock_.now();  // persons who asked
    statuses_due_.insert(number);
    write_statuses();
    return 0;
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

    if (options_.alone && options_.alone->note_only) return note_quarantine();
    while (!stopping()) {
        watch_clock();
        take_settings();
        recover();
        take_requests();  // after the settings: somebody may just have changed them
        purge_deleted();
        take_finished();
        record_unrecorded(false);
        take_transcripts();
        take_passes();
        read_queue();
        if (!settled_.empty()) write_statuses();  // before another pass begins, see Settled
        update_gauges();
        waits_for_room_ = false;
        const bool pushing =
            start_turns() || running_ > 0 || waits_for_room_ || transcriber_.busy();
        end_idle_sessions(pushing);
        // With --once the accounts are looked at when everything was pushed.
        const bool syncing =
            (!options_.once || !pushing) && (sync_.start(off_unnoted_) || sync_.running() > 0);
        // Mailboxes that wait for the gate are started as others end; with none running, none
        // waits.
        if (options_.once && !pushing && !syncing) break;
        if (options_.alone && !pushing && !syncing && has_done_everything()) break;
        gather_statuses();
        waiting_.start(settings_.current()->misc->message_waiting_command, clock_.steady_ms());
        if (!wait()) break;
    }
    interrupted_ = stopping();
    g_stop = true;  // cancels what the threads are doing, within their dialogue
    ::alarm(kStopSeconds);
    while (running_ + sync_.running() > 0) {
        pollfd wake{wake_.get(), POLLIN, 0};
        ::poll(&wake, 1, static_cast<int>(kLookMs));
        std::uint64_t ignored = 0;
        if (::read(wake_.get(), &ignored, sizeof ignored) < 0) ignored = 0;
        take_finished();
        take_passes();
    }
    for (SessionPool::Kept& kept : sessions_.drop_all()) end_session(std::move(kept));
    record_unrecorded(true);
    if (!options_.alone) statuses_due_.merge(sync_.take_restated());
    write_statuses();
    if (options_.alone && !done_alone_) return kStoppedAlone;
    if (!options_.once) return 0;
    ::alarm(0);  // all is done but the lamps
    next_mark_ = 0;
    read_queue();
    waiting_.finish(settings_.current()->misc->message_waiting_command, clock_.steady_ms());
    return once_status();
}

bool in_share(const std::string& number, int index, int count) {
    return count <= 1 || parse_int(number).value_or(0) % count == index;
}

int recover_all(const Paths& paths) {
    auto store = store::Store::open(paths);
    if (!store) return 0;
    const auto recovered = (*store)->recover([](const std::string&) { return true; },
                                             system_clock().now() + kRecoveryPauseMs, {});
    return recovered && *recovered > 0 ? 1 : 0;
}

int run_worker(const WorkerOptions& options) {
    install_signals();
    return Worker(options).run();
}

}  // namespace vm::agent
