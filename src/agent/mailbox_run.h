// One mailbox's turn: asks core::decide() what is due and does it, message by message.
//
// The order of every push, on which the delivery guarantee rests:
//   compose -> commit the intent (`sending`) -> dialogue -> commit the outcome.
// A message that cannot be composed never reaches a server; a process that dies in between leaves
// `sending`, which recovery reads as uncertain; an outcome that cannot be committed (full disk) is
// left as `sending` for the same reason and is never taken for a success.
//
// Of several messages the next is composed before the dialogue about the one in hand, so that one
// commit can end that and begin the next.
//
// What concerns more than one message (server down, login refused, plugin missing) ends the turn
// with a Pause; messages that were not tried keep the state they have.
//
// One thread per mailbox at a time; the Store is the calling thread's own.
#ifndef VM_AGENT_MAILBOX_RUN_H
#define VM_AGENT_MAILBOX_RUN_H

#include "agent/metrics.h"
#include "agent/push_policy.h"
#include "agent/server_gate.h"
#include "base/clock.h"
#include "base/paths.h"
#include "config/config.h"
#include "core/decide.h"
#include "core/push.h"
#include "mime/template_cache.h"
#include "oauth2/keeper.h"
#include "store/store.h"
#include "transport/plugin.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::agent {

// The end of an attempt that the store could not take (full disk, locked): kept by the caller, who
// offers it to the store again before the mailbox's next turn. If the process dies first the
// delivery is recovered as uncertain.
using UnrecordedOutcome = store::Store::Outcome;

// Records them; those that cannot be recorded now are left in the list.
Result<> record_outcomes(store::Store& store, std::vector<UnrecordedOutcome>& unrecorded);

struct RunContext {
    Paths paths;
    const Clock& clock;
    store::Store& store;
    std::optional<transport::Plugin> plugin;  // nullopt: none could be loaded
    std::string plugin_problem;
    config::MiscSetup misc;
    std::shared_ptr<const config::MailboxOptions> mailbox;
    std::vector<UnrecordedOutcome>& unrecorded;
    std::function<bool()> cancelled;  // stop within the current dialogue
    // Asked after each message, with how many were done: whether to end the turn with work left.
    std::function<bool(int done)> should_yield;
    std::function<double()> jitter;  // uniform in [0, 1)
    // Pauses in a row that ended in another one.
    int server_failures = 0, mailbox_failures = 0;
    // Wall time minus steady time, of a clock that is trusted: by it deliveries are given up.
    // nullopt: none is. So soon after the start: a unit that was off for a week has no network yet
    // when it boots, and its clock may be wrong. A clock that is set during the turn gives none up.
    std::optional<std::int64_t> clock_offset;
    // The mailbox is apart because its worker died: each intent is committed before anything is
    // done about its message, so that of what kills the worker again it is known which one it was.
    bool alone = false;
    Metrics* metrics = nullptr;  // where outcomes are counted as they are committed; may be null
    mime::TemplateCache* templates = nullptr;  // may be null
    // The session to push by, if there is one that fits (same_push_session()); one that the next
    // turn can go on with is left there. Null: the turn's own.
    std::optional<transport::Session>* session = nullptr;
    // Told once, as soon as a dialogue has shown that the server works. May be empty.
    std::function<void()> server_works = {};
    std::shared_ptr<oauth2::Keeper> tokens = {};  // may be null
    // Told of the messages whose mails wait for their transcripts. May be empty.
    std::function<void(const std::vector<std::string>& ids)> transcribe = {};
};

// Why a turn ended early and how long nothing more should be tried.
struct Pause {
    PushScope scope = PushScope::kMailbox;  // or kServer
    std::string reason;
    std::int64_t ms = 0;
};

struct RunResult {
    int sent = 0, deferred = 0, failed = 0, uncertain = 0, switched_off = 0;
    int recorded = 0;                // outcomes committed
    std::vector<std::string> notes;  // what did not succeed, a line each, the first few
    // What the dialogues told about the server; kNothing when there was none.
    ServerSeen server = ServerSeen::kNothing;
    std::optional<Pause> pause;
    std::optional<Error> store_error;  // the store failed: nothing more can be done or recorded
    bool more = false;                 // stopped early with work due
    std::optional<TimeMs> wake_at;     // when nothing was due: the next delivery that will be
    transport::Traffic traffic;        // of the dialogues
};

// What decide() gets for this mailbox, with what it is to know of transcripts.
Result<PushPolicy> policy_for(const config::MailboxOptions& mailbox, const config::MiscSetup& misc,
                              store::Store& store, bool account_searchable);

RunResult run_mailbox(const RunContext& context);

}  // namespace vm::agent

#endif
