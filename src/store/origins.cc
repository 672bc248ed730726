// Sources that may bring a message twice, and those that keep in step with the unit.
#include "store/origins.h"

#include "base/text.h"
#include "store/changes.h"
#include "store/database.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"
#include "store/sync_rows.h"

namespace vm::store {

namespace {

constexpr std::size_t kLimit = 250;

// Makes the message what it is wanted to be.
Result<> place(soci::session& sql, MessageRecord& record, const Placement& wanted,
               const Because& because) {
    const Message& message = record.message;
    if (wanted.state == MessageState::kDeleted) {
        if (message.state == MessageState::kDeleted) return {};
        change_to_deleted(sql, record, because);
        note_deleted_again(sql, message.id);
        return {};
    }
    if (const auto problem = folder_problem(wanted.folder))
        return fail(ErrorKind::kUsage, "folder", wanted.folder, *problem);
    if (message.state == MessageState::kDeleted) VM_TRY(change_to_restored(sql, record, because));
    if (message.folder != wanted.folder) change_folder(sql, record, wanted.folder, because);
    if (message.urgent != wanted.urgent) change_urgent(sql, record, wanted.urgent, because);
    if (message.state != wanted.state) change_state(sql, record, wanted.state, because);
    return {};
}

}  // namespace

Result<> check_origin(const std::string& origin) {
    if (origin.size() > kLimit || sanitize_line(origin) != origin || trim(origin) != origin)
        return fail(ErrorKind::kUsage, "origin", sanitize_line(origin, kLimit),
                    "it is not 1 to 250 bytes of text without control characters");
    return {};
}

Result<std::optional<std::string>> known_origin(soci::session& sql, const Message& message) {
    if (message.origin.empty()) return std::nullopt;
    std::string id, agreed, mailbox;
    sql << kOrigin, soci::into(id), soci::into(agreed), soci::into(mailbox),
        soci::use(message.origin, "origin");
    if (!sql.got_data()) return std::nullopt;
    if (mailbox != message.mailbox)
        return fail(ErrorKind::kUsage, "origin", message.origin,
                    "it is that of message " + id + " of mailbox " + mailbox,
                    "name the mailbox in it, when one thing is for several");
    return id;
}

void insert_origin(soci::session& sql, const Message& message, const std::string& agreed) {
    if (message.origin.empty()) return;
    sql << "INSERT INTO origins (origin, mailbox, message_id, agreed)"
           " VALUES (:origin, :mailbox, :id, :agreed)",
        soci::use(message.origin, "origin"), soci::use(message.mailbox, "mailbox"),
        soci::use(message.id, "id"), soci::use(agreed, "agreed");
}

void forget_gone_origin(soci::session& sql, const std::string& id) {
    const std::string gone = kGone;
    sql << "DELETE FROM origins WHERE message_id = :id AND agreed = :gone", soci::use(id, "id"),
        soci::use(gone, "gone");
}

Result<std::vector<Origin>> SqlStore::origins(const std::string& mailbox) {
    return read("read origins of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::vector<Origin>> {
                    Origin row;
                    std::string state, folder;
                    int urgent = 0;
                    soci::indicator there = soci::i_null;
                    soci::statement statement =
                        (sql.prepare << kOrigins, soci::into(row.origin), soci::into(row.id),
                         soci::into(row.agreed), soci::into(state, there),
                         soci::into(folder, there), soci::into(urgent, there), soci::use(mailbox));
                    statement.execute();
                    std::vector<Origin> out;
                    while (statement.fetch()) {
                        row.placed.reset();
                        const auto parsed = parse_message_state(state);
                        if (there == soci::i_ok && parsed)
                            row.placed = Placement{*parsed, folder, urgent != 0};
                        out.push_back(row);
                    }
                    return out;
                });
}

Result<bool> SqlStore::agree(const Agreement& agreement) {
    return write({"agree", "agree on", agreement.origin}, [&](soci::session& sql) -> Result<bool> {
        std::string id, agreed, mailbox;
        sql << kOrigin, soci::into(id), soci::into(agreed), soci::into(mailbox),
            soci::use(agreement.origin, "origin");
        if (!sql.got_data())
            return fail(ErrorKind::kNoInput, "agree on", agreement.origin, "it is not known");
        auto record = read_record(sql, id);
        const bool purged = !record && record.error().kind == ErrorKind::kNoInput;
        if (!record && !purged) return fail(record.error());
        if (agreement.wanted) {
            if (purged) return false;
            const Message& message = record->message;
            if (agreement.seen != Placement{message.state, message.folder, message.urgent})
                return false;
            VM_TRY(place(sql, *record, *agreement.wanted, {clock_.now(), agreement.reason}));
            if (agreement.seen != agreement.wanted) note_change(sql, mailbox, ChangedBy::kPhone);
        }
        sql << "UPDATE origins SET agreed = :agreed WHERE origin = :origin",
            soci::use(agreement.agreed, "agreed"), soci::use(agreement.origin, "origin");
        if (purged) forget_gone_origin(sql, id);
        return true;
    });
}

}  // namespace vm::store
