// The Store on a SOCI session; one .cc an idea: messages, queue, sync, status.
#ifndef VM_STORE_SQL_STORE_H
#define VM_STORE_SQL_STORE_H

#include "store/database.h"
#include "store/read_sessions.h"
#include "store/store.h"
#include "store/writer.h"

#include <soci/soci.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace vm::store {

class SqlStore : public Store {
  public:
    SqlStore(Paths paths, std::unique_ptr<ReadSessions> sessions, std::shared_ptr<Writer> writer,
             const Clock& clock)
        : Store(std::move(paths)),
          sessions_(std::move(sessions)),
          writer_(std::move(writer)),
          clock_(clock) {}

    Result<std::string> add(const NewMessage& message) override;
    Result<MessageRecord> get(const std::string& id) override;
    Result<std::vector<MessageRecord>> list(const ListQuery& query) override;
    Result<std::vector<HistoryEntry>> history(const std::string& id) override;
    Result<> mark(const std::string& id, MessageState state) override;
    Result<> set_urgent(const std::string& id, bool urgent) override;
    Result<> move(const std::string& id, const std::string& folder) override;
    Result<> remove(const std::string& id) override;
    Result<> restore(const std::string& id) override;
    Result<std::vector<Origin>> origins(const std::string& mailbox) override;
    Result<bool> agree(const Agreement& agreement) override;

    Result<std::vector<MessageRecord>> queue() override;
    Result<std::vector<MessageRecord>> pending(const std::string& mailbox) override;
    Result<std::vector<Due>> due() override;
    Result<std::optional<TimeMs>> due(const std::string& mailbox) override;
    Result<> retry(const std::string& id) override;
    Result<> postpone(const std::string& id, TimeMs until) override;
    Result<> give_up(const std::string& id, const std::string& reason) override;

    Result<Delivery> record_intent(const std::string& id, const std::string& message_id) override;
    Result<> record_outcome(const Outcome& outcome) override;
    Result<std::optional<Delivery>> record_outcome(const Outcome& outcome,
                                                   const Intent& following) override;
    Result<int> recover(const std::function<bool(const std::string& mailbox)>& mine,
                        TimeMs next_attempt, const std::string& reason) override;

    Result<Transcript> transcript(const std::string& id) override;
    Result<std::set<std::string>> transcribed(const std::string& mailbox) override;
    Result<int> begin_transcript(const std::string& id) override;
    Result<> cut_transcript_short(const std::string& id) override;
    Result<> end_transcripts(const std::vector<TranscriptEnd>& ends) override;

    Result<SyncState> sync_state(const std::string& mailbox) override;
    Result<std::vector<SyncMessage>> sync_messages(const std::string& mailbox) override;
    Result<std::vector<NewMail>> new_mails(const std::string& mailbox) override;
    Result<> commit_sync(const std::string& mailbox, const SyncCommit& commit) override;
    Result<> release(const std::string& mailbox, bool keep) override;
    Result<DropState> drop_state(const std::string& mailbox, const std::string& account) override;
    Result<> commit_drop(const std::string& mailbox, const DropCommit& commit) override;
    Result<std::set<std::string>> with_deleted() override;
    Result<int> purge(const std::string& mailbox, TimeMs before, bool drop) override;
    Result<std::vector<MailboxChange>> changes_since(std::int64_t sequence) override;
    Result<std::vector<MailboxChange>> changes_since(std::int64_t sequence,
                                                     const std::string& mailbox) override;
    Result<std::optional<Waiting>> waiting_told(const std::string& mailbox) override;
    Result<> set_waiting_told(const std::string& mailbox, const Waiting& waiting) override;

    Result<> set_statuses(const std::vector<MailboxStatus>& statuses,
                          const std::vector<Settled>& settled) override;
    Result<std::map<std::string, std::string>> holds() override;
    Result<std::vector<MailboxStatus>> statuses() override;
    Result<std::optional<MailboxStatus>> status(const std::string& mailbox) override;
    Result<std::vector<QueueDepth>> queue_depths() override;
    Result<std::vector<std::string>> unfinished() override;
    Result<MailboxCounts> counts(const std::string& mailbox) override;
    Result<std::map<std::string, MailboxCounts>> all_counts() override;
    Result<std::int64_t> change_mark() override;

  private:
    // What `body` returns, which reads by the session it is given, and calls nothing of the Store.
    template <class Body>
    auto read(const char* operation, const std::string& object, const Body& body)
        -> std::invoke_result_t<const Body&, soci::session&> {
        VM_ASSIGN(const ReadSessions::Loan sql, sessions_->borrow());
        return guarded(operation, object, [&] { return body(*sql); });
    }
    // What `body` returns, which reads and writes by the session it is given (Writer::Body), when
    // that is committed, or refused by its error; or why it could not be written.
    template <class Body>
    auto write(const Write& what, const Body& body)
        -> std::invoke_result_t<const Body&, soci::session&> {
        std::optional<std::invoke_result_t<const Body&, soci::session&>> result;
        VM_TRY(writer_->write(what, [&](soci::session& sql) {
            result.emplace(body(sql));
            return result->has_value();
        }));
        return std::move(*result);
    }

    // Parts of a write. An error means that nothing was written.

    Result<Delivery> write_intent(soci::session& sql, const std::string& id,
                                  const std::string& message_id);
    Result<> write_outcome(soci::session& sql, const Outcome& outcome);

    const std::unique_ptr<ReadSessions> sessions_;  // for what is no part of a write
    const std::shared_ptr<Writer> writer_;
    const Clock& clock_;
};

}  // namespace vm::store

#endif
