// The command tree of vmconfig(8): what each command prints, on top of config/edit.h.
// One thread, once per process.
#ifndef VM_APP_VMCONFIG_COMMANDS_H
#define VM_APP_VMCONFIG_COMMANDS_H

#include "base/error.h"
#include "base/paths.h"
#include "config/edit.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace vm::app {

// What the parsed command line asks for; set by the callback of the subcommand that was given.
struct VmconfigRequest {
    std::function<Result<>(const Paths&)> run;
};

void add_init_command(CLI::App& program, VmconfigRequest& request);
void add_misc_commands(CLI::App& program, VmconfigRequest& request);
void add_mailbox_commands(CLI::App& program, VmconfigRequest& request);
void add_keys_command(CLI::App& program, VmconfigRequest& request);
void add_edit_command(CLI::App& program, VmconfigRequest& request);

// The full-screen forms; kUsage where there is no terminal.
Result<> edit_misc_setup(const Paths& paths);
Result<> edit_mailbox_options(const Paths& paths, const std::string& number);

// "vmconfig: warning: ..." lines on stderr.
void print_warnings(const config::Notes& notes);

}  // namespace vm::app

#endif
