#include "app/mailbox_check.h"

#include "agent/sync_run.h"
#include "app/server_check.h"

#include <csignal>
#include <memory>

namespace vm::app {

namespace {

using diagnose::Fault;

// Good to know, and no reason to stop: the servers can be tested all the same.
std::string note_of(const config::MailboxOptions& mailbox, const config::MiscSetup& misc) {
    if (!misc.use_email_integration)
        return "g_bUseEmailIntegration is False: the agent does nothing";
    if (!mailbox.integration) return "Email Integration is No: the agent leaves this mailbox alone";
    const std::string why = agent::why_not_synchronised(mailbox, misc);
    return why.empty() ? "" : why + ": messages are sent, and nothing is kept in step";
}

}  // namespace

Result<CheckSummary> check_mailbox(const Paths& paths, const CheckWish& wish,
                                   const std::function<void(const CheckedStep&)>& tell) {
    std::signal(SIGPIPE, SIG_IGN);
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    const auto mailbox = config::load_mailbox(paths, wish.number);
    if (!mailbox && mailbox.error().kind == ErrorKind::kConfig) {
        const Error& error = mailbox.error();
        CheckedStep step;
        step.finding.fault = Fault::kOptions;
        step.finding.words = error.reason;
        step.advice = diagnose::Advice{
            error.kind, "The options cannot work: " + error.text() + ".",
            "Change them: vmconfig mailbox set " + wish.number + " \"OPTION=VALUE\""};
        tell(step);
        return CheckSummary{exit_status(error.kind), {}};
    }
    if (!mailbox) return fail(mailbox.error());
    VM_ASSIGN(const transport::Plugin plugin, transport::Plugin::load(misc.email_dll_path));
    const agent::Tokens tokens = std::make_shared<oauth2::Keeper>(paths);
    if (const std::string note = note_of(*mailbox, misc); !note.empty()) {
        CheckedStep step;
        step.finding.note = note;
        tell(step);
    }
    CheckSummary summary;
    const CheckedMailbox all{wish, *mailbox, misc, plugin, tokens, tell, summary};
    SendingCheck(all).run();
    AccountCheck(all).run();
    return summary;
}

}  // namespace vm::app
