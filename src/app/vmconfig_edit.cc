// vmconfig misc edit, vmconfig mailbox edit: the full-screen forms.
#include "app/mailbox_form.h"
#include "app/misc_form.h"
#include "app/newt_form.h"
#include "app/vmconfig_commands.h"
#include "base/text.h"

#include <iostream>

namespace vm::app {

namespace {

constexpr const char* kKeys =
    "Enter edits   Tab: to the buttons   Esc leaves   * changed, not applied yet";

Result<> edit(const Paths& paths, OptionForm& form, const std::string& instead) {
    VM_TRY(check_terminal(instead));
    FormEnd end;
    {
        const NewtScreen screen("vmconfig  " + paths.root.string(), kKeys);
        end = run_form(screen, form);
    }
    if (end.gone)
        return fail(ErrorKind::kUnavailable, "edit", form.title(), "the terminal was closed",
                    "nothing was changed");
    if (!end.applied) {
        std::cout << "nothing was changed\n";
        return {};
    }
    for (const std::string& line : form.summary()) std::cout << sanitize_line(line) << '\n';
    print_warnings(end.notes);
    return {};
}

}  // namespace

Result<> edit_misc_setup(const Paths& paths) {
    VM_ASSIGN(const std::unique_ptr<MiscForm> form, MiscForm::open(paths));
    return edit(paths, *form, "vmconfig misc set");
}

Result<> edit_mailbox_options(const Paths& paths, const std::string& number) {
    VM_ASSIGN(const std::unique_ptr<MailboxForm> form, MailboxForm::open(paths, number));
    return edit(paths, *form, "vmconfig mailbox set " + number);
}

void add_edit_command(CLI::App& program, VmconfigRequest& request) {
    CLI::App* command =
        program.add_subcommand("edit", "Edit Misc Setup on the screen; the same as misc edit");
    command->callback([&request] { request.run = edit_misc_setup; });
}

}  // namespace vm::app
