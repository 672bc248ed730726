#include "agent/inspect.h"

#include "agent/drop_run.h"
#include "agent/mail.h"
#include "agent/mailbox_run.h"
#include "agent/session_options.h"
#include "agent/sync_run.h"
#include "core/decide.h"
#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace vm::agent {

namespace {

// Collects problems: prints each, and keeps the exit status: that of a configuration, else the
// first.
class Problems {
  public:
    explicit Problems(std::string program = "vmemaild") : program_(std::move(program)) {}
    void add(const Error& error, const std::string& about = {}) {
        std::fprintf(stderr, "%s: %s%s\n", program_.c_str(),
                     about.empty() ? "" : (about + ": ").c_str(), error.text().c_str());
        if (status_ == 0 || error.kind == ErrorKind::kConfig) status_ = exit_status(error.kind);
    }
    // Of what will not go as expected, and is no error.
    void warn(const std::string& words) {
        std::fprintf(stderr, "%s: warning: %s\n", program_.c_str(), words.c_str());
    }
    int status() const { return status_; }

  private:
    std::string program_;
    int status_ = 0;
};

void check_mails(const config::MailboxOptions& mailbox, const config::MiscSetup& misc,
                 const Paths& paths, Problems& problems) {
    const auto warnings = mail_warnings(mailbox, misc, paths);
    if (!warnings) return problems.add(warnings.error(), mailbox.number);
    for (const std::string& warning : *warnings) problems.warn(mailbox.number + ": " + warning);
}

// In numeric order; with `only`, that one, if it is there.
Result<std::vector<std::string>> mailboxes_to_inspect(const Paths& paths,
                                                      const std::optional<std::string>& only) {
    if (!only) return config::list_mailboxes(paths);
    return std::vector<std::string>(config::has_mailbox(paths, *only) ? 1 : 0, *only);
}

std::string what_it_is(const Message& message) {
    if (message.kind == MessageKind::kFax)
        return fmt::format("fax, {} page{}", message.pages, message.pages == 1 ? "" : "s");
    return fmt::format("voice, {} s", (message.duration_ms + 500) / 1000);
}

}  // namespace

int check_configuration(const Paths& paths) {
    Problems problems;
    std::error_code error;
    const bool there = std::filesystem::is_directory(paths.mailboxes(), error);
    if (error == std::errc::permission_denied) {
        problems.add({ErrorKind::kPermission, "check", paths.mailboxes().string(), error.message(),
                      "run it as the user the unit belongs to, or as root"});
        return problems.status();
    }
    if (!there) {
        problems.add({ErrorKind::kNoInput, "check", paths.root.string(), "there is no unit here",
                      "`vmconfig init` makes one"});
        return problems.status();
    }
    auto misc = config::load_misc(paths);
    if (!misc) {
        problems.add(misc.error());
        misc = config::MiscSetup{};
    } else {
        fmt::print("{}: ok\n", paths.misc_ini().string());
        if (auto plugin = transport::Plugin::load(misc->email_dll_path))
            fmt::print("{}: {}\n", misc->email_dll_path.string(), plugin->description());
        else
            problems.add(plugin.error());
    }
    const auto numbers = config::list_mailboxes(paths);
    if (!numbers) {
        problems.add(numbers.error());
        return problems.status();
    }
    for (const std::string& number : *numbers) {
        const auto mailbox = config::load_mailbox(paths, number);
        if (!mailbox)
            problems.add(mailbox.error(), number);
        else if (!mailbox->integration)
            fmt::print("{}: ok, Email Integration is No\n", number);
        else if (const auto granted = oauth2::check_grant(paths, *mailbox); !granted)
            problems.add(granted.error(), number);
        else
            fmt::print("{}: ok, to {} by {}\n", number, mailbox->email_name, server_of(*mailbox));
        if (mailbox) check_mails(*mailbox, *misc, paths, problems);
    }
    if (const auto seats = config::count_seats(paths, *misc); !seats) {
        problems.add(seats.error());
    } else {
        for (const std::string& number : seats->refused)
            problems.add(
                {ErrorKind::kConfig, "Email Integration", "Yes",
                 seats->limit == 1
                     ? "the one Unified Messaging seat is taken"
                     : fmt::format("all {} Unified Messaging seats are taken", seats->limit),
                 "set it to No here or elsewhere, or raise g_nUnifiedMessagingSeats"},
                number);
    }
    return problems.status();
}

int print_plan(const Paths& paths, const std::optional<std::string>& only_mailbox) {
    Problems problems;
    const auto misc = config::load_misc(paths);
    if (!misc) {
        problems.add(misc.error());
        return problems.status();
    }
    if (!misc->use_email_integration) {
        fmt::print("nothing to do: g_bUseEmailIntegration is False\n");
        return 0;
    }
    const auto plugin = transport::Plugin::load(misc->email_dll_path);
    if (!plugin) problems.add(plugin.error());
    auto store = store::Store::open(paths);
    if (!store) {
        problems.add(store.error());
        return problems.status();
    }
    const auto numbers = mailboxes_to_inspect(paths, only_mailbox);
    const auto refused = config::refused_seats(paths, *misc);
    if (!numbers || !refused) {
        problems.add(!numbers ? numbers.error() : refused.error());
        return problems.status();
    }
    const auto queue = (*store)->queue();
    if (!queue) {
        problems.add(queue.error());
        return problems.status();
    }
    const TimeMs now = system_clock().now();
    bool any = false;
    for (const MessageRecord& record : *queue) {
        if (record.delivery.state != DeliveryState::kSending ||
            (only_mailbox && *only_mailbox != record.message.mailbox))
            continue;
        fmt::print("{}: {} is being sent now; if no agent runs, it was cut off: uncertain\n",
                   record.message.mailbox, record.message.id);
        any = true;
    }
    for (const std::string& number : *numbers) {
        if (refused->contains(number)) {
            problems.add({ErrorKind::kConfig, "Email Integration", "Yes",
                          "no Unified Messaging seat left", ""},
                         number);
            continue;
        }
        const auto mailbox = config::load_mailbox(paths, number);
        const auto pending = (*store)->pending(number);
        if (!mailbox || !pending) {
            problems.add(!mailbox ? mailbox.error() : pending.error(), number);
            continue;
        }
        const auto policy =
            policy_for(*mailbox, *misc, **store,
                       plugin && plugin->can_search() && has_account(*mailbox, *misc));
        if (!policy) {
            problems.add(policy.error(), number);
            continue;
        }
        const Plan plan = decide(*pending, *policy, now);
        for (const Action& action : plan.actions) {
            const auto record = std::find_if(
                pending->begin(), pending->end(),
                [&](const MessageRecord& r) { return r.message.id == action.message_id; });
            fmt::print("{}: {} {} ({})", number, to_string(action.kind), action.message_id,
                       what_it_is(record->message));
            if (action.kind != ActionKind::kSwitchOff)
                fmt::print(" to {} by {}", mailbox->email_name, server_of(*mailbox));
            fmt::print(": {}\n", action.reason);
            any = true;
        }
        if (plan.wake_at) {
            fmt::print("{}: next delivery is due at {}\n", number, format_rfc3339(*plan.wake_at));
            any = true;
        }
    }
    if (!any) fmt::print("nothing to push\n");
    // Of a mailbox that is only pushed to there is nothing more to say.
    const auto mailbox = only_mailbox ? config::load_mailbox(paths, *only_mailbox)
                                      : Result<config::MailboxOptions>(config::MailboxOptions{});
    if (!plugin || (only_mailbox && (!mailbox || !why_not_synchronised(*mailbox, *misc).empty())))
        return problems.status();
    const int sync = print_sync_plan(paths, only_mailbox, "vmemaild");
    return problems.status() != 0 ? problems.status() : sync;
}

int print_sync_plan(const Paths& paths, const std::optional<std::string>& only_mailbox,
                    const std::string& program) {
    Problems problems(program);
    const auto misc = config::load_misc(paths);
    if (!misc) {
        problems.add(misc.error());
        return problems.status();
    }
    if (!misc->use_email_integration) {
        problems.add(
            {ErrorKind::kConfig, "sync", "the unit", "g_bUseEmailIntegration is False", ""});
        return problems.status();
    }
    const auto plugin = transport::Plugin::load(misc->email_dll_path);
    const auto numbers = mailboxes_to_inspect(paths, only_mailbox);
    auto store = store::Store::open(paths);
    if (!plugin || !numbers || !store) {
        problems.add(!plugin ? plugin.error() : !numbers ? numbers.error() : store.error());
        return problems.status();
    }
    const auto tokens = std::make_shared<oauth2::Keeper>(paths);
    for (const std::string& number : *numbers) {
        const auto mailbox = config::load_mailbox(paths, number);
        if (!mailbox) {
            problems.add(mailbox.error(), number);
            continue;
        }
        if (const std::string why = why_not_synchronised(*mailbox, *misc); !why.empty()) {
            if (only_mailbox) problems.add({ErrorKind::kConfig, "sync", number, why, ""});
            continue;
        }
        auto account =
            transport::AccountSession::open(*plugin, session_options(*mailbox, *misc, {}, tokens));
        Result<std::vector<std::string>> plan;
        if (account) {
            const SyncContext context{
                system_clock(),       **store, *mailbox, *misc, *account, true,
                [] { return false; }, {},      {}};
            plan = plugin->can_visit() ? plan_drop(context) : plan_sync(context);
        } else
            plan = fail(account.error());
        if (!plan) {
            problems.add(plan.error(), number);
            continue;
        }
        for (const std::string& line : *plan) fmt::print("{}: {}\n", number, line);
        if (plan->empty()) fmt::print("{}: nothing to do\n", number);
    }
    return problems.status();
}

}  // namespace vm::agent
