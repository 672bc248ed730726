// A maildrop: which of its mails were looked at, and messages whose mail is to be deleted from it.
#include "store/database.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"

namespace vm::store {

namespace {

void forget_others(soci::session& sql, const std::string& mailbox, const std::string& account) {
    sql << "DELETE FROM drop_mails WHERE mailbox = :mailbox AND account <> :account",
        soci::use(mailbox), soci::use(account);
}

void write_mail(soci::session& sql, const std::string& mailbox, const std::string& account,
                const DropMail& mail) {
    sql << "INSERT INTO drop_mails (mailbox, account, unique_id, message_id)"
           " VALUES (:mailbox, :account, :unique_id, :id)"
           " ON CONFLICT (mailbox, unique_id) DO UPDATE SET account = excluded.account,"
           " message_id = excluded.message_id",
        soci::use(mailbox), soci::use(account), soci::use(mail.unique_id), soci::use(mail.id);
}

// The message has no mail any more. (Done already, or purged meanwhile: nothing is left to do.)
void settle(soci::session& sql, const std::string& mailbox, const std::string& id,
            const std::string& reason, TimeMs now) {
    sql << "DELETE FROM drop_mails WHERE mailbox = :mailbox AND message_id = :id",
        soci::use(mailbox), soci::use(id);
    int open = 0;
    sql << kDropOpen, soci::into(open), soci::use(id, "id"), soci::use(mailbox, "mailbox");
    if (open == 0) return;
    sql << "INSERT INTO links (message_id, folder, uidvalidity, uid, gone)"
           " VALUES (:id, 'INBOX', 0, 0, 1) ON CONFLICT (message_id) DO UPDATE SET uidvalidity = "
           "0, uid = 0, gone = 1",
        soci::use(id);
    insert_history(sql, id, now, "link", kInboxFolder, "", reason);
}

}  // namespace

Result<DropState> SqlStore::drop_state(const std::string& mailbox, const std::string& account) {
    return read("read the maildrop's state of mailbox", mailbox,
                [&](soci::session& sql) -> Result<DropState> {
                    DropState out;
                    {
                        DropMessage message;
                        long long deleted_at = 0;
                        soci::statement statement =
                            (sql.prepare << kDropDeleted, soci::into(message.id),
                             soci::into(message.message_id), soci::into(deleted_at),
                             soci::use(mailbox));
                        statement.execute();
                        while (statement.fetch()) {
                            message.deleted_at = deleted_at;
                            out.deleted.push_back(message);
                        }
                    }
                    DropMail mail;
                    soci::statement statement =
                        (sql.prepare << kDropMails, soci::into(mail.unique_id), soci::into(mail.id),
                         soci::use(mailbox), soci::use(account));
                    statement.execute();
                    while (statement.fetch()) {
                        if (mail.unique_id.empty())
                            out.begun = true;
                        else
                            out.mails.push_back(mail);
                    }
                    return out;
                });
}

Result<> SqlStore::commit_drop(const std::string& mailbox, const DropCommit& commit) {
    return write(
        {"drop", "commit a visit to the maildrop of mailbox", mailbox},
        [&](soci::session& sql) -> Result<> {
            forget_others(sql, mailbox, commit.account);
            for (const DropMail& mail : commit.looked)
                write_mail(sql, mailbox, commit.account, mail);
            // (No mail has an empty unique-id: it stands for the drop itself.)
            if (commit.begun) write_mail(sql, mailbox, commit.account, {});
            for (const std::string& unique_id : commit.gone)
                sql << "DELETE FROM drop_mails WHERE mailbox = :mailbox AND unique_id = :unique_id",
                    soci::use(mailbox), soci::use(unique_id);
            for (const auto& [id, reason] : commit.settled)
                settle(sql, mailbox, id, reason, clock_.now());
            return {};
        });
}

}  // namespace vm::store
