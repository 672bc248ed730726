// The agent's socket run/vmemaild.sock: "something changed in mailbox NNN" from vmctl and firmware.
// A poke only saves waiting for the next look at the store; losing one costs a second, never a
// message.
#ifndef VM_AGENT_CONTROL_H
#define VM_AGENT_CONTROL_H

#include "base/error.h"
#include "base/files.h"
#include "base/paths.h"

#include <string>
#include <vector>

namespace vm::agent {

struct Poke {
    std::string mailbox;
    bool retry = false;  // a person wants another try now: a pause of the mailbox's server ends
};

// Tells a running agent, if there is one; never blocks, never fails.
void poke(const Paths& paths, const std::string& mailbox, bool retry = false);

// Whether an agent runs on this root (its lock is held).
bool agent_running(const Paths& paths);

// The agent's end: a datagram socket, mode 0660, replacing what a dead agent left.
Result<UniqueFd> open_control_socket(const Paths& paths);

// The pokes since the last call; never blocks.
std::vector<Poke> read_pokes(int socket);

}  // namespace vm::agent

#endif
