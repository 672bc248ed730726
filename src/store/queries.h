// The SELECT statements of the store in one place: tests/store holds each to the indexes.
#ifndef VM_STORE_QUERIES_H
#define VM_STORE_QUERIES_H

namespace vm::store {

// Columns in the order in which read_records() takes them; a kWhere… follows.
inline constexpr const char* kRecords =
    "SELECT m.id, m.mailbox, m.kind, m.folder, m.state, m.urgent, m.private, m.caller_number,"
    " m.caller_name, m.received, m.duration_ms, m.pages, m.size, m.media, m.created, m.deleted_at,"
    " d.state, d.attempts, d.queued_at, d.next_attempt, d.last_reply, d.rfc_message_id,"
    " l.folder, l.uidvalidity, l.uid"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id ";

inline constexpr const char* kWhereId = "WHERE m.id = :id";

// :folder '' is any; :deleted 'yes' includes the deleted ones.
inline constexpr const char* kWhereMailbox =
    "WHERE m.mailbox = :mailbox AND (:folder = '' OR m.folder = :folder)"
    " AND (:deleted = 'yes' OR m.state <> 'deleted') ORDER BY m.received, m.id";
// The same over all mailboxes: everything is read, and sorted.
inline constexpr const char* kWhereAny =
    "WHERE (:folder = '' OR m.folder = :folder)"
    " AND (:deleted = 'yes' OR m.state <> 'deleted') ORDER BY m.received, m.id";

inline constexpr const char* kWhereQueue =
    "WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND m.state <> 'deleted' ORDER BY d.queued_at, m.id";

inline constexpr const char* kWherePending =
    "WHERE d.state IN ('queued', 'deferred', 'uncertain') AND d.mailbox = :mailbox"
    " AND m.state <> 'deleted' ORDER BY d.queued_at, m.id";

inline constexpr const char* kDue =
    "SELECT d.mailbox, MIN(CASE d.state WHEN 'queued' THEN 0 ELSE d.next_attempt END)"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'deferred', 'uncertain') AND m.state <> 'deleted'"
    " GROUP BY d.mailbox ORDER BY d.mailbox";

inline constexpr const char* kUnfinished =
    "SELECT DISTINCT d.mailbox FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND m.state <> 'deleted' ORDER BY d.mailbox";

inline constexpr const char* kSending =
    "SELECT message_id, mailbox FROM deliveries WHERE state = 'sending'";

inline constexpr const char* kHistory =
    "SELECT time, what, old_value, new_value, reply FROM history WHERE message_id = :id"
    " ORDER BY step";

inline constexpr const char* kCounts =
    "SELECT m.state, d.state, COUNT(*), COUNT(l.message_id)"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id"
    " WHERE m.mailbox = :mailbox AND m.state <> 'deleted' GROUP BY m.state, d.state";

inline constexpr const char* kStatus =
    "SELECT state, reason FROM mailbox_status WHERE mailbox = :mailbox";

}  // namespace vm::store

#endif
