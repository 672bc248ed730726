// vmctl watch: the counts of mailboxes as they change, a JSON object a line, for firmware that
// switches the lamp. Works with or without an agent.
#include "app/output.h"
#include "app/vmctl_commands.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "config/config.h"
#include "store/store.h"

#include <iostream>
#include <map>
#include <memory>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace vm::app {

namespace {

// The file tells of a write before its commit can be read: so long it is looked at again and again.
constexpr int kSettleMs = 200, kStepMs = 5;
// How often to look when the system cannot tell of writes.
constexpr int kLookMs = 1000;

struct Counts {
    std::int64_t new_messages = 0, old_messages = 0;
    bool operator==(const Counts&) const = default;
};

class Watch {
  public:
    Watch(const Paths& paths, store::Store& store, std::string only)
        : paths_(paths), store_(store), only_(std::move(only)) {}

    Result<> run() {
        const UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        ::inotify_add_watch(inotify.get(), paths_.database().parent_path().c_str(),
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO);
        VM_TRY(begin());
        while (std::cout) {
            pollfd fds[] = {{inotify.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
            ::poll(fds, 2, kLookMs);
            if ((fds[1].revents & (POLLERR | POLLHUP)) != 0) return {};  // the reader is gone
            for (int left = fds[0].revents != 0 ? kSettleMs : 0; left >= 0; left -= kStepMs) {
                char events[4096];
                while (::read(inotify.get(), events, sizeof events) > 0) left = kSettleMs;
                VM_TRY(look());
                if (left > 0) ::poll(nullptr, 0, kStepMs);
            }
        }
        return {};
    }

  private:
    Result<std::vector<store::MailboxChange>> changes_since(std::int64_t sequence) {
        return only_.empty() ? store_.changes_since(sequence)
                             : store_.changes_since(sequence, only_);
    }

    Result<> begin() {
        VM_ASSIGN(mark_, store_.change_mark());
        VM_ASSIGN(const auto changes, changes_since(0));
        if (!changes.empty()) sequence_ = changes.back().sequence;
        std::vector<std::string> numbers{only_};
        if (only_.empty()) {
            VM_ASSIGN(numbers, config::list_mailboxes(paths_));
        }
        for (const std::string& mailbox : numbers) VM_TRY(tell(mailbox));
        return {};
    }
    Result<> look() {
        VM_ASSIGN(const std::int64_t mark, store_.change_mark());
        if (mark == mark_) return {};
        mark_ = mark;
        VM_ASSIGN(const auto changes, changes_since(sequence_));
        for (const store::MailboxChange& change : changes) {
            sequence_ = std::max(sequence_, change.sequence);
            VM_TRY(tell(change.mailbox));
        }
        return {};
    }
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
    std::int64_t mark_ = 0, sequence_ = 0;
    std::map<std::string, Counts> told_;
};

Result<> watch(const Paths& paths, const std::string& mailbox) {
    if (!mailbox.empty()) VM_TRY(check_mailbox(paths, mailbox));
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    return Watch(paths, *store, mailbox).run();
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
