// What is known about mailboxes, and how much lies in them.
#include "base/text.h"
#include "store/database.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"

namespace vm::store {

Result<> SqlStore::set_status(const MailboxStatus& status) {
    return guarded("set status of mailbox", status.mailbox, [&]() -> Result<> {
        const std::string reason = sanitize_line(status.reason);
        std::string old_state, old_reason;
        sql_ << kStatus, soci::into(old_state), soci::into(old_reason), soci::use(status.mailbox);
        if (old_state == status.state && old_reason == reason) return {};
        const long long now = clock_.now();
        Transaction transaction(sql_);
        sql_ << "INSERT INTO mailbox_status (mailbox, state, reason, changed)"
                " VALUES (:mailbox, :state, :reason, :changed)"
                " ON CONFLICT (mailbox) DO UPDATE SET state = excluded.state,"
                " reason = excluded.reason, changed = excluded.changed",
            soci::use(status.mailbox), soci::use(status.state), soci::use(reason), soci::use(now);
        transaction.commit();
        return {};
    });
}

Result<std::vector<MailboxStatus>> SqlStore::statuses() {
    return guarded("read status", "", [&]() -> Result<std::vector<MailboxStatus>> {
        MailboxStatus status;
        long long changed = 0;
        soci::statement statement =
            (sql_.prepare << "SELECT mailbox, state, reason, changed FROM mailbox_status"
                             " ORDER BY mailbox",
             soci::into(status.mailbox), soci::into(status.state), soci::into(status.reason),
             soci::into(changed));
        statement.execute();
        std::vector<MailboxStatus> out;
        while (statement.fetch()) {
            status.changed = changed;
            out.push_back(status);
        }
        return out;
    });
}

Result<std::vector<std::string>> SqlStore::unfinished() {
    return guarded("read the queue", "", [&]() -> Result<std::vector<std::string>> {
        std::string mailbox;
        soci::statement statement = (sql_.prepare << kUnfinished, soci::into(mailbox));
        statement.execute();
        std::vector<std::string> out;
        while (statement.fetch()) out.push_back(mailbox);
        return out;
    });
}

Result<MailboxCounts> SqlStore::counts(const std::string& mailbox) {
    return guarded("count messages of mailbox", mailbox, [&]() -> Result<MailboxCounts> {
        MailboxCounts counts;
        std::string state, delivery;
        long long messages = 0, linked = 0;
        soci::statement statement =
            (sql_.prepare << kCounts, soci::into(state), soci::into(delivery), soci::into(messages),
             soci::into(linked), soci::use(mailbox));
        statement.execute();
        while (statement.fetch()) {
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
        return counts;
    });
}

Result<std::int64_t> SqlStore::change_mark() {
    return guarded("read the change mark", "", [&]() -> Result<std::int64_t> {
        long long version = 0;
        sql_ << "PRAGMA data_version", soci::into(version);
        return version;
    });
}

}  // namespace vm::store
