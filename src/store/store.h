// The unit's store: messages, deliveries, links, history in SQLite (SOCI), media files beside it.
//
// Promises (WAL, synchronous=FULL):
// - what a function reported done survives kill -9 and power loss; a function is one transaction;
// - a message's media file is durable before its row exists, and exactly one row owns it;
// - every state transition leaves a history row with time and the server's words;
// - delivery transitions go through core/delivery.h: an impossible one is refused, and two
//   processes can never both get the intent of one delivery.
//
// One Store per thread (it owns one database session); any number of processes. Stores of one
// process may share a writer: what their threads write at the same time is committed by one fsync,
// and each function returns when its part is. A locked database is waited for (10 s; by a shared
// writer, behind the writes before it), then kUnavailable. Only this layer includes SOCI.
#ifndef VM_STORE_STORE_H
#define VM_STORE_STORE_H

#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"
#include "core/delivery.h"
#include "core/drop.h"
#include "core/message.h"
#include "core/sync.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::store {

struct NewMessage {
    Message message;             // id, size, media and created are filled in by add()
    std::filesystem::path file;  // copied
    std::string extension;       // of the media file: "wav", "tif"
    DeliveryState delivery = DeliveryState::kOff;  // kQueued or kOff
    std::string delivery_reason;                   // why kOff
    std::string message_id;                        // kEmail: the mail's Message-ID, without <>
    // With a Message::origin: what source and unit agree on from here on, in the source's words
    // (Origin). "" for a source that keeps nothing.
    std::string agreed;
    // Called with the unit's own copy of `file`, which nobody can change any more, to check it and
    // to fill in what it says (duration, pages). Its error is add()'s, and nothing is stored.
    std::function<Result<>(const std::filesystem::path& copy, Message& message)> inspect;
};

// What a source of messages can see and change of one.
struct Placement {
    MessageState state = MessageState::kNew;
    std::string folder;
    bool urgent = false;
    bool operator==(const Placement&) const = default;
};

// A message of a source that keeps what was agreed on (src/asterisk): the third side of a merge.
struct Origin {
    std::string origin, id;
    std::string agreed;               // in the source's words; kGone: the source has it no more
    std::optional<Placement> placed;  // nullopt: purged
};
inline constexpr const char* kGone = "gone";

// What a source and the unit have come to agree on, and what that means for the message.
struct Agreement {
    std::string origin, agreed;
    // What was decided on, and what the message is to be; not both: nothing is to be done to it.
    std::optional<Placement> seen, wanted;
    std::string reason;  // for the history
};

// What the agent keeps of one mailbox's account between two passes. A pass takes what sync_state()
// gave it, changes it and hands it to commit_sync().
struct SyncState {
    // Whose account it is, and which folders of it are synchronised, as the agent words it: another
    // text means that places and folder states below speak of something else.
    std::string account, scope;
    bool on = true;  // false: Email Integration was off since the last pass
    // What it was when this was read; commit_sync() compares it, nobody sets it: a pass that does
    // not know of it leaves it off.
    bool was_on = true;
    std::string hold;  // why the mailbox is on hold, "" when it is not
    // What a person released the mailbox to, until a pass has done so; at most one of them.
    bool released = false;       // held deletions go
    bool released_keep = false;  // messages whose mail is not found are unlinked and stay
    // How often it was released before this was read; commit_sync() compares it, nobody sets it.
    std::int64_t releases = 0;
    TimeMs last_pass = 0;   // the last that was complete
    TimeMs last_every = 0;  // the last that looked at every linked message
    // Read only, see Settled: the phone's last change (MailboxChange::phone_sequence), that up to
    // which nothing is left to do (-1: not known), and the folder that most of the messages lie in.
    std::int64_t phone_sequence = 0, settled = -1;
    std::string busiest;
    // Whether all that the unit's side has is in the account, as far as this state knows it.
    bool is_settled() const { return settled >= 0 && settled == phone_sequence; }
    std::vector<FolderState> folders;  // as of the last look
};

// Somebody's mail in the account that is to become a message of kind email.
struct NewMail {
    Link place;
    std::string message_id;  // RFC 5322, without <>; "" when it has none
    int attempts = 0;        // that were made to read it
};

// What a pass learned or decided, to be committed at once. Everything about a message that is not
// the mailbox's is left out silently, and so is what happened already (a report of the same copy,
// a link to the same place): a pass that is done again after a crash leaves no second trace.
struct SyncChange {
    // Not kRecoverMail. kStoreFlags, kMoveMail and kRemoveMail say that it is begun now: `doubt`.
    SyncActionKind kind;
    std::string id;  // "" with kHold
    // What the decision was taken on, the message as it was before the commit: kSet… are
    // left out when the phone has changed that meanwhile, kRestoreLocal when the message is not
    // deleted (any more); the next pass decides anew. A deletion beats everything.
    MessageState seen_state = MessageState::kNew;
    bool seen_urgent = false;
    std::string seen_folder;
    // The new values, as far as the kind has them.
    MailCopy copy;  // kLink, kAgree: agreed are its place and its flags
    Doubt doubt;    // kLink, kAgree: what stays in doubt
    // kLink, kAgree: the unit's folder. When it is no name for one, the folder the message lies in
    // is what is agreed: the unit does not follow there, and does not fetch the mail back either.
    std::string agreed_folder;
    MessageState state = MessageState::kNew;  // kSetState
    bool urgent = false;                      // kSetUrgent
    std::string folder;                       // kSetFolder
    std::string reason;                       // for the history; kHold: not ""
};
struct SyncCommit {
    // Copies as they are now, by message; all that were known of it before are replaced.
    std::vector<std::pair<std::string, std::vector<MailCopy>>> copies;
    std::vector<SyncChange> changes;  // in this order
    std::vector<std::string> found;   // open deliveries that lie in the account: event kFound
    // Restored, and gone from the account: event kResend, unlinked, from attempt 0 on,
    // with another Message-ID.
    std::vector<std::string> push_again;
    std::vector<NewMail> new_mails;    // added to those that are to be read; with their attempts
    std::vector<Link> new_mails_gone;  // taken from them
    // Of a release that came after the state was read, nothing is overwritten: `hold` and what it
    // was released to stay as the release left them, and a kHold is left out. Otherwise a kHold
    // beats `state->hold`. Without a state, a kHold is left out when a release waits for a pass.
    std::optional<SyncState> state;
};

// What is known of a maildrop.
struct DropState {
    std::vector<DropMail> mails;  // that were looked at; without their Message-IDs
    bool begun = false;           // a visit to this account has ended well
    // Deleted on the phone, and perhaps still there; without their unique-ids.
    std::vector<DropMessage> deleted;
};
// What a visit learned, to be committed at once.
struct DropCommit {
    std::string account;  // whose drop it is; mails of another are forgotten
    bool begun = false;   // sets DropState::begun
    std::vector<DropMail> looked;
    std::vector<std::string> gone;  // unique-ids
    // Messages whose mail is not there any more, each with the reason, for the history.
    std::vector<std::pair<std::string, std::string>> settled;
};

// What a complete pass has found out that a commit does not say: it left nothing to do. Holds until
// the next commit_sync() of the mailbox; when it is lost, a pass reads all messages once more.
struct Settled {
    std::string mailbox;
    std::int64_t phone_sequence = 0;  // as the pass had it from sync_state()
    std::string busiest;              // folder
};

// One mailbox whose messages changed. A delivery that goes on is no such change, nor is a link.
struct MailboxChange {
    std::string mailbox;
    std::int64_t sequence = 0;  // of its last change, whoever made it
    // Of its last change by the phone's side: add, mark, set_urgent, move, remove, restore, and
    // what a person asks for: retry, release; and recover(). 0: there was none.
    std::int64_t phone_sequence = 0;
};

struct HistoryEntry {
    TimeMs time = 0;
    std::string what;   // "added", "delivery", "state", "folder", "urgent", "link", "copy",
                        // "transcript"
    std::string from;   // old value, "" when none
    std::string to;     // new value
    std::string reply;  // the server's words or the reason
};

struct ListQuery {
    std::string mailbox;  // "" = all
    std::optional<std::string> folder;
    bool deleted = false;  // deleted ones too
};

// What the agent last found out about a mailbox; read by `vmctl status` without an agent.
struct MailboxStatus {
    std::string mailbox;
    std::string state = "ok";  // ok | hold | error | off
    std::string reason;
    // What its connection to the account uses, and when a pass was last complete (0: never).
    bool idle = false, condstore = false, qresync = false;
    // set_statuses(): the last two are not known; what was told before stays.
    bool unconnected = false;
    TimeMs last_sync = 0;
    // When the last pass that a person had asked for ended, or was found impossible.
    TimeMs answered = 0;
    TimeMs changed = 0;
};

// Of the messages that are not deleted, without e-mails.
struct MailboxCounts {
    std::int64_t new_messages = 0, old_messages = 0;
    std::int64_t queued = 0, sending = 0, sent = 0, deferred = 0, failed = 0, uncertain = 0;
    std::int64_t linked = 0;
    bool operator==(const MailboxCounts&) const = default;
};

// One session that the Stores of many threads write by (store/shared_writer.h).
class SharedWriter;
// Opens nothing: the first Store does.
std::shared_ptr<SharedWriter> share_writer(const Paths& paths);

class Store {
  public:
    // Opens ROOT/var/vm.db, creating it and migrating its schema as needed. kConfig when it was
    // written by a newer program, kNoInput when the root has no var directory (vmconfig init).
    // With a `writer`, which is of the same root, it writes together with the others that have it.
    static Result<std::unique_ptr<Store>> open(const Paths& paths,
                                               const Clock& clock = system_clock(),
                                               std::shared_ptr<SharedWriter> writer = nullptr);
    // One for many threads at once, of a root that was opened before. It opens nothing before it
    // is used; all it has to open is a few sessions, however many the threads. change_mark() is
    // not for it.
    static std::unique_ptr<Store> for_threads(const Paths& paths,
                                              std::shared_ptr<SharedWriter> writer,
                                              const Clock& clock = system_clock());
    virtual ~Store() = default;

    // The phone's side: vmctl, firmware. All but add() are kNoInput for an unknown id; doing what
    // is done already succeeds and leaves no trace in the history.

    // Stores a message; durable when it returns the id. kNoInput: there is no such file; kUsage: a
    // field is invalid; kUnavailable: no room. On an error nothing is stored and no file is left.
    // Control characters in the caller's name and number are neutralised.
    // With a Message::origin that the store knows, nothing is stored and the id there is returned,
    // also of a message that was deleted or purged since; kUsage when it is another mailbox's, or
    // not 1 to 250 bytes of UTF-8 without control characters.
    virtual Result<std::string> add(const NewMessage& message) = 0;
    virtual Result<MessageRecord> get(const std::string& id) = 0;
    // By time of reception, oldest first.
    virtual Result<std::vector<MessageRecord>> list(const ListQuery& query) = 0;
    virtual Result<std::vector<HistoryEntry>> history(const std::string& id) = 0;
    // kNew or kRead. kMessage when the message is deleted.
    virtual Result<> mark(const std::string& id, MessageState state) = 0;
    // kMessage when the message is deleted.
    virtual Result<> set_urgent(const std::string& id, bool urgent) = 0;
    // kMessage when the message is deleted, kUsage for a bad name (1 to 100 bytes of UTF-8 without
    // control characters, not beginning or ending with a space or slash).
    virtual Result<> move(const std::string& id, const std::string& folder) = 0;
    // To state deleted; the media stays. The delivery keeps its state but is not pending any more.
    virtual Result<> remove(const std::string& id) = 0;
    // Back to the state it had; a delivery that waits has a new delivery timeout. Its mail is
    // brought back, or sent once more, when the agent has removed it by then.
    virtual Result<> restore(const std::string& id) = 0;
    // Of sources that keep what they agreed on, by origin; purged ones whose source may still have
    // them too.
    virtual Result<std::vector<Origin>> origins(const std::string& mailbox) = 0;
    // One transaction: the message as it is wanted (deleting, restoring and marking are the phone's
    // doing), and what was agreed. False, and nothing is written, when the message is not as it was
    // seen any more. Forgets an origin that is gone when the message was purged. kNoInput: the
    // store does not know the origin.
    virtual Result<bool> agree(const Agreement& agreement) = 0;
    std::filesystem::path media_path(const Message& message) const {
        return paths_.media() / message.media;
    }

    // The queue. Deleted messages are in none of these.

    // Messages whose delivery is queued, deferred, sending, uncertain or failed; by the time they
    // were queued, oldest first.
    virtual Result<std::vector<MessageRecord>> queue() = 0;
    // Those of one mailbox that decide() looks at: queued, deferred, uncertain.
    virtual Result<std::vector<MessageRecord>> pending(const std::string& mailbox) = 0;
    // Mailboxes that have such deliveries, with the earliest next_attempt; 0 for a queued one, and
    // for one that is postponed further than any pause, the end of such a one.
    struct Due {
        std::string mailbox;
        TimeMs next_attempt;
    };
    virtual Result<std::vector<Due>> due() = 0;
    // The same of one mailbox; nullopt when it has none.
    virtual Result<std::optional<TimeMs>> due(const std::string& mailbox) = 0;
    // Event kRequeue, or kLookAgain: due at once, with a new delivery timeout; from failed and off
    // with attempts 0. kMessage when it was sent, is being sent, the message is deleted, or an
    // e-mail.
    virtual Result<> retry(const std::string& id) = 0;
    // Event kPostpone: not attempted before `until`, from when the delivery timeout counts.
    // kMessage when nothing waits (it was sent, is being sent, failed, is off) or the message is
    // deleted.
    virtual Result<> postpone(const std::string& id, TimeMs until) = 0;
    // Event kAbandon: failed, by a person's wish, with the `reason` the person gave, if any.
    // kMessage as for postpone().
    virtual Result<> give_up(const std::string& id, const std::string& reason) = 0;

    // The agent's side.

    // Commits the intent: state `sending`, attempts + 1, and `message_id` unless one was fixed
    // before. Returns the delivery as committed; kMessage when it is not in a state that allows it
    // (another process has it, it was sent or postponed, the message was deleted).
    virtual Result<Delivery> record_intent(const std::string& id,
                                           const std::string& message_id) = 0;
    struct Intent {
        std::string id, message_id;
    };
    struct Outcome {
        std::string id;
        // Any but kIntent and those of retry(), postpone(), give_up() and restore().
        DeliveryEvent event;
        std::string reply;
        TimeMs next_attempt = 0;  // matters for deferred and uncertain
    };
    // Commits an outcome. kMessage when the event cannot happen in the delivery's state.
    virtual Result<> record_outcome(const Outcome& outcome) = 0;
    // Commits an outcome and, with the same durable write, the intent for another message; the
    // delivery as record_intent() gives it, nullopt when that intent is refused, which does not
    // touch the outcome.
    virtual Result<std::optional<Delivery>> record_outcome(const Outcome& outcome,
                                                           const Intent& following) = 0;
    // Cleans up after dead processes: deliveries in `sending` whose mailbox is `mine` get event
    // kRestart, with `reason`, and are due at next_attempt; temporary files older than a day go.
    // Returns how many deliveries.
    virtual Result<int> recover(const std::function<bool(const std::string& mailbox)>& mine,
                                TimeMs next_attempt, const std::string& reason) = 0;
    Result<int> recover(const std::function<bool(const std::string& mailbox)>& mine,
                        TimeMs next_attempt) {
        return recover(mine, next_attempt, "the agent ended during the attempt");
    }

    // What is said in voice messages; empty where nothing was begun.
    virtual Result<Transcript> transcript(const std::string& id) = 0;
    // Of those in pending(): whose transcript is settled.
    virtual Result<std::set<std::string>> transcribed(const std::string& mailbox) = 0;
    // Notes that a try begins, durably; returns the how manieth it is. kNoInput: no such message.
    virtual Result<int> begin_transcript(const std::string& id) = 0;
    // That try does not count: nothing came of it, by an orderly end.
    virtual Result<> cut_transcript_short(const std::string& id) = 0;
    struct TranscriptEnd {
        std::string id;
        std::string text;   // "": none was made
        std::string words;  // how, or why not; for the history
    };
    // Settles them, in one transaction; those of messages that are gone are left out.
    virtual Result<> end_transcripts(const std::vector<TranscriptEnd>& ends) = 0;

    // Synchronisation; by one process per mailbox at a time.

    // kNoInput never: a mailbox without a pass has an empty state.
    virtual Result<SyncState> sync_state(const std::string& mailbox) = 0;
    // All messages of the mailbox, deleted ones too, with what is known of their mail.
    virtual Result<std::vector<SyncMessage>> sync_messages(const std::string& mailbox) = 0;
    // Mails that are still to be read, by place.
    virtual Result<std::vector<NewMail>> new_mails(const std::string& mailbox) = 0;
    // One transaction: copies, changes, found, push_again, new mails, state; the mailbox is not
    // settled any more. A folder that is no
    // name for one of the unit's is not taken over (kSetFolder). kUsage: a change of a kind that is
    // done in the account, kSetState to deleted, or a hold without a reason.
    virtual Result<> commit_sync(const std::string& mailbox, const SyncCommit& commit) = 0;
    // Puts `mailbox` off hold; held deletions go with the next pass or, with `keep`, the messages
    // whose mail is not found any more are unlinked and stay. kNoInput when it is not on hold.
    virtual Result<> release(const std::string& mailbox, bool keep) = 0;
    // `account`: whose drop it is, as the agent words it; with another text it is another drop.
    virtual Result<DropState> drop_state(const std::string& mailbox,
                                         const std::string& account) = 0;
    virtual Result<> commit_drop(const std::string& mailbox, const DropCommit& commit) = 0;
    // Mailboxes that have deleted messages, for purge().
    virtual Result<std::set<std::string>> with_deleted() = 0;
    // Removes messages of `mailbox` that were deleted before `before`, with their media; those
    // whose mail is still to be deleted stay, and one that is being sent. What they came from stays
    // known, unless it is gone. `drop`: its account is a
    // maildrop. Returns how many.
    virtual Result<int> purge(const std::string& mailbox, TimeMs before, bool drop = false) = 0;
    // Mailboxes whose messages changed after `sequence`, by their sequence.
    virtual Result<std::vector<MailboxChange>> changes_since(std::int64_t sequence) = 0;
    // The same of one mailbox: one at most.
    virtual Result<std::vector<MailboxChange>> changes_since(std::int64_t sequence,
                                                             const std::string& mailbox) = 0;
    // The counts the message-waiting command was last run with; nullopt: never.
    struct Waiting {
        std::int64_t new_messages = 0, old_messages = 0;
        bool operator==(const Waiting&) const = default;
    };
    virtual Result<std::optional<Waiting>> waiting_told(const std::string& mailbox) = 0;
    virtual Result<> set_waiting_told(const std::string& mailbox, const Waiting& waiting) = 0;

    // Status.

    // One transaction, which need not survive a loss of power: nothing rests on it. Of a status
    // only what is worth it is written: something but last_sync and changed is another one, or
    // last_sync is more than a minute later; last_sync does not go back, an `answered` of 0 leaves
    // the one there is; sets `changed` itself when state or reason became another one.
    virtual Result<> set_statuses(const std::vector<MailboxStatus>& statuses,
                                  const std::vector<Settled>& settled) = 0;
    Result<> set_status(const MailboxStatus& status) { return set_statuses({status}, {}); }
    // The mailboxes on hold, and why.
    virtual Result<std::map<std::string, std::string>> holds() = 0;
    virtual Result<std::vector<MailboxStatus>> statuses() = 0;
    // Of one mailbox; nullopt when set_status() never was.
    virtual Result<std::optional<MailboxStatus>> status(const std::string& mailbox) = 0;
    // How many deliveries of one mailbox are in one state, of those in queue(); and since when the
    // oldest of them waits (not before its time, when it was postponed).
    struct QueueDepth {
        std::string mailbox;
        DeliveryState state;
        std::int64_t deliveries = 0;
        TimeMs oldest = 0;
    };
    virtual Result<std::vector<QueueDepth>> queue_depths() = 0;
    // Mailboxes that have messages in queue(), in the order of their names.
    virtual Result<std::vector<std::string>> unfinished() = 0;
    virtual Result<MailboxCounts> counts(const std::string& mailbox) = 0;
    // Of all mailboxes that have any. Reads every message of the store.
    virtual Result<std::map<std::string, MailboxCounts>> all_counts() = 0;
    // A number that changes whenever another connection committed (PRAGMA data_version): the cheap
    // question "is there anything new?". Only numbers of one Store compare. A shared writer is
    // another connection.
    virtual Result<std::int64_t> change_mark() = 0;

  protected:
    explicit Store(Paths paths) : paths_(std::move(paths)) {}
    Paths paths_;
};

}  // namespace vm::store

#endif
