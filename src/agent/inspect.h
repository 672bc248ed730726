// What `vmemaild --check` and `--dry-run` print. Both only read; the plugin is loaded to be
// checked, so they run in a child process (run_in_child).
#ifndef VM_AGENT_INSPECT_H
#define VM_AGENT_INSPECT_H

#include "base/paths.h"

#include <optional>
#include <string>

namespace vm::agent {

// Validates the whole configuration: Misc Setup, the plugin, every mailbox, the seats. One line an
// object on stdout, one line a problem on stderr. Returns 0, or 78 when something is invalid (77
// when it is only a matter of permissions).
int check_configuration(const Paths& paths);

// Prints what --once would do now, a line an action. Returns 0, or the status of the first problem.
int print_plan(const Paths& paths, const std::optional<std::string>& only_mailbox);

// Prints what a pass over the account of `only_mailbox`, or of every mailbox that is synchronised,
// would do, a line each, and changes nothing on either side. The account is looked at, so it takes
// as long as its server. Problems go to stderr after "PROGRAM: ". Returns the exit status. To be
// called in a process of its own, since it loads the plugin.
int print_sync_plan(const Paths& paths, const std::optional<std::string>& only_mailbox,
                    const std::string& program);

}  // namespace vm::agent

#endif
