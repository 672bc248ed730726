#include "store/sync_rows.h"

#include "base/text.h"
#include "store/queries.h"

#include <algorithm>

namespace vm::store {

namespace {

// One row that names a message and a place, as SOCI fills it in.
struct PlaceRow {
    std::string id, folder;
    long long uidvalidity = 0, uid = 0;
    int seen = 0, flagged = 0;

    Link place() const {
        return {folder, static_cast<std::uint32_t>(uidvalidity), static_cast<std::uint32_t>(uid)};
    }
};

void insert_copy(soci::session& sql, const std::string& mailbox, const std::string& id,
                 const MailCopy& copy) {
    const long long uidvalidity = copy.place.uidvalidity, uid = copy.place.uid;
    const int seen = copy.flags.seen, flagged = copy.flags.flagged, deleted = copy.flags.deleted;
    sql << "INSERT INTO mail_copies"
           " (message_id, folder, uidvalidity, uid, seen, flagged, deleted)"
           " SELECT m.id, :folder, :uidvalidity, :uid, :seen, :flagged, :deleted FROM messages m"
           " WHERE m.id = :id AND m.mailbox = :mailbox"
           " ON CONFLICT (message_id, folder, uidvalidity, uid) DO UPDATE SET seen = excluded.seen,"
           " flagged = excluded.flagged, deleted = excluded.deleted",
        soci::use(copy.place.folder, "folder"), soci::use(uidvalidity, "uidvalidity"),
        soci::use(uid, "uid"), soci::use(seen, "seen"), soci::use(flagged, "flagged"),
        soci::use(deleted, "deleted"), soci::use(id, "id"), soci::use(mailbox, "mailbox");
}

void write_folder(soci::session& sql, const std::string& mailbox, const FolderState& folder) {
    const long long uidvalidity = folder.uidvalidity, uid_next = folder.uid_next;
    const long long modseq = static_cast<long long>(folder.modseq);
    sql << "INSERT INTO sync_folders (mailbox, folder, uidvalidity, uid_next, modseq)"
           " VALUES (:mailbox, :folder, :uidvalidity, :next, :modseq)"
           " ON CONFLICT (mailbox, folder) DO UPDATE SET uidvalidity = excluded.uidvalidity,"
           " uid_next = excluded.uid_next, modseq = excluded.modseq",
        soci::use(mailbox), soci::use(folder.name), soci::use(uidvalidity), soci::use(uid_next),
        soci::use(modseq);
}

}  // namespace

int bits_of(const Doubt& doubt) {
    return (doubt.seen ? 1 : 0) | (doubt.flagged ? 2 : 0) | (doubt.folder ? 4 : 0) |
           (doubt.removed ? 8 : 0);
}

Doubt doubt_of_bits(int bits) {
    return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

std::unordered_map<std::string, std::vector<MailCopy>> read_copies(soci::session& sql,
                                                                   const std::string& mailbox) {
    PlaceRow row;
    int deleted = 0;
    soci::statement statement =
        (sql.prepare << kCopies, soci::into(row.id), soci::into(row.folder),
         soci::into(row.uidvalidity), soci::into(row.uid), soci::into(row.seen),
         soci::into(row.flagged), soci::into(deleted), soci::use(mailbox));
    statement.execute();
    std::unordered_map<std::string, std::vector<MailCopy>> out;
    while (statement.fetch())
        out[row.id].push_back({row.place(), {row.seen != 0, row.flagged != 0, deleted != 0}});
    return out;
}

void write_agreed(soci::session& sql, const std::string& id, const Agreed& agreed) {
    const long long uidvalidity = agreed.link.uidvalidity, uid = agreed.link.uid;
    const int seen = agreed.seen, flagged = agreed.flagged, gone = agreed.gone;
    const int doubt = bits_of(agreed.doubt);
    sql << "INSERT INTO links"
           " (message_id, folder, uidvalidity, uid, seen, flagged, unit_folder, gone, doubt)"
           " VALUES (:id, :folder, :uidvalidity, :uid, :seen, :flagged, :unit_folder, :gone,"
           " :doubt)"
           " ON CONFLICT (message_id) DO UPDATE SET folder = excluded.folder,"
           " uidvalidity = excluded.uidvalidity, uid = excluded.uid, seen = excluded.seen,"
           " flagged = excluded.flagged, unit_folder = excluded.unit_folder, gone = excluded.gone,"
           " doubt = excluded.doubt",
        soci::use(id), soci::use(agreed.link.folder), soci::use(uidvalidity), soci::use(uid),
        soci::use(seen), soci::use(flagged), soci::use(agreed.unit_folder), soci::use(gone),
        soci::use(doubt);
}

void write_doubt(soci::session& sql, const std::string& id, const Doubt& doubt) {
    const int bits = bits_of(doubt);
    sql << "UPDATE links SET doubt = doubt | :bits WHERE message_id = :id", soci::use(bits),
        soci::use(id);
}

void note_deleted_again(soci::session& sql, const std::string& id) {
    const int removed = bits_of(Doubt{.removed = true});
    sql << "UPDATE links SET doubt = doubt | :removed WHERE message_id = :id AND gone = 1",
        soci::use(removed), soci::use(id);
}

void write_copies(soci::session& sql, const std::string& mailbox,
                  const std::vector<std::pair<std::string, std::vector<MailCopy>>>& copies) {
    for (const auto& [id, of_message] : copies) {
        sql << "DELETE FROM mail_copies WHERE message_id IN"
               " (SELECT id FROM messages WHERE id = :id AND mailbox = :mailbox)",
            soci::use(id), soci::use(mailbox);
        for (const MailCopy& copy : of_message) insert_copy(sql, mailbox, id, copy);
    }
}

std::optional<SyncState> read_sync_state(soci::session& sql, const std::string& mailbox) {
    SyncState state;
    FolderState folder;
    int on = 0, released = 0, keep = 0;
    long long releases = 0, last_pass = 0, last_every = 0, settled = -1, phone_sequence = 0;
    long long uidvalidity = 0, uid_next = 0, modseq = 0;
    soci::statement statement =
        (sql.prepare << kSyncState, soci::into(state.account), soci::into(state.scope),
         soci::into(on), soci::into(state.hold), soci::into(released), soci::into(keep),
         soci::into(releases), soci::into(last_pass), soci::into(last_every), soci::into(settled),
         soci::into(state.busiest), soci::into(phone_sequence), soci::into(folder.name),
         soci::into(uidvalidity), soci::into(uid_next), soci::into(modseq), soci::use(mailbox));
    statement.execute();
    bool found = false;
    for (; statement.fetch(); found = true) {
        if (folder.name.empty()) continue;
        folder.uidvalidity = static_cast<std::uint32_t>(uidvalidity);
        folder.uid_next = static_cast<std::uint32_t>(uid_next);
        folder.modseq = static_cast<std::uint64_t>(modseq);
        state.folders.push_back(folder);
    }
    if (!found) return std::nullopt;
    state.on = on != 0;
    state.released = released != 0;
    state.released_keep = keep != 0;
    state.releases = releases;
    state.was_on = state.on;
    state.last_pass = last_pass;
    state.last_every = last_every;
    state.settled = settled;
    state.phone_sequence = phone_sequence;
    return state;
}

void write_sync_state(soci::session& sql, const std::string& mailbox, const SyncState& state) {
    const std::string hold = sanitize_line(state.hold);
    const int on = state.on, released = state.released, keep = state.released_keep;
    const long long releases = state.releases;
    const long long last_pass = state.last_pass, last_every = state.last_every;
    sql << "INSERT INTO sync_states (mailbox, account, scope, is_on, hold, released, released_keep,"
           " releases, last_pass, last_every)"
           " VALUES (:mailbox, :account, :scope, :is_on, :hold, :released, :keep, :releases, "
           ":pass, :every)"
           " ON CONFLICT (mailbox) DO UPDATE SET account = excluded.account, scope = "
           "excluded.scope,"
           " is_on = excluded.is_on, hold = excluded.hold, released = excluded.released,"
           " released_keep = excluded.released_keep, releases = excluded.releases,"
           " last_pass = excluded.last_pass, last_every = excluded.last_every",
        soci::use(mailbox), soci::use(state.account), soci::use(state.scope), soci::use(on),
        soci::use(hold), soci::use(released), soci::use(keep), soci::use(releases),
        soci::use(last_pass), soci::use(last_every);
}

void write_folders(soci::session& sql, const std::string& mailbox,
                   const std::vector<FolderState>& known, const std::vector<FolderState>& folders) {
    for (const FolderState& old : known) {
        const auto is_it = [&](const FolderState& folder) { return folder.name == old.name; };
        if (std::any_of(folders.begin(), folders.end(), is_it)) continue;
        sql << "DELETE FROM sync_folders WHERE mailbox = :mailbox AND folder = :folder",
            soci::use(mailbox), soci::use(old.name);
    }
    for (const FolderState& folder : folders)
        if (std::find(known.begin(), known.end(), folder) == known.end())
            write_folder(sql, mailbox, folder);
}

void write_new_mail(soci::session& sql, const std::string& mailbox, const NewMail& mail) {
    const long long uidvalidity = mail.place.uidvalidity, uid = mail.place.uid;
    sql << "INSERT INTO new_mails (mailbox, folder, uidvalidity, uid, message_id, attempts)"
           " VALUES (:mailbox, :folder, :uidvalidity, :uid, :message_id, :attempts)"
           " ON CONFLICT (mailbox, folder, uidvalidity, uid) DO UPDATE SET"
           " attempts = excluded.attempts",
        soci::use(mailbox), soci::use(mail.place.folder), soci::use(uidvalidity), soci::use(uid),
        soci::use(mail.message_id), soci::use(mail.attempts);
}

void remove_new_mail(soci::session& sql, const std::string& mailbox, const Link& place) {
    const long long uidvalidity = place.uidvalidity, uid = place.uid;
    sql << "DELETE FROM new_mails WHERE mailbox = :mailbox AND folder = :folder"
           " AND uidvalidity = :uidvalidity AND uid = :uid",
        soci::use(mailbox), soci::use(place.folder), soci::use(uidvalidity), soci::use(uid);
}

}  // namespace vm::store
