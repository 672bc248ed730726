// The phone's side: messages come, are heard, moved, deleted and restored.
#include "base/ids.h"
#include "base/text.h"
#include "store/changes.h"
#include "store/database.h"
#include "store/media_files.h"
#include "store/origins.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"
#include "store/sync_rows.h"

#include <algorithm>

namespace vm::store {

namespace {

// Longer ones are cut: a message is not lost because a network sent a strange name.
constexpr std::size_t kCallerLimit = 200;
constexpr std::size_t kSubjectLimit = 1000;

bool is_extension(std::string_view s) {
    return !s.empty() && s.size() <= 8 && std::all_of(s.begin(), s.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
}

Result<> check_folder(const std::string& name) {
    if (const auto problem = folder_problem(name))
        return fail(ErrorKind::kUsage, "folder", name, *problem,
                    "use 1 to 100 bytes of UTF-8 text");
    return {};
}

Result<> check_not_deleted(const MessageRecord& record) {
    if (record.message.state == MessageState::kDeleted)
        return fail(ErrorKind::kMessage, "message", record.message.id, "it is deleted",
                    "restore it first");
    return {};
}

}  // namespace

Result<std::string> SqlStore::add(const NewMessage& incoming) {
    Message message = incoming.message;
    if (!is_mailbox_number(message.mailbox))
        return fail(ErrorKind::kUsage, "mailbox", message.mailbox, "it is not 1 to 8 digits");
    if (!is_extension(incoming.extension))
        return fail(ErrorKind::kUsage, "add message", incoming.extension,
                    "it is no file name extension", "use 1 to 8 small letters or digits");
    if (incoming.delivery != DeliveryState::kQueued && incoming.delivery != DeliveryState::kOff)
        return fail(ErrorKind::kUsage, "add message", to_string(incoming.delivery),
                    "a delivery begins as queued or off");
    if (message.kind == MessageKind::kEmail && incoming.delivery != DeliveryState::kOff)
        return fail(ErrorKind::kUsage, "add message", to_string(incoming.delivery),
                    "an e-mail is not sent");
    VM_TRY(check_folder(message.folder));
    VM_TRY(check_origin(message.origin));
    if (!message.origin.empty()) {
        VM_ASSIGN(const auto known, read("add message", message.origin, [&](soci::session& sql) {
                      return known_origin(sql, message);
                  }));
        if (known) return *known;
    }
    const auto caller = [](const std::string& text) {
        return sanitize_line(trim(text), kCallerLimit);
    };
    message.caller_number = caller(message.caller_number);
    message.caller_name = caller(message.caller_name);
    message.sender = sanitize_line(message.sender, kSubjectLimit);
    message.subject = sanitize_line(message.subject, kSubjectLimit);
    message.id = new_id(clock_);

    VM_ASSIGN(IncomingMedia media,
              IncomingMedia::copy(incoming.file, paths_.media(), message.id, incoming.extension));
    if (incoming.inspect) VM_TRY(incoming.inspect(media.path(), message));
    message.media = media.name();
    message.size = media.size();
    VM_TRY(media.publish());

    message.created = clock_.now();
    Delivery delivery;
    delivery.state = incoming.delivery;
    delivery.queued_at = delivery.next_attempt = message.created;
    delivery.last_reply = sanitize_line(incoming.delivery_reason);
    if (message.kind == MessageKind::kEmail)
        delivery.message_id = sanitize_line(incoming.message_id);
    VM_ASSIGN(const bool added,
              write({"add", "add message to mailbox", message.mailbox},
                    [&](soci::session& sql) -> Result<bool> {
                        // Somebody else may have been faster.
                        VM_ASSIGN(const auto known, known_origin(sql, message));
                        if (known) {
                            message.id = *known;
                            return false;
                        }
                        insert_message(sql, message);
                        insert_origin(sql, message, incoming.agreed);
                        insert_delivery(sql, message, delivery);
                        insert_history(sql, message.id, message.created, "added", "",
                                       to_string(message.state));
                        insert_history(sql, message.id, message.created, "delivery", "",
                                       to_string(delivery.state), delivery.last_reply);
                        note_change(sql, message.mailbox,
                                    message.kind == MessageKind::kEmail ? ChangedBy::kSync
                                                                        : ChangedBy::kPhone);
                        return true;
                    }));
    if (added) media.keep();
    return std::move(message.id);  // a copy could fail
}

Result<MessageRecord> SqlStore::get(const std::string& id) {
    return read("read message", id, [&](soci::session& sql) { return read_record(sql, id); });
}

Result<std::vector<MessageRecord>> SqlStore::list(const ListQuery& query) {
    return read("list messages", query.mailbox, [&](soci::session& sql) {
        Parameters parameters{{"folder", query.folder.value_or("")},
                              {"deleted", query.deleted ? "yes" : "no"}};
        if (query.mailbox.empty()) return read_records(sql, kWhereAny, parameters);
        parameters.emplace_back("mailbox", query.mailbox);
        return read_records(sql, kWhereMailbox, parameters);
    });
}

Result<std::vector<HistoryEntry>> SqlStore::history(const std::string& id) {
    return read("read history", id, [&](soci::session& sql) -> Result<std::vector<HistoryEntry>> {
        VM_TRY(read_record(sql, id));
        HistoryEntry entry;
        long long time = 0;
        soci::statement statement =
            (sql.prepare << kHistory, soci::into(time), soci::into(entry.what),
             soci::into(entry.from), soci::into(entry.to), soci::into(entry.reply), soci::use(id));
        statement.execute();
        std::vector<HistoryEntry> out;
        while (statement.fetch()) {
            entry.time = time;
            out.push_back(entry);
        }
        return out;
    });
}

Result<> SqlStore::mark(const std::string& id, MessageState state) {
    if (state == MessageState::kDeleted)
        return fail(ErrorKind::kUsage, "mark message", id, "deleting is an operation of its own");
    return write({"mark", "mark message", id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(MessageRecord record, read_record(sql, id));
        VM_TRY(check_not_deleted(record));
        if (record.message.state == state) return {};
        change_state(sql, record, state, {clock_.now(), ""});
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::set_urgent(const std::string& id, bool urgent) {
    return write({"urgent", "mark message", id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(MessageRecord record, read_record(sql, id));
        VM_TRY(check_not_deleted(record));
        if (record.message.urgent == urgent) return {};
        change_urgent(sql, record, urgent, {clock_.now(), ""});
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::move(const std::string& id, const std::string& folder) {
    VM_TRY(check_folder(folder));
    return write({"move", "move message", id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(MessageRecord record, read_record(sql, id));
        VM_TRY(check_not_deleted(record));
        if (record.message.folder == folder) return {};
        change_folder(sql, record, folder, {clock_.now(), ""});
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::remove(const std::string& id) {
    return write({"remove", "delete message", id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(MessageRecord record, read_record(sql, id));
        if (record.message.state == MessageState::kDeleted) return {};
        change_to_deleted(sql, record, {clock_.now(), ""});
        note_deleted_again(sql, id);
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<> SqlStore::restore(const std::string& id) {
    return write({"restore", "restore message", id}, [&](soci::session& sql) -> Result<> {
        VM_ASSIGN(MessageRecord record, read_record(sql, id));
        if (record.message.state != MessageState::kDeleted) return {};
        VM_TRY(change_to_restored(sql, record, {clock_.now(), ""}));
        note_change(sql, record.message.mailbox, ChangedBy::kPhone);
        return {};
    });
}

}  // namespace vm::store
