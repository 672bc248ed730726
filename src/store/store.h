// The unit's store: messages, deliveries, links and history in SQLite (SOCI), media files beside
// it.
//
// Promises (WAL, synchronous=FULL):
// - what a function reported done survives kill -9 and power loss; a function is one transaction;
// - a message's media file is durable before its row exists, and exactly one row owns it;
// - every state transition leaves a history row with time and the server's words;
// - delivery transitions go through core/delivery.h: an impossible one is refused, and two
// processes
//   can never both get the intent of one delivery.
//
// One Store per thread (it owns one database session); any number of processes. A locked database
// is waited for (10 s), then kUnavailable. Only this layer includes SOCI.
#ifndef VM_STORE_STORE_H
#define VM_STORE_STORE_H

#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"
#include "core/delivery.h"
#include "core/message.h"

#include <cstdint>
#include <filesystem>
#include <functional>
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
    // Called with the unit's own copy of `file`, which nobody can change any more, to check it and
    // to fill in what it says (duration, pages). Its error is add()'s, and nothing is stored.
    std::function<Result<>(const std::filesystem::path& copy, Message& message)> inspect;
};

struct HistoryEntry {
    TimeMs time = 0;
    std::string what;   // "added", "delivery", "state", "folder", …
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
    TimeMs changed = 0;
};

struct MailboxCounts {
    std::int64_t new_messages = 0, old_messages = 0;  // not deleted
    std::int64_t queued = 0, sending = 0, sent = 0, deferred = 0, failed = 0,
                 uncertain = 0;  // deleted ones not counted
    std::int64_t linked = 0;
};

class Store {
  public:
    // Opens ROOT/var/vm.db, creating it and migrating its schema as needed. kConfig when it was
    // written by a newer program, kNoInput when the root has no var directory (vmconfig init).
    static Result<std::unique_ptr<Store>> open(const Paths& paths,
                                               const Clock& clock = system_clock());
    virtual ~Store() = default;

    // ---- the phone's side (vmctl, firmware)
    // -------------------------------------------------------
    virtual Result<std::string> add(
        const NewMessage& message) = 0;                            // durable when it returns the id
    virtual Result<MessageRecord> get(const std::string& id) = 0;  // kNoInput when unknown
    virtual Result<std::vector<MessageRecord>> list(const ListQuery& query) = 0;  // oldest first
    virtual Result<std::vector<HistoryEntry>> history(const std::string& id) = 0;
    virtual Result<> mark(const std::string& id,
                          MessageState state) = 0;  // kNew or kRead; refused for deleted ones
    virtual Result<> move(const std::string& id, const std::string& folder) = 0;
    virtual Result<> remove(const std::string& id) = 0;   // state deleted; the media stays
    virtual Result<> restore(const std::string& id) = 0;  // back to the state it had
    std::filesystem::path media_path(const Message& message) const {
        return paths_.media() / message.media;
    }

    // ---- the queue
    // ---------------------------------------------------------------------------------- Messages
    // whose delivery is queued, deferred, sending, uncertain or failed; oldest first.
    virtual Result<std::vector<MessageRecord>> queue() = 0;
    // Those of one mailbox that decide() looks at: queued, deferred, uncertain.
    virtual Result<std::vector<MessageRecord>> pending(const std::string& mailbox) = 0;
    // Mailboxes that have such deliveries, with the earliest next_attempt (not counting deleted
    // messages).
    struct Due {
        std::string mailbox;
        TimeMs next_attempt;
    };
    virtual Result<std::vector<Due>> due() = 0;
    // Event kRequeue, due at once. Errors: kNoInput, kMessage (already sent, being sent).
    virtual Result<> retry(const std::string& id) = 0;

    // ---- the agent's side
    // ----------------------------------------------------------------------------- Commits the
    // intent: state `sending`, attempts + 1, and `message_id` unless one was fixed before. Returns
    // the record as committed; kMessage when the delivery is not in a state that allows it (another
    // process has it, it was sent, the message was deleted).
    virtual Result<MessageRecord> record_intent(const std::string& id,
                                                const std::string& message_id) = 0;
    // Commits an outcome (any event but kIntent and kRequeue). `next_attempt` matters for deferred
    // and uncertain.
    virtual Result<> record_outcome(const std::string& id, DeliveryEvent event,
                                    const std::string& reply, TimeMs next_attempt) = 0;
    // Deliveries a dead process of these mailboxes left in `sending`: event kRestart, due at
    // next_attempt. Returns how many.
    virtual Result<int> recover(const std::vector<std::string>& mailboxes, TimeMs next_attempt) = 0;

    // ---- status
    // -----------------------------------------------------------------------------------------
    virtual Result<> set_status(
        const MailboxStatus& status) = 0;  // writes only when something changed
    virtual Result<std::vector<MailboxStatus>> statuses() = 0;
    virtual Result<MailboxCounts> counts(const std::string& mailbox) = 0;
    // A number that changes whenever another connection committed (PRAGMA data_version): the cheap
    // question "is there anything new?".
    virtual Result<std::int64_t> change_mark() = 0;

  protected:
    explicit Store(Paths paths) : paths_(std::move(paths)) {}
    Paths paths_;
};

}  // namespace vm::store

#endif
