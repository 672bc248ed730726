// vmctl watch: the counts of mailboxes as they change, a JSON object a line, for firmware that
// switches the lamp. Works with or without an agent.
#include "app/output.h"
#include "app/vmctl_commands.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "store/store.h"
#include "store/watch.h"

#include <iostream>
#include <map>
#include <memory>
#include <poll.h>
#include <unistd.h>
#include <vector>

namespace vm::app {

namespace {

struct Counts {
    std::int64_t new_messages = 0, old_messages = 0;
    bool operator==(const Counts&) const = default;
};

class Teller {
  public:
    Teller(const Paths& paths, store::Store& store, std::string only)
        : paths_(paths), store_(store), only_(std::move(only)) {}

    Result<> run() {
        VM_ASSIGN(store::Watch watch, store::Watch::begin(paths_, store_, only_));
        std::vector<std::string> numbers{only_};
        if (only_.empty()) {
            VM_ASSIGN(numbers, config::list_mailboxes(paths_));
        }
        for (;;) {
            for (const std::string& mailbox : numbers) VM_TRY(tell(mailbox));
            pollfd fds[] = {{watch.fd(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
            ::poll(fds, 2, -1);
            if (!std::cout || (fds[1].revents & (POLLERR | POLLHUP)) != 0)
                return {};  // the reader is gone
            VM_ASSIGN(numbers, watch.look());
        }
    }

  private:
    Result<> tell(const std::string& mailbox) {
        VM_ASSIGN(const store::MailboxCounts counts, store_.counts(mailbox));
        const Counts now{counts.new_messages, counts.old_messages};
        const auto [told, first] = told_.try_emplace(mailbox, now);
        if (!first && told->second == now) return {};
        told->second = now;
        const Json line = {{"mailbox", mailbox},
                           {"new", now.new_messages},
                           {"old", now.old_messages},
                           {"time", format_rfc3339(system_clock().now())}};
        std::cout << line.dump() << std::endl;
        return {};
    }

    const Paths& paths_;
    store::Store& store_;
    const std::string only_;
    std::map<std::string, Counts> told_;
};

Result<> watch(const Paths& paths, const std::string& mailbox) {
    if (!mailbox.empty()) VM_TRY(check_mailbox(paths, mailbox));
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    return Teller(paths, *store, mailbox).run();
}

}  // namespace

void add_watch_command(CLI::App& program, VmctlContext& context) {
    const auto mailbox = std::make_shared<std::string>();
    CLI::App* sub = context.command(
        program, "watch", "Print the counts of mailboxes, and again whenever they change, as JSON",
        "vmctl watch --mailbox 101",
        [mailbox](const Paths& paths) { return watch(paths, *mailbox); });
    sub->add_option("--mailbox", *mailbox, "Mailbox (default: all)")
        ->type_name("NNN")
        ->check(kNotEmpty);
}

}  // namespace vm::app
