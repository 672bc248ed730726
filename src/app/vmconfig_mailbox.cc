// vmconfig mailbox ...: Mailbox Options. Passwords come in by argument or standard input and never
// come out.
#include "agent/mail.h"
#include "app/option_form.h"
#include "app/output.h"
#include "app/vmconfig_authorize.h"
#include "app/vmconfig_commands.h"
#include "app/vmconfig_password.h"
#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"
#include "oauth2/token_file.h"

#include <algorithm>
#include <iostream>
#include <memory>

namespace vm::app {

namespace {

Result<> show(const Paths& paths, const std::string& number, bool as_json) {
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    VM_ASSIGN(const config::IniDocument document, config::read_mailbox(paths, number));
    const config::TransportKind kind = config::transport_kind(misc);

    Table table({"Option", "Value"});
    Json values = Json::object();
    for (const config::Option* option : config::screen_options(kind)) {
        const config::IniEntry* entry = document.find(config::kEmailSection, option->name);
        const std::string value = shown_value(*option, entry ? entry->value : "");
        table.add({option->name, value.empty() ? "(blank)" : value});
        values[option->name] = value;
    }
    // Of what is not known only the names: it may be a secret.
    Json unknown = Json::array();
    for (const config::IniEntry& entry : document.entries()) {
        const bool ours = iequals(entry.section, config::kEmailSection);
        if (!ours || config::find_option(config::mailbox_options(), entry.key)) continue;
        unknown.push_back(entry.key);
        table.add({entry.key, "(kept, not read)"});
    }
    if (as_json)
        print_json(std::cout, {{"mailbox", number}, {"options", values}, {"unknown", unknown}});
    else
        table.print(std::cout);
    if (const auto valid = config::interpret_mailbox(document, number, paths); !valid)
        print_warnings({valid.error().text()});
    return {};
}

Result<> list(const Paths& paths, bool as_json) {
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    VM_ASSIGN(const std::vector<std::string> numbers, config::list_mailboxes(paths));
    VM_ASSIGN(const config::Seats seats, config::count_seats(paths, misc));
    Table table({"Mailbox", "Email Integration", "Email Name", "Smtp Server", "Problem"});
    Json rows = Json::array();
    for (const std::string& number : numbers) {
        const auto mailbox = config::load_mailbox(paths, number);
        std::string problem;
        if (!mailbox)
            problem = mailbox.error().text();
        else if (std::find(seats.refused.begin(), seats.refused.end(), number) !=
                 seats.refused.end())
            problem = "no seat: g_nUnifiedMessagingSeats is " + std::to_string(seats.limit);
        const config::MailboxOptions options = mailbox.value_or(config::MailboxOptions{});
        table.add({number,
                   !mailbox              ? "?"
                   : options.integration ? "Yes"
                                         : "No",
                   options.email_name, options.smtp.host, problem});
        rows.push_back({{"mailbox", number},
                        {"email_integration", mailbox ? Json(options.integration) : Json()},
                        {"email_name", options.email_name},
                        {"smtp_server", options.smtp.host},
                        {"problem", problem.empty() ? Json() : Json(problem)}});
    }
    if (as_json)
        print_json(std::cout, {{"mailboxes", rows}});
    else
        table.print(std::cout);
    return {};
}

// "Key=Value"; a password given as "-" is read from standard input.
Result<config::MailboxEdit> edit_of(const std::string& argument) {
    const auto separator = argument.find('=');
    // Without '=' the argument may be a stray password: it is not repeated.
    if (separator == std::string::npos)
        return fail(ErrorKind::kUsage, "set", "an argument without '='",
                    "each setting is one argument of the form \"Key=Value\"",
                    "put quotes around it when it has blanks");
    config::MailboxEdit edit{std::string(trim(argument.substr(0, separator))),
                             Secret(argument.substr(separator + 1))};
    if (config::is_secret_key(edit.key) && edit.value.reveal() == "-") {
        VM_ASSIGN(edit.value, read_password(edit.key));
    }
    return edit;
}

Result<> set(const Paths& paths, const std::string& number, const std::string& provider,
             const std::vector<std::string>& arguments) {
    if (provider.empty() && arguments.empty())
        return fail(ErrorKind::kUsage, "set", "mailbox " + number, "there is nothing to set",
                    "give \"Key=Value\" or --provider; see vmconfig mailbox set --help");
    std::vector<config::MailboxEdit> edits;
    for (const std::string& argument : arguments) {
        VM_ASSIGN(config::MailboxEdit edit, edit_of(argument));
        edits.push_back(std::move(edit));
    }
    if (!provider.empty()) VM_TRY(add_provider(paths, number, provider, edits));
    VM_ASSIGN(const config::Notes notes, config::set_mailbox(paths, number, edits));
    print_warnings(notes);
    const auto misc = config::load_misc(paths);
    const auto mailbox = config::load_mailbox(paths, number);
    if (!misc || !mailbox) return {};  // set_mailbox() has said what is wrong
    const auto warnings = agent::mail_warnings(*mailbox, *misc, paths);
    print_warnings(warnings ? *warnings : config::Notes{warnings.error().text()});
    return {};
}

// With its tokens: they are of no use to anybody else.
Result<> delete_mailbox(const Paths& paths, const std::string& number) {
    VM_TRY(config::delete_mailbox(paths, number));
    VM_TRY(oauth2::remove_grant(paths, number));
    return {};
}

}  // namespace

void add_mailbox_commands(CLI::App& program, VmconfigRequest& request) {
    CLI::App* mailbox = program.add_subcommand("mailbox", "Mailbox Options: e-mail of one mailbox");
    mailbox->require_subcommand(1);

    const auto number = std::make_shared<std::string>();
    const auto as_json = std::make_shared<bool>(false);
    const auto settings = std::make_shared<std::vector<std::string>>();
    const auto command = [&](const char* name, const char* description) {
        CLI::App* added = mailbox->add_subcommand(name, description);
        if (std::string(name) != "list")
            added->add_option("NNN", *number, "The mailbox number, 1 to 8 digits")->required();
        return added;
    };

    CLI::App* list_command = command("list", "Print all mailboxes");
    list_command->add_flag("--json", *as_json, "Print JSON");
    list_command->callback([&request, as_json] {
        request.run = [as_json](const Paths& paths) { return list(paths, *as_json); };
    });

    CLI::App* create_command =
        command("create", "Create a mailbox with every option at its default");
    create_command->callback([&request, number] {
        request.run = [number](const Paths& paths) {
            return config::create_mailbox(paths, *number);
        };
    });

    CLI::App* show_command =
        command("show", "Print a mailbox's options; passwords only as (set) or (blank)");
    show_command->add_flag("--json", *as_json, "Print JSON");
    show_command->callback([&request, number, as_json] {
        request.run = [number, as_json](const Paths& paths) {
            return show(paths, *number, *as_json);
        };
    });

    CLI::App* edit_command =
        command("edit", "Edit a mailbox's options on the screen (80x24 at least)");
    edit_command->callback([&request, number] {
        request.run = [number](const Paths& paths) { return edit_mailbox_options(paths, *number); };
    });

    CLI::App* delete_command = command("delete", "Remove a mailbox's options; its messages stay");
    delete_command->callback([&request, number] {
        request.run = [number](const Paths& paths) { return delete_mailbox(paths, *number); };
    });

    CLI::App* set_command = command("set", "Change options of a mailbox, all of them or none");
    set_command->add_option(
        "Key=Value", *settings,
        "One setting each; \"Smtp Password=-\" reads a line from standard input");
    const auto provider = std::make_shared<std::string>();
    set_command
        ->add_option("--provider", *provider, "google or microsoft: its servers, with OAuth 2.0")
        ->type_name("NAME");
    set_command->callback([&request, number, provider, settings] {
        request.run = [number, provider, settings](const Paths& paths) {
            return set(paths, *number, *provider, *settings);
        };
    });

    add_authorize_command(*mailbox, request);
}

}  // namespace vm::app
