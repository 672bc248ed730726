#include "app/vmctl_commands.h"

#include "app/cli.h"
#include "base/identity.h"
#include "base/text.h"
#include "config/config.h"

#include <iostream>
#include <set>
#include <vector>

namespace vm::app {

CLI::App* VmctlContext::command(CLI::App& parent, const std::string& name,
                                const std::string& description, const std::string& examples,
                                std::function<Result<>(const Paths&)> act) {
    CLI::App* sub = parent.add_subcommand(name, description);
    sub->add_flag("--json", json, "Print JSON");
    sub->footer("Example:\n  " + examples);
    sub->callback([this, act = std::move(act)] { action = act; });
    return sub;
}

namespace {

// The long names, with dashes, of all options below `app` that take a value.
void collect_value_options(const CLI::App& app, std::set<std::string>& names) {
    for (const CLI::Option* option : app.get_options())
        if (option->get_items_expected_min() > 0)
            for (const std::string& name : option->get_lnames()) names.insert("--" + name);
    for (const CLI::App* sub : app.get_subcommands(nullptr)) collect_value_options(*sub, names);
}

// CLI11 takes "--caller-name=" for an option whose value is the next argument, and would swallow
// that. Firmware writes so when a call brought no name: it becomes "--caller-name" and an empty
// argument.
std::vector<std::string> split_empty_values(const CLI::App& program, int argc, char** argv) {
    std::set<std::string> names;
    collect_value_options(program, names);
    std::vector<std::string> out;
    bool is_value = false;
    for (const std::string& argument : std::vector<std::string>(argv, argv + argc)) {
        const bool empty_value = !is_value && !argument.empty() && argument.back() == '=' &&
                                 names.count(argument.substr(0, argument.size() - 1)) != 0;
        is_value = !is_value && names.count(argument) != 0;
        if (empty_value) {
            out.push_back(argument.substr(0, argument.size() - 1));
            out.emplace_back();
        } else {
            out.push_back(argument);
        }
    }
    return out;
}

}  // namespace

Result<> check_mailbox(const Paths& paths, const std::string& number) {
    if (!is_mailbox_number(number))
        return fail(ErrorKind::kUsage, "mailbox", number, "a mailbox number is 1 to 8 digits");
    if (!config::has_mailbox(paths, number))
        return fail(ErrorKind::kNoInput, "mailbox", number, "there is no such mailbox",
                    "vmconfig mailbox list shows those there are");
    return {};
}

void warn(std::string_view text) {
    std::cerr << "vmctl: " << text << '\n';
}

int run_vmctl(int argc, char** argv) {
    CLI::App program("Messages, deliveries and the state of a voice-mail unit's e-mail side",
                     "vmctl");
    std::string root;
    add_common(program, root);
    program.require_subcommand(1);
    VmctlContext context;

    CLI::App* message = program.add_subcommand("message", "Add, list and change messages");
    message->require_subcommand(1);
    add_message_add(*message, context);
    add_message_commands(*message, context);
    add_message_export(*message, context);

    CLI::App* queue = program.add_subcommand("queue", "Deliveries that wait or failed");
    queue->require_subcommand(1);
    add_queue_commands(*queue, context);

    add_sync_commands(program, context);
    add_status_command(program, context);
    add_watch_command(program, context);
    add_metrics_command(program, context);
    add_top_command(program, context);

    std::vector<std::string> arguments = split_empty_values(program, argc, argv);
    std::vector<char*> pointers;
    pointers.reserve(arguments.size());
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    if (const auto status = parse(program, static_cast<int>(pointers.size()), pointers.data()))
        return *status;
    const auto paths = find_root(root);
    if (!paths) return report(program, paths.error());
    if (const auto owner = act_as_owner(*paths); !owner) return report(program, owner.error());
    if (const auto done = context.action(*paths); !done) return report(program, done.error());
    std::cout.flush();
    if (!std::cout)
        return report(program, {ErrorKind::kUnavailable, "write", "standard output",
                                "it takes no more data", context.done});
    return context.status;
}

}  // namespace vm::app
