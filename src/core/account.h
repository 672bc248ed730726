// What a mail account shows of itself and what is done in it, as far as synchronisation cares. Pure
// data, in the units of plugins/vm_transport.h; filled by src/transport from a plugin's answers.
#ifndef VM_CORE_ACCOUNT_H
#define VM_CORE_ACCOUNT_H

#include "core/message.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vm {

// IMAP flags that mean something here.
struct MailFlags {
    bool seen = false, flagged = false, deleted = false;
    bool operator==(const MailFlags&) const = default;
};

// A folder's state as the server gives it: what is to be looked at is what is different from last
// time.
struct FolderState {
    std::string name;               // UTF-8, "/" between the levels
    std::uint32_t uidvalidity = 0;  // 0: not known before it is looked at
    std::uint32_t uid_next = 0;     // 0: not known, something changed
    std::uint64_t modseq = 0;       // 0: the server has no mod-sequences, flags may have changed
    bool operator==(const FolderState&) const = default;
};

// A message in the account that says to be one of the unit's; or, with id "", somebody else's.
struct FoundMail {
    std::uint32_t uid = 0;
    MailFlags flags;
    std::string id;          // ours
    std::string message_id;  // RFC 5322, without <>
};

// A message's beginning.
struct FetchedMail {
    MailFlags flags;
    std::string bytes;
};

// Why nothing could be learned from the account, by who has to wait.
enum class AccountFault {
    kServer,      // nobody gets through to it
    kTurnedAway,  // it refused this connection in its greeting, or closed it before one
    kStalls,      // it broke off or went silent in the middle, or talks nonsense
    kLogin,       // this account's credentials
    kConfig,      // the options do not allow the attempt
    kRefused,     // a command was answered with NO or BAD
    kCancelled,   // the host wanted to stop
};
struct AccountFailure {
    AccountFault fault = AccountFault::kStalls;
    std::string text;        // one line, sanitised
    bool replied = false;    // it is the server's refusal, not its silence or end
    bool logged_in = false;  // it came behind the login
};

// What one look at a folder told.
struct FolderNews {
    FolderState state;
    std::vector<std::pair<std::uint32_t, MailFlags>> flags;  // of UIDs that were asked about
    std::vector<std::uint32_t> gone;  // such UIDs that are not there any more
    std::vector<FoundMail> found;
    // It could not be looked at to its end: messages from state.uid_next on may be there.
    std::optional<AccountFailure> failure;
};

enum class MailChangeKind { kFlags, kMove, kTrash, kExpunge };
struct MailChange {
    MailChangeKind kind = MailChangeKind::kFlags;
    bool again = false;  // kMove and removals: begun before, and nobody knows how far that came
    std::uint32_t uid = 0;
    MailFlags add, remove;
    std::string id, message_id;
    std::string to;  // kMove
};
enum class MailChangeOutcome {
    kDone,
    kMissing,  // it is not there any more
    kOther,    // the UID is another message's
    kRefused,
    kCannot,  // kMove: the folder cannot be in the account
    kMarked,  // kTrash, kExpunge: it stays where it is, marked \Deleted
};
struct MailChangeResult {
    MailChangeOutcome outcome = MailChangeOutcome::kRefused;
    Link place;        // moves: where it is now; uid 0: not known
    std::string text;  // kRefused, kMarked: the server's words
};

}  // namespace vm

#endif
