#include "agent/worker_state.h"
#include "base/trace.h"

#include <cstdio>
#include <utility>

namespace vm::agent {

namespace {

constexpr std::int64_t kGatherMs = 10;
constexpr std::int64_t kGatherOnceMs = 1000;  // nobody waits for them
constexpr std::int64_t kAgainMs = 1000;       // when the store did not take them

std::string with_next_step(const std::string& problem, const std::string& command) {
    if (problem.empty()) return {};
    return problem + "; tried again by itself, or now by `vmctl " + command + "`";
}

}  // namespace

void Worker::set_problem(const std::string& number, Actor& actor, const std::string& problem) {
    actor.store_failed = false;
    if (actor.problem == problem) return;
    actor.problem = problem;
    statuses_due_.insert(number);
}

// Those of passes that end within a moment of each other go in one commit. Who waits for one of
// them (`vmctl sync`) waits for the last.
void Worker::gather_statuses() {
    // (Alone, how it stands is told when everything was done.)
    if (!options_.alone) statuses_due_.merge(sync_.take_restated());
    const std::int64_t now = clock_.steady_ms();
    if (statuses_at_ == kNever && !statuses_due_.empty())
        statuses_at_ = now + (options_.once ? kGatherOnceMs : kGatherMs);
    const bool more = statuses_failed_ || running_ + sync_.running() > 0;
    if (more && now < statuses_at_) return;
    write_statuses();
}

// All that became another one, in one commit. What the store does not take is offered to it again;
// that something is settled is not, as by then it may not be true any more.
void Worker::write_statuses() {
    const auto settled = std::exchange(settled_, {});
    statuses_at_ = kNever;
    if (statuses_due_.empty() && settled.empty()) return;
    const auto failed = [&](const Error& error) {
        statuses_failed_ = true;
        statuses_at_ = clock_.steady_ms() + kAgainMs;
        trace(TraceLevel::kError, "{}", error.text());
    };
    // (Of the store, as no pass may have been made since the start.)
    const auto holds = store_->holds();
    if (!holds) return failed(holds.error());
    std::vector<store::MailboxStatus> statuses;
    for (const std::string& number : statuses_due_) {
        const auto hold = holds->find(number);
        if (auto status = status_of(number, hold == holds->end() ? "" : hold->second))
            statuses.push_back(std::move(*status));
    }
    if (const auto written = store_->set_statuses(statuses, settled); !written) {
        for (const store::MailboxStatus& status : statuses) actors_[status.mailbox].state.clear();
        return failed(written.error());
    }
    statuses_failed_ = false;
    for (const store::MailboxStatus& status : statuses)
        gauges_stale_ |= std::exchange(actors_[status.mailbox].state, status.state) != status.state;
    statuses_due_.clear();
}

std::string Worker::mailbox_problem(const std::string& number) const {
    const auto settings = settings_.current();
    if (!settings->misc_problem.empty()) return settings->misc_problem;
    const auto found = settings->mailboxes.find(number);
    if (found != settings->mailboxes.end()) {
        if (!found->second.problem.empty()) return found->second.problem;
        if (!found->second.seat)
            return "no Unified Messaging seat left; set Email Integration = No elsewhere or raise "
                   "g_nUnifiedMessagingSeats (" +
                   std::to_string(settings->misc->seats) + ")";
    }
    return plugin_.problem();
}

// Nothing of a mailbox that is not configured any more.
std::optional<store::MailboxStatus> Worker::status_of(const std::string& number,
                                                      const std::string& hold) {
    const auto settings = settings_.current();
    const auto found = settings->mailboxes.find(number);
    if (found == settings->mailboxes.end()) return std::nullopt;
    const SyncSchedule::View sync = sync_.view(number);
    store::MailboxStatus status;
    status.mailbox = number;
    status.changed = clock_.now();
    status.idle = sync.idle;
    status.unconnected = !sync.connected;
    status.condstore = sync.condstore;
    status.qresync = sync.qresync;
    status.last_sync = sync.last_sync;
    if (const auto answered = answered_.find(number); answered != answered_.end())
        status.answered = answered->second;
    const bool off = found->second.options && !found->second.options->integration;
    if (!settings->misc->use_email_integration) {
        status.state = "off";
        status.reason = "g_bUseEmailIntegration is False";
    } else if (off && found->second.problem.empty()) {
        status.state = "off";
        status.reason = "Email Integration is No";
    } else {
        status.reason = mailbox_problem(number);
        if (status.reason.empty())
            status.reason = with_next_step(actors_[number].problem, "queue retry");
        if (status.reason.empty()) status.reason = with_next_step(sync.problem, "sync " + number);
        if (!status.reason.empty()) status.state = "error";
        actors_[number].on_hold = !hold.empty();
        if (!hold.empty()) {
            status.state = "hold";
            status.reason = hold + "; `vmctl release " + number +
                            "` lets the deletions go, with --keep the messages stay";
        }
        if (!alone_words_.empty()) {
            if (status.state == "ok") status.state = "error";
            status.reason = alone_words_ + (status.reason.empty() ? "" : "; " + status.reason);
        }
    }
    return status;
}

// --once: what the command says and ends with.
int Worker::once_status() {
    const auto settings = settings_.current();
    bool configuration = !settings->misc_problem.empty();
    if (configuration) std::fprintf(stderr, "vmemaild: %s\n", settings->misc_problem.c_str());
    bool waiting = total_.deferred > 0 || total_.uncertain > 0 || interrupted_;
    if (interrupted_) std::fprintf(stderr, "vmemaild: stopped before everything was done\n");
    bool any_enabled = false;
    for (auto& [number, actor] : actors_) {
        const auto found = settings->mailboxes.find(number);
        if (found == settings->mailboxes.end()) continue;
        const bool enabled = !found->second.options || found->second.options->integration;
        any_enabled |= enabled;
        if (!found->second.problem.empty() || (enabled && !found->second.seat)) {
            configuration = true;
            std::fprintf(stderr, "vmemaild: %s: %s\n", number.c_str(),
                         mailbox_problem(number).c_str());
        }
        waiting |= enabled && actor.due != kNever && !options_.sync_only;
        const SyncSchedule::View sync = sync_.view(number);
        const std::string& trouble = sync.hold.empty() ? sync.problem : sync.hold;
        waiting |= !trouble.empty();
        if (!trouble.empty())
            std::fprintf(stderr, "vmemaild: %s: %s%s\n", number.c_str(),
                         sync.hold.empty() ? "" : "on hold: ", trouble.c_str());
        if (!actor.problem.empty() && !actor.named && actor.problem != plugin_.problem())
            std::fprintf(stderr, "vmemaild: %s: not tried: %s\n", number.c_str(),
                         actor.problem.c_str());
    }
    if (!plugin_.problem().empty() && any_enabled && settings->misc->use_email_integration) {
        configuration = true;
        std::fprintf(stderr, "vmemaild: %s\n", plugin_.problem().c_str());
    }
    if (total_.store_error)
        std::fprintf(stderr, "vmemaild: %s\n", total_.store_error->text().c_str());
    if (!settings->misc->use_email_integration) {
        std::printf("nothing done: g_bUseEmailIntegration is False\n");
        return configuration ? 78 : 0;
    }
    std::printf("sent %d, deferred %d, failed %d, uncertain %d\n", total_.sent, total_.deferred,
                total_.failed, total_.uncertain);
    if (passes_ > 0)
        std::printf("accounts looked at %d, changes on the phone %d, in the accounts %d\n", passes_,
                    changed_here_, changed_there_);
    const bool told = std::fflush(stdout) == 0;
    if (!told)
        std::fprintf(stderr,
                     "vmemaild: write: standard output: it takes no more data; what is due "
                     "has been done\n");
    if (configuration) return exit_status(ErrorKind::kConfig);
    if (total_.store_error) return exit_status(total_.store_error->kind);
    if (waiting) return exit_status(ErrorKind::kRetryLater);
    return total_.failed > 0 || !told ? exit_status(ErrorKind::kUnavailable) : 0;
}

}  // namespace vm::agent
