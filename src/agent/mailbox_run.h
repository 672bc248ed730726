// One mailbox's turn: asks core::decide() what is due and does it, message by message.
//
// The order of every push, on which the delivery guarantee rests:
//   compose to a file -> commit the intent (`sending`) -> dialogue -> commit the outcome.
// A message that cannot be composed never reaches a server; a process that dies in between leaves
// `sending`, which recovery reads as uncertain; an outcome that cannot be committed (full disk) is
// left as `sending` for the same reason and is never taken for a success.
//
// One thread per mailbox at a time; the Store is the calling thread's own.
#ifndef VM_AGENT_MAILBOX_RUN_H
#define VM_AGENT_MAILBOX_RUN_H

#include "base/clock.h"
#include "base/paths.h"
#include "config/config.h"
#include "core/decide.h"
#include "store/store.h"
#include "transport/plugin.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::agent {

// An outcome the store could not take (full disk): kept by the caller and offered to the next turn.
// If the process dies first the delivery is recovered as uncertain.
struct UnrecordedOutcome {
    std::string message_id;
    DeliveryEvent event;
    std::string reply;
    TimeMs next_attempt;
};

struct RunContext {
    Paths paths;
    const Clock& clock;
    store::Store& store;
    std::optional<transport::Plugin> plugin;  // nullopt: none could be loaded
    std::string plugin_problem;
    config::MiscSetup misc;
    std::shared_ptr<const config::MailboxOptions> mailbox;
    std::vector<UnrecordedOutcome>& unrecorded;
    std::function<bool()> cancelled;     // stop within the current dialogue
    std::function<bool()> should_yield;  // others wait for the thread: stop after a batch
    std::function<double()> jitter;      // uniform in [0, 1)
    // The server is known to be down: postpone what is due, with this reason, until then.
    std::optional<std::string> server_down;
    TimeMs down_until = 0;
};

struct RunResult {
    int sent = 0, deferred = 0, failed = 0, uncertain = 0, switched_off = 0;
    std::vector<std::string> notes;          // what did not succeed, a line each, the first few
    bool talked = false;                     // a server was asked
    std::optional<std::string> server_down;  // it is down, and why
    // What a person must mend before this mailbox works (options, credentials, plugin); "" =
    // nothing.
    std::string problem;
    std::optional<Error> store_error;  // the store failed: nothing more can be done or recorded
    bool more = false;                 // stopped early with work due
    std::optional<TimeMs> wake_at;     // the next delivery that falls due
};

// The policy decide() gets for this mailbox.
PushPolicy policy_for(const config::MailboxOptions& mailbox, bool account_searchable);

// "smtp.example.net:587": what messages of this mailbox wait for.
std::string server_of(const config::MailboxOptions& mailbox);

// The key of ServerGate: the server and how this mailbox talks to it, so that one mailbox's wrong
// certificate file does not make the server look down to the others.
std::string gate_key(const config::MailboxOptions& mailbox);

RunResult run_mailbox(const RunContext& context);

}  // namespace vm::agent

#endif
