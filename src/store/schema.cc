#include "store/schema.h"

#include "store/database.h"

namespace vm::store {

namespace {

// Times are milliseconds since 1970-01-01 UTC; states and kinds are the words of INTERFACE's JSON.
void version_1(soci::session& sql) {
    // state_before: what restore() goes back to; NULL unless deleted.
    sql << "CREATE TABLE messages ("
           "id TEXT PRIMARY KEY, mailbox TEXT NOT NULL, kind TEXT NOT NULL, folder TEXT NOT NULL,"
           "state TEXT NOT NULL, state_before TEXT, urgent INTEGER NOT NULL, private INTEGER NOT "
           "NULL,"
           "caller_number TEXT NOT NULL, caller_name TEXT NOT NULL, received BIGINT NOT NULL,"
           "duration_ms BIGINT NOT NULL, pages INTEGER NOT NULL, size BIGINT NOT NULL,"
           "media TEXT NOT NULL, created BIGINT NOT NULL, deleted_at BIGINT)";
    sql << "CREATE INDEX messages_by_mailbox ON messages (mailbox, received, id)";
    // mailbox repeats the message's, which never changes: the agent asks by state and mailbox, and
    // must not look at the thousands that were sent.
    sql << "CREATE TABLE deliveries ("
           "message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,"
           "mailbox TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,"
           "queued_at BIGINT NOT NULL, next_attempt BIGINT NOT NULL, last_reply TEXT NOT NULL,"
           "rfc_message_id TEXT NOT NULL)";
    sql << "CREATE INDEX deliveries_by_state ON deliveries (state, mailbox, next_attempt)";
    sql << "CREATE TABLE links ("
           "message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,"
           "folder TEXT NOT NULL, uidvalidity BIGINT NOT NULL, uid BIGINT NOT NULL)";
    sql << "CREATE TABLE history ("
           "message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,"
           "step INTEGER NOT NULL, time BIGINT NOT NULL, what TEXT NOT NULL, old_value TEXT NOT "
           "NULL,"
           "new_value TEXT NOT NULL, reply TEXT NOT NULL, PRIMARY KEY (message_id, step))";
    sql << "CREATE TABLE mailbox_status ("
           "mailbox TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL,"
           "changed BIGINT NOT NULL)";
}

// Synchronisation. A row of links is what unit and account last agreed on; `gone`: that the mail
// was deleted there. Links of version 1 have agreed on nothing but the place, so that in what
// differs the unit wins.
void version_2(soci::session& sql) {
    sql << "ALTER TABLE links ADD COLUMN seen INTEGER NOT NULL DEFAULT 0";
    sql << "ALTER TABLE links ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0";
    sql << "ALTER TABLE links ADD COLUMN unit_folder TEXT NOT NULL DEFAULT 'INBOX'";
    sql << "ALTER TABLE links ADD COLUMN gone INTEGER NOT NULL DEFAULT 0";
    // Copies in the account as last seen.
    sql << "CREATE TABLE mail_copies ("
           "message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,"
           "folder TEXT NOT NULL, uidvalidity BIGINT NOT NULL, uid BIGINT NOT NULL,"
           "seen INTEGER NOT NULL, flagged INTEGER NOT NULL, deleted INTEGER NOT NULL,"
           "PRIMARY KEY (message_id, folder, uidvalidity, uid))";
    // releases counts them: a pass sees by it that one came after it had begun.
    sql << "CREATE TABLE sync_states ("
           "mailbox TEXT PRIMARY KEY, account TEXT NOT NULL, scope TEXT NOT NULL,"
           "is_on INTEGER NOT NULL,"
           "hold TEXT NOT NULL, released INTEGER NOT NULL, released_keep INTEGER NOT NULL,"
           "releases BIGINT NOT NULL, last_pass BIGINT NOT NULL, last_every BIGINT NOT NULL)";
    // A mod-sequence has 63 bits (RFC 7162).
    sql << "CREATE TABLE sync_folders ("
           "mailbox TEXT NOT NULL, folder TEXT NOT NULL, uidvalidity BIGINT NOT NULL,"
           "uid_next BIGINT NOT NULL, modseq BIGINT NOT NULL, PRIMARY KEY (mailbox, folder))";
    sql << "CREATE TABLE mailbox_changes ("
           "mailbox TEXT PRIMARY KEY, sequence BIGINT NOT NULL, phone_sequence BIGINT NOT NULL)";
    sql << "CREATE INDEX mailbox_changes_by_sequence ON mailbox_changes (sequence, mailbox)";
    // What lies there already is news to who asks for the first time.
    sql << "INSERT INTO mailbox_changes (mailbox, sequence, phone_sequence)"
           " SELECT DISTINCT mailbox, 1, 1 FROM messages";
    sql << "CREATE TABLE waiting_told ("
           "mailbox TEXT PRIMARY KEY, new_messages BIGINT NOT NULL, old_messages BIGINT NOT NULL)";
    sql << "ALTER TABLE mailbox_status ADD COLUMN idle INTEGER NOT NULL DEFAULT 0";
    sql << "ALTER TABLE mailbox_status ADD COLUMN condstore INTEGER NOT NULL DEFAULT 0";
    sql << "ALTER TABLE mailbox_status ADD COLUMN qresync INTEGER NOT NULL DEFAULT 0";
    sql << "ALTER TABLE mailbox_status ADD COLUMN last_sync BIGINT NOT NULL DEFAULT 0";
    sql << "ALTER TABLE mailbox_status ADD COLUMN answered BIGINT NOT NULL DEFAULT 0";
}

// Maildrops (POP3): the mails that were looked at; message_id '' is none of the unit's.
void version_3(soci::session& sql) {
    sql << "CREATE TABLE drop_mails ("
           "mailbox TEXT NOT NULL, unique_id TEXT NOT NULL, account TEXT NOT NULL,"
           "message_id TEXT NOT NULL, PRIMARY KEY (mailbox, unique_id))";
}

// E-mails that are read at the phone. new_mails: those that are still to be fetched, by place.
void version_4(soci::session& sql) {
    sql << "ALTER TABLE messages ADD COLUMN sender TEXT NOT NULL DEFAULT ''";
    sql << "ALTER TABLE messages ADD COLUMN subject TEXT NOT NULL DEFAULT ''";
    sql << "CREATE TABLE new_mails ("
           "mailbox TEXT NOT NULL, folder TEXT NOT NULL, uidvalidity BIGINT NOT NULL,"
           "uid BIGINT NOT NULL, message_id TEXT NOT NULL, attempts INTEGER NOT NULL,"
           "PRIMARY KEY (mailbox, folder, uidvalidity, uid))";
}

// What was begun in the account and was not confirmed; see bits_of() for the number.
void version_5(soci::session& sql) {
    sql << "ALTER TABLE links ADD COLUMN doubt INTEGER NOT NULL DEFAULT 0";
}

// What a person postponed: next_attempt is then that person's wish.
void version_6(soci::session& sql) {
    sql << "ALTER TABLE deliveries ADD COLUMN postponed INTEGER NOT NULL DEFAULT 0";
}

// What waits, and what is deleted, is a small part of a store: indexes of that part are short, and
// the others' rows cost nothing there. A delivery that goes from one open state to another does not
// touch its index either. (SQLite uses one where the query says the same words.)
void version_7(soci::session& sql) {
    sql << "DROP INDEX deliveries_by_state";
    sql << "CREATE INDEX deliveries_open ON deliveries (mailbox, queued_at, message_id)"
           " WHERE state IN ('queued', 'sending', 'deferred', 'failed', 'uncertain')";
    sql << "CREATE INDEX messages_deleted ON messages (mailbox, deleted_at)"
           " WHERE state = 'deleted'";
}

// Up to which change of the phone's nothing is left to do in the account, see Settled; and few are
// on hold.
void version_8(soci::session& sql) {
    sql << "ALTER TABLE sync_states ADD COLUMN settled BIGINT NOT NULL DEFAULT -1";
    sql << "ALTER TABLE sync_states ADD COLUMN busiest TEXT NOT NULL DEFAULT ''";
    sql << "CREATE INDEX sync_states_held ON sync_states (mailbox) WHERE hold <> ''";
}

// What is said in voice messages, as a program wrote it down for their mails.
void version_9(soci::session& sql) {
    sql << "CREATE TABLE transcripts ("
           "message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,"
           "tries INTEGER NOT NULL, settled INTEGER NOT NULL, text TEXT NOT NULL)";
}

// Where messages came from, for sources that may bring one twice. No part of the message's row, and
// not removed with it: what was deleted for good must not come again. `agreed`: what the source and
// the unit last agreed on about it, in the source's words.
void version_10(soci::session& sql) {
    sql << "CREATE TABLE origins ("
           "origin TEXT PRIMARY KEY, mailbox TEXT NOT NULL, message_id TEXT NOT NULL,"
           "agreed TEXT NOT NULL)";
    sql << "CREATE UNIQUE INDEX origins_by_message ON origins (message_id)";
    // Most sources keep nothing.
    sql << "CREATE INDEX origins_kept ON origins (mailbox, origin) WHERE agreed <> ''";
}

constexpr const char* kMigrate = "bring the store up to date";

}  // namespace

const std::vector<Migration>& migrations() {
    static const std::vector<Migration> list{version_1, version_2, version_3, version_4,
                                             version_5, version_6, version_7, version_8,
                                             version_9, version_10};
    return list;
}

Result<int> schema_version(soci::session& sql, const std::string& file) {
    bool any = false, versioned = false;
    {
        std::string table;
        soci::statement tables = (sql.prepare_table_names(), soci::into(table));
        tables.execute();
        while (tables.fetch()) {
            any = true;
            versioned = versioned || table == "schema_version";
        }
    }
    if (!any) return 0;
    if (!versioned)
        return fail(ErrorKind::kConfig, "open the store", file,
                    "it is a database of another program", "move it away");
    int version = 0;
    sql << "SELECT version FROM schema_version", soci::into(version);
    return version;
}

Result<> migrate(soci::session& sql, const std::vector<Migration>& list, const std::string& file) {
    return guarded(kMigrate, file, [&]() -> Result<> {
        const int latest = static_cast<int>(list.size());
        VM_ASSIGN(int version, schema_version(sql, file));
        while (version < latest) {
            Transaction transaction(sql, "migration");
            // Another process may have been faster.
            VM_ASSIGN(version, schema_version(sql, file));
            if (version >= latest) break;
            list[static_cast<std::size_t>(version)](sql);
            if (version == 0) {
                sql << "CREATE TABLE schema_version (version INTEGER NOT NULL)";
                sql << "INSERT INTO schema_version (version) VALUES (0)";
            }
            ++version;
            sql << "UPDATE schema_version SET version = :version", soci::use(version);
            transaction.commit();
        }
        if (version > latest)
            return fail(ErrorKind::kConfig, "open the store", file,
                        "its schema is version " + std::to_string(version) +
                            ", written by a newer program; this one knows versions up to " +
                            std::to_string(latest),
                        "use the newer program");
        return {};
    });
}

}  // namespace vm::store
