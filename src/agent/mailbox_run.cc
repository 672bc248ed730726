#include "agent/mailbox_run.h"

#include "agent/counting.h"
#include "agent/mail.h"
#include "agent/session_options.h"
#include "agent/transcriber.h"
#include "base/spool.h"
#include "base/trace.h"

#include <algorithm>
#include <utility>

namespace vm::agent {

namespace {

// So many deliveries without success are named in a turn's result.
constexpr std::size_t kNotes = 20;

bool is_success(DeliveryEvent event) {
    return event == DeliveryEvent::kAccepted || event == DeliveryEvent::kFound ||
           event == DeliveryEvent::kSwitchOff;
}

// One turn; its members are what the steps share.
class Turn {
  public:
    explicit Turn(const RunContext& context)
        : context_(context),
          mailbox_(*context.mailbox),
          session_(context.session ? *context.session : own_session_),
          reusable_(session_.has_value()) {}
    RunResult run();

  private:
    using Records = std::vector<MessageRecord>;

    // A message on its way: the record as it was before the attempt, and its mail.
    struct Mail {
        MessageRecord record;
        std::string message_id;
        Spool spool;
    };
    // How an attempt ended.
    struct End {
        PushOutcome outcome;
        std::string words;
        PushStep step = PushStep::kNone;
        bool cancelled = false;
    };

    bool look();
    void push_all(const std::vector<const MessageRecord*>& due);
    void push_one_by_one(std::vector<const MessageRecord*> due);
    Spool take_spool();
    std::optional<Mail> compose(const MessageRecord& due, const Delivery* begun = nullptr);
    std::string message_id_of(const MessageRecord& due) const;
    std::optional<Delivery> begin(const MessageRecord& due, const std::string& message_id);
    std::optional<Delivery> push(const Mail& mail, const Delivery& begun, const Mail* following);
    bool search(const MessageRecord& due);
    void give_up_the_untried();
    bool open_sessions();
    bool has_token();
    void note_server(const PushReport& report, const PushOutcome& outcome);
    void end_sessions();

    UnrecordedOutcome settle(const MessageRecord& before, const Delivery& begun, const End& end);
    std::optional<Delivery> record(const UnrecordedOutcome& outcome,
                                   const Mail* following = nullptr);
    void record_untried(const UnrecordedOutcome& outcome);
    bool is_failure(const Error& error);
    bool is_over(const Delivery& delivery) const;
    bool was_last(const Delivery& delivery) const;
    std::string gave_up(const std::string& why) const;
    void note(const UnrecordedOutcome& outcome);
    void pause(PushScope scope, const std::string& reason);
    bool is_searchable() const {
        return context_.plugin && context_.plugin->can_search() &&
               has_account(mailbox_, context_.misc);
    }
    std::int64_t backoff(int attempts) { return backoff_ms(attempts, context_.jitter()); }
    bool ended() const {
        return result_.pause || result_.store_error || result_.more || context_.cancelled();
    }

    const RunContext& context_;
    const config::MailboxOptions& mailbox_;
    RunResult result_;
    bool gave_up_for_all_ = false;     // a message was given up for a reason that any would meet
    std::vector<Spool> spare_spools_;  // to use again
    std::optional<transport::Session> own_session_;
    std::optional<transport::Session>& session_;  // for pushing
    std::optional<transport::Session> account_;   // the mailbox's own, to search its account
    bool told_ = false;                           // RunContext::server_works
    bool reusable_;  // session_ has a connection for the next one, as far as is known
};

// Ends the turn: nothing more of this mailbox (or to this server) will get through now.
void Turn::pause(PushScope scope, const std::string& reason) {
    int failures =
        scope == PushScope::kServer ? context_.server_failures : context_.mailbox_failures;
    if (result_.sent > 0) failures = 0;  // something got through: a limit, not an outage
    result_.pause = Pause{scope, reason, backoff(failures + 1)};
}

void Turn::note(const UnrecordedOutcome& outcome) {
    switch (outcome.event) {
        case DeliveryEvent::kAccepted:
        case DeliveryEvent::kFound:
            ++result_.sent;
            break;
        case DeliveryEvent::kDeferral:
            ++result_.deferred;
            break;
        case DeliveryEvent::kFailure:
        case DeliveryEvent::kGiveUp:
            ++result_.failed;
            break;
        case DeliveryEvent::kReplyLost:
            ++result_.uncertain;
            break;
        case DeliveryEvent::kSwitchOff:
            ++result_.switched_off;
            break;
        default:
            break;
    }
    count_delivery(context_.metrics, mailbox_, outcome.event);
    const bool good = is_success(outcome.event);
    const std::string line = "push " + outcome.id + " to " + server_of(mailbox_) + ": " +
                             to_string(outcome.event) + ": " + outcome.reply;
    if (!good && result_.notes.size() < kNotes) result_.notes.push_back(line);
    trace(good ? TraceLevel::kInfo : TraceLevel::kWarning, "{}: {}", mailbox_.number, line);
}

// Commits an outcome, and with it the intent for the following mail; that one's delivery when it
// may be pushed now.
std::optional<Delivery> Turn::record(const UnrecordedOutcome& outcome, const Mail* following) {
    Result<std::optional<Delivery>> done;
    if (following)
        done = context_.store.record_outcome(outcome,
                                             {following->record.message.id, following->message_id});
    else if (auto plain = context_.store.record_outcome(outcome); !plain)
        done = fail(plain.error());
    if (!done) {
        if (!is_failure(done.error())) return std::nullopt;
        context_.unrecorded.push_back(outcome);
        trace(TraceLevel::kError, "{}: {}: {} ({}) could not be recorded: {}", mailbox_.number,
              outcome.id, to_string(outcome.event), outcome.reply, done.error().text());
        return std::nullopt;
    }
    ++result_.recorded;
    note(outcome);
    return std::move(*done);
}

// Commits what was decided about a message that was not tried. When the store fails it is decided
// again by a later turn.
void Turn::record_untried(const UnrecordedOutcome& outcome) {
    if (auto done = context_.store.record_outcome(outcome); !done) {
        (void)is_failure(done.error());
        return;
    }
    ++result_.recorded;
    note(outcome);
}

// Whether its time is over, by a clock that nobody has set meanwhile.
bool Turn::is_over(const Delivery& delivery) const {
    return context_.clock_offset &&
           vm::is_over(delivery, context_.misc.retry_timeout_min * 60'000,
                       context_.clock.steady_ms() + *context_.clock_offset);
}

// Whether an uncertain delivery is not sent again. (The end of an attempt may be one that nobody
// lives to see.)
bool Turn::was_last(const Delivery& delivery) const {
    return delivery.state == DeliveryState::kUncertain && delivery.attempts > 1 &&
           is_over(delivery);
}

std::string Turn::gave_up(const std::string& why) const {
    return "gave up, g_nRetryDeliveryTimeoutMin (" +
           std::to_string(context_.misc.retry_timeout_min) + ") is over; " + why;
}

// Whether the store failed, which ends the turn. That the delivery is in another state by now is no
// failure: somebody else has settled it.
bool Turn::is_failure(const Error& error) {
    if (error.kind == ErrorKind::kMessage) {
        trace(TraceLevel::kWarning, "{}: {}", mailbox_.number, error.text());
        return false;
    }
    result_.store_error = error;
    return true;
}

// What to record of an attempt's end.
UnrecordedOutcome Turn::settle(const MessageRecord& before, const Delivery& begun, const End& end) {
    const DeliveryState earlier = before.delivery.state;
    const TimeMs now = context_.clock.now();
    UnrecordedOutcome out{before.message.id, outcome_after(earlier, end.outcome.event), end.words,
                          0};
    if (out.event != end.outcome.event) out.reply += "; an earlier attempt may have arrived";
    if (out.event == DeliveryEvent::kReplyLost) {
        out.next_attempt = now + kUncertainFactor * backoff(begun.attempts);
    } else if (end.cancelled) {
        out.next_attempt = now;
    } else if (end.outcome.scope != PushScope::kMessage && end.step < PushStep::kMail) {
        out.next_attempt = now + result_.pause->ms;
    } else {
        out.next_attempt = now + backoff(begun.attempts);
        // It may be this very message that the dialogue breaks off at (its size, its content):
        // after the pause another one goes first.
        if (result_.pause) out.next_attempt += result_.pause->ms;
    }
    if (may_be_last(earlier, end.outcome.event, is_searchable()) && !end.cancelled &&
        is_over(begun)) {
        gave_up_for_all_ = result_.pause && end.step < PushStep::kMail;
        out.event = DeliveryEvent::kGiveUp;
        out.reply = gave_up("last: " + out.reply);
    }
    return out;
}

// The account's is opened even if nothing is to be searched: a mailbox with options that make no
// sense is not served by half.
bool Turn::open_sessions() {
    if (account_) return true;
    if (!context_.plugin) {
        pause(PushScope::kMailbox, context_.plugin_problem);
        return false;
    }
    if (!has_token()) return false;
    auto opened = context_.plugin->open(
        session_options(mailbox_, context_.misc, context_.cancelled, context_.tokens));
    if (!opened) {
        pause(PushScope::kMailbox, opened.error().text());
        return false;
    }
    if (!session_) {
        auto pushing =
            context_.plugin->open(push_options(mailbox_, context_.cancelled, context_.tokens));
        if (!pushing) {
            pause(PushScope::kMailbox, pushing.error().text());
            return false;
        }
        session_.emplace(std::move(*pushing));
    }
    session_->set_name(mailbox_.number);
    account_.emplace(std::move(*opened));
    return true;
}

// Without one no message is tried, and so all are due as soon as there is one.
bool Turn::has_token() {
    if (!context_.tokens || !mailbox_.takes_token(mailbox_.smtp)) return true;
    const auto token = context_.tokens->token(oauth2::client_of(mailbox_));
    if (!token) pause(PushScope::kMailbox, token.error().text());
    return token.has_value();
}

// What a dialogue told about the server and the connection.
void Turn::note_server(const PushReport& report, const PushOutcome& outcome) {
    constexpr int kClosing = 421;
    reusable_ = report.cause == PushCause::kReply && report.code != kClosing &&
                report.step >= PushStep::kMail && report.step != PushStep::kData;
    if (proves_server(report)) {
        if (!std::exchange(told_, true) && context_.server_works) context_.server_works();
        result_.server = ServerSeen::kWorks;
    } else if (is_turned_away(report)) {
        result_.server = ServerSeen::kTurnedAway;
    } else if (outcome.scope == PushScope::kServer) {
        result_.server = ServerSeen::kDown;
    } else if (report.cause == PushCause::kLost || report.cause == PushCause::kTimeout) {
        result_.server = ServerSeen::kStalls;
    }
}

void Turn::end_sessions() {
    if (!session_) return;
    result_.traffic = session_->take_traffic();
    if (!reusable_) session_.reset();
}

// Commits the intent; nullopt when the message must not be sent now: it was deleted, or another
// process has it (no error), or the store failed.
std::optional<Delivery> Turn::begin(const MessageRecord& due, const std::string& message_id) {
    auto intent = context_.store.record_intent(due.message.id, message_id);
    if (intent) return std::move(*intent);
    if (intent.error().kind != ErrorKind::kMessage) result_.store_error = intent.error();
    return std::nullopt;
}

Spool Turn::take_spool() {
    if (spare_spools_.empty()) return Spool(context_.paths.spool());
    Spool spool = std::move(spare_spools_.back());
    spare_spools_.pop_back();
    spool.clear();
    return spool;
}

std::string Turn::message_id_of(const MessageRecord& due) const {
    const std::string& fixed = due.delivery.message_id;
    return fixed.empty() ? message_id_for(due.message, mailbox_) : fixed;
}

// Writes the mail into a spool; `begun`: when its intent is committed already. When that fails,
// says so where it belongs: what would fail for any message pauses the mailbox, the
// rest ends this one's attempt.
std::optional<Turn::Mail> Turn::compose(const MessageRecord& due, const Delivery* begun) {
    const std::string message_id = message_id_of(due);
    const auto fail_with = [&](DeliveryEvent event, ErrorKind kind, PushScope scope,
                               const std::string& text) -> std::optional<Mail> {
        std::optional<Delivery> attempt;
        if (begun)
            attempt = *begun;
        else if (scope == PushScope::kMessage)
            attempt = begin(due, message_id);
        if (scope == PushScope::kMailbox) pause(scope, text);
        if (attempt) record(settle(due, *attempt, {{event, kind, scope}, text}));
        return std::nullopt;
    };
    Spool spool = take_spool();
    MessageRecord named = due;
    named.delivery.message_id = message_id;
    const auto said = transcript_for(due.message, mailbox_, context_.store);
    if (!said) {
        result_.store_error = said.error();
        return std::nullopt;
    }
    const auto size = write_mail(
        named, *said, context_.store.media_path(due.message), mailbox_, context_.misc,
        context_.paths, [&](std::string_view block) { return spool.append(block); },
        context_.templates);
    if (size) return Mail{due, message_id, std::move(spool)};
    const Error& error = size.error();
    if (const auto& no_file = spool.no_file())
        return fail_with(DeliveryEvent::kDeferral, no_file->kind, PushScope::kMailbox,
                         no_file->text());
    return fail_with(
        error.kind == ErrorKind::kMessage ? DeliveryEvent::kFailure : DeliveryEvent::kDeferral,
        error.kind, error.kind == ErrorKind::kConfig ? PushScope::kMailbox : PushScope::kMessage,
        error.text());
}

// The dialogue about `mail`, whose intent is committed, and the commit of its outcome with the
// intent for `following`. The following one's delivery when the turn goes on with it.
std::optional<Delivery> Turn::push(const Mail& mail, const Delivery& begun, const Mail* following) {
    transport::OutgoingMessage outgoing;
    outgoing.sender = mailbox_.sender_address();
    outgoing.recipient = mailbox_.email_name;
    outgoing.memory = mail.spool.memory();
    outgoing.fd = mail.spool.fd();
    outgoing.size = mail.spool.size();
    const PushReport report = session_->push(outgoing);

    const End end{classify(report), describe(report), report.step,
                  report.cause == PushCause::kCancelled && context_.cancelled()};
    if (end.outcome.scope != PushScope::kMessage) pause(end.outcome.scope, end.words);
    note_server(report, end.outcome);
    const bool go_on = following && !ended() && !context_.should_yield(result_.recorded + 1);
    auto next = record(settle(mail.record, begun, end), go_on ? following : nullptr);
    if (following && !go_on && !ended()) result_.more = true;
    return next;
}

void Turn::push_all(const std::vector<const MessageRecord*>& due) {
    auto next = due.begin();
    const auto compose_next = [&]() -> std::optional<Mail> {
        while (next != due.end() && !ended())
            if (auto mail = compose(**next++)) return mail;
        return std::nullopt;
    };
    while (!ended()) {
        std::optional<Mail> mail = compose_next();
        if (!mail) return;
        auto begun = begin(mail->record, mail->message_id);
        while (begun) {
            // (What is composed here is thrown away if the turn is told to end during the
            // dialogue.)
            const bool last = context_.should_yield(result_.recorded + 1);
            auto following = last ? std::nullopt : compose_next();
            begun = push(*mail, *begun, following ? &*following : nullptr);
            if (last && next != due.end() && !ended()) result_.more = true;
            spare_spools_.push_back(std::move(mail->spool));
            mail = std::move(following);
        }
    }
}

// RunContext::alone: nothing is composed ahead, and what was tried most goes last: the one that
// kills the worker keeps no other from being sent.
void Turn::push_one_by_one(std::vector<const MessageRecord*> due) {
    std::stable_sort(due.begin(), due.end(), [](const MessageRecord* a, const MessageRecord* b) {
        return a->delivery.attempts < b->delivery.attempts;
    });
    for (const MessageRecord* one : due) {
        if (ended()) return;
        if (context_.should_yield(result_.recorded)) {
            result_.more = true;
            return;
        }
        const auto begun = begin(*one, message_id_of(*one));
        if (!begun) continue;
        if (const auto mail = compose(*one, &*begun)) push(*mail, *begun, nullptr);
    }
}

// Looks for an uncertain message in the account; false when it is to be sent (again).
bool Turn::search(const MessageRecord& due) {
    const auto answer = account_->find(due.message.id);
    if (!answer) {
        record_untried({due.message.id, DeliveryEvent::kDeferral, answer.error().text(),
                        context_.clock.now() + kUncertainFactor * backoff(due.delivery.attempts)});
        return true;
    }
    if (!answer->supported || !answer->found) return false;
    record({due.message.id, DeliveryEvent::kFound,
            "found in the account, folder " + answer->link.folder, 0});
    return true;
}

// The oldest message was given up because nothing gets through any more: those that waited for it
// as long share its end. Otherwise each would wait for an attempt of its own, one a pause.
void Turn::give_up_the_untried() {
    const auto pending = context_.store.pending(mailbox_.number);
    if (!pending) {
        result_.store_error = pending.error();
        return;
    }
    for (const MessageRecord& record_of : *pending) {
        if (result_.store_error || context_.cancelled()) return;
        if (record_of.delivery.state == DeliveryState::kUncertain || !is_over(record_of.delivery))
            continue;
        record_untried({record_of.message.id, DeliveryEvent::kGiveUp,
                        gave_up("not tried again: " + result_.pause->reason), 0});
    }
}

// One look at the queue and all that is due; false when it changed nothing.
bool Turn::look() {
    const int before = result_.recorded;
    const auto pending = context_.store.pending(mailbox_.number);
    if (!pending) {
        result_.store_error = pending.error();
        return false;
    }
    const auto policy = policy_for(mailbox_, context_.misc, context_.store, is_searchable());
    if (!policy) {
        result_.store_error = policy.error();
        return false;
    }
    const Plan plan = decide(*pending, *policy, context_.clock.now());
    result_.wake_at = plan.wake_at;
    // Before any server is asked: their time runs, whatever becomes of the others.
    std::vector<std::string> untranscribed;
    for (const Action& action : plan.actions)
        if (action.kind == ActionKind::kTranscribe) untranscribed.push_back(action.message_id);
    if (!untranscribed.empty() && context_.transcribe) context_.transcribe(untranscribed);
    std::vector<const MessageRecord*> sends;
    for (const Action& action : plan.actions) {
        if (ended()) return false;
        if (action.kind == ActionKind::kTranscribe) continue;
        const auto due =
            std::find_if(pending->begin(), pending->end(),
                         [&](const MessageRecord& r) { return r.message.id == action.message_id; });
        if (action.kind == ActionKind::kSwitchOff)
            record_untried({due->message.id, DeliveryEvent::kSwitchOff, action.reason, 0});
        else if (!open_sessions())
            return false;
        else if (action.kind == ActionKind::kSearch && search(*due))
            continue;
        else if (was_last(due->delivery))
            record_untried({due->message.id, DeliveryEvent::kGiveUp,
                            gave_up("not sent again: " + due->delivery.last_reply), 0});
        else
            sends.push_back(&*due);
    }
    if (context_.alone)
        push_one_by_one(std::move(sends));
    else
        push_all(sends);
    return result_.recorded != before;
}

RunResult Turn::run() {
    // What arrives or falls due meanwhile is part of this turn; it ends when a look changed
    // nothing.
    while (!ended() && look())
        if (context_.should_yield(result_.recorded)) result_.more = true;
    if (gave_up_for_all_) give_up_the_untried();
    end_sessions();
    trace(TraceLevel::kDebug, "{}: turn: {} outcomes recorded", mailbox_.number, result_.recorded);
    return result_;
}

}  // namespace

Result<PushPolicy> policy_for(const config::MailboxOptions& mailbox, const config::MiscSetup& misc,
                              store::Store& store, bool account_searchable) {
    PushPolicy policy = policy_for(mailbox, account_searchable);
    policy.transcribe = transcribes(mailbox, misc);
    if (policy.transcribe) {
        VM_ASSIGN(policy.transcribed, store.transcribed(mailbox.number));
    }
    return policy;
}

Result<> record_outcomes(store::Store& store, std::vector<UnrecordedOutcome>& unrecorded) {
    while (!unrecorded.empty()) {
        auto done = store.record_outcome(unrecorded.front());
        // kMessage: the state machine no longer takes it, so somebody else has settled it.
        if (!done && done.error().kind != ErrorKind::kMessage) return done;
        unrecorded.erase(unrecorded.begin());
    }
    return {};
}

RunResult run_mailbox(const RunContext& context) {
    return Turn(context).run();
}

}  // namespace vm::agent
