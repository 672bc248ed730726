// Deliveries: what waits, and every transition. The state machine is core/delivery.h's; here it is
// made durable, one transition a transaction with its history row.
#include "base/text.h"
#include "store/changes.h"
#include "store/database.h"
#include "store/media_files.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"

namespace vm::store {

namespace {

// The others need more than words: record_intent(), commit_sync() and what persons ask for write
// them.
bool is_outcome(DeliveryEvent event) {
    return event != DeliveryEvent::kIntent && event != DeliveryEvent::kRequeue &&
           event != DeliveryEvent::kLookAgain && event != DeliveryEvent::kResend &&
           event != DeliveryEvent::kPostpone && event != DeliveryEvent::kAbandon;
}

// Whether an attempt may have arrived, since the delivery entered the queue: it was uncertain then,
// which only an answer could have ended.
bool may_have_arrived(soci::session& sql, const std::string& id) {
    int times = 0;
    sql << kUncertainSinceQueued, soci::into(times), soci::use(id, "id");
    return times > 0;
}

tl::unexpected<Error> refused(const MessageRecord& record, const char* operation,
                              std::string reason, std::string hint = {}) {
    return fail(ErrorKind::kMessage, operation, record.message.id, std::move(reason),
                std::move(hint));
}

// What a person asks for is refused in this state.
tl::unexpected<Error> refused_in_state(const MessageRecord& record, const char* operation) {
    switch (record.delivery.state) {
        case DeliveryState::kSent:
            return refused(record, operation, "it was sent already");
        case DeliveryState::kSending:
            return refused(record, operation, "it is being sent right now");
        case DeliveryState::kFailed:
            return refused(record, operation, "it has failed already",
                           "`vmctl queue retry` sends it after all");
        default:
            return refused(record, operation,
                           "its delivery is " + std::string(to_string(record.delivery.state)));
    }
}

// The message, when a person may decide about its delivery.
Result<MessageRecord> read_open(soci::session& sql, const std::string& id, const char* operation) {
    VM_ASSIGN(MessageRecord record, read_record(sql, id));
    if (record.message.state == MessageState::kDeleted)
        return refused(record, operation, "the message is deleted", "restore it first");
    if (record.message.kind == MessageKind::kEmail)
        return refused(record, operation, "it is an e-mail, which is not sent");
    return record;
}

bool is_postponed(const Delivery& delivery, TimeMs now) {
    return delivery.postponed && delivery.next_attempt > now;
}

}  // namespace

Result<std::vector<MessageRecord>> SqlStore::queue() {
    return read("read the queue", "",
                [&](soci::session& sql) { return read_records(sql, kWhereQueue, {}); });
}

Result<std::vector<MessageRecord>> SqlStore::pending(const std::string& mailbox) {
    return read("read the queue of mailbox", mailbox, [&](soci::session& sql) {
        return read_records(sql, kWherePending, {{"mailbox", mailbox}});
    });
}

Result<std::vector<Store::Due>> SqlStore::due() {
    return read("read the queue", "", [&](soci::session& sql) -> Result<std::vector<Due>> {
        std::string mailbox;
        long long next = 0;
        const long long latest = clock_.now() + kLongestPauseMs;
        soci::statement statement = (sql.prepare << kDue, soci::into(mailbox), soci::into(next),
                                     soci::use(latest, "latest"));
        statement.execute();
        std::vector<Due> out;
        while (statement.fetch()) out.push_back({mailbox, next});
        return out;
    });
}

Result<std::optional<TimeMs>> SqlStore::due(const std::string& mailbox) {
    return read("read the queue of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::optional<TimeMs>> {
                    long long next = 0;
                    soci::indicator any = soci::i_null;
                    const long long latest = clock_.now() + kLongestPauseMs;
                    sql << kDueOf, soci::into(next, any), soci::use(latest, "latest"),
                        soci::use(mailbox, "mailbox");
                    return any == soci::i_ok ? std::optional<TimeMs>(next) : std::nullopt;
                });
}

Result<> SqlStore::retry(const std::string& id) {
    constexpr const char* kRetry = "retry";
    return write({kRetry, kRetry, id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(const MessageRecord record, read_open(sql, id, kRetry));
        const TimeMs now = clock_.now();
        Delivery delivery = record.delivery;
        delivery.next_attempt = now;
        delivery.postponed = false;
        if (delivery.state == DeliveryState::kQueued) {
            update_delivery(sql, id, delivery);
            note_change(sql, record.message.mailbox, ChangedBy::kPhone);
            return {};
        }
        // What was given up while it was uncertain is looked for before it is sent again.
        const bool unsure = delivery.state == DeliveryState::kFailed && may_have_arrived(sql, id);
        const auto next = next_state(delivery.state,
                                     unsure ? DeliveryEvent::kLookAgain : DeliveryEvent::kRequeue);
        if (!next) return refused_in_state(record, kRetry);
        // A person asks: the delivery timeout begins anew. What had ended begins from nothing.
        delivery.queued_at = now;
        if (delivery.state == DeliveryState::kOff || delivery.state == DeliveryState::kFailed)
            delivery.attempts = 0;
        if (delivery.state == DeliveryState::kOff) delivery.last_reply.clear();
        delivery.state = *next;
        change_delivery(sql, record, delivery, now, "retry was asked for");
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::postpone(const std::string& id, TimeMs until) {
    constexpr const char* kPostpone = "postpone";
    return write({kPostpone, kPostpone, id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(const MessageRecord record, read_open(sql, id, kPostpone));
        const auto next = next_state(record.delivery.state, DeliveryEvent::kPostpone);
        if (!next) return refused_in_state(record, kPostpone);
        Delivery delivery = record.delivery;
        delivery.state = *next;
        delivery.queued_at = delivery.next_attempt = until;
        delivery.postponed = true;
        delivery.last_reply = "postponed by a person until " + format_rfc3339(until);
        change_delivery(sql, record, delivery, clock_.now(), delivery.last_reply);
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::give_up(const std::string& id, const std::string& reason) {
    constexpr const char* kGiveUp = "give up";
    return write({kGiveUp, kGiveUp, id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(const MessageRecord record, read_open(sql, id, kGiveUp));
        const auto next = next_state(record.delivery.state, DeliveryEvent::kAbandon);
        if (!next) return refused_in_state(record, kGiveUp);
        Delivery delivery = record.delivery;
        delivery.state = *next;
        delivery.postponed = false;
        delivery.last_reply = sanitize_line(
            "given up by a person" +
            std::string(record.delivery.state == DeliveryState::kUncertain ? "; it may have arrived"
                                                                           : "") +
            (reason.empty() ? "" : ": " + reason));
        change_delivery(sql, record, delivery, clock_.now(), delivery.last_reply);
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<Delivery> SqlStore::write_intent(soci::session& sql, const std::string& id,
                                        const std::string& message_id) {
    VM_ASSIGN(DeliveryRow row, read_delivery(sql, id));
    const auto refuse = [&](std::string reason) {
        return fail(ErrorKind::kMessage, "begin delivery of", id, std::move(reason));
    };
    Delivery& delivery = row.delivery;
    const DeliveryState before = delivery.state;
    if (row.deleted) return refuse("the message is deleted");
    const auto next = next_state(before, DeliveryEvent::kIntent);
    if (!next) return refuse("its delivery is " + std::string(to_string(before)));
    if (is_postponed(delivery, clock_.now())) return refuse("a person has postponed it");
    delivery.state = *next;
    delivery.postponed = false;
    ++delivery.attempts;
    if (delivery.message_id.empty()) delivery.message_id = message_id;
    change_delivery(sql, id, before, delivery, clock_.now(),
                    "attempt " + std::to_string(delivery.attempts));
    return std::move(delivery);
}

Result<> SqlStore::write_outcome(soci::session& sql, const Outcome& outcome) {
    constexpr const char* kOutcome = "end delivery of";
    if (!is_outcome(outcome.event))
        return fail(ErrorKind::kUsage, kOutcome, outcome.id,
                    std::string(to_string(outcome.event)) + " is not an outcome");
    VM_ASSIGN(const DeliveryRow before, read_delivery(sql, outcome.id));
    Delivery delivery = before.delivery;
    const auto next = next_state(delivery.state, outcome.event);
    if (!next)
        return fail(ErrorKind::kMessage, kOutcome, outcome.id,
                    std::string(to_string(outcome.event)) +
                        " cannot happen while its delivery is " + to_string(delivery.state));
    delivery.state = *next;
    // A look for one that is uncertain ends no postponement that came meanwhile.
    delivery.postponed =
        outcome.event == DeliveryEvent::kDeferral && is_postponed(delivery, clock_.now());
    if (!delivery.postponed) delivery.next_attempt = outcome.next_attempt;
    delivery.last_reply = sanitize_line(outcome.reply);
    change_delivery(sql, outcome.id, before.delivery.state, delivery, clock_.now(), outcome.reply);
    if (*next != DeliveryState::kSent) {
        // A server that refused may have taken it all the same, and a pass seen it meanwhile.
        int seen = 0;
        sql << kHasCopies, soci::into(seen), soci::use(outcome.id);
        if (seen != 0) note_change(sql, before.mailbox, ChangedBy::kPhone);
    }
    return {};
}

Result<Delivery> SqlStore::record_intent(const std::string& id, const std::string& message_id) {
    return write({"intent", "begin delivery of", id}, [&](soci::session& sql) -> Result<Delivery> {
        return write_intent(sql, id, message_id);
    });
}

Result<> SqlStore::record_outcome(const Outcome& outcome) {
    return write({"outcome", "end delivery of", outcome.id},
                 [&](soci::session& sql) -> Result<> { return write_outcome(sql, outcome); });
}

Result<std::optional<Delivery>> SqlStore::record_outcome(const Outcome& outcome,
                                                         const Intent& following) {
    return write({"outcome and intent", "end delivery of", outcome.id},
                 [&](soci::session& sql) -> Result<std::optional<Delivery>> {
                     VM_TRY(write_outcome(sql, outcome));
                     // A refusal has written nothing.
                     auto intent = write_intent(sql, following.id, following.message_id);
                     if (!intent) return std::optional<Delivery>();
                     return std::optional(std::move(*intent));
                 });
}

Result<int> SqlStore::recover(const std::function<bool(const std::string&)>& mine,
                              TimeMs next_attempt, const std::string& reason) {
    sweep_temporaries(paths_, clock_.now());
    return write({"recovery", "recover deliveries", ""}, [&](soci::session& sql) -> Result<int> {
        std::vector<std::string> left;
        {
            std::string id, mailbox;
            soci::statement statement =
                (sql.prepare << kSending, soci::into(id), soci::into(mailbox));
            statement.execute();
            while (statement.fetch())
                if (mine(mailbox)) left.push_back(id);
        }
        for (const std::string& id : left) {
            VM_ASSIGN(const MessageRecord record, read_record(sql, id));
            Delivery delivery = record.delivery;
            delivery.state = *next_state(delivery.state, DeliveryEvent::kRestart);
            delivery.next_attempt = next_attempt;
            delivery.last_reply = reason;
            change_delivery(sql, record, delivery, clock_.now(), reason);
            // Its mail may have been seen in the account while it was being sent.
            note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        }
        return static_cast<int>(left.size());
    });
}

}  // namespace vm::store
