// vmctl status: every mailbox with its state and counts. It works without an agent: configuration
// is read afresh, and what the agent last found out is in the store.
#include "agent/metrics_socket.h"
#include "app/mailbox_state.h"
#include "app/metrics_reading.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "config/config.h"
#include "store/store.h"

#include <iostream>
#include <memory>
#include <optional>
#include <unordered_set>

namespace vm::app {

namespace {

Json mailbox_json(const std::string& mailbox, const MailboxState& state,
                  const store::MailboxCounts& counts) {
    return {{"mailbox", mailbox},
            {"state", state.state},
            {"reason", state.reason},
            {"new", counts.new_messages},
            {"old", counts.old_messages},
            {"queued", counts.queued},
            {"sending", counts.sending},
            {"sent", counts.sent},
            {"deferred", counts.deferred},
            {"failed", counts.failed},
            {"uncertain", counts.uncertain},
            {"linked", counts.linked},
            {"idle", state.idle},
            {"condstore", state.condstore},
            {"qresync", state.qresync},
            {"last_sync", state.last_sync > 0 ? Json(format_rfc3339(state.last_sync)) : Json()}};
}

// How far the running agent has come since its start, as it counts it; nothing when it does not
// say.
struct Progress {
    std::int64_t accounts = 0, looked_at = 0;
};
std::optional<Progress> progress(const Paths& paths) {
    constexpr int kPatienceSeconds = 1;  // the rest of the status does not depend on it
    const auto text = agent::fetch_metrics(paths, kPatienceSeconds);
    if (!text) return std::nullopt;
    const MetricsReading metrics(*text);
    return Progress{static_cast<std::int64_t>(metrics.sum("vmemail_sync_accounts")),
                    static_cast<std::int64_t>(metrics.sum("vmemail_sync_accounts_looked_at"))};
}

Json agent_json(const UnitState& unit, const std::optional<Progress>& progress) {
    Json last = nullptr;
    if (unit.deaths.count > 0)
        last = {{"time", format_rfc3339(unit.deaths.last)}, {"how", unit.deaths.words}};
    Json accounts = nullptr;
    if (progress) accounts = {{"number", progress->accounts}, {"looked_at", progress->looked_at}};
    return {{"running", unit.agent_running},
            {"reason", unit.problem},
            {"accounts", std::move(accounts)},
            {"recent_deaths", unit.deaths.count},
            {"last_death", std::move(last)}};
}

// "running; a worker died 3 times in the last 10 minutes, …"
std::string agent_line(const UnitState& unit) {
    std::string line = unit.agent_running ? "running" : "not running";
    if (unit.deaths.count == 0) return line;
    const std::string times =
        unit.deaths.count == 1 ? "once" : std::to_string(unit.deaths.count) + " times";
    return line + "; a worker died " + times + " in the last 10 minutes, last at " +
           short_time(unit.deaths.last) + " of " + shown(unit.deaths.words) + "; see the trace";
}

Result<> status(const Paths& paths, bool json) {
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    VM_ASSIGN(const UnitState unit, look_at_unit(paths, *store));
    VM_ASSIGN(std::vector<std::string> mailboxes, config::list_mailboxes(paths));
    // Messages of a mailbox whose options were deleted must not be out of sight.
    VM_ASSIGN(const std::vector<std::string> unfinished, store->unfinished());
    const std::unordered_set<std::string> with_options(mailboxes.begin(), mailboxes.end());
    for (const std::string& mailbox : unfinished)
        if (!with_options.contains(mailbox)) mailboxes.push_back(mailbox);
    config::Seats seats;
    if (unit.misc_valid) {
        VM_ASSIGN(seats, config::count_seats(paths, unit.misc));
    }
    VM_ASSIGN(auto counts, store->all_counts());
    const auto start = unit.agent_running ? progress(paths) : std::nullopt;
    Json all = Json::array();
    std::int64_t failed = 0, waiting = 0;
    Table table({"MAILBOX", "STATE", "NEW", "OLD", "QUEUED", "SENDING", "SENT", "DEFERRED",
                 "FAILED", "UNCERTAIN", "LINKED", "IDLE", "LAST SYNC", "REASON"});
    for (const std::string& mailbox : mailboxes) {
        const store::MailboxCounts& c = counts[mailbox];
        const MailboxState state = state_of(paths, unit, mailbox);
        all.push_back(mailbox_json(mailbox, state, c));
        failed += c.failed;
        waiting += c.deferred + c.uncertain;
        std::vector<std::string> row{mailbox, state.state};
        for (const std::int64_t n : {c.new_messages, c.old_messages, c.queued, c.sending, c.sent,
                                     c.deferred, c.failed, c.uncertain, c.linked})
            row.push_back(std::to_string(n));
        row.push_back(state.idle ? "yes" : "no");
        row.push_back(state.last_sync > 0 ? short_time(state.last_sync) : "-");
        row.push_back(reason_for_people(state));
        table.add(std::move(row));
    }
    if (json) {
        print_json(std::cout, {{"agent", agent_json(unit, start)},
                               {"seats", {{"limit", seats.limit}, {"in_use", seats.in_use.size()}}},
                               {"mailboxes", std::move(all)}});
        return {};
    }
    std::cout << "Agent: " << agent_line(unit) << '\n';
    if (start && start->looked_at < start->accounts)
        std::cout << "Accounts: " << start->looked_at << " of " << start->accounts
                  << " looked at since the start\n";
    if (!unit.problem.empty()) std::cout << "Misc Setup: " << unit.problem << '\n';
    if (seats.limit > 0)
        std::cout << "Seats: " << seats.in_use.size() << " of " << seats.limit << " in use\n";
    std::cout << '\n';
    if (mailboxes.empty())
        std::cout << "No mailboxes; vmconfig mailbox create NNN makes one.\n";
    else
        table.print(std::cout);
    if (waiting > 0 || failed > 0) std::cout << '\n';
    if (waiting > 0)
        std::cout << waiting << (waiting == 1 ? " delivery is" : " deliveries are")
                  << " deferred or uncertain: `vmctl queue list` says why, and when each is tried "
                     "again\n";
    if (failed > 0)
        std::cout << failed << (failed == 1 ? " delivery has" : " deliveries have")
                  << " failed: `vmctl queue list` says why, `vmctl queue retry ID` sends again\n";
    return {};
}

}  // namespace

void add_status_command(CLI::App& program, VmctlContext& context) {
    context.command(program, "status", "Show the state of the agent and of every mailbox",
                    "vmctl status --json",
                    [&context](const Paths& paths) { return status(paths, context.json); });
}

}  // namespace vm::app
