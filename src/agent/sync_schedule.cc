#include "agent/sync_schedule.h"

#include "agent/drop_run.h"
#include "agent/new_mail.h"
#include "agent/session_options.h"
#include "base/trace.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace vm::agent {

namespace {

constexpr std::size_t kThreads = 40;
constexpr int kAtOnce = 32;  // with one server; the other threads are others'
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
// RFC 2177: an IDLE is to be renewed before 29 minutes are over.
constexpr std::int64_t kRenewMs = 1'500'000;  // 25 minutes
constexpr std::int64_t kLongestPauseMs = 600'000;
// A pass whose end is met by another change goes on at once, but not for ever.
constexpr int kPassesInARow = 5;
constexpr std::int64_t kRestlessMs = 1000;
constexpr std::int64_t kProgressMs = 10'000;
// A parked connection that has not answered by then is waited for by a thread of its own.
constexpr std::int64_t kAnswerMs = 3000;
// Answers come close together: after one so long passes before the next are taken.
constexpr int kGatherMs = 3;
// What has been answered does not wait longer for what has not.
constexpr std::int64_t kTellMs = 50;

// Where messages arrive.
std::string home_of(const config::MailboxOptions& mailbox) {
    return mailbox.sync_mode == config::SyncMode::kVmFolderOnly ? kVmFolder : kInboxFolder;
}

}  // namespace

SyncSchedule::SyncSchedule(Options options)
    : options_(std::move(options)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      gate_(static_cast<int>(kThreads), kAtOnce),
      settings_(std::make_shared<Settings>()),
      next_progress_(options_.clock.steady_ms() + kProgressMs),
      threads_(options_.store, kThreads) {}

SyncSchedule::~SyncSchedule() = default;

// ---- what there is to do ------------------------------------------------------------------------

void SyncSchedule::take_settings(std::shared_ptr<const Settings> settings,
                                 const std::optional<transport::Plugin>& plugin) {
    const bool same_plugin =
        plugin.has_value() == plugin_.has_value() && (!plugin || plugin->path() == plugin_->path());
    settings_ = std::move(settings);
    plugin_ = plugin;
    gate_.set_limits(*settings_->misc, options_.index, options_.workers);
    const auto is_wanted_now = [&](const Settings::Mailbox& mailbox) {
        return plugin_ && (plugin_->can_sync() || plugin_->can_visit()) && mailbox.options &&
               mailbox.seat && settings_->misc->use_email_integration &&
               why_not_synchronised(*mailbox.options, *settings_->misc).empty();
    };
    for (const auto& [number, mailbox] : settings_->mailboxes) {
        if (!is_wanted_now(mailbox)) continue;
        Actor& actor = actors_[number];
        if (same_plugin && actor.options == mailbox.options && actor.misc == settings_->misc)
            continue;
        actor.options = mailbox.options;
        actor.misc = settings_->misc;
        actor.server = account_gate_key(*actor.options, *actor.misc);
        if (actor.last_start == 0) actor.place = options_.jitter();
        gate_.end_pause(actor.server);
        actor.not_before = 0;
        actor.failures = 0;
        actor.wanted = actor.unit_changed = true;
        actor.view.problem.clear();
        if (!actor.running) drop_session(number, actor);
    }
    for (auto entry = actors_.begin(); entry != actors_.end();) {
        Actor& actor = entry->second;
        const auto found = settings_->mailboxes.find(entry->first);
        if (found != settings_->mailboxes.end() && is_wanted_now(found->second)) {
            ++entry;
        } else if (actor.running) {
            actor.options.reset();  // it goes when its pass has ended
            ++entry;
        } else {
            answer(entry->first, actor);
            entry = erase(entry);
        }
    }
}

SyncSchedule::Actors::iterator SyncSchedule::erase(Actors::iterator entry) {
    drop_session(entry->first, entry->second);
    if (entry->second.looked_at) --looked_at_;
    return actors_.erase(entry);
}

void SyncSchedule::unit_changed(const std::string& mailbox) {
    const auto actor = actors_.find(mailbox);
    if (actor == actors_.end()) return;
    actor->second.unit_changed = actor->second.wanted = actor->second.pending = true;
    // What could not be done before does not keep the rest from being done.
    if (actor->second.noted) actor->second.not_before = 0;
}

bool SyncSchedule::end_pause(const std::string& mailbox) {
    const auto actor = actors_.find(mailbox);
    if (actor == actors_.end() || !actor->second.options) return false;
    gate_.end_pause(actor->second.server);
    actor->second.not_before = 0;
    return true;
}

bool SyncSchedule::ask(const std::string& mailbox) {
    if (!end_pause(mailbox)) return false;
    const auto actor = actors_.find(mailbox);
    actor->second.wanted = actor->second.pending = actor->second.asked = true;
    return true;
}

void SyncSchedule::wake() {
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        const auto found = parked_.find(events.at(static_cast<std::size_t>(i)).data.fd);
        if (found == parked_.end()) continue;
        Actor& actor = actors_.at(found->second);
        unpark(actor);
        actor.wanted = actor.pending = actor.spoke = true;
        // It lives, whatever pause an earlier trouble has left.
        actor.not_before = 0;
    }
}

bool SyncSchedule::is_wanted(const Actor& actor, std::int64_t now) const {
    if (options_.once) return !actor.done_once;
    return actor.wanted || actor.poll_at <= now;
}

// Those for whom something happened first, then those that want a pass for another reason, and of
// each the one that has waited longest. Leaves in next_due_ when the next one is due.
std::vector<SyncSchedule::Due*> SyncSchedule::due_now(std::int64_t now) {
    next_due_ = kNever;
    std::vector<Due*> due;
    for (Due& entry : actors_) {
        const Actor& actor = entry.second;
        if (actor.running) continue;
        if (!is_wanted(actor, now)) {
            if (!options_.once) next_due_ = std::min(next_due_, actor.poll_at);
        } else if (actor.not_before > now) {
            next_due_ = std::min(next_due_, actor.not_before);
        } else {
            due.push_back(&entry);
        }
    }
    const auto rank = [](const Actor& actor) {
        return std::tuple(!actor.pending, !actor.wanted, actor.last_start, actor.place);
    };
    std::sort(due.begin(), due.end(),
              [&](const Due* a, const Due* b) { return rank(a->second) < rank(b->second); });
    return due;
}

bool SyncSchedule::start(const std::map<std::string, std::string>& withheld) {
    tell_progress();
    const std::int64_t now = options_.clock.steady_ms();
    bool any = false;
    std::map<std::string, int> without_place;  // by server
    std::set<std::string> no_room;             // servers where nobody can make any
    std::vector<Job> questions;
    for (auto* entry : due_now(now)) {
        Actor& actor = entry->second;
        if (const auto why = withheld.find(entry->first); why != withheld.end()) {
            restate(entry->first, actor, why->second);
            answer(entry->first, actor);
            continue;
        }
        switch (gate_.ask(actor.server, now, actor.open_at.empty())) {
            case ServerGate::Verdict::kGo:
                if (running_ >= kThreads) break;
                if (Job job = begin(entry->first, actor); job.asks)
                    questions.push_back(std::move(job));
                else
                    submit(std::move(job));
                any = true;
                break;
            case ServerGate::Verdict::kPaced:
                next_due_ = std::min(next_due_, gate_.may_connect_at(actor.server, now));
                any = true;
                break;
            case ServerGate::Verdict::kDown:
                next_due_ = std::min(next_due_, gate_.down_until(actor.server));
                restate(entry->first, actor, gate_.down_reason(actor.server));
                answer(entry->first, actor);
                break;
            case ServerGate::Verdict::kFull:
                // One is closed for each that waits; that it is closed wakes us.
                if (++without_place[actor.server] > closing_[actor.server] && running_ < kThreads &&
                    !no_room.contains(actor.server) && !make_room(actor.server, now))
                    no_room.insert(actor.server);
                any |= closing_[actor.server] > 0;
                break;
            case ServerGate::Verdict::kWait:
                break;  // one that ends wakes us
        }
    }
    if (!questions.empty()) submit(std::move(questions));
    return any;
}

// Closes the connection to that server that was used least recently and has nothing to do now,
// whether it is parked or waits for its next poll; false when there is none. (One that ends wakes
// us then.)
bool SyncSchedule::make_room(const std::string& server, std::int64_t now) {
    Due* oldest = nullptr;
    for (Due& entry : actors_) {
        const Actor& actor = entry.second;
        if (actor.running || actor.open_at != server) continue;
        if (actor.wanted && actor.not_before <= now) continue;
        if (oldest == nullptr || actor.last_start < oldest->second.last_start) oldest = &entry;
    }
    if (oldest == nullptr) return false;
    Actor& actor = oldest->second;
    drop_session(oldest->first, actor);
    actor.poll_at = std::min(actor.poll_at, now + actor.misc->sync_pending_timer_s * 1000);
    if (std::exchange(actor.view.idle, false)) restated_.insert(oldest->first);
    return true;
}

void SyncSchedule::restate(const std::string& mailbox, Actor& actor, const std::string& problem) {
    if (std::exchange(actor.view.problem, problem) != problem) restated_.insert(mailbox);
}

// A fleet takes its time to start.
void SyncSchedule::tell_progress() {
    if (options_.metrics) {
        options_.metrics->set(Metric::kAccounts, {}, static_cast<std::int64_t>(actors_.size()));
        options_.metrics->set(Metric::kAccountsLookedAt, {}, static_cast<std::int64_t>(looked_at_));
    }
    // (Some may wait for a server that is down.)
    if (looked_at_ >= actors_.size() || looked_at_ == traced_progress_ ||
        options_.clock.steady_ms() < next_progress_)
        return;
    next_progress_ = options_.clock.steady_ms() + kProgressMs;
    traced_progress_ = looked_at_;
    trace(TraceLevel::kInfo, "{} of {} accounts looked at since the start", looked_at_,
          actors_.size());
}

// ---- a pass -------------------------------------------------------------------------------------

SyncSchedule::Job SyncSchedule::begin(const std::string& mailbox, Actor& actor) {
    const int parked_fd = actor.parked_fd;
    Job job;
    job.was_parked = parked_fd >= 0 || actor.spoke;
    unpark(actor);
    job.mailbox = mailbox;
    job.server = actor.server;
    job.server_failures = gate_.failures(actor.server);
    job.unit_changed = actor.unit_changed;
    job.spoke = actor.spoke;
    job.asked = actor.asked;
    job.poll_due = actor.poll_at <= options_.clock.steady_ms();
    job.started = options_.clock.now();
    job.options = actor.options;
    job.misc = actor.misc;
    job.plugin = plugin_;
    job.session = actor.session;
    job.busiest = actor.busiest;
    job.hold = actor.view.hold;
    job.connects = actor.open_at.empty();
    job.asks = parked_fd >= 0 && is_question(job) && job.session->can_ask();
    if (job.asks) job.parked_fd = parked_fd;
    gate_.started(actor.server, options_.clock.steady_ms(), job.connects);
    actor.open_at = actor.server;
    actor.running = actor.done_once = true;
    ++running_;
    actor.wanted = actor.pending = actor.unit_changed = actor.spoke = actor.asked = false;
    actor.last_start = ++starts_;
    return job;
}

void SyncSchedule::submit(Job job) {
    threads_.submit([this, job = std::move(job)](Result<store::Store*> store) mutable {
        {
            const InHand note(options_.in_hand, job.mailbox,
                              job.plugin->can_visit() ? Work::kVisit : Work::kSync);
            const CountedIn counted(options_.metrics, Metric::kPassesRunning);
            work(job, std::move(store));
        }
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        tell_ended(std::move(jobs));
    });
}

void SyncSchedule::submit(std::vector<Job> questions) {
    threads_.submit(
        [this, jobs = std::move(questions)](const Result<store::Store*>& store) mutable {
            if (store) return ask_parked(std::move(jobs));
            for (Job& job : jobs) job.result.store_error = store.error();
            tell_ended(std::move(jobs));
        });
}

void SyncSchedule::tell_ended(std::vector<Job> jobs) {
    if (jobs.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        std::move(jobs.begin(), jobs.end(), std::back_inserter(ended_));
    }
    const std::uint64_t one = 1;
    if (::write(options_.wake_fd, &one, sizeof one) < 0) return;  // full: awake anyway
}

void SyncSchedule::work(Job& job, Result<store::Store*> store) const {
    run(job, std::move(store));
    if (!job.session) return;
    job.features = job.session->stats();
    // Nothing more comes of it; the next mailbox may be waiting for its place.
    if (options_.once && !job.result.failure) job.session.reset();
}

// With --once, whether there is more of the same to do at once.
bool SyncSchedule::goes_on(const SyncResult& result) const {
    return options_.once && result.again_ms == 0 && result.complete && !result.failure &&
           !result.store_error && !options_.stopping();
}

void SyncSchedule::run(Job& job, Result<store::Store*> store) const {
    if (!store) {
        job.result.store_error = store.error();
        return;
    }
    if (!job.session) {
        auto opened = transport::AccountSession::open(
            *job.plugin,
            session_options(*job.options, *job.misc, options_.stopping, options_.tokens));
        if (!opened) {
            job.result.failure = AccountFailure{AccountFault::kConfig, opened.error().text()};
            return;
        }
        job.session = std::make_shared<transport::AccountSession>(std::move(*opened));
    } else if (job.spoke && !job.poll_due) {
        // Nothing but a sign of life? A connection that was lost is opened again by the pass.
        const auto changed = job.session->peek();
        if (changed && !*changed && !job.unit_changed && !job.asked) {
            park(job);
            return;
        }
        if (!changed || *changed) job.was_parked = false;
    }
    if (check(job)) return;
    const SyncContext visit{options_.clock,    **store,       *job.options,
                            *job.misc,         *job.session,  true,
                            options_.stopping, mail_reader(), options_.paths.spool(),
                            options_.metrics};
    if (job.plugin->can_visit()) {
        do {
            SyncResult result = visit_drop(visit);
            result.changed_here += job.result.changed_here;
            result.changed_there += job.result.changed_there;
            job.result = std::move(result);
        } while (goes_on(job.result));
        job.passed = job.park_unsupported = true;
        return;
    }
    for (int i = 0; i < kPassesInARow; ++i) {
        SyncContext context = visit;
        context.unit_changed = job.unit_changed;
        SyncResult result = sync_mailbox(context);
        result.changed_here += job.result.changed_here;
        result.changed_there += job.result.changed_there;
        result.push_again |= job.result.push_again;
        job.result = std::move(result);
        job.passed = true;
        job.unit_changed = !job.result.complete;
        if (job.result.busiest)
            job.busiest = *job.result.busiest;
        else if (job.busiest.empty())
            job.busiest = job.result.busiest_before;
        if (goes_on(job.result)) {
            i = -1;
            continue;
        }
        if (job.result.failure || job.result.store_error || options_.once || options_.stopping())
            return;
        const bool parked = [&] {
            park(job);
            return job.parked_fd >= 0 || job.park_unsupported;
        }();
        if (parked || job.result.failure) return;
    }
}

// Where the parked connection tells of everything, it is enough to ask it.
bool SyncSchedule::is_question(const Job& job) {
    return job.was_parked && job.asked && !job.unit_changed && !job.poll_due && job.hold.empty() &&
           job.options->sync_mode != config::SyncMode::kAllFolders;
}

// False: a pass is to be made.
bool SyncSchedule::check(Job& job) const {
    if (!is_question(job)) return false;
    park(job);
    // A connection that was opened anew has seen nothing of what happened meanwhile.
    if (job.parked_fd < 0 || job.session->stats().connected) {
        job.parked_fd = -1;
        job.result.failure.reset();
        job.park_unsupported = false;
        return false;
    }
    job.passed = job.checked = job.result.complete = true;
    return true;
}

// Of many connections in one thread, which waits for all their answers at once. Those that have
// news, are lost or do not answer soon end unchecked: each gets a thread then.
void SyncSchedule::ask_parked(std::vector<Job> jobs) {
    const Clock& clock = options_.clock;
    const std::int64_t give_up = clock.steady_ms() + kAnswerMs;
    std::int64_t tell_at = clock.steady_ms() + kTellMs;
    std::vector<Job> ended;
    std::vector<pollfd> fds;
    fds.reserve(jobs.size());
    for (const Job& job : jobs) fds.push_back({job.parked_fd, POLLIN, POLLIN});
    for (;;) {
        for (std::size_t i = jobs.size(); i-- > 0;) {
            if (fds[i].revents == 0 || awaits_answer(jobs[i])) continue;
            std::swap(fds[i], fds.back());
            std::swap(jobs[i], jobs.back());
            ended.push_back(std::move(jobs.back()));
            fds.pop_back();
            jobs.pop_back();
        }
        const std::int64_t now = clock.steady_ms();
        if (jobs.empty() || now >= give_up || options_.stopping()) break;
        if (now >= tell_at) {
            tell_ended(std::exchange(ended, {}));
            tell_at = now + kTellMs;
        }
        ::poll(fds.data(), fds.size(), static_cast<int>(tell_at - now));
        if (jobs.size() > 1) {
            ::poll(nullptr, 0, kGatherMs);
            ::poll(fds.data(), fds.size(), 0);
        }
    }
    std::move(jobs.begin(), jobs.end(), std::back_inserter(ended));
    tell_ended(std::move(ended));
}

// The first call of it asks.
bool SyncSchedule::awaits_answer(Job& job) const {
    const InHand note(options_.in_hand, job.mailbox, Work::kSync);
    const auto answer = job.session->ask();
    if (answer && answer->waits) return true;
    job.was_parked = job.checked = answer && !answer->changed;
    if (job.checked) job.passed = job.result.complete = true;
    job.features = job.session->stats();
    return false;
}

// Leaves parked_fd at -1 when something has changed meanwhile.
void SyncSchedule::park(Job& job) const {
    auto parked = job.session->park(job.busiest.empty() ? home_of(*job.options) : job.busiest);
    if (!parked) {
        if (parked.error().fault == AccountFault::kRefused)
            job.park_unsupported = true;  // this folder, or IDLE at all: it is polled
        else
            job.result.failure = std::move(parked.error());
        return;
    }
    job.park_unsupported = !parked->supported;
    if (parked->supported && !parked->changed) job.parked_fd = parked->fd;
}

// ---- its end ------------------------------------------------------------------------------------

std::vector<SyncSchedule::Ended> SyncSchedule::take_ended() {
    take_closed();
    std::vector<Job> jobs;
    {
        const std::lock_guard lock(mutex_);
        jobs.swap(ended_);
    }
    std::vector<Ended> out = std::exchange(answers_, {});
    for (Job& job : jobs) {
        if (std::exchange(job.asks, false) && !job.checked && !job.result.store_error) {
            job.parked_fd = -1;
            submit(std::move(job));
            continue;
        }
        Actor& actor = actors_.at(job.mailbox);
        actor.running = false;
        --running_;
        if (!std::exchange(actor.looked_at, true)) ++looked_at_;
        count(job);
        actor.session = std::move(job.session);
        if (!actor.session || job.plugin->can_visit()) count_closed(actor);
        const bool counts = take(job, actor);
        out.push_back({job.mailbox, std::move(job.result), job.asked && counts ? job.started : 0});
    }
    return out;
}

// A person who asked is told how things stand: it will not be better soon.
void SyncSchedule::answer(const std::string& mailbox, Actor& actor) {
    if (!std::exchange(actor.asked, false)) return;
    answers_.push_back({mailbox, {}, options_.clock.now()});
}

// False when it was for nothing, and is to be done again.
bool SyncSchedule::take(const Job& job, Actor& actor) {
    const SyncResult& result = job.result;
    const std::int64_t now = options_.clock.steady_ms();
    if (job.options != actor.options || job.misc != actor.misc) {
        // An edit came meanwhile: the session speaks to another account.
        gate_.finished(job.server, ServerSeen::kNothing);
        drop_session(job.mailbox, actor);
        actor.wanted = actor.unit_changed = true;
        actor.asked |= job.asked;
        if (actor.options) return false;
        answer(job.mailbox, actor);
        erase(actors_.find(job.mailbox));
        return false;
    }
    if (result.failure) {
        take_failure(job, actor, *result.failure);
        actor.asked |= job.asked && result.failure->fault == AccountFault::kCancelled;
        return result.failure->fault != AccountFault::kCancelled;
    }
    const bool seen = result.asked && (!result.store_error || actor.session || options_.once);
    // A connection that was open already does not show that others get through.
    const bool down = gate_.down_until(job.server) > now && !job.connects;
    gate_.finished(job.server, seen && !down ? ServerSeen::kWorks : ServerSeen::kNothing);
    if (result.store_error) {
        actor.view.problem = result.store_error->text();
        actor.unit_changed = true;
        drop_session(job.mailbox, actor);  // it has told what was not recorded
        pause(actor, job.asked);
        return true;
    }
    actor.busiest = job.busiest;
    const transport::AccountStats& features = job.features;
    actor.view.connected = true;
    actor.view.idle = features.idle && !job.park_unsupported;
    actor.view.condstore = features.condstore;
    actor.view.qresync = features.qresync;
    if (job.passed) take_pass(result, actor);

    // A drop is visited when there is something to do there.
    const bool drop = job.plugin->can_visit();
    const std::int64_t timer =
        drop ? result.again_ms.value_or(kRenewMs) : job.misc->sync_pending_timer_s * 1000;
    // What IDLE in one folder does not tell is looked for.
    const bool tells_all =
        features.notify || job.options->sync_mode != config::SyncMode::kAllFolders;
    const bool may_rest = job.parked_fd >= 0 && tells_all && !actor.unit_changed;
    // (A sign of life is no look; nor is a question to the connection the look that is due at times
    // even where nothing is told.)
    if (job.passed && !job.checked) actor.poll_at = now + (may_rest ? kRenewMs : timer);
    if (job.passed && result.again_ms)
        actor.poll_at = std::min(actor.poll_at, now + *result.again_ms);
    if (job.parked_fd >= 0) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLRDHUP;
        event.data.fd = job.parked_fd;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, job.parked_fd, &event) == 0) {
            actor.parked_fd = job.parked_fd;
            actor.idle.emplace(options_.metrics, Metric::kIdleConnections,
                               LabelValues{account_server_of(*job.options, *job.misc)});
            parked_[job.parked_fd] = job.mailbox;
        } else {
            actor.poll_at = now + timer;
        }
    } else if (!job.park_unsupported && !options_.once) {
        actor.wanted = true;  // it goes on changing: others first
        actor.not_before = std::max(actor.not_before, now + kRestlessMs);
    }
    return !options_.stopping();
}

void SyncSchedule::take_pass(const SyncResult& result, Actor& actor) {
    actor.view.hold = result.hold;
    if (result.complete) actor.view.last_sync = options_.clock.now();
    if (!result.complete) actor.unit_changed = true;
    actor.noted = !result.notes.empty();
    if (actor.noted) {
        actor.view.problem = "sync: " + result.notes.front();
        actor.unit_changed = true;
        pause(actor, false);
        return;
    }
    actor.view.problem = result.complete ? "" : "not in step yet";
    actor.failures = 0;
    actor.not_before = 0;
}

void SyncSchedule::take_failure(const Job& job, Actor& actor, const AccountFailure& failure) {
    const std::int64_t now = options_.clock.steady_ms();
    actor.unit_changed = actor.wanted = true;
    actor.noted = false;
    actor.view.idle = false;
    // What was turned away was no connection.
    if (failure.fault == AccountFault::kTurnedAway) count_closed(actor);
    drop_session(job.mailbox, actor);
    if (failure.fault == AccountFault::kCancelled) {
        gate_.finished(job.server, ServerSeen::kNothing);
        return;
    }
    actor.view.problem =
        "sync with " + account_server_of(*job.options, *job.misc) + ": " + failure.text;
    trace(TraceLevel::kWarning, "{}: {}", job.mailbox, actor.view.problem);
    const bool others_stay =
        failure.fault == AccountFault::kTurnedAway && gate_.finished_turned_away(job.server, now);
    if (others_stay) {
        pause(actor, job.asked);
        return;
    }
    if (failure.fault == AccountFault::kServer || failure.fault == AccountFault::kTurnedAway) {
        // (Persons who try again and again make nobody else wait longer.)
        const int failures = std::max(job.server_failures + (job.asked ? 0 : 1), 1);
        gate_.finished_down(job.server, actor.view.problem, failures,
                            now + backoff(actor, failures));
        count_down(job);
        return;
    }
    gate_.finished(job.server, failure.fault == AccountFault::kStalls   ? ServerSeen::kStalls
                               : failure.fault == AccountFault::kConfig ? ServerSeen::kNothing
                                                                        : ServerSeen::kWorks);
    pause(actor, job.asked);
}

// Nothing more of this mailbox for a while, longer each time that nobody asked for.
void SyncSchedule::pause(Actor& actor, bool asked) {
    actor.failures = std::max(actor.failures + (asked ? 0 : 1), 1);
    actor.not_before = options_.clock.steady_ms() + backoff(actor, actor.failures);
    actor.wanted = true;
}

std::int64_t SyncSchedule::backoff(const Actor& actor, int failures) const {
    const std::int64_t first = std::max<std::int64_t>(actor.misc->repeat_start_up_period_s, 1);
    const std::int64_t ms =
        std::min(first * 1000 << std::clamp(failures - 1, 0, 10), kLongestPauseMs);
    return static_cast<std::int64_t>(static_cast<double>(ms) * (0.75 + options_.jitter() / 2));
}

void SyncSchedule::unpark(Actor& actor) {
    if (actor.parked_fd < 0) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, actor.parked_fd, nullptr);
    parked_.erase(actor.parked_fd);
    actor.parked_fd = -1;
    actor.idle.reset();
}

void SyncSchedule::count_closed(Actor& actor) {
    if (!actor.open_at.empty()) gate_.closed(std::exchange(actor.open_at, {}));
}

// Ending a session may take its time: not in this thread. Its connection counts until then.
void SyncSchedule::drop_session(const std::string& mailbox, Actor& actor) {
    unpark(actor);
    if (!actor.session) {
        count_closed(actor);
        return;
    }
    const std::string server = std::exchange(actor.open_at, {});
    if (!server.empty()) ++closing_[server];
    threads_.submit([this, mailbox, server,
                     session = std::move(actor.session)](const Result<store::Store*>&) mutable {
        {
            const InHand note(options_.in_hand, mailbox, Work::kClose);
            session.reset();
        }
        if (server.empty()) return;
        {
            const std::lock_guard lock(mutex_);
            closed_.push_back(server);
        }
        const std::uint64_t one = 1;
        if (::write(options_.wake_fd, &one, sizeof one) < 0) return;  // full: awake anyway
    });
    actor.session.reset();
}

void SyncSchedule::take_closed() {
    std::vector<std::string> closed;
    {
        const std::lock_guard lock(mutex_);
        closed.swap(closed_);
    }
    for (const std::string& server : closed) {
        --closing_[server];
        gate_.closed(server);
    }
}

SyncSchedule::View SyncSchedule::view(const std::string& mailbox) const {
    const auto actor = actors_.find(mailbox);
    return actor == actors_.end() ? View{} : actor->second.view;
}

}  // namespace vm::agent
