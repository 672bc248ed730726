// vmctl queue list, retry.
#include "agent/control.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "store/store.h"

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
    return {};
}

bool waits_for_a_server(const Delivery& delivery) {
    return delivery.state == DeliveryState::kDeferred ||
           delivery.state == DeliveryState::kUncertain;
}

Result<> retry(const Paths& paths, std::vector<std::string> ids, bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    const bool named = !ids.empty();
    if (!named) {
        VM_ASSIGN(const std::vector<MessageRecord> queue, store->queue());
        for (const MessageRecord& record : queue)
            if (waits_for_a_server(record.delivery)) ids.push_back(record.message.id);
    }
    Json retried = Json::array();
    std::set<std::string> mailboxes;
    std::optional<Error> first_error;
    for (const std::string& id : ids) {
        const auto done = store->retry(id);
        if (done) {
            retried.push_back(id);
            const auto record = store->get(id);
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
    for (const std::string& mailbox : mailboxes)
        agent::poke(paths, mailbox, agent::Request::kRetry);
    const std::size_t count = retried.size();
    if (json)
        print_json(std::cout, {{"retried", std::move(retried)}});
    else if (count > 0 || !first_error)
        std::cout << count << (count == 1 ? " delivery is" : " deliveries are") << " due now.\n";
    if (first_error) return fail(*first_error);
    return {};
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
        "all "
        "deferred and uncertain ones",
        "vmctl queue retry 01KAM8Q3V5X6Y7Z8A9B0C1D2E3",
        [&context, ids](const Paths& paths) { return retry(paths, *ids, context.json); });
    sub->add_option("ID", *ids, "Message ids");
}

}  // namespace vm::app
