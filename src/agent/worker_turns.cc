#include "agent/session_options.h"
#include "agent/worker_state.h"
#include "base/trace.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace vm::agent {

namespace {

// After so many messages a mailbox lets others have the thread, if any wait. The next one goes on
// with its connection, as a rule, so that a turn's beginning costs a commit, a look at the queue
// and two threads' waking: with half as many, a twelfth of the messages a second. The shorter the
// turns, the more evenly the work is spread over what may run at once, and the sooner it is one's
// turn.
constexpr int kBatch = 20;
// So long after the start nothing is given up (RunContext::clock_offset).
constexpr std::int64_t kGraceMs = 3'600'000;
// Between two looks whether the store has changed, when nobody says so: turns and passes may end by
// the hundred.
constexpr std::int64_t kMarkMs = 10;

}  // namespace

// What is due is read of the mailboxes that something happened to: the phone says which it changed,
// and the rest are this worker's own turns and passes.
void Worker::read_queue() {
    const std::int64_t steady = clock_.steady_ms();
    if (steady < next_mark_ && !look_at_queue_ && requeued_.empty()) return;
    next_mark_ = steady + kMarkMs;
    const auto mark = store_->change_mark();
    if (!mark) {
        trace(TraceLevel::kError, "queue: {}", mark.error().text());
        return;
    }
    if (*mark == mark_ && !look_at_queue_ && requeued_.empty()) return;
    if (!read_changes()) {
        look_at_queue_ = true;
        return;
    }
    if (options_.only_mailbox && std::exchange(look_at_queue_, false))
        requeued_.insert(*options_.only_mailbox);
    const bool read = look_at_queue_ ? read_whole_queue() : read_requeued();
    look_at_queue_ = !read;
    if (read) mark_ = *mark;
}

bool Worker::read_whole_queue() {
    const auto due = store_->due();
    if (!due) {
        trace(TraceLevel::kError, "queue: {}", due.error().text());
        return false;
    }
    requeued_.clear();
    for (auto& [number, actor] : actors_) {
        actor.due = kNever;
        ++actor.queue_reads;
    }
    for (const auto& entry : *due)
        if (const auto actor = actors_.find(entry.mailbox); actor != actors_.end())
            actor->second.due = entry.next_attempt;
    return true;
}

bool Worker::read_requeued() {
    while (!requeued_.empty()) {
        const auto actor = actors_.find(*requeued_.begin());
        if (actor != actors_.end()) {
            const auto due = store_->due(actor->first);
            if (!due) {
                trace(TraceLevel::kError, "queue: {}", due.error().text());
                return false;
            }
            actor->second.due = due->value_or(kNever);
            ++actor->second.queue_reads;
        }
        requeued_.erase(requeued_.begin());
    }
    return true;
}

// Which mailboxes the phone changed since the last look: their accounts are to follow.
bool Worker::read_changes() {
    const auto changes = options_.only_mailbox
                             ? store_->changes_since(changes_seen_, *options_.only_mailbox)
                             : store_->changes_since(changes_seen_);
    if (!changes) {
        trace(TraceLevel::kError, "changes: {}", changes.error().text());
        return false;
    }
    const std::int64_t seen = changes_seen_;
    for (const store::MailboxChange& change : *changes) {
        // A lamp is no matter of the account: those in quarantine have theirs told by their share.
        if (is_of_my_share(change.mailbox) && !options_.alone) waiting_.changed(change.mailbox);
        if (is_mine(change.mailbox)) {
            if (change.phone_sequence > seen) {
                requeued_.insert(change.mailbox);
                sync_.unit_changed(change.mailbox);
            }
            const auto actor = actors_.find(change.mailbox);
            if (actor != actors_.end() && actor->second.on_hold)
                statuses_due_.insert(change.mailbox);
        }
        changes_seen_ = std::max(changes_seen_, change.sequence);
    }
    return true;
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

// Starts every mailbox that is due and may run; false when none was started, nor will be when its
// time to connect has come. One that waits for a
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
        const auto verdict = server.empty() ? ServerGate::Verdict::kGo : ask_gate(server, mailbox);
        if (verdict == ServerGate::Verdict::kDown) {
            next_due_ = std::min(next_due_, gate_.down_until(server));
            want_transcripts(number, actor);
            set_problem(number, actor, gate_.down_reason(server));
        } else if (verdict == ServerGate::Verdict::kPaced) {
            next_due_ = std::min(next_due_, gate_.may_connect_at(server, steady));
            any = true;
        } else if (running_ >= kThreads || verdict != ServerGate::Verdict::kGo) {
            ++waiting;
        } else {
            start_turn(number, actor, server);
            any = true;
        }
    }
    waiting_turns_ = waiting;
    return any;
}

// While its server is down: what is to be made until it is back. (Else the turn says it.)
void Worker::want_transcripts(const std::string& number, Actor& actor) {
    const auto settings = settings_.current();
    const auto& mailbox = settings->mailboxes.at(number).options;
    if (!transcribes(*mailbox, *settings->misc)) return;
    if (std::exchange(actor.transcripts_wanted, actor.queue_reads) == actor.queue_reads) return;
    const auto pending = store_->pending(number);
    const auto policy = policy_for(*mailbox, *settings->misc, *store_, false);
    if (!pending || !policy) {
        actor.transcripts_wanted = 0;
        trace(TraceLevel::kError, "{}: {}", number,
              (pending ? policy.error() : pending.error()).text());
        return;
    }
    std::vector<std::string> ids;
    for (const Action& action : decide(*pending, *policy, clock_.now()).actions)
        if (action.kind == ActionKind::kTranscribe) ids.push_back(action.message_id);
    transcriber_.want(mailbox, settings->misc, ids);
}

// Mailboxes whose mails wait for their transcripts no longer. (After take_finished(), which may
// have put them to sleep.)
void Worker::take_transcripts() {
    for (const std::string& number : transcriber_.take_news(*store_)) {
        requeued_.insert(number);
        if (const auto actor = actors_.find(number); actor != actors_.end())
            actor->second.done_once = false;
    }
}

// Of the mailboxes that wait most are told so whatever connections there are: that is asked last.
ServerGate::Verdict Worker::ask_gate(const std::string& server,
                                     const config::MailboxOptions& mailbox) {
    const std::int64_t steady = clock_.steady_ms();
    auto verdict = gate_.ask(server, steady, false);
    if (verdict != ServerGate::Verdict::kGo) return verdict;
    if (plugin_.plugin() && sessions_.has(*plugin_.plugin(), mailbox)) return verdict;
    verdict = gate_.ask(server, steady, true);
    if (verdict == ServerGate::Verdict::kFull) make_room(server);
    return verdict;
}

void Worker::start_turn(const std::string& number, Actor& actor, const std::string& server) {
    const auto settings = settings_.current();
    const std::int64_t grace =
        std::min(kGraceMs, settings->misc->retry_timeout_min * std::int64_t{60'000});
    const auto clock_offset = trusts_clock(grace) ? std::optional(clock_difference_) : std::nullopt;
    const int server_failures = gate_.failures(server);
    const auto mailbox = settings->mailboxes.at(number).options;
    const auto plugin = plugin_.plugin();
    auto session = std::make_shared<std::optional<transport::Session>>();
    if (!server.empty()) {
        if (plugin) *session = sessions_.take(*plugin, *mailbox);
        gate_.started(server, clock_.steady_ms(), !session->has_value());
    }
    actor.running = true;
    ++running_;
    actor.done_once = true;
    actor.last_start = ++starts_;
    auto* unrecorded = &actor.unrecorded;  // std::map nodes stay; erased only when not running
    threads_.submit([this, number, server, server_failures, clock_offset, unrecorded,
                     reads = actor.queue_reads, mailbox_failures = actor.failures,
                     misc = settings->misc, mailbox, plugin, plugin_problem = plugin_.problem(),
                     session, changes = settings_changes_.load()](Result<store::Store*> store) {
        const InHand note(options_.in_hand, number, Work::kPush);
        const CountedIn counted(&metrics_, Metric::kTurnsRunning);
        RunResult result;
        bool worked = false;
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
                                     stopping,
                                     [this, changes](int done) {
                                         return settings_changes_ != changes ||
                                                (done >= kBatch && waiting_turns_ > 0);
                                     },
                                     random_jitter,
                                     server_failures,
                                     mailbox_failures,
                                     clock_offset,
                                     options_.alone.has_value(),
                                     &metrics_,
                                     &templates_,
                                     session.get(),
                                     [&] { worked = tell_working(server); },
                                     tokens_,
                                     [&](const std::vector<std::string>& ids) {
                                         transcriber_.want(mailbox, misc, ids);
                                     }};
            result = run_mailbox(context);
        }
        std::optional<SessionPool::Kept> kept;
        if (*session) kept = SessionPool::Kept{std::move(**session), *plugin, server, mailbox, 0};
        {
            const std::lock_guard lock(finished_mutex_);
            finished_.push_back({number, server, server_failures, reads, mailbox, std::move(result),
                                 std::move(kept), worked});
        }
        wake();
    });
}

void Worker::wake() {
    const std::uint64_t one = 1;
    if (::write(wake_.get(), &one, sizeof one) < 0) return;  // full: the loop is awake anyway
}

// By a turn that goes on: others need not wait for its end to talk to the server, too. True.
bool Worker::tell_working(const std::string& server) {
    {
        const std::lock_guard lock(finished_mutex_);
        working_.push_back(server);
    }
    wake();
    return true;
}

// ---- sessions that wait for their next turn -----------------------------------------------------

void Worker::take_connection(Finished& turn) {
    if (turn.server.empty()) return;
    if (!turn.session) return gate_.closed(turn.server);
    turn.session->since = clock_.steady_ms();
    sessions_.put(std::move(*turn.session));
}

// Ends a session of that server that waits for nobody, if there is one and none is being ended:
// when it has ended, its place is free.
void Worker::make_room(const std::string& server) {
    if (!closing_.contains(server))
        if (auto kept = sessions_.drop_one(server)) end_session(std::move(*kept));
    waits_for_room_ |= closing_.contains(server);
}

// It may take its time: not in this thread.
void Worker::end_session(SessionPool::Kept kept) {
    closing_.insert(kept.server);
    auto ending = std::make_shared<SessionPool::Kept>(std::move(kept));
    threads_.submit([this, ending = std::move(ending)](const Result<store::Store*>&) mutable {
        const InHand note(options_.in_hand, ending->mailbox->number, Work::kClose);
        const std::string server = ending->server;
        ending.reset();
        {
            const std::lock_guard lock(finished_mutex_);
            closed_.push_back(server);
        }
        wake();
    });
}

// With --once as soon as nothing is pushed any more.
void Worker::end_idle_sessions(bool pushing) {
    auto idle =
        options_.once && !pushing ? sessions_.drop_all() : sessions_.drop_old(clock_.steady_ms());
    for (SessionPool::Kept& kept : idle) end_session(std::move(kept));
}

// That the server works is none when it was told before, unless another turn has found it down
// since.
bool Worker::is_news(const Finished& turn) const {
    return turn.result.server != ServerSeen::kWorks || !turn.server_worked ||
           gate_.failures(turn.server) > 0;
}

// What a turn's end means for when its mailbox, and its server, may be tried next.
void Worker::take_pause(const Finished& turn, Actor& actor) {
    const RunResult& result = turn.result;
    const std::int64_t steady = clock_.steady_ms();
    bool down = result.pause && result.pause->scope == PushScope::kServer;
    const bool turned_away = result.server == ServerSeen::kTurnedAway;
    if (!turn.server.empty() && turned_away && gate_.finished_turned_away(turn.server, steady))
        down = false;
    else if (!turn.server.empty() && down)
        gate_.finished_down(turn.server, result.pause->reason,
                            result.sent > 0 ? 1 : turn.server_failures + 1,
                            steady + result.pause->ms);
    else if (!turn.server.empty())
        gate_.finished(turn.server, is_news(turn) ? result.server : ServerSeen::kNothing);

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
    } else if (!result.more && turn.queue_reads == actor.queue_reads) {
        actor.due = result.wake_at.value_or(kNever);
        requeued_.erase(turn.mailbox);
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
    std::vector<std::string> working, closed;
    {
        const std::lock_guard lock(finished_mutex_);
        finished.swap(finished_);
        working.swap(working_);
        closed.swap(closed_);
    }
    for (const std::string& server : closed) {
        closing_.erase(closing_.find(server));
        gate_.closed(server);
    }
    for (const std::string& server : working) gate_.works(server);
    for (Finished& turn : finished) {
        const RunResult& result = turn.result;
        Actor& actor = actors_[turn.mailbox];
        actor.running = false;
        --running_;
        requeued_.insert(turn.mailbox);
        if (result.more) actor.done_once = false;
        take_connection(turn);
        take_pause(turn, actor);
        count_turn(turn);
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

// Outcomes that the store could not take are offered to it again, whatever has become of their
// mailboxes: what is not recorded when the process ends will be taken for uncertain, and may be
// sent twice.
void Worker::record_unrecorded(bool last) {
    const std::int64_t steady = clock_.steady_ms();
    for (auto& [number, actor] : actors_) {
        if (actor.running || actor.unrecorded.empty()) continue;
        if (!last && actor.not_before > steady) continue;
        const auto done = record_outcomes(*store_, actor.unrecorded);
        requeued_.insert(number);
        if (!done) {
            store_failed(number, actor, done.error());
            return;  // each try may wait for the store's lock
        }
        actor.failures = 0;
        set_problem(number, actor, {});
    }
}

}  // namespace vm::agent
