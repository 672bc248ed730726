// vmconfig(8): Misc Setup and Mailbox Options from the command line.
#include "app/cli.h"
#include "app/vmconfig_check.h"
#include "app/vmconfig_commands.h"
#include "base/identity.h"

#include <iostream>

namespace {

int run_vmconfig(int argc, char** argv) {
    CLI::App program("Edits the voice-mail unit's Misc Setup and Mailbox Options.", "vmconfig");
    std::string root;
    vm::app::VmconfigRequest request;
    vm::app::add_common(program, root);
    vm::app::add_init_command(program, request);
    vm::app::add_misc_commands(program, request);
    vm::app::add_mailbox_commands(program, request);
    int checked = 0;
    vm::app::add_check_command(program, request, checked);
    vm::app::add_keys_command(program, request);
    vm::app::add_edit_command(program, request);
    program.require_subcommand(1);

    if (const auto status = vm::app::parse(program, argc, argv)) return *status;
    const auto paths = vm::find_root(root);
    if (!paths) return vm::app::report(program, paths.error());
    if (const auto owner = vm::act_as_owner(*paths); !owner)
        return vm::app::report(program, owner.error());
    if (const auto done = request.run(*paths); !done) return vm::app::report(program, done.error());
    const int ended = vm::app::end_output(program);
    return checked != 0 ? checked : ended;
}

}  // namespace

int main(int argc, char** argv) {
    return vm::app::run_program(argc, argv, run_vmconfig);
}
