#include "app/vmconfig_commands.h"

#include "asterisk/settings.h"
#include "base/text.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"

#include <iostream>
#include <memory>

namespace vm::app {

void print_warnings(const config::Notes& notes) {
    for (const std::string& note : notes)
        std::cerr << "vmconfig: warning: " << sanitize_line(note) << '\n';
}

void add_init_command(CLI::App& program, VmconfigRequest& request) {
    CLI::App* init = program.add_subcommand(
        "init", "Create the root's directories, misc.ini and key file; what exists stays");
    init->callback([&request] {
        request.run = [](const Paths& paths) -> Result<> {
            VM_ASSIGN(const std::vector<config::InitStep> steps, config::init_root(paths));
            bool any = false;
            for (const config::InitStep& step : steps) {
                std::cout << (step.created ? "created  " : "kept     ") << sanitize_line(step.path)
                          << '\n';
                any = any || step.created;
            }
            if (!any) std::cout << "everything existed; nothing was changed\n";
            return {};
        };
    });
}

void add_keys_command(CLI::App& program, VmconfigRequest& request) {
    CLI::App* keys = program.add_subcommand(
        "keys", "List the options this program knows: name, default, what is allowed");
    const auto which = std::make_shared<std::string>();
    const auto sample = std::make_shared<bool>(false);
    keys->add_option("FILE", *which, "misc, mailbox or asterisk")
        ->required()
        ->check(CLI::IsMember({"misc", "mailbox", "asterisk"}));
    keys->add_flag("--sample", *sample, "Print a whole file with every option at its default");
    keys->callback([&request, which, sample] {
        request.run = [which, sample](const Paths& paths) -> Result<> {
            const bool misc = *which == "misc", asterisk = *which == "asterisk";
            if (*sample) {
                std::cout << (misc       ? config::misc_sample(paths)
                              : asterisk ? asterisk::settings_sample()
                                         : config::mailbox_sample());
                return {};
            }
            for (const config::Option& option : misc       ? config::misc_options(paths)
                                                : asterisk ? asterisk::settings_options()
                                                           : config::mailbox_options())
                std::cout << option.name << '\t' << option.default_text << '\t'
                          << option.rule.allowed << '\n';
            return {};
        };
    });
}

}  // namespace vm::app
