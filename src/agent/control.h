// The agent's socket run/vmemaild.sock: "something changed in mailbox NNN" from vmctl and firmware.
// A poke only saves waiting for the next look at the store; losing one costs a second, never a
// message.
#ifndef VM_AGENT_CONTROL_H
#define VM_AGENT_CONTROL_H

#include "base/error.h"
#include "base/files.h"
#include "base/paths.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vm::agent {

// What is wanted of the agent besides a look at the mailbox in the store. A pause of the mailbox's
// server ends.
enum class Request {
    kNothing,
    kRetry,  // another try of its messages
    kSync,   // a look at its account; when it ended, the status' `answered` says so
};

struct Poke {
    std::string mailbox;
    Request request = Request::kNothing;
};

// Tells a running agent, if there is one; never blocks, never fails.
void poke(const Paths& paths, const std::string& mailbox, Request request = Request::kNothing);
// The same of many, of which none is left out as long as the agent reads; waits for it a second at
// most.
void poke(const Paths& paths, const std::set<std::string>& mailboxes, Request request);

// A request as the master passes it on to a worker, a line.
inline constexpr std::string_view kSyncRequest = " sync";
std::string worker_line(const Poke& poke);

// To the worker of a share: "NNN back", the mailbox is out of quarantine.
inline constexpr std::string_view kBack = " back";

// Whether an agent runs on this root (its lock is held).
bool agent_running(const Paths& paths);

// The agent's end: a datagram socket, mode 0660, replacing what a dead agent left.
Result<UniqueFd> open_control_socket(const Paths& paths);

// The pokes since the last call; never blocks.
std::vector<Poke> read_pokes(int socket);

}  // namespace vm::agent

#endif
