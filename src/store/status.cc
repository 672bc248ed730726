// What is known about mailboxes, and how much lies in them.
#include "base/text.h"
#include "store/database.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"

#include <algorithm>

namespace vm::store {

namespace {

// Often enough for people, and not a write a pass.
constexpr std::int64_t kLastSyncStepMs = 60LL * 1000;

struct StatusRow {
    std::string state, reason;
    int idle = 0, condstore = 0, qresync = 0;
    long long last_sync = 0, answered = 0, changed = 0;
};

MailboxStatus to_status(const std::string& mailbox, const StatusRow& row) {
    return {mailbox,          row.state, row.reason,    row.idle != 0, row.condstore != 0,
            row.qresync != 0, false,     row.last_sync, row.answered,  row.changed};
}

// All that `statement` reads into `row`.
Result<std::vector<MailboxChange>> rows_of(soci::statement& statement, const MailboxChange& row) {
    statement.execute();
    std::vector<MailboxChange> out;
    while (statement.fetch()) out.push_back(row);
    return out;
}

// False: there is none.
bool read_row(soci::session& sql, const std::string& mailbox, StatusRow& row) {
    sql << kStatus, soci::into(row.state), soci::into(row.reason), soci::into(row.idle),
        soci::into(row.condstore), soci::into(row.qresync), soci::into(row.last_sync),
        soci::into(row.answered), soci::into(row.changed), soci::use(mailbox);
    return sql.got_data();
}

// Adds so many messages in these states.
void add_to(MailboxCounts& counts, const std::string& state, const std::string& delivery,
            std::int64_t messages, std::int64_t linked) {
    (state == to_string(MessageState::kNew) ? counts.new_messages : counts.old_messages) +=
        messages;
    counts.linked += linked;
    switch (parse_delivery_state(delivery).value_or(DeliveryState::kOff)) {
        case DeliveryState::kOff:
            break;
        case DeliveryState::kQueued:
            counts.queued += messages;
            break;
        case DeliveryState::kSending:
            counts.sending += messages;
            break;
        case DeliveryState::kSent:
            counts.sent += messages;
            break;
        case DeliveryState::kDeferred:
            counts.deferred += messages;
            break;
        case DeliveryState::kFailed:
            counts.failed += messages;
            break;
        case DeliveryState::kUncertain:
            counts.uncertain += messages;
            break;
    }
}

StatusRow to_row(const MailboxStatus& s) {
    return {
        s.state, sanitize_line(s.reason), s.idle, s.condstore, s.qresync, s.last_sync, s.answered,
        0};
}

bool same_words(const StatusRow& a, const StatusRow& b) {
    return a.state == b.state && a.reason == b.reason;
}

bool is_worth_writing(const StatusRow& old, const StatusRow& now) {
    return !same_words(old, now) || old.idle != now.idle || old.condstore != now.condstore ||
           old.qresync != now.qresync || (now.answered != 0 && now.answered != old.answered) ||
           now.last_sync - old.last_sync > kLastSyncStepMs;
}

// What of `status` is to be written in place of what is there; nothing when it is not worth it.
std::optional<StatusRow> row_to_write(soci::session& sql, const MailboxStatus& status, TimeMs now) {
    StatusRow old, row = to_row(status);
    read_row(sql, status.mailbox, old);
    if (status.unconnected) {
        row.condstore = old.condstore;
        row.qresync = old.qresync;
    }
    // A clock that was ahead has left a time that nothing would be later than.
    if (row.last_sync != 0 && old.last_sync > now) old.last_sync = 0;
    if (!is_worth_writing(old, row)) return std::nullopt;
    // No pass since this agent's start says nothing about those before.
    if (row.answered == 0) row.answered = old.answered;
    row.last_sync = std::max(row.last_sync, old.last_sync);
    row.changed = same_words(old, row) ? old.changed : now;
    return row;
}

void write_row(soci::session& sql, const std::string& mailbox, const StatusRow& row) {
    sql << "INSERT INTO mailbox_status"
           " (mailbox, state, reason, idle, condstore, qresync, last_sync, answered, changed)"
           " VALUES (:mailbox, :state, :reason, :idle, :condstore, :qresync, :sync, :answered,"
           " :changed)"
           " ON CONFLICT (mailbox) DO UPDATE SET state = excluded.state,"
           " reason = excluded.reason, idle = excluded.idle, condstore = excluded.condstore,"
           " qresync = excluded.qresync, last_sync = excluded.last_sync,"
           " answered = excluded.answered, changed = excluded.changed",
        soci::use(mailbox), soci::use(row.state), soci::use(row.reason), soci::use(row.idle),
        soci::use(row.condstore), soci::use(row.qresync), soci::use(row.last_sync),
        soci::use(row.answered), soci::use(row.changed);
}

}  // namespace

Result<> SqlStore::set_statuses(const std::vector<MailboxStatus>& statuses,
                                const std::vector<Settled>& settled) {
    constexpr const char* kOperation = "set status of mailbox";
    const std::string subject = statuses.size() == 1 ? statuses.front().mailbox : "";
    std::vector<std::pair<std::string, StatusRow>> rows;
    VM_TRY(read(kOperation, subject, [&](soci::session& sql) -> Result<> {
        for (const MailboxStatus& status : statuses)
            if (const auto row = row_to_write(sql, status, clock_.now()))
                rows.emplace_back(status.mailbox, *row);
        return {};
    }));
    if (rows.empty() && settled.empty()) return {};
    return write({"status", kOperation, subject, Durable::kSoon},
                 [&](soci::session& sql) -> Result<> {
                     for (const auto& [mailbox, row] : rows) write_row(sql, mailbox, row);
                     for (const Settled& one : settled) {
                         const long long sequence = one.phone_sequence;
                         sql << "UPDATE sync_states SET settled = :settled, busiest = :busiest"
                                " WHERE mailbox = :mailbox",
                             soci::use(sequence), soci::use(one.busiest), soci::use(one.mailbox);
                     }
                     return {};
                 });
}

Result<std::map<std::string, std::string>> SqlStore::holds() {
    using Holds = std::map<std::string, std::string>;
    return read("read which mailboxes are on hold", "", [](soci::session& sql) -> Result<Holds> {
        std::string mailbox, hold;
        soci::statement statement = (sql.prepare << kHolds, soci::into(mailbox), soci::into(hold));
        statement.execute();
        Holds out;
        while (statement.fetch()) out[mailbox] = hold;
        return out;
    });
}

Result<std::vector<MailboxStatus>> SqlStore::statuses() {
    return read("read status", "", [&](soci::session& sql) -> Result<std::vector<MailboxStatus>> {
        std::string mailbox;
        StatusRow row;
        soci::statement statement =
            (sql.prepare << kStatuses, soci::into(mailbox), soci::into(row.state),
             soci::into(row.reason), soci::into(row.idle), soci::into(row.condstore),
             soci::into(row.qresync), soci::into(row.last_sync), soci::into(row.answered),
             soci::into(row.changed));
        statement.execute();
        std::vector<MailboxStatus> out;
        while (statement.fetch()) out.push_back(to_status(mailbox, row));
        return out;
    });
}

Result<std::optional<MailboxStatus>> SqlStore::status(const std::string& mailbox) {
    return read("read status of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::optional<MailboxStatus>> {
                    StatusRow row;
                    if (!read_row(sql, mailbox, row)) return std::optional<MailboxStatus>();
                    return std::optional(to_status(mailbox, row));
                });
}

Result<std::vector<MailboxChange>> SqlStore::changes_since(std::int64_t sequence) {
    return read("read changes", "", [&](soci::session& sql) {
        const long long after = sequence;
        MailboxChange row;
        soci::statement statement =
            (sql.prepare << kChangesSince, soci::into(row.mailbox), soci::into(row.sequence),
             soci::into(row.phone_sequence), soci::use(after));
        return rows_of(statement, row);
    });
}

Result<std::vector<MailboxChange>> SqlStore::changes_since(std::int64_t sequence,
                                                           const std::string& mailbox) {
    return read("read changes of mailbox", mailbox, [&](soci::session& sql) {
        const long long after = sequence;
        MailboxChange row;
        soci::statement statement = (sql.prepare << kChangeSince, soci::into(row.mailbox),
                                     soci::into(row.sequence), soci::into(row.phone_sequence),
                                     soci::use(mailbox, "mailbox"), soci::use(after, "sequence"));
        return rows_of(statement, row);
    });
}

Result<std::optional<Store::Waiting>> SqlStore::waiting_told(const std::string& mailbox) {
    return read("read what was told of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::optional<Waiting>> {
                    long long new_messages = 0, old_messages = 0;
                    sql << kWaitingTold, soci::into(new_messages), soci::into(old_messages),
                        soci::use(mailbox);
                    if (!sql.got_data()) return std::optional<Waiting>();
                    return std::optional(Waiting{new_messages, old_messages});
                });
}

Result<> SqlStore::set_waiting_told(const std::string& mailbox, const Waiting& waiting) {
    return write(
        {"waiting", "write what was told of mailbox", mailbox},
        [&](soci::session& sql) -> Result<> {
            const long long new_messages = waiting.new_messages,
                            old_messages = waiting.old_messages;
            sql << "INSERT INTO waiting_told (mailbox, new_messages, old_messages)"
                   " VALUES (:mailbox, :new, :old)"
                   " ON CONFLICT (mailbox) DO UPDATE SET new_messages = excluded.new_messages,"
                   " old_messages = excluded.old_messages",
                soci::use(mailbox), soci::use(new_messages), soci::use(old_messages);
            return {};
        });
}

Result<std::vector<Store::QueueDepth>> SqlStore::queue_depths() {
    return read("count the queue", "", [&](soci::session& sql) -> Result<std::vector<QueueDepth>> {
        std::string state, mailbox;
        long long deliveries = 0, oldest = 0;
        soci::statement statement =
            (sql.prepare << kQueueDepths, soci::into(state), soci::into(mailbox),
             soci::into(deliveries), soci::into(oldest));
        statement.execute();
        std::vector<QueueDepth> out;
        while (statement.fetch())
            if (const auto known = parse_delivery_state(state))
                out.push_back({mailbox, *known, deliveries, oldest});
        return out;
    });
}

Result<std::vector<std::string>> SqlStore::unfinished() {
    return read("read the queue", "", [&](soci::session& sql) -> Result<std::vector<std::string>> {
        std::string mailbox;
        soci::statement statement = (sql.prepare << kUnfinished, soci::into(mailbox));
        statement.execute();
        std::vector<std::string> out;
        while (statement.fetch()) out.push_back(mailbox);
        return out;
    });
}

Result<MailboxCounts> SqlStore::counts(const std::string& mailbox) {
    return read("count messages of mailbox", mailbox,
                [&](soci::session& sql) -> Result<MailboxCounts> {
                    MailboxCounts counts;
                    std::string state, delivery;
                    long long messages = 0, linked = 0;
                    soci::statement statement =
                        (sql.prepare << kCounts, soci::into(state), soci::into(delivery),
                         soci::into(messages), soci::into(linked), soci::use(mailbox));
                    statement.execute();
                    while (statement.fetch()) add_to(counts, state, delivery, messages, linked);
                    return counts;
                });
}

Result<std::map<std::string, MailboxCounts>> SqlStore::all_counts() {
    return read("count messages", "",
                [&](soci::session& sql) -> Result<std::map<std::string, MailboxCounts>> {
                    std::string mailbox, state, delivery;
                    long long messages = 0, linked = 0;
                    soci::statement statement =
                        (sql.prepare << kAllCounts, soci::into(mailbox), soci::into(state),
                         soci::into(delivery), soci::into(messages), soci::into(linked));
                    statement.execute();
                    std::map<std::string, MailboxCounts> out;
                    while (statement.fetch())
                        add_to(out[mailbox], state, delivery, messages, linked);
                    return out;
                });
}

Result<std::int64_t> SqlStore::change_mark() {
    return read("read the change mark", "", [&](soci::session& sql) -> Result<std::int64_t> {
        long long version = 0;
        sql << "PRAGMA data_version", soci::into(version);
        return version;
    });
}

}  // namespace vm::store
