// A worker process: serves its share of the mailboxes with a few threads. It alone loads the
// plugin, so a plugin's crash costs this process, which the master starts again.
//
//   main thread   configuration, queue, ServerGate: decides which mailbox may run now
//   threads       run_mailbox(), each with a database session of its own
//
// Nothing it holds in memory matters for correctness: killed at any point, its successor recovers
// from the store.
#ifndef VM_AGENT_WORKER_H
#define VM_AGENT_WORKER_H

#include "agent/in_hand.h"
#include "agent/metrics.h"
#include "agent/plugin_slot.h"
#include "base/paths.h"

#include <optional>
#include <set>
#include <string>

namespace vm::agent {

// Exit status of a worker of one mailbox's own that was stopped before it had done everything.
constexpr int kStoppedAlone = 4;

struct WorkerOptions {
    explicit WorkerOptions(Paths root) : paths(std::move(root)) {}

    Paths paths;
    int index = 0;  // serves mailboxes whose number modulo `count` is index
    int count = 1;
    bool once = false;       // do what is due now, then end
    bool sync_only = false;  // with once: look at the accounts, push nothing
    std::optional<std::string> only_mailbox;
    std::set<std::string> excluded;  // of its share: in quarantine until the master says otherwise
    // The worker of one mailbox in quarantine: it ends with status 0 when everything was done.
    struct Alone {
        std::string words;         // why, for the mailbox's status until then
        bool note_only = false;    // its pause is not over: only recover, say so, and end
        std::int64_t stay_ms = 0;  // it lives so long at least
    };
    std::optional<Alone> alone;
    std::optional<PluginCrash> plugin_crash;  // what a worker before this one died of
    std::string recovery_reason;  // what became of the worker before, "" when it is not known
    int control_fd = -1;          // from the master: a line means "look at the queue", with a
                          // mailbox's number "and end its server's pause"; the end means "stop"
    InHandTable* in_hand = nullptr;   // where threads note whose work they do; null: nowhere
    MetricsTable* metrics = nullptr;  // where they count; null: nowhere
};

// Runs until SIGTERM, the master's end or, with `once`, until everything due was done. Returns the
// process's exit status; with `once` it tells what happened on stdout (a summary) and stderr
// (problems): 78 a configuration is invalid, 75 something is deferred or uncertain, 69 a delivery
// failed for good, 0 none of these.
int run_worker(const WorkerOptions& options);

// Makes what dead workers left in `sending` uncertain at once, instead of at the next start. To be
// called in a process of its own when no worker runs. Returns 1 when there was any, 0 when not.
int recover_all(const Paths& paths);

// Whether `number` is in the share of worker `index` of `count`.
bool in_share(const std::string& number, int index, int count);

}  // namespace vm::agent

#endif
