// The commands of vmctl. Each part adds its subcommands to the program; parsing a command line
// leaves in VmctlContext::action what is to be done. INTERFACE "vmctl" is the contract, vmctl(8)
// the manual.
#ifndef VM_APP_VMCTL_COMMANDS_H
#define VM_APP_VMCTL_COMMANDS_H

#include "base/error.h"
#include "base/paths.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace vm::app {

struct VmctlContext {
    // Set by the subcommand that was given; writes its result to std::cout.
    std::function<Result<>(const Paths&)> action;
    // --json of that subcommand.
    bool json = false;
    // What to exit with when the action succeeded as a call.
    int status = 0;
    // What has been done by then, for the error when standard output does not take the result.
    std::string done = "what was asked for has been done";

    // A subcommand "NAME" of `parent` with --json, an example in its help, and `action`.
    CLI::App* command(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples, std::function<Result<>(const Paths&)> action);
};

// kUsage for what is no mailbox number, kNoInput when there is no such mailbox.
Result<> check_mailbox(const Paths& paths, const std::string& number);

// The value of an option or argument that may be left out, but not be empty: an unset variable of a
// script must not mean "all".
inline const auto kNotEmpty = [](const std::string& value) {
    return value.empty() ? std::string("it is empty") : std::string();
};

// One line on stderr about something that does not stop the command.
void warn(std::string_view text);

void add_message_add(CLI::App& message, VmctlContext& context);
void add_message_commands(CLI::App& message, VmctlContext& context);
void add_message_export(CLI::App& message, VmctlContext& context);
void add_queue_commands(CLI::App& queue, VmctlContext& context);
void add_status_command(CLI::App& program, VmctlContext& context);
void add_sync_commands(CLI::App& program, VmctlContext& context);
void add_watch_command(CLI::App& program, VmctlContext& context);
void add_metrics_command(CLI::App& program, VmctlContext& context);
void add_top_command(CLI::App& program, VmctlContext& context);

// The program: parses, acts, prints. Returns the exit status.
int run_vmctl(int argc, char** argv);

}  // namespace vm::app

#endif
