#include "agent/mailbox_run.h"

#include "agent/mail.h"
#include "base/files.h"
#include "base/trace.h"
#include "core/push.h"

#include <algorithm>

namespace vm::agent {

namespace {

// So many deliveries without success are named in a turn's result.
constexpr std::size_t kNotes = 20;
// After so many messages a mailbox lets others have the thread, if any wait.
constexpr int kBatch = 50;
// An uncertain message most likely arrived: what is sent again without a look may be a duplicate,
// so the pauses are ten times those after a plain deferral.
constexpr std::int64_t kUncertainFactor = 10;

transport::Tls tls_of(config::Ssl ssl) {
    switch (ssl) {
        case config::Ssl::kNo:
            return transport::Tls::kOpportunistic;
        case config::Ssl::kYes:
            return transport::Tls::kImplicit;
        case config::Ssl::kStartTls:
            return transport::Tls::kStartTls;
    }
    return transport::Tls::kStartTls;
}

transport::Auth auth_of(config::Auth auth) {
    switch (auth) {
        case config::Auth::kNone:
            return transport::Auth::kNone;
        case config::Auth::kAuto:
            return transport::Auth::kAuto;
        case config::Auth::kPlain:
            return transport::Auth::kPlain;
        case config::Auth::kLogin:
            return transport::Auth::kLogin;
        case config::Auth::kCramMd5:
            return transport::Auth::kCramMd5;
        case config::Auth::kXOAuth2:
            return transport::Auth::kXOAuth2;
    }
    return transport::Auth::kAuto;
}

transport::Endpoint endpoint_of(const config::Server& server) {
    return {server.host,          server.port,    tls_of(server.ssl),
            auth_of(server.auth), server.account, server.password};
}

transport::SessionOptions session_options(const RunContext& context) {
    const config::MailboxOptions& mailbox = *context.mailbox;
    transport::SessionOptions options;
    options.name = mailbox.number;
    options.smtp = endpoint_of(mailbox.smtp);
    const bool pop3 = config::transport_kind(context.misc) == config::TransportKind::kPop3;
    options.account = endpoint_of(pop3 ? mailbox.pop3 : mailbox.imap4);
    options.domain = mailbox.domain;
    options.ca_file = mailbox.tls_ca_file;
    options.verify = mailbox.tls_verify;
    options.allow_cleartext_password = mailbox.allow_cleartext_password;
    options.search_text = mailbox.search_mode == config::SearchMode::kText;
    const std::chrono::seconds reply(mailbox.network_timeout_s);
    options.reply_timeout = reply;
    options.connect_timeout = std::min<std::chrono::milliseconds>(reply, std::chrono::seconds(60));
    // The final dot gets twice the time: giving up early is what makes duplicates (RFC 1047).
    options.dot_timeout = 2 * reply;
    options.cancelled = context.cancelled;
    return options;
}

// One turn; its members are what the steps share.
class Turn {
  public:
    explicit Turn(const RunContext& context) : context_(context), mailbox_(*context.mailbox) {}
    RunResult run();

  private:
    bool act(const MessageRecord& record, const Action& action);
    bool send(const MessageRecord& record);
    bool record(const MessageRecord& record, DeliveryEvent event, const std::string& reply,
                TimeMs next_attempt);
    void postpone(const MessageRecord& record);
    void fail_composition(const MessageRecord& record, const Error& error);
    bool open_session();
    bool flush_unrecorded();
    void count(DeliveryEvent event);
    std::int64_t pause(int attempts) { return backoff_ms(attempts, context_.jitter()); }
    bool stopped() const { return result_.store_error || context_.cancelled(); }

    const RunContext& context_;
    const config::MailboxOptions& mailbox_;
    RunResult result_;
    int recorded_ = 0;  // outcomes committed in this turn
    std::optional<transport::Session> session_;
    // Set once nothing more will get through in this turn: why, and when to try again.
    std::optional<std::string> postponed_;
    TimeMs postponed_until_ = 0;
};

void Turn::count(DeliveryEvent event) {
    switch (event) {
        case DeliveryEvent::kAccepted:
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
}

// Commits an outcome; false when the store failed.
bool Turn::record(const MessageRecord& record, DeliveryEvent event, const std::string& reply,
                  TimeMs next_attempt) {
    const std::string& id = record.message.id;
    const std::int64_t timeout_ms = context_.misc.retry_timeout_min * 60'000;
    const DeliveryEvent final_event =
        with_timeout(event, record.delivery, timeout_ms, context_.clock.now());
    const std::string words = final_event == event
                                  ? reply
                                  : "gave up, g_nRetryDeliveryTimeoutMin (" +
                                        std::to_string(context_.misc.retry_timeout_min) +
                                        ") is over; last: " + reply;
    if (auto done = context_.store.record_outcome(id, final_event, words, next_attempt); !done) {
        result_.store_error = done.error();
        context_.unrecorded.push_back({id, final_event, words, next_attempt});
        trace(TraceLevel::kError, "{}: {}: {} ({}) could not be recorded: {}", mailbox_.number, id,
              to_string(final_event), words, done.error().text());
        return false;
    }
    ++recorded_;
    count(final_event);
    if (final_event != DeliveryEvent::kAccepted && final_event != DeliveryEvent::kSwitchOff &&
        final_event != DeliveryEvent::kFound && result_.notes.size() < kNotes)
        result_.notes.push_back("push " + id + " to " + server_of(mailbox_) + ": " +
                                to_string(final_event) + ": " + words);
    trace(final_event == DeliveryEvent::kAccepted || final_event == DeliveryEvent::kSwitchOff
              ? TraceLevel::kInfo
              : TraceLevel::kWarning,
          "{}: push {} to {}: {}: {}", mailbox_.number, id, server_of(mailbox_),
          to_string(final_event), words);
    return true;
}

// Puts a message off without an attempt, because the turn found out that none can succeed now.
void Turn::postpone(const MessageRecord& record_in) {
    record(record_in, DeliveryEvent::kDeferral, "not tried: " + *postponed_, postponed_until_);
}

bool Turn::open_session() {
    if (session_) return true;
    std::string reason;
    if (!context_.plugin) {
        reason = context_.plugin_problem;
    } else if (auto opened = context_.plugin->open(session_options(context_))) {
        session_.emplace(std::move(*opened));
        return true;
    } else {
        reason = opened.error().text();
    }
    result_.problem = reason;
    postponed_ = reason;
    postponed_until_ = context_.clock.now() + pause(1);
    return false;
}

// A mail that cannot be written: damaged media is final, a full disk or a missing program is not.
void Turn::fail_composition(const MessageRecord& record_in, const Error& error) {
    const auto next = context_.clock.now() + pause(record_in.delivery.attempts + 1);
    if (error.kind == ErrorKind::kMessage) {
        // The state machine knows failure only from `sending`: the intent is what makes it one
        // attempt.
        auto intent = context_.store.record_intent(record_in.message.id,
                                                   message_id_for(record_in.message, mailbox_));
        if (!intent) {
            result_.store_error = intent.error();
            return;
        }
        record(*intent, DeliveryEvent::kFailure, error.text(), next);
        return;
    }
    if (error.kind == ErrorKind::kConfig) result_.problem = error.text();
    record(record_in, DeliveryEvent::kDeferral, error.text(), next);
}

// Pushes one message; false when the turn must end.
bool Turn::send(const MessageRecord& due) {
    if (!open_session()) {
        postpone(due);
        return !result_.store_error;
    }
    // 1. The mail, in a file without a name.
    auto file = unnamed_file(context_.paths.spool());
    if (!file) {
        fail_composition(due, file.error());
        return !result_.store_error;
    }
    MessageRecord composed = due;
    if (composed.delivery.message_id.empty())
        composed.delivery.message_id = message_id_for(due.message, mailbox_);
    const auto size = write_mail(composed, context_.store.media_path(due.message), mailbox_,
                                 context_.misc, context_.paths, file->get());
    if (!size) {
        fail_composition(due, size.error());
        return !result_.store_error;
    }

    // 2. The intent.
    auto intent = context_.store.record_intent(due.message.id, composed.delivery.message_id);
    if (!intent) {
        if (intent.error().kind == ErrorKind::kMessage) return true;  // deleted or taken meanwhile
        result_.store_error = intent.error();
        return false;
    }

    // 3. The dialogue.
    transport::OutgoingMessage mail;
    mail.sender = mailbox_.sender_address();
    mail.recipient = mailbox_.email_name;
    mail.fd = file->get();
    mail.size = *size;
    const PushReport report = session_->push(mail);
    result_.talked = true;

    // 4. The outcome.
    const PushOutcome outcome = classify(report);
    const std::string words = describe(report);
    TimeMs next = context_.clock.now() + pause(intent->delivery.attempts);
    if (outcome.event == DeliveryEvent::kReplyLost)
        next = context_.clock.now() + kUncertainFactor * pause(intent->delivery.attempts);
    if (report.cause == PushCause::kCancelled) next = context_.clock.now();
    if (!record(*intent, outcome.event, words, next)) return false;

    if (outcome.server_down) result_.server_down = words;
    if (outcome.kind == ErrorKind::kAccount || outcome.kind == ErrorKind::kConfig)
        result_.problem = words;
    if (outcome.server_down || !result_.problem.empty()) {
        postponed_ = words;
        postponed_until_ = next;
    }
    return true;
}

bool Turn::act(const MessageRecord& due, const Action& action) {
    switch (action.kind) {
        case ActionKind::kSwitchOff:
            return record(due, DeliveryEvent::kSwitchOff, action.reason, 0);
        case ActionKind::kSearch: {
            if (!open_session()) {
                postpone(due);
                return !result_.store_error;
            }
            const auto answer = session_->find(due.message.id);
            result_.talked = true;
            if (!answer)
                return record(due, DeliveryEvent::kDeferral, answer.error().text(),
                              context_.clock.now() + pause(due.delivery.attempts));
            if (answer->supported && answer->found)
                return record(due, DeliveryEvent::kFound,
                              "found in the account, folder " + answer->link.folder, 0);
            return send(due);
        }
        case ActionKind::kSend:
            return send(due);
    }
    return true;
}

bool Turn::flush_unrecorded() {
    auto& waiting = context_.unrecorded;
    while (!waiting.empty()) {
        const UnrecordedOutcome& outcome = waiting.front();
        auto done = context_.store.record_outcome(outcome.message_id, outcome.event, outcome.reply,
                                                  outcome.next_attempt);
        // kMessage: the state machine no longer takes it, so somebody else has settled it.
        if (!done && done.error().kind != ErrorKind::kMessage) {
            result_.store_error = done.error();
            result_.problem = done.error().text();
            return false;
        }
        waiting.erase(waiting.begin());
    }
    return true;
}

RunResult Turn::run() {
    if (context_.server_down) {
        postponed_ = *context_.server_down;
        result_.server_down =
            *context_.server_down;  // still: the mailbox's problem does not end here
        postponed_until_ = context_.down_until;
    }
    if (!flush_unrecorded()) return result_;
    // What arrives or falls due meanwhile is part of this turn; it ends when a look changed
    // nothing.
    for (int before = -1; before != recorded_ && !stopped();) {
        before = recorded_;
        const auto pending = context_.store.pending(mailbox_.number);
        if (!pending) {
            result_.store_error = pending.error();
            break;
        }
        const Plan plan =
            decide(*pending, policy_for(mailbox_, context_.plugin && context_.plugin->can_search()),
                   context_.clock.now());
        for (const Action& action : plan.actions) {
            if (stopped()) break;
            const auto due = std::find_if(
                pending->begin(), pending->end(),
                [&](const MessageRecord& r) { return r.message.id == action.message_id; });
            if (postponed_ && action.kind != ActionKind::kSwitchOff) {
                postpone(*due);
            } else if (!act(*due, action)) {
                break;
            } else if (recorded_ >= kBatch && context_.should_yield()) {
                result_.more = true;
                return result_;
            }
        }
        result_.wake_at = plan.wake_at;
    }
    if (result_.store_error) result_.problem = result_.store_error->text();
    return result_;
}

}  // namespace

PushPolicy policy_for(const config::MailboxOptions& mailbox, bool account_searchable) {
    PushPolicy policy;
    policy.integration = mailbox.integration;
    policy.send_voice = mailbox.sends_voice();
    policy.send_fax = mailbox.sends_fax();
    policy.account_searchable = account_searchable;
    return policy;
}

std::string server_of(const config::MailboxOptions& mailbox) {
    return mailbox.smtp.host + ":" + std::to_string(mailbox.smtp.port);
}

std::string gate_key(const config::MailboxOptions& mailbox) {
    return server_of(mailbox) + ' ' + std::to_string(static_cast<int>(mailbox.smtp.ssl)) + ' ' +
           (mailbox.tls_verify ? mailbox.tls_ca_file.string() : "unverified");
}

RunResult run_mailbox(const RunContext& context) {
    return Turn(context).run();
}

}  // namespace vm::agent
