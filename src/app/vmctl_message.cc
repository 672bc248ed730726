// vmctl message list, show, history, mark, urgent, move, delete, restore.
#include "agent/control.h"
#include "app/mailbox_state.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "base/files.h"
#include "base/text.h"
#include "store/store.h"

#include <iostream>
#include <memory>

namespace vm::app {

namespace {

using store::Store;

struct ListOptions {
    std::string mailbox, folder;
    bool all = false;
};

Result<> list(const Paths& paths, const ListOptions& options, bool json) {
    if (!options.mailbox.empty() && !is_mailbox_number(options.mailbox))
        return fail(ErrorKind::kUsage, "--mailbox", options.mailbox,
                    "a mailbox number is 1 to 8 digits");
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    store::ListQuery query{options.mailbox, std::nullopt, options.all};
    if (!options.folder.empty()) query.folder = options.folder;
    VM_ASSIGN(const std::vector<MessageRecord> records, store->list(query));
    std::error_code ignored;
    // A mailbox that was deleted may have messages still; without any it is a slip of the pen.
    if (records.empty() && !options.mailbox.empty() &&
        !std::filesystem::exists(paths.mailbox_ini(options.mailbox), ignored))
        return fail(ErrorKind::kNoInput, "list messages", "mailbox " + options.mailbox,
                    "there is no such mailbox", "vmconfig mailbox list shows those there are");
    if (json) {
        print_json(std::cout, to_json(records));
        return {};
    }
    if (records.empty()) {
        std::cout << "No messages.\n";
        return {};
    }
    Table table(
        {"ID", "MAILBOX", "RECEIVED", "KIND", "LENGTH", "STATE", "DELIVERY", "FOLDER", "CALLER"});
    for (const MessageRecord& record : records) {
        const Message& m = record.message;
        table.add({m.id, m.mailbox, short_time(m.received), to_string(m.kind), length_of(m),
                   to_string(m.state), to_string(record.delivery.state), m.folder,
                   caller_of(m) + (m.subject.empty() ? "" : ": " + m.subject)});
    }
    table.print(std::cout);
    return {};
}

void print_message(const MessageRecord& record, const std::filesystem::path& media,
                   const std::string& step, const std::string& trouble) {
    const Message& m = record.message;
    const Delivery& d = record.delivery;
    std::string delivery = to_string(d.state);
    if (d.attempts > 0)
        delivery +=
            ", " + std::to_string(d.attempts) + (d.attempts == 1 ? " attempt" : " attempts");
    if (const auto next = next_attempt(d)) delivery += ", next at " + short_time(*next);
    const bool email = m.kind == MessageKind::kEmail;
    std::cout << "Message:    " << m.id << '\n'
              << "Mailbox:    " << m.mailbox << ", folder " << shown(m.folder) << '\n'
              << "Kind:       " << to_string(m.kind) << ", " << length_of(m);
    if (!email) std::cout << ", " << m.size << " bytes";
    std::cout << '\n' << (email ? "Sender:     " : "Caller:     ") << shown(caller_of(m)) << '\n';
    if (email) std::cout << "Subject:    " << shown(m.subject) << '\n';
    std::cout << "Received:   " << short_time(m.received) << '\n'
              << "State:      " << to_string(m.state);
    if (m.deleted_at) std::cout << " since " << short_time(*m.deleted_at);
    std::cout << '\n' << "Delivery:   " << delivery << '\n';
    if (!d.last_reply.empty()) std::cout << "Last reply: " << shown(d.last_reply) << '\n';
    if (!step.empty()) std::cout << "Next step:  " << shown(step) << '\n';
    if (!trouble.empty()) std::cout << "Note:       " << shown(trouble) << '\n';
    if (!d.message_id.empty()) std::cout << "Message-ID: <" << d.message_id << ">\n";
    if (record.link)
        std::cout << "Mail copy:  " << shown(record.link->folder) << ", UID " << record.link->uid
                  << '\n';
    if (!m.origin.empty()) std::cout << "Origin:     " << shown(m.origin) << '\n';
    std::cout << "Media:      " << media.string() << '\n';
}

// What the mailbox's hold means for a message of any state; "" when it is not on hold.
std::string hold_words(const Paths& paths, const UnitState& unit, const std::string& mailbox) {
    const MailboxState state = state_of(paths, unit, mailbox);
    return state.state == "hold" ? words_of(mailbox, state) : std::string();
}

Result<> show(const Paths& paths, const std::string& id, bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    VM_ASSIGN(const MessageRecord record, store->get(id));
    const std::filesystem::path media = store->media_path(record.message);
    std::string text;
    if (record.message.kind == MessageKind::kEmail) {
        VM_ASSIGN(text, read_file(media));
    }
    if (json) {
        Json out = to_json(record);
        if (record.message.kind == MessageKind::kEmail) out["text"] = text;
        print_json(std::cout, out);
        return {};
    }
    VM_ASSIGN(const UnitState unit, look_at_unit(paths, *store, {record.message.mailbox}));
    print_message(record, media, next_step(paths, unit, record),
                  hold_words(paths, unit, record.message.mailbox));
    if (!text.empty()) std::cout << '\n';
    for (const std::string& line : split(trim(text), '\n')) std::cout << shown(line) << '\n';
    return {};
}

Result<> history(const Paths& paths, const std::string& id, bool json) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    VM_ASSIGN(const std::vector<store::HistoryEntry> entries, store->history(id));
    VM_ASSIGN(const MessageRecord record, store->get(id));
    if (json) {
        Json out = Json::array();
        for (const store::HistoryEntry& entry : entries) out.push_back(to_json(entry));
        print_json(std::cout, {{"history", std::move(out)}});
        return {};
    }
    Table table({"TIME", "WHAT", "FROM", "TO", "REPLY"});
    for (const store::HistoryEntry& entry : entries)
        table.add({short_time(entry.time), entry.what, entry.from.empty() ? "-" : entry.from,
                   entry.to, entry.reply});
    table.print(std::cout);
    VM_ASSIGN(const UnitState unit, look_at_unit(paths, *store, {record.message.mailbox}));
    if (const auto step = next_step(paths, unit, record); !step.empty())
        std::cout << "\nNext step: " << shown(step) << '\n';
    if (const auto hold = hold_words(paths, unit, record.message.mailbox); !hold.empty())
        std::cout << "\nNote: " << shown(hold) << '\n';
    return {};
}

// Does `change` to message `id` and tells the agent; --json prints the message as it is then.
template <class Change>
Result<> change_message(const Paths& paths, const std::string& id, bool json, Change change) {
    VM_ASSIGN(const std::unique_ptr<Store> store, Store::open(paths));
    VM_TRY(change(*store));
    VM_ASSIGN(const MessageRecord record, store->get(id));
    agent::poke(paths, record.message.mailbox);
    if (json) print_json(std::cout, to_json(record));
    return {};
}

}  // namespace

void add_message_commands(CLI::App& message, VmctlContext& context) {
    const auto query = std::make_shared<ListOptions>();
    CLI::App* sub = context.command(
        message, "list", "List messages, oldest first",
        "vmctl message list --mailbox 101 --all --json",
        [&context, query](const Paths& paths) { return list(paths, *query, context.json); });
    sub->add_option("--mailbox", query->mailbox, "Mailbox (default: all)")
        ->type_name("NNN")
        ->check(kNotEmpty);
    sub->add_option("--folder", query->folder, "Only this folder of the unit")->type_name("F");
    sub->add_flag("--all", query->all, "Deleted ones too");

    const auto id = std::make_shared<std::string>();
    const auto takes_id = [&](CLI::App* command) {
        command->add_option("ID", *id, "Message id")->required();
        return command;
    };
    takes_id(context.command(
        message, "show", "Show one message", "vmctl message show 01KAM8Q3V5X6Y7Z8A9B0C1D2E3",
        [&context, id](const Paths& paths) { return show(paths, *id, context.json); }));
    takes_id(context.command(
        message, "history", "Show what happened to a message, with the servers' replies",
        "vmctl message history 01KAM8Q3V5X6Y7Z8A9B0C1D2E3",
        [&context, id](const Paths& paths) { return history(paths, *id, context.json); }));

    const auto read = std::make_shared<bool>(false);
    sub = takes_id(context.command(
        message, "mark", "Mark a message as heard or as new",
        "vmctl message mark 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --read",
        [&context, id, read](const Paths& paths) {
            return change_message(paths, *id, context.json, [&](Store& store) {
                return store.mark(*id, *read ? MessageState::kRead : MessageState::kNew);
            });
        }));
    CLI::Option_group* states = sub->add_option_group("State", "One of");
    states->add_flag("--read", *read, "It was heard or seen");
    states->add_flag_callback(
        "--new", [] {}, "It is new again");  // one of them: not --read
    states->require_option(1);

    const auto urgent = std::make_shared<bool>(false);
    sub = takes_id(context.command(message, "urgent", "Make a message urgent, or no longer",
                                   "vmctl message urgent 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --set",
                                   [&context, id, urgent](const Paths& paths) {
                                       return change_message(
                                           paths, *id, context.json, [&](Store& store) {
                                               return store.set_urgent(*id, *urgent);
                                           });
                                   }));
    CLI::Option_group* urgency = sub->add_option_group("Urgency", "One of");
    urgency->add_flag("--set", *urgent, "It is urgent");
    urgency->add_flag_callback(
        "--clear", [] {}, "It is not");  // one of them: not --set
    urgency->require_option(1);

    const auto folder = std::make_shared<std::string>();
    sub = takes_id(context.command(message, "move", "Move a message to a folder of the unit",
                                   "vmctl message move 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --folder Saved",
                                   [&context, id, folder](const Paths& paths) {
                                       return change_message(
                                           paths, *id, context.json,
                                           [&](Store& store) { return store.move(*id, *folder); });
                                   }));
    sub->add_option("--folder", *folder, "Folder, 1 to 100 bytes of UTF-8")
        ->type_name("F")
        ->required();

    takes_id(context.command(
        message, "delete", "Delete a message; restore brings it back",
        "vmctl message delete 01KAM8Q3V5X6Y7Z8A9B0C1D2E3", [&context, id](const Paths& paths) {
            return change_message(paths, *id, context.json,
                                  [&](Store& store) { return store.remove(*id); });
        }));
    takes_id(context.command(
        message, "restore", "Bring a deleted message back",
        "vmctl message restore 01KAM8Q3V5X6Y7Z8A9B0C1D2E3", [&context, id](const Paths& paths) {
            return change_message(paths, *id, context.json,
                                  [&](Store& store) { return store.restore(*id); });
        }));
}

}  // namespace vm::app
