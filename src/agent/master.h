// The master process: owns the root's lock, the control socket and the trace file; starts the
// workers, starts them again when they die, and stops them. It loads no plugin, opens no store and
// starts no thread, so that nothing foreign can take it down and fork() stays simple.
//
// The lock is inherited by the workers on purpose: after a kill -9 of the master no other agent can
// start before the last worker has left its dialogue.
#ifndef VM_AGENT_MASTER_H
#define VM_AGENT_MASTER_H

#include "base/error.h"
#include "base/paths.h"

#include <functional>
#include <optional>
#include <string>

namespace vm::agent {

struct MasterOptions {
    Paths paths;
    bool once = false;                        // one worker, its exit status is ours
    bool sync_only = false;                   // with once: look at the accounts, push nothing
    std::optional<std::string> only_mailbox;  // with once
    bool echo = false;                        // repeat the trace on stderr
    std::function<void()> ready;              // called when the workers have been started
};

// Runs until SIGTERM or SIGINT (or, with once, until the worker ended). Returns the exit status; an
// error when it could not start: another agent runs, no root, no permission.
Result<int> run_master(const MasterOptions& options);

// Runs `work` in a child process and returns its exit status: for what loads a plugin without being
// an agent (--check, --dry-run). kUnavailable when the child crashed; kConfig when it did so, or
// ended, while it was loading a plugin.
Result<int> run_in_child(const std::function<int()>& work);

}  // namespace vm::agent

#endif
