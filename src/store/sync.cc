// Synchronisation: what is known of a mailbox's account, what a pass learned of it, and messages
// that are deleted for good.
#include "store/database.h"
#include "store/media_files.h"
#include "store/origins.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"
#include "store/sync_rows.h"
#include "store/sync_writer.h"

namespace vm::store {

Result<SyncState> SqlStore::sync_state(const std::string& mailbox) {
    return read("read the account's state of mailbox", mailbox,
                [&](soci::session& sql) -> Result<SyncState> {
                    return read_sync_state(sql, mailbox).value_or(SyncState{});
                });
}

// Two queries are enough for any number of messages. They need no transaction: what the second
// reads is written by passes only, and a mailbox has one at a time.
Result<std::vector<SyncMessage>> SqlStore::sync_messages(const std::string& mailbox) {
    return read("read messages of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::vector<SyncMessage>> {
                    VM_ASSIGN(std::vector<SyncMessage> out, read_agreed(sql, mailbox));
                    auto copies = read_copies(sql, mailbox);
                    for (SyncMessage& message : out)
                        if (const auto it = copies.find(message.record.message.id);
                            it != copies.end())
                            message.copies = std::move(it->second);
                    return out;
                });
}

Result<std::vector<NewMail>> SqlStore::new_mails(const std::string& mailbox) {
    return read("read new mails of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::vector<NewMail>> {
                    NewMail mail;
                    long long uidvalidity = 0, uid = 0;
                    soci::statement statement =
                        (sql.prepare << kNewMails, soci::into(mail.place.folder),
                         soci::into(uidvalidity), soci::into(uid), soci::into(mail.message_id),
                         soci::into(mail.attempts), soci::use(mailbox));
                    statement.execute();
                    std::vector<NewMail> out;
                    while (statement.fetch()) {
                        mail.place.uidvalidity = static_cast<std::uint32_t>(uidvalidity);
                        mail.place.uid = static_cast<std::uint32_t>(uid);
                        out.push_back(mail);
                    }
                    return out;
                });
}

Result<> SqlStore::commit_sync(const std::string& mailbox, const SyncCommit& commit) {
    return write({"sync", "commit synchronisation of mailbox", mailbox},
                 [&](soci::session& sql) -> Result<> {
                     return SyncWriter(sql, mailbox, clock_.now()).write(commit);
                 });
}

Result<> SqlStore::release(const std::string& mailbox, bool keep) {
    constexpr const char* kRelease = "release mailbox";
    return write({"release", kRelease, mailbox}, [&](soci::session& sql) -> Result<> {
        std::optional<SyncState> state = read_sync_state(sql, mailbox);
        if (!state || state->hold.empty())
            return fail(ErrorKind::kNoInput, kRelease, mailbox, "it is not on hold",
                        "vmctl status shows the mailboxes that are");
        state->hold.clear();
        state->released = !keep;
        state->released_keep = keep;
        ++state->releases;
        write_sync_state(sql, mailbox, *state);
        note_change(sql, mailbox, ChangedBy::kPhone);
        return {};
    });
}

Result<std::set<std::string>> SqlStore::with_deleted() {
    return read("read deleted messages", "",
                [](soci::session& sql) -> Result<std::set<std::string>> {
                    std::string mailbox;
                    soci::statement statement = (sql.prepare << kWithDeleted, soci::into(mailbox));
                    statement.execute();
                    std::set<std::string> out;
                    while (statement.fetch()) out.insert(mailbox);
                    return out;
                });
}

Result<int> SqlStore::purge(const std::string& mailbox, TimeMs before, bool drop) {
    std::vector<std::pair<std::string, std::string>> old;
    VM_TRY(write({"purge", "purge mailbox", mailbox}, [&](soci::session& sql) -> Result<> {
        {
            const long long limit = before;
            const std::string in_drop = drop ? "yes" : "no";
            std::string id, media;
            soci::statement statement = (sql.prepare << kPurgeable, soci::into(id),
                                         soci::into(media), soci::use(mailbox, "mailbox"),
                                         soci::use(limit, "before"), soci::use(in_drop, "drop"));
            statement.execute();
            while (statement.fetch()) old.emplace_back(id, media);
        }
        if (old.empty()) return {};
        for (const auto& [id, media] : old) {
            sql << "DELETE FROM messages WHERE id = :id", soci::use(id);
            forget_gone_origin(sql, id);
        }
        note_change(sql, mailbox, ChangedBy::kSync);
        return {};
    }));
    // Not before: a message must never be without its media.
    std::set<std::string> ids;
    for (const auto& [id, media] : old) {
        remove_media(paths_, media);
        ids.insert(id);
    }
    if (!ids.empty()) remove_speech(paths_, ids);
    return static_cast<int>(old.size());
}

}  // namespace vm::store
