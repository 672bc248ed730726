// One pass over a mailbox's account: what changed there and here, decided by core::decide_sync(),
// and done.
//
// The order, on which the guarantees rest:
//   list and look -> decide -> commit what was learned with what it means here -> do what is to be
//   done in the account -> commit what the server confirmed.
// A process that dies anywhere in between leaves a state from which the next pass decides the same.
// A look that failed teaches nothing; a folder that refuses to be looked at leaves the listing
// incomplete, and an incomplete listing deletes nothing.
//
// One thread per mailbox at a time; the Store and the AccountSession are the calling thread's for
// the call.
#ifndef VM_AGENT_SYNC_RUN_H
#define VM_AGENT_SYNC_RUN_H

#include "agent/metrics.h"
#include "base/clock.h"
#include "config/config.h"
#include "core/sync.h"
#include "store/store.h"
#include "transport/account.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vm::agent {

// The unit's folder in the account; its name is the manual's (N2.23).
inline constexpr const char* kVmFolder = "Voice Mail Messages";

struct SyncContext {
    const Clock& clock;
    store::Store& store;
    const config::MailboxOptions& mailbox;
    const config::MiscSetup& misc;
    transport::AccountSession& account;
    // The unit's side may have changed since the last pass, though the store may know better
    // (store::SyncState::is_settled()); false saves reading it.
    bool unit_changed = true;
    std::function<bool()> cancelled;
    // g_bUseTTS: vmreadmail(1), and where its work is kept meanwhile.
    std::filesystem::path mail_reader, spool;
    Metrics* metrics = nullptr;  // where the latency of links is counted; may be null
};

struct SyncResult {
    bool complete = false;  // everything was looked at and is settled
    bool asked = true;      // the server was
    int changed_here = 0, changed_there = 0;
    bool push_again = false;         // a message was put into the queue, or out of it
    std::string hold;                // why the mailbox is on hold
    std::vector<std::string> notes;  // what the account refused, a line each
    // The folder that most of the messages lie in, when it was looked up; and as it was before.
    std::optional<std::string> busiest;
    std::string busiest_before;
    // To be written when no other pass has begun (store::Store::set_statuses()).
    std::optional<store::Settled> settled;
    std::optional<AccountFailure> failure;  // the pass could not be ended
    // Something is to be looked for again after so long, though nothing says so before.
    std::optional<std::int64_t> again_ms;
    std::optional<Error> store_error;
};

// Why this mailbox's account is not kept in step with the unit; "" when it is to be.
std::string why_not_synchronised(const config::MailboxOptions& mailbox,
                                 const config::MiscSetup& misc);

SyncResult sync_mailbox(const SyncContext& context);

// What sync_mailbox() would do first, a line each; nothing is changed on either side.
Result<std::vector<std::string>> plan_sync(const SyncContext& context);

}  // namespace vm::agent

#endif
