// What is known of accounts, as rows of the database: the agreed state and the copies of a
// mailbox's messages, its SyncState. All throw soci_error.
#ifndef VM_STORE_SYNC_ROWS_H
#define VM_STORE_SYNC_ROWS_H

#include "store/store.h"

#include <soci/soci.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vm::store {

// By message.
std::unordered_map<std::string, std::vector<MailCopy>> read_copies(soci::session& sql,
                                                                   const std::string& mailbox);

// What stands in the column `doubt`.
int bits_of(const Doubt& doubt);
Doubt doubt_of_bits(int bits);

// Writes all of `agreed` over what was agreed about message `id`.
void write_agreed(soci::session& sql, const std::string& id, const Agreed& agreed);
// What is begun now, besides what was in doubt already.
void write_doubt(soci::session& sql, const std::string& id, const Doubt& doubt);

// The phone deletes a message: where it was agreed to be gone and was restored since, that is news.
void note_deleted_again(soci::session& sql, const std::string& id);

// Replaces the copies of the messages that are named, as far as those are the mailbox's.
void write_copies(soci::session& sql, const std::string& mailbox,
                  const std::vector<std::pair<std::string, std::vector<MailCopy>>>& copies);

// Mails that are to be read.
void write_new_mail(soci::session& sql, const std::string& mailbox, const NewMail& mail);
void remove_new_mail(soci::session& sql, const std::string& mailbox, const Link& place);

// nullopt: no pass yet.
std::optional<SyncState> read_sync_state(soci::session& sql, const std::string& mailbox);
// Without the folders.
void write_sync_state(soci::session& sql, const std::string& mailbox, const SyncState& state);
// Puts `folders` in the place of those that are `known`; touches only the rows that are different.
void write_folders(soci::session& sql, const std::string& mailbox,
                   const std::vector<FolderState>& known, const std::vector<FolderState>& folders);

}  // namespace vm::store

#endif
