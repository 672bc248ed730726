// The sync half of decide(): a three-way merge of the unit's state, the state both sides agreed on
// and the state of the account. Pure: no I/O, no clock, no globals.
//
//   what happened                            what is decided
//   phone: heard / marked new                kStoreFlags \Seen
//   phone: urgent set / cleared              kStoreFlags \Flagged
//   phone: deleted                           kRemoveMail, also of a mail linked only now
//   phone: moved to a folder (All Folders)   kMoveMail
//   phone: restored                          kRecoverMail: from Trash, or sent again
//   mail: \Seen set / cleared                kSetState
//   mail: \Flagged set / cleared             kSetUrgent
//   mail: expunged, \Deleted, out of scope   kDeleteLocal
//   mail: back in scope, \Deleted cleared    kRestoreLocal
//   mail: moved to another synced folder     kLink and kSetFolder
//   both changed                             a deletion wins, else the unit
//   UIDVALIDITY changed, folder gone         kLink by identity, else kUnlink
//   account or scope changed, off and on     the same; never a deletion
//   too much of that, or of deletions        kHold: nothing is deleted on either side
//
// Invariants:
// - nothing is deleted on an incomplete listing, or while the mailbox is on hold;
// - a message that was never seen in the account is not deleted for not being there;
// - the agreed state moves only with what the other side has confirmed: doing the actions again
//   after a crash arrives at the same place;
// - what was begun in the account and never confirmed is in doubt: it is not read as something that
//   the subscriber did, and the unit wins;
// - of several copies one is linked; the others are reported, never touched.
#ifndef VM_CORE_SYNC_H
#define VM_CORE_SYNC_H

#include "core/account.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vm {

// What was begun to be changed of a mail in the account, and has not been confirmed: it may have
// happened or not. `removed` of a mail that is gone: its message was restored, and deleted again.
struct Doubt {
    bool seen = false, flagged = false, folder = false;
    bool removed = false;
    bool operator==(const Doubt&) const = default;
};

// What both sides last agreed on about one message.
struct Agreed {
    Link link;  // where its mail lay
    bool seen = false, flagged = false;
    std::string unit_folder;  // the unit's folder then
    bool gone = false;        // the mail was deleted there, by whichever side
    Doubt doubt = {};
};

// A copy of a message in the account, as last seen.
struct MailCopy {
    Link place;
    MailFlags flags;
    // Found by this pass. Not one in a folder that has another UIDVALIDITY now and had a copy of it
    // before: that is the same one.
    bool fresh = false;
};

// One of the unit's messages with all that is known of it.
struct SyncMessage {
    MessageRecord record;
    std::optional<Agreed> agreed;
    std::vector<MailCopy> copies;  // in the scope; of all folders that are listed
};

struct SyncPolicy {
    bool folders = false;  // All Folders: the unit's folders and the account's follow each other
    bool remove_to_trash = false;  // Imap4 Delete Mode = Trash
    std::int64_t mass_deletion_limit = 50;
    // The first pass after Email Integration was switched on again: the unit wins for the read
    // state, and nothing old is sent again.
    bool rejoined = false;
    // What is not found is unlinked, never deleted: after that, after another scope was configured,
    // or when a person released the mailbox so.
    bool keep_missing = false;
    bool on_hold = false;   // until a person releases it: nothing is deleted on either side
    bool released = false;  // a person let held deletions go: no guard in this pass
};

// The account as this pass sees it.
struct SyncScope {
    bool complete = false;  // every folder of the scope was looked at
    bool replaced = false;  // another account than the links speak of: every place is lost
    // Folders of the scope with their UIDVALIDITY. A link to another folder, or with another
    // UIDVALIDITY, has lost its place: by itself that says nothing about the message.
    std::map<std::string, std::uint32_t> folders;
};

enum class SyncActionKind {
    // On the unit's side:
    kLink,          // `copy` is the message's mail from now on
    kUnlink,        // forget where it was; the message stays
    kAgree,         // `copy` is in the state that the unit has: note it
    kAgreeGone,     // deleted on both sides
    kSetState,      // to `state`, read or new
    kSetUrgent,     // to `urgent`
    kSetFolder,     // to `folder`
    kDeleteLocal,   // to the Deleted folder
    kRestoreLocal,  // from it
    kReport,        // `copy` is a second one: say so, once
    kHold,          // the mailbox; `reason`
    // In the account:
    kStoreFlags,   // `add`, `remove` at `copy`
    kMoveMail,     // `copy` to `folder`
    kRemoveMail,   // `copy`
    kRecoverMail,  // back to `folder` from Trash, or pushed again
};
const char* to_string(SyncActionKind kind);

struct SyncAction {
    SyncActionKind kind;
    std::string id;  // the message's; "" with kHold
    MailCopy copy;   // kLink, kAgree: with the flags that are agreed on from now on
    MessageState state = MessageState::kNew;
    bool urgent = false;
    std::string folder;  // kLink, kAgree: the unit's folder that is agreed on
    MailFlags add, remove;
    Doubt doubt;         // kLink, kAgree: what stays so
    bool again = false;  // kMoveMail, kRemoveMail: begun before, and never confirmed
    std::string reason;
};

// Whether it is done in the account, not in the unit.
bool in_account(SyncActionKind kind);
// What is in doubt from the moment that the action, one in the account, is begun.
Doubt doubt_of(const SyncAction& action);

std::vector<SyncAction> decide_sync(const std::vector<SyncMessage>& messages,
                                    const SyncScope& scope, const SyncPolicy& policy);

// "mark \Seen in INBOX, UID 7", for a dry run and the history.
std::string describe(const SyncAction& action);

}  // namespace vm

#endif
