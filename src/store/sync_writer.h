// One commit_sync() at work, inside its transaction. Throws soci_error; after an error the
// transaction must not be committed.
//
// A decision was taken on what a pass had read, and the phone goes on meanwhile: each change is
// held to the message as it was when the transaction began, so that of two changes of one message
// the second is not refused for what the first has done.
#ifndef VM_STORE_SYNC_WRITER_H
#define VM_STORE_SYNC_WRITER_H

#include "store/changes.h"
#include "store/store.h"

#include <soci/soci.h>

#include <optional>
#include <string>
#include <unordered_map>

namespace vm::store {

class SyncWriter {
  public:
    SyncWriter(soci::session& sql, const std::string& mailbox, TimeMs now)
        : sql_(sql), mailbox_(mailbox), now_(now) {}
    Result<> write(const SyncCommit& commit);

  private:
    struct Subject {
        MessageRecord before, now;  // before the transaction, and with what it did so far
    };
    // nullptr: there is no such message (any more), or it is another mailbox's.
    Result<Subject*> subject(const std::string& id);

    Result<> apply(const SyncChange& change);
    void link(MessageRecord& record, const SyncChange& change);
    void unlink(MessageRecord& record, const std::string& reason);
    void agree_gone(MessageRecord& record, const std::string& reason);
    void report(const MessageRecord& record, const SyncChange& change);
    void note_link(const MessageRecord& record, const std::optional<Link>& to,
                   const std::string& reason);
    Result<> change_message(Subject& subject, const SyncChange& change);
    Result<> found(const std::string& id);
    Result<> push_again(const std::string& id);
    void write_state(const std::optional<SyncState>& state);

    soci::session& sql_;
    const std::string& mailbox_;
    const TimeMs now_;
    std::unordered_map<std::string, std::optional<Subject>> subjects_;
    bool changed_ = false;  // a message
    std::string hold_;      // kHold's reason
};

}  // namespace vm::store

#endif
