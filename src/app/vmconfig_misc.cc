// vmconfig misc ...: the table Option / Value / Ignore of Misc Setup.
#include "app/output.h"
#include "app/vmconfig_commands.h"
#include "base/text.h"
#include "config/misc_options.h"

#include <iostream>
#include <memory>

namespace vm::app {

namespace {

Result<> list(const Paths& paths, bool as_json) {
    const std::vector<config::Option> options = config::misc_options(paths);
    VM_ASSIGN(const config::IniDocument document, config::read_misc(paths));
    Table table({"Option", "Value", "Ignore"});
    Json rows = Json::array();
    for (const std::string& name : config::misc_names(document, options)) {
        VM_ASSIGN(const config::MiscRow row, config::misc_row(document, options, name));
        const config::Option* option = config::find_option(options, name);
        table.add({name, row.value, row.ignored ? "1" : "0"});
        rows.push_back({{"option", name},
                        {"value", row.value},
                        {"ignore", row.ignored ? 1 : 0},
                        {"default", option ? Json(option->default_text) : Json()}});
    }
    if (as_json)
        print_json(std::cout, {{"options", rows}});
    else
        table.print(std::cout);
    return {};
}

Result<> get(const Paths& paths, const std::string& name) {
    const std::vector<config::Option> options = config::misc_options(paths);
    VM_ASSIGN(const config::IniDocument document, config::read_misc(paths));
    const std::vector<std::string> names = config::misc_names(document, options);
    for (const std::string& known : names) {
        if (!iequals(known, name)) continue;
        VM_ASSIGN(const config::MiscRow row, config::misc_row(document, options, known));
        std::cout << sanitize_line(row.value) << '\n';
        if (row.ignored) print_warnings({known + " is ignored and its default holds"});
        return {};
    }
    const std::string near = config::nearest_name(names, name);
    return fail(ErrorKind::kUsage, "get", name, "there is no such option",
                near.empty() ? "see vmconfig misc list" : "did you mean " + near + "?");
}

}  // namespace

void add_misc_commands(CLI::App& program, VmconfigRequest& request) {
    CLI::App* misc = program.add_subcommand("misc", "Misc Setup: the options of the whole unit");
    misc->require_subcommand(1);

    CLI::App* list_command = misc->add_subcommand("list", "Print all options");
    const auto as_json = std::make_shared<bool>(false);
    list_command->add_flag("--json", *as_json, "Print JSON");
    list_command->callback([&request, as_json] {
        request.run = [as_json](const Paths& paths) { return list(paths, *as_json); };
    });

    CLI::App* edit_command = misc->add_subcommand(
        "edit", "Edit the table Option, Value, Ignore on the screen (80x24 at least)");
    edit_command->callback([&request] { request.run = edit_misc_setup; });

    const auto key = std::make_shared<std::string>();
    CLI::App* get_command = misc->add_subcommand("get", "Print the value of one option");
    get_command->add_option("KEY", *key, "The option")->required();
    get_command->callback(
        [&request, key] { request.run = [key](const Paths& paths) { return get(paths, *key); }; });

    const auto value = std::make_shared<std::string>();
    CLI::App* set_command = misc->add_subcommand("set", "Change the value of one option");
    set_command->add_option("KEY", *key, "The option")->required();
    set_command->add_option("VALUE", *value, "Its new value")->required();
    set_command->callback([&request, key, value] {
        request.run = [key, value](const Paths& paths) -> Result<> {
            VM_ASSIGN(const config::Notes notes, config::set_misc(paths, *key, *value));
            print_warnings(notes);
            return {};
        };
    });

    const auto ignore = std::make_shared<std::string>();
    CLI::App* ignore_command =
        misc->add_subcommand("ignore", "Say whether the default holds instead of the value");
    ignore_command->add_option("KEY", *key, "The option")->required();
    ignore_command->add_option("0|1", *ignore, "1: the default holds; 0: the value is used")
        ->required()
        ->check(CLI::IsMember({"0", "1"}));
    ignore_command->callback([&request, key, ignore] {
        request.run = [key, ignore](const Paths& paths) -> Result<> {
            VM_ASSIGN(const config::Notes notes,
                      config::set_misc_ignore(paths, *key, *ignore == "1"));
            print_warnings(notes);
            return {};
        };
    });
}

}  // namespace vm::app
