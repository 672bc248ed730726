#include "store/changes.h"

#include "base/text.h"
#include "store/queries.h"
#include "store/records.h"

namespace vm::store {

namespace {

constexpr std::size_t kFolderLimit = 100;

const char* yes_or_no(bool value) {
    return value ? "yes" : "no";
}

}  // namespace

void change_state(soci::session& sql, MessageRecord& record, MessageState to,
                  const Because& because) {
    Message& message = record.message;
    const std::string state = to_string(to);
    sql << "UPDATE messages SET state = :state WHERE id = :id", soci::use(state),
        soci::use(message.id);
    insert_history(sql, message.id, because.now, "state", to_string(message.state), state,
                   because.reason);
    message.state = to;
}

void change_urgent(soci::session& sql, MessageRecord& record, bool to, const Because& because) {
    Message& message = record.message;
    const int urgent = to;
    sql << "UPDATE messages SET urgent = :urgent WHERE id = :id", soci::use(urgent),
        soci::use(message.id);
    insert_history(sql, message.id, because.now, "urgent", yes_or_no(message.urgent), yes_or_no(to),
                   because.reason);
    message.urgent = to;
}

void change_folder(soci::session& sql, MessageRecord& record, const std::string& to,
                   const Because& because) {
    Message& message = record.message;
    sql << "UPDATE messages SET folder = :folder WHERE id = :id", soci::use(to),
        soci::use(message.id);
    insert_history(sql, message.id, because.now, "folder", message.folder, to, because.reason);
    message.folder = to;
}

void change_to_deleted(soci::session& sql, MessageRecord& record, const Because& because) {
    Message& message = record.message;
    const long long now = because.now;
    sql << "UPDATE messages SET state_before = state, state = 'deleted', deleted_at = :now"
           " WHERE id = :id",
        soci::use(now), soci::use(message.id);
    insert_history(sql, message.id, now, "state", to_string(message.state), "deleted",
                   because.reason);
    message.state = MessageState::kDeleted;
    message.deleted_at = now;
}

Result<> change_to_restored(soci::session& sql, MessageRecord& record, const Because& because) {
    const std::string id = record.message.id;
    sql << "UPDATE messages SET state = state_before, state_before = NULL, deleted_at = NULL"
           " WHERE id = :id",
        soci::use(id);
    // What a maildrop has settled begins anew with the next deletion.
    sql << "DELETE FROM links WHERE message_id = :id AND gone = 1 AND uid = 0", soci::use(id);
    // Nobody tried to send it while it was deleted: that time does not count as delivery time.
    // Nor does that until which a person postponed it.
    Delivery& delivery = record.delivery;
    delivery.queued_at =
        delivery.postponed ? std::max(because.now, delivery.next_attempt) : because.now;
    update_delivery(sql, id, delivery);
    VM_ASSIGN(record, read_record(sql, id));
    insert_history(sql, id, because.now, "state", "deleted", to_string(record.message.state),
                   because.reason);
    return {};
}

void change_delivery(soci::session& sql, const std::string& id, DeliveryState from,
                     const Delivery& to, TimeMs now, const std::string& reply) {
    update_delivery(sql, id, to);
    insert_history(sql, id, now, "delivery", to_string(from), to_string(to.state), reply);
}

void change_delivery(soci::session& sql, const MessageRecord& from, const Delivery& to, TimeMs now,
                     const std::string& reply) {
    change_delivery(sql, from.message.id, from.delivery.state, to, now, reply);
}

void note_change(soci::session& sql, const std::string& mailbox, ChangedBy by) {
    long long last = 0;
    sql << kLastChange, soci::into(last);
    const long long sequence = last + 1, by_phone = by == ChangedBy::kPhone ? sequence : 0;
    sql << "INSERT INTO mailbox_changes (mailbox, sequence, phone_sequence)"
           " VALUES (:mailbox, :sequence, :phone)"
           " ON CONFLICT (mailbox) DO UPDATE SET sequence = excluded.sequence,"
           " phone_sequence = CASE excluded.phone_sequence WHEN 0"
           " THEN mailbox_changes.phone_sequence ELSE excluded.phone_sequence END",
        soci::use(mailbox), soci::use(sequence), soci::use(by_phone);
}

std::optional<std::string> folder_problem(std::string_view name) {
    if (name.empty()) return "it is empty";
    if (name.size() > kFolderLimit) return "it is longer than 100 bytes";
    if (!is_utf8(name)) return "it is not UTF-8";
    if (sanitize_line(name) != name) return "it contains control characters";
    if (trim(name) != name) return "it begins or ends with a space";
    if (name.front() == '/' || name.back() == '/') return "it begins or ends with a slash";
    return std::nullopt;
}

}  // namespace vm::store
