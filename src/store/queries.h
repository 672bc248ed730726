// The SELECT statements of the store in one place. Each goes by an index, so that it costs the same
// however much the store holds; tests/store/plans_test.cc has the exceptions.
#ifndef VM_STORE_QUERIES_H
#define VM_STORE_QUERIES_H

namespace vm::store {

// Columns in the order in which read_records() takes them; a kWhere… follows.
inline constexpr const char* kRecords =
    "SELECT m.id, m.mailbox, m.kind, m.folder, m.state, m.urgent, m.private, m.caller_number,"
    " m.caller_name, m.received, m.duration_ms, m.pages, m.size, m.media, m.created, m.deleted_at,"
    " m.sender, m.subject, COALESCE(o.origin, ''),"
    " d.state, d.attempts, d.queued_at, d.next_attempt, d.last_reply, d.rfc_message_id,"
    " d.postponed,"
    " l.folder, l.uidvalidity, l.uid, l.seen, l.flagged, l.unit_folder, l.gone, l.doubt"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id"
    " LEFT JOIN origins o ON o.message_id = m.id ";

inline constexpr const char* kWhereId = "WHERE m.id = :id";

// Of one message's delivery alone.
inline constexpr const char* kDelivery =
    "SELECT d.mailbox, d.state, d.attempts, d.queued_at, d.next_attempt, d.last_reply,"
    " d.rfc_message_id, d.postponed, m.state = 'deleted'"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.message_id = :id";

// :folder '' is any; :deleted 'yes' includes the deleted ones.
inline constexpr const char* kWhereMailbox =
    "WHERE m.mailbox = :mailbox AND (:folder = '' OR m.folder = :folder)"
    " AND (:deleted = 'yes' OR m.state <> 'deleted') ORDER BY m.received, m.id";
// The same over all mailboxes: everything is read, and sorted.
inline constexpr const char* kWhereAny =
    "WHERE (:folder = '' OR m.folder = :folder)"
    " AND (:deleted = 'yes' OR m.state <> 'deleted') ORDER BY m.received, m.id";

// Of what is open, which has an index of its own: SQLite uses it where a query has the index's own
// words, so that some say twice which states they want.

inline constexpr const char* kWhereQueue =
    "WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND m.state <> 'deleted' ORDER BY d.queued_at, d.message_id";

inline constexpr const char* kWherePending =
    "WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND d.state IN ('queued', 'deferred', 'uncertain') AND d.mailbox = :mailbox"
    " AND m.state <> 'deleted' ORDER BY d.queued_at, d.message_id";

inline constexpr const char* kDue =
    "SELECT d.mailbox, MIN(CASE WHEN d.state = 'queued' THEN 0"
    " WHEN d.postponed = 1 AND d.next_attempt > :latest THEN :latest ELSE d.next_attempt END)"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND d.state IN ('queued', 'deferred', 'uncertain') AND m.state <> 'deleted'"
    " GROUP BY d.mailbox ORDER BY d.mailbox";

inline constexpr const char* kDueOf =
    "SELECT MIN(CASE WHEN d.state = 'queued' THEN 0"
    " WHEN d.postponed = 1 AND d.next_attempt > :latest THEN :latest ELSE d.next_attempt END)"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND d.state IN ('queued', 'deferred', 'uncertain') AND d.mailbox = :mailbox"
    " AND m.state <> 'deleted'";

inline constexpr const char* kUnfinished =
    "SELECT DISTINCT d.mailbox FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND m.state <> 'deleted' ORDER BY d.mailbox";

inline constexpr const char* kQueueDepths =
    "SELECT d.state, d.mailbox, COUNT(*), MIN(d.queued_at)"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND m.state <> 'deleted' GROUP BY d.state, d.mailbox";

inline constexpr const char* kSending =
    "SELECT message_id, mailbox FROM deliveries"
    " WHERE state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND state = 'sending'";

inline constexpr const char* kTranscript =
    "SELECT tries, settled, text FROM transcripts WHERE message_id = :id";

// Of what waits in the queue.
inline constexpr const char* kTranscribed =
    "SELECT t.message_id FROM deliveries d JOIN transcripts t ON t.message_id = d.message_id"
    " WHERE d.state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')"
    " AND d.state IN ('queued', 'deferred', 'uncertain') AND d.mailbox = :mailbox"
    " AND t.settled = 1";

inline constexpr const char* kHistory =
    "SELECT time, what, old_value, new_value, reply FROM history WHERE message_id = :id"
    " ORDER BY step";

inline constexpr const char* kCounts =
    "SELECT m.state, d.state, COUNT(*), COUNT(l.message_id)"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id AND l.gone = 0"
    " WHERE m.mailbox = :mailbox AND m.state <> 'deleted' AND m.kind <> 'email'"
    " GROUP BY m.state, d.state";
// The same of all mailboxes. Every message is read, in the order in which they lie in the file: by
// mailbox it would be one here and one there. (Grouped by the column itself, SQLite would do that.)
inline constexpr const char* kAllCounts =
    "SELECT m.mailbox || '', m.state, d.state, COUNT(*), COUNT(l.message_id)"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id AND l.gone = 0"
    " WHERE m.state <> 'deleted' AND m.kind <> 'email' GROUP BY 1, 2, 3";

inline constexpr const char* kOrigin =
    "SELECT message_id, agreed, mailbox FROM origins WHERE origin = :origin";

// Of sources that keep what they agreed on: with the message as it is, NULL when it was purged.
inline constexpr const char* kOrigins =
    "SELECT o.origin, o.message_id, o.agreed, m.state, m.folder, m.urgent FROM origins o"
    " LEFT JOIN messages m ON m.id = o.message_id"
    " WHERE o.mailbox = :mailbox AND o.agreed <> '' ORDER BY o.origin";

inline constexpr const char* kHasCopies =
    "SELECT EXISTS (SELECT 1 FROM mail_copies WHERE message_id = :id)";

inline constexpr const char* kCopies =
    "SELECT c.message_id, c.folder, c.uidvalidity, c.uid, c.seen, c.flagged, c.deleted"
    " FROM messages m JOIN mail_copies c ON c.message_id = m.id WHERE m.mailbox = :mailbox"
    " ORDER BY m.received, m.id, c.folder, c.uidvalidity, c.uid";

// A row for each folder, and one where there is none (a folder has a name).
inline constexpr const char* kSyncState =
    "SELECT s.account, s.scope, s.is_on, s.hold, s.released, s.released_keep, s.releases,"
    " s.last_pass, s.last_every, s.settled, s.busiest, COALESCE(c.phone_sequence, 0),"
    " COALESCE(f.folder, ''), COALESCE(f.uidvalidity, 0), COALESCE(f.uid_next, 0),"
    " COALESCE(f.modseq, 0)"
    " FROM sync_states s LEFT JOIN mailbox_changes c ON c.mailbox = s.mailbox"
    " LEFT JOIN sync_folders f ON f.mailbox = s.mailbox"
    " WHERE s.mailbox = :mailbox ORDER BY f.folder";

inline constexpr const char* kHolds = "SELECT mailbox, hold FROM sync_states WHERE hold <> ''";

inline constexpr const char* kReported =
    "SELECT COUNT(*) FROM history WHERE message_id = :id AND what = 'copy' AND new_value = :place";

inline constexpr const char* kUncertainSinceQueued =
    "SELECT COUNT(*) FROM history WHERE message_id = :id AND what = 'delivery'"
    " AND new_value = 'uncertain' AND step > (SELECT COALESCE(MAX(step), 0) FROM history"
    " WHERE message_id = :id AND what = 'delivery' AND new_value = 'queued')";

// Deleted on the phone; an attempt to send was begun, and that the mail is gone is not known.
inline constexpr const char* kDropDeleted =
    "SELECT m.id, d.rfc_message_id, m.deleted_at"
    " FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id AND l.gone = 1"
    " WHERE m.mailbox = :mailbox AND m.state = 'deleted' AND d.rfc_message_id <> ''"
    " AND m.kind <> 'email'"
    " AND d.state <> 'sending' AND l.message_id IS NULL ORDER BY m.deleted_at, m.id";

inline constexpr const char* kNewMails =
    "SELECT folder, uidvalidity, uid, message_id, attempts FROM new_mails"
    " WHERE mailbox = :mailbox ORDER BY mailbox, folder, uidvalidity, uid";

inline constexpr const char* kDropOpen =
    "SELECT COUNT(*) FROM messages m LEFT JOIN links l ON l.message_id = m.id AND l.gone = 1"
    " WHERE m.id = :id AND m.mailbox = :mailbox AND m.state = 'deleted' AND l.message_id IS NULL";

inline constexpr const char* kDropMails =
    "SELECT unique_id, message_id FROM drop_mails WHERE mailbox = :mailbox AND account = :account";

inline constexpr const char* kWithDeleted =
    "SELECT DISTINCT mailbox FROM messages WHERE state = 'deleted'";

// A link says that there is a mail yet; a message that is being sent may become one.
inline constexpr const char* kPurgeable =
    "SELECT m.id, m.media FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " LEFT JOIN links l ON l.message_id = m.id AND l.gone = 0"
    " WHERE m.mailbox = :mailbox AND m.state = 'deleted' AND m.deleted_at < :before"
    " AND d.state <> 'sending' AND l.message_id IS NULL"
    // In a maildrop: not before it is known that there is none.
    " AND (:drop = 'no' OR m.kind = 'email' OR d.rfc_message_id = '' OR EXISTS"
    " (SELECT 1 FROM links g WHERE g.message_id = m.id AND g.gone = 1))";

inline constexpr const char* kLastChange = "SELECT COALESCE(MAX(sequence), 0) FROM mailbox_changes";

inline constexpr const char* kChangesSince =
    "SELECT mailbox, sequence, phone_sequence FROM mailbox_changes WHERE sequence > :sequence"
    " ORDER BY sequence, mailbox";

inline constexpr const char* kChangeSince =
    "SELECT mailbox, sequence, phone_sequence FROM mailbox_changes"
    " WHERE mailbox = :mailbox AND sequence > :sequence";

inline constexpr const char* kWaitingTold =
    "SELECT new_messages, old_messages FROM waiting_told WHERE mailbox = :mailbox";

inline constexpr const char* kStatus =
    "SELECT state, reason, idle, condstore, qresync, last_sync, answered, changed"
    " FROM mailbox_status WHERE mailbox = :mailbox";

inline constexpr const char* kStatuses =
    "SELECT mailbox, state, reason, idle, condstore, qresync, last_sync, answered, changed"
    " FROM mailbox_status ORDER BY mailbox";

}  // namespace vm::store

#endif
