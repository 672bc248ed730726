// vmctl queue list, retry, postpone, give-up.
#include "agent/control.h"
#include "app/mailbox_state.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "base/text.h"
#include "store/store.h"

#include <functional>
#include <iostream>
#include <memory>
#include <set>

namespace vm::app {

namespace {

using store::Store;

Result<> list(const Paths& paths, bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    VM_ASSIGN(const std::vector<MessageRecord> records, store->queue());
    if (json) {
        print_json(std::cout, to_json(records));
        return {};
    }
    if (records.empty()) {
        std::cout << "The queue is empty.\n";
        return {};
    }
    Table table({"ID", "MAILBOX", "KIND", "STATE", "ATTEMPTS", "NEXT ATTEMPT", "LAST REPLY"});
    for (const MessageRecord& record : records) {
        const Delivery& d = record.delivery;
        const auto next = next_attempt(d);
        table.add({record.message.id, record.message.mailbox, to_string(record.message.kind),
                   to_string(d.state), std::to_string(d.attempts), next ? short_time(*next) : "-",
                   d.last_reply});
    }
    table.print(std::cout);
    std::set<std::string> mailboxes;
    for (const MessageRecord& record : records) mailboxes.insert(record.message.mailbox);
    VM_ASSIGN(const UnitState unit, look_at_unit(paths, *store, mailboxes));
    std::string troubles;
    for (const std::string& mailbox : mailboxes)
        if (const auto words = words_of(mailbox, state_of(paths, unit, mailbox)); !words.empty())
            troubles += shown(words) + "\n";
    if (!unit.agent_running) troubles += "no agent runs; `vmemaild` starts it\n";
    if (!troubles.empty()) std::cout << '\n' << troubles;
    return {};
}

bool waits_for_a_server(const Delivery& delivery) {
    return delivery.state == DeliveryState::kDeferred ||
           delivery.state == DeliveryState::kUncertain;
}

// What a command does to one delivery.
using Act = std::function<Result<>(Store&, const std::string& id)>;

// Does it to each, tells the agent, and says how many there were: as JSON under `name`, else with
// `words`. Of several errors each has its line, and the first is the command's.
Result<> act_on(const Paths& paths, Store& store, const std::vector<std::string>& ids, bool named,
                const Act& act, agent::Request request, Json json, const std::string& name,
                const std::string& words) {
    Json done_ids = Json::array();
    std::set<std::string> mailboxes, seen;
    std::optional<Error> first_error;
    for (const std::string& id : ids) {
        if (!seen.insert(id).second) continue;
        const auto done = act(store, id);
        if (done) {
            done_ids.push_back(id);
            const auto record = store.get(id);
            if (record) mailboxes.insert(record->message.mailbox);
            continue;
        }
        // Not named, it may have moved on since the queue was read.
        if (!named && done.error().kind == ErrorKind::kMessage) continue;
        if (first_error)
            warn(done.error().text());
        else
            first_error = done.error();
    }
    agent::poke(paths, mailboxes, request);
    const std::size_t count = done_ids.size();
    if (!json.is_null()) {
        json[name] = std::move(done_ids);
        print_json(std::cout, json);
    } else if (count > 0 || !first_error) {
        std::cout << count << (count == 1 ? " delivery is " : " deliveries are ") << words << ".\n";
    }
    if (first_error) return fail(*first_error);
    return {};
}

Json object_if(bool json) {
    return json ? Json::object() : Json();
}

Result<> retry(const Paths& paths, std::vector<std::string> ids, bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    const bool named = !ids.empty();
    if (!named) {
        VM_ASSIGN(const std::vector<MessageRecord> queue, store->queue());
        VM_ASSIGN(const std::vector<store::MailboxStatus> statuses, store->statuses());
        // What is queued is due already, but its server or its mailbox may have a pause; one with
        // nothing to send, too.
        std::set<std::string> paused;
        for (const store::MailboxStatus& status : statuses)
            if (status.state == "error") paused.insert(status.mailbox);
        for (const MessageRecord& record : queue) {
            if (waits_for_a_server(record.delivery)) ids.push_back(record.message.id);
            if (record.delivery.state == DeliveryState::kQueued)
                paused.insert(record.message.mailbox);
        }
        agent::poke(paths, paused, agent::Request::kRetry);
        if (ids.empty() && !json) {
            std::cout << "No delivery is deferred or uncertain"
                      << (paused.empty() ? ".\n" : "; what is queued need not wait any more.\n");
            return {};
        }
    }
    return act_on(
        paths, *store, ids, named, [](Store& in, const std::string& id) { return in.retry(id); },
        agent::Request::kRetry, object_if(json), "retried", "due now");
}

struct Postponement {
    std::vector<std::string> ids;
    std::string until, duration;
};

// "90m", "2h", "3d"; nullopt for anything else, and for more than ten years.
std::optional<std::int64_t> parse_duration(std::string_view text) {
    constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs, kDayMs = 24 * kHourMs;
    if (text.empty()) return std::nullopt;
    const char unit = text.back();
    const std::int64_t unit_ms = unit == 'm'   ? kMinuteMs
                                 : unit == 'h' ? kHourMs
                                 : unit == 'd' ? kDayMs
                                               : 0;
    const auto number = parse_int(text.substr(0, text.size() - 1));
    if (unit_ms == 0 || !number || *number < 1 || *number > 3650 * kDayMs / unit_ms)
        return std::nullopt;
    return *number * unit_ms;
}

// The time that was asked for.
Result<TimeMs> time_of(const Postponement& options) {
    const TimeMs now = system_clock().now();
    if (!options.duration.empty()) {
        const auto duration = parse_duration(options.duration);
        if (!duration)
            return fail(ErrorKind::kUsage, "--for", options.duration,
                        "a duration is a number of minutes, hours or days: 90m, 2h, 3d");
        return now + *duration;
    }
    if (options.until.empty())
        return fail(ErrorKind::kUsage, "queue postpone", "", "until when?",
                    "--until RFC3339 or --for DURATION says it");
    const auto until = parse_rfc3339(options.until);
    if (!until)
        return fail(ErrorKind::kUsage, "--until", options.until, "it is no RFC 3339 time",
                    "such as 2026-11-22T02:30:29+01:00");
    if (*until <= now)
        return fail(ErrorKind::kUsage, "--until", options.until, "it lies in the past",
                    "`vmctl queue retry` makes a delivery due now");
    return *until;
}

Result<> postpone(const Paths& paths, const Postponement& options, bool json) {
    VM_ASSIGN(const TimeMs until, time_of(options));
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    Json out = object_if(json);
    if (json) out["until"] = format_rfc3339(until);
    return act_on(
        paths, *store, options.ids, true,
        [until](Store& in, const std::string& id) { return in.postpone(id, until); },
        agent::Request::kNothing, std::move(out), "postponed",
        "postponed until " + short_time(until));
}

Result<> give_up(const Paths& paths, const std::vector<std::string>& ids, const std::string& reason,
                 bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    return act_on(
        paths, *store, ids, true,
        [&reason](Store& in, const std::string& id) { return in.give_up(id, reason); },
        agent::Request::kNothing, object_if(json), "given_up", "given up");
}

}  // namespace

void add_queue_commands(CLI::App& queue, VmctlContext& context) {
    context.command(queue, "list", "List deliveries that wait, are uncertain or failed",
                    "vmctl queue list",
                    [&context](const Paths& paths) { return list(paths, context.json); });
    const auto ids = std::make_shared<std::vector<std::string>>();
    CLI::App* sub = context.command(
        queue, "retry",
        "Make deliveries due now: those named, whether deferred, uncertain, failed or off; else "
        "all deferred and uncertain ones",
        "vmctl queue retry 01KAM8Q3V5X6Y7Z8A9B0C1D2E3",
        [&context, ids](const Paths& paths) { return retry(paths, *ids, context.json); });
    sub->add_option("ID", *ids, "Message ids");

    const auto later = std::make_shared<Postponement>();
    sub = context.command(
        queue, "postpone", "Do not attempt these deliveries before a time",
        "vmctl queue postpone 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --for 2h",
        [&context, later](const Paths& paths) { return postpone(paths, *later, context.json); });
    sub->add_option("ID", later->ids, "Message ids")->required();
    auto* until = sub->add_option("--until", later->until, "The time")
                      ->type_name("RFC3339")
                      ->check(kNotEmpty);
    sub->add_option("--for", later->duration, "So long from now: 90m, 2h, 3d")
        ->type_name("DURATION")
        ->check(kNotEmpty)
        ->excludes(until);

    const auto reason = std::make_shared<std::string>();
    sub = context.command(
        queue, "give-up", "Do not attempt these deliveries any more: they have failed",
        "vmctl queue give-up 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --reason \"wrong number\"",
        [&context, ids, reason](const Paths& paths) {
            return give_up(paths, *ids, *reason, context.json);
        });
    sub->add_option("ID", *ids, "Message ids")->required();
    sub->add_option("--reason", *reason, "Why, for the message's history")->type_name("TEXT");
}

}  // namespace vm::app
