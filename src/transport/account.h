// The account's side of a plugin: folder synchronisation (plugins/vm_transport.h) with a C++ face.
// What comes back is checked before anybody sees it: a name that is no UTF-8 text, a UID that was
// not asked about or a result too few is a failure, never a fact.
#ifndef VM_TRANSPORT_ACCOUNT_H
#define VM_TRANSPORT_ACCOUNT_H

#include "core/account.h"
#include "core/drop.h"
#include "transport/plugin.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vm::transport {

enum class ScopeMode { kAll, kInbox, kFolder };
struct AccountScope {
    ScopeMode mode = ScopeMode::kAll;
    std::string folder;        // created when missing, but with kInbox
    bool read_only = false;    // nothing may be created
    bool behind_look = false;  // as of the end of the last look() will do, see then_folders
};

// What to look at in one folder; `since` is the state of the last look, all zero for the first.
struct FolderLook {
    FolderState since;
    std::vector<std::uint32_t> uids;  // known to us, ascending
    bool every = false;               // all of them, whatever mod-sequences say
    // When some are gone, folders() comes next, with behind_look: it may be asked for along.
    bool then_folders = false;
    // Somebody else's mails to be told of, too; empty: none. Of each it is asked whether it
    // matters.
    std::function<bool(const FoundMail&)> others;
};

// What the connection uses, and what the last call cost, connecting included.
struct AccountStats {
    bool idle = false, condstore = false, qresync = false, notify = false, move = false,
         uidplus = false;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
    std::uint32_t round_trips = 0;
    bool connected = false;
};

struct Parked {
    bool supported = true;  // false: the server has no IDLE
    int fd = -1;            // readable: call peek(); stays the session's
    bool changed = false;   // something happened already
};

struct Asked {
    bool waits = false;    // the answer is not complete yet
    bool changed = false;  // something happened; it waits no longer
};

// What is to be done in a maildrop.
struct DropVisit {
    std::vector<std::string> known;  // unique-ids that were looked at before, ascending
    std::vector<DropRemoval> removals;
    // All that are new are looked at, and of those for which `wanted` says so, content() gets the
    // first content_size bytes.
    bool every = false;
    std::uint32_t content_size = 0;
    std::function<bool(const DropMail&)> wanted;
    std::function<void(const std::string& unique_id, std::string_view bytes)> content;
    // Asked right before the mail of removal `index` is deleted; false: not any more. May be empty.
    std::function<bool(std::size_t index)> confirm;
};
struct DropNews {
    std::vector<DropMail> mails;  // that are new
    std::vector<std::string> gone;
    std::vector<DropResult> results;  // of all removals, unless it failed
    std::optional<AccountFailure> failure;
};

template <class T>
using AccountResult = tl::expected<T, AccountFailure>;

// One account; connects when needed and keeps the connection. One thread at a time. Ending it takes
// about a second at most.
class AccountSession {
  public:
    // Does not connect. kConfig when the plugin has no account side, or with its reason.
    static Result<AccountSession> open(const Plugin& plugin, const SessionOptions& options);

    // Every folder of the scope as it is now.
    AccountResult<std::vector<FolderState>> folders(const AccountScope& scope);
    // In as many calls of the plugin's as it takes; an error when the first fails.
    AccountResult<FolderNews> look(const FolderLook& look);
    // Does `changes` in the folder as long as its UIDVALIDITY is the given one. `results` gets one
    // for each that was done or refused; after a failure some may be missing.
    std::optional<AccountFailure> apply(const std::string& folder, std::uint32_t uidvalidity,
                                        const std::vector<MailChange>& changes,
                                        std::vector<std::optional<MailChangeResult>>& results);
    // Moves message `id` from the trash folder to `to`; kMissing: it is not there.
    AccountResult<MailChangeResult> recover(const std::string& id, const std::string& message_id,
                                            const std::string& to);
    // The first `size` bytes of a message, or all there are; nothing: there is no such message.
    AccountResult<std::optional<FetchedMail>> fetch(const Link& place, std::uint32_t size);
    // Waiting without a thread; any other call ends it, and so must the caller, by parking again,
    // before 29 minutes are over.
    AccountResult<Parked> park(const std::string& folder);
    AccountResult<bool> peek();
    // What park() asks of a parked connection, without waiting: the first call sends the question;
    // further ones, when the descriptor is readable, take the answer. After a failure there is no
    // connection any more.
    AccountResult<Asked> ask();
    bool can_ask() const;

    // One visit to a maildrop (Plugin::can_visit). What it learned stands even when it failed.
    DropNews visit(const DropVisit& visit);

    const AccountStats& stats() const { return stats_; }
    // What the calls since the last take_traffic() have cost.
    Traffic take_traffic() { return std::exchange(traffic_, {}); }

  private:
    explicit AccountSession(Session session) : session_(std::move(session)) {}
    template <class Call>
    std::optional<AccountFailure> call(Call call, bool* unsupported = nullptr);

    Session session_;
    AccountStats stats_;
    Traffic traffic_;
};

}  // namespace vm::transport

#endif
