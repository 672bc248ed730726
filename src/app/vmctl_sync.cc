// vmctl sync, release.
#include "agent/control.h"
#include "agent/inspect.h"
#include "agent/master.h"
#include "agent/sync_run.h"
#include "app/vmctl_commands.h"
#include "base/text.h"
#include "config/config.h"
#include "store/store.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <poll.h>
#include <set>
#include <utility>

namespace vm::app {

namespace {

// An agent that has not answered by then is busy with something that takes its time.
constexpr std::int64_t kPatienceMs = 600'000;

struct SyncOptions {
    std::string mailbox;
    bool dry_run = false, backfill = false;
};

std::optional<std::string> only(const SyncOptions& options) {
    if (options.mailbox.empty()) return std::nullopt;
    return options.mailbox;
}

Result<config::MiscSetup> misc_of(const Paths& paths) {
    VM_ASSIGN(config::MiscSetup misc, config::load_misc(paths));
    if (!misc.use_email_integration)
        return fail(ErrorKind::kConfig, "sync", "the unit", "g_bUseEmailIntegration is False");
    return misc;
}

// One whose options cannot be read is named, and is not.
bool is_synchronised(const Paths& paths, const config::MiscSetup& misc, const std::string& number) {
    const auto mailbox = config::load_mailbox(paths, number);
    if (!mailbox) warn(mailbox.error().text());
    return mailbox && agent::why_not_synchronised(*mailbox, misc).empty();
}

// The mailboxes to look at: the one that was named, or all that are synchronised.
Result<std::set<std::string>> mailboxes_of(const Paths& paths, const config::MiscSetup& misc,
                                           const SyncOptions& options) {
    std::set<std::string> out;
    if (!options.mailbox.empty()) {
        VM_ASSIGN(const config::MailboxOptions mailbox,
                  config::load_mailbox(paths, options.mailbox));
        const std::string why = agent::why_not_synchronised(mailbox, misc);
        if (!why.empty()) return fail(ErrorKind::kConfig, "sync", options.mailbox, why);
        out.insert(options.mailbox);
        return out;
    }
    VM_ASSIGN(const std::vector<std::string> numbers, config::list_mailboxes(paths));
    for (const std::string& number : numbers)
        if (is_synchronised(paths, misc, number)) out.insert(number);
    return out;
}

// Puts what was never sent, because Email Integration was off, into the queue.
Result<> backfill(const Paths& paths, store::Store& store, const std::set<std::string>& mailboxes) {
    int count = 0;
    for (const std::string& mailbox : mailboxes) {
        VM_ASSIGN(const std::vector<MessageRecord> records,
                  store.list({mailbox, std::nullopt, false}));
        for (const MessageRecord& record : records)
            if (record.delivery.state == DeliveryState::kOff &&
                store.retry(record.message.id).has_value())
                ++count;
        agent::poke(paths, mailbox);
    }
    std::cout << count << (count == 1 ? " message is" : " messages are") << " in the queue now.\n";
    return {};
}

// The statuses of those that are waited for.
Result<std::vector<store::MailboxStatus>> statuses_of(store::Store& store,
                                                      const std::set<std::string>& waiting) {
    if (waiting.size() > 1) return store.statuses();
    VM_ASSIGN(const std::optional<store::MailboxStatus> status, store.status(*waiting.begin()));
    return status ? std::vector{*status} : std::vector<store::MailboxStatus>{};
}

constexpr const char* kNone = "No mailbox is synchronised.\n";

// Asks the running agent about a mailbox, or all, and waits for its answers, which it leaves in the
// mailboxes' status. False when it has ended before; it may have been another command like this
// one. It knows which of all are synchronised: thousands of files need not be read for that.
Result<bool> ask_agent(const Paths& paths, const config::MiscSetup& misc, store::Store& store,
                       const SyncOptions& options, VmctlContext& context) {
    std::set<std::string> waiting{options.mailbox};
    if (options.mailbox.empty()) {
        VM_ASSIGN(const std::vector<std::string> numbers, config::list_mailboxes(paths));
        waiting = {numbers.begin(), numbers.end()};
    }
    bool any = false;
    const TimeMs asked = system_clock().now();
    const std::int64_t give_up = system_clock().steady_ms() + kPatienceMs;
    agent::poke(paths, waiting, agent::Request::kSync);
    std::int64_t mark = -1;
    for (int i = 0; !waiting.empty(); ++i) {
        ::poll(nullptr, 0, std::min(5 + i, 50));
        VM_ASSIGN(const std::int64_t now, store.change_mark());
        if (std::exchange(mark, now) != now) {
            VM_ASSIGN(const std::vector<store::MailboxStatus> statuses,
                      statuses_of(store, waiting));
            for (const store::MailboxStatus& status : statuses) {
                if (status.answered < asked || waiting.erase(status.mailbox) == 0) continue;
                if (status.last_sync < asked && options.mailbox.empty() &&
                    !is_synchronised(paths, misc, status.mailbox))
                    continue;
                any = true;
                if (status.state == "ok") {
                    std::cout << status.mailbox << ": in step\n";
                    continue;
                }
                warn(status.mailbox + ": " + status.state + ": " + status.reason);
                context.status = exit_status(ErrorKind::kRetryLater);
            }
            if (waiting.empty()) break;
        }
        // A request may be lost with a worker.
        if (i % 40 == 39) agent::poke(paths, waiting, agent::Request::kSync);
        if (i % 20 == 19 && !agent::agent_running(paths)) return false;
        if (system_clock().steady_ms() > give_up)
            return fail(ErrorKind::kRetryLater, "sync", *waiting.begin(),
                        "the agent has not come to it in 10 minutes; it goes on",
                        "vmctl status shows how it stands");
    }
    if (!any) std::cout << kNone;
    return true;
}

Result<> sync(const Paths& paths, const SyncOptions& options, VmctlContext& context) {
    if (!options.mailbox.empty()) VM_TRY(check_mailbox(paths, options.mailbox));
    if (options.dry_run) {
        VM_ASSIGN(context.status, agent::run_in_child([&] {
                      return agent::print_sync_plan(paths, only(options), "vmctl");
                  }));
        return {};
    }
    VM_ASSIGN(const config::MiscSetup misc, misc_of(paths));
    const bool all = options.mailbox.empty() && !options.backfill;
    if (!all || !agent::agent_running(paths)) {
        VM_ASSIGN(const std::set<std::string> mailboxes, mailboxes_of(paths, misc, options));
        VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
        if (options.backfill) VM_TRY(backfill(paths, *store, mailboxes));
        if (mailboxes.empty()) {
            std::cout << kNone;
            return {};
        }
    }
    // Without an agent the command is one for the time of a pass; of several at once, one after the
    // other.
    for (;;) {
        if (agent::agent_running(paths)) {
            VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
            VM_ASSIGN(const bool answered, ask_agent(paths, misc, *store, options, context));
            if (answered) return {};
        }
        std::cout.flush();
        const auto status = agent::run_master({paths, true, true, only(options), false, {}});
        if (status) {
            context.status = *status;
            return {};
        }
        if (!agent::agent_running(paths)) return fail(status.error());
    }
}

Result<> release(const Paths& paths, const std::string& mailbox, bool keep) {
    VM_TRY(check_mailbox(paths, mailbox));
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    VM_TRY(store->release(mailbox, keep));
    agent::poke(paths, mailbox);
    std::cout << mailbox << ": released; "
              << (keep ? "messages whose mail is gone are kept\n"
                       : "messages whose mail is gone are deleted\n");
    return {};
}

}  // namespace

void add_sync_commands(CLI::App& program, VmctlContext& context) {
    const auto options = std::make_shared<SyncOptions>();
    CLI::App* sub = context.command(
        program, "sync", "Look at the accounts now, and wait until they are in step with the phone",
        "vmctl sync 101 --dry-run",
        [&context, options](const Paths& paths) { return sync(paths, *options, context); });
    sub->remove_option(sub->get_option("--json"));
    sub->add_option("NNN", options->mailbox, "Mailbox (default: all that are synchronised)")
        ->check(kNotEmpty);
    auto* dry_run = sub->add_flag("--dry-run", options->dry_run,
                                  "Print what would be done, and change nothing");
    sub->add_flag("--backfill", options->backfill,
                  "First queue what was never sent because Email Integration was off")
        ->excludes(dry_run);

    const auto mailbox = std::make_shared<std::string>();
    const auto keep = std::make_shared<bool>(false);
    sub = context.command(
        program, "release", "Take a mailbox off hold: let held deletions go", "vmctl release 101",
        [mailbox, keep](const Paths& paths) { return release(paths, *mailbox, *keep); });
    sub->remove_option(sub->get_option("--json"));
    sub->add_option("NNN", *mailbox, "Mailbox")->required();
    sub->add_flag("--keep", *keep, "Keep the messages whose mail is gone");
}

}  // namespace vm::app
