// What there is: lists of messages, counts.
#include "library/handle.h"

#include <algorithm>
#include <vector>

namespace vm::library {

namespace {

// What vm_store_messages points to: the texts lie in the records.
struct Messages : vm_store_messages {
    std::vector<MessageRecord> records;
    std::vector<std::string> media;
    std::vector<vm_store_message> rows;
    std::vector<const vm_store_message*> pointers;
};

int kind_of(MessageKind kind) {
    switch (kind) {
        case MessageKind::kVoice:
            return VM_STORE_VOICE;
        case MessageKind::kFax:
            return VM_STORE_FAX;
        case MessageKind::kEmail:
            break;
    }
    return VM_STORE_EMAIL;
}

int state_of(MessageState state) {
    switch (state) {
        case MessageState::kNew:
            return VM_STORE_NEW;
        case MessageState::kRead:
            return VM_STORE_READ;
        case MessageState::kDeleted:
            break;
    }
    return VM_STORE_DELETED;
}

int delivery_of(DeliveryState state) {
    switch (state) {
        case DeliveryState::kOff:
            return VM_STORE_OFF;
        case DeliveryState::kQueued:
            return VM_STORE_QUEUED;
        case DeliveryState::kSending:
            return VM_STORE_SENDING;
        case DeliveryState::kSent:
            return VM_STORE_SENT;
        case DeliveryState::kDeferred:
            return VM_STORE_DEFERRED;
        case DeliveryState::kFailed:
            return VM_STORE_FAILED;
        case DeliveryState::kUncertain:
            break;
    }
    return VM_STORE_UNCERTAIN;
}

vm_store_message row_of(const MessageRecord& record, const std::string& media) {
    const Message& m = record.message;
    vm_store_message row{};
    row.struct_size = sizeof row;
    row.id = m.id.c_str();
    row.mailbox = m.mailbox.c_str();
    row.kind = kind_of(m.kind);
    row.state = state_of(m.state);
    row.folder = m.folder.c_str();
    row.urgent = m.urgent ? 1 : 0;
    row.is_private = m.is_private ? 1 : 0;
    row.caller_number = m.caller_number.c_str();
    row.caller_name = m.caller_name.c_str();
    row.sender = m.sender.c_str();
    row.subject = m.subject.c_str();
    row.origin = m.origin.c_str();
    row.received = m.received;
    row.created = m.created;
    row.deleted = m.deleted_at.value_or(0);
    row.duration_ms = m.duration_ms;
    row.pages = m.pages;
    row.media = media.c_str();
    row.size = m.size;
    row.delivery = delivery_of(record.delivery.state);
    row.attempts = record.delivery.attempts;
    row.last_reply = record.delivery.last_reply.c_str();
    return row;
}

vm_store_messages* list_of(const store::Store& store, std::vector<MessageRecord> records) {
    auto list = std::make_unique<Messages>();
    list->records = std::move(records);
    const std::size_t count = list->records.size();
    list->media.reserve(count);  // what is pointed to stays where it is
    list->rows.reserve(count);
    for (const MessageRecord& record : list->records) {
        list->media.push_back(store.media_path(record.message).string());
        list->rows.push_back(row_of(record, list->media.back()));
        list->pointers.push_back(&list->rows.back());
    }
    list->count = count;
    list->messages = list->pointers.data();
    return list.release();
}

}  // namespace

}  // namespace vm::library

using namespace vm;
using namespace vm::library;

int vm_store_list(vm_store* store, const vm_store_query* query, vm_store_messages** list,
                  vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        constexpr const char* kFunction = "vm_store_list";
        if (list == nullptr) return wrong(kFunction, "there is no place for the list");
        *list = nullptr;
        VM_TRY(usable(kFunction, store));
        vm_store_query given{};
        if (query != nullptr) {
            VM_ASSIGN(given, taken(kFunction, query));
        }
        store::ListQuery wanted;
        wanted.mailbox = text_of(given.mailbox);
        if (given.folder != nullptr) wanted.folder = given.folder;
        if (given.deleted != 0 && given.deleted != 1)
            return wrong(kFunction, "deleted is neither 0 nor 1");
        wanted.deleted = given.deleted == 1;
        // (A mailbox that was deleted may have messages still.)
        if (given.mailbox != nullptr && wanted.mailbox.empty())
            return wrong(kFunction, "the mailbox is empty", "NULL stands for all");
        VM_ASSIGN(auto records, store->store->list(wanted));
        if (records.empty() && given.mailbox != nullptr)
            VM_TRY(known_mailbox(kFunction, store->paths, wanted.mailbox));
        *list = list_of(*store->store, std::move(records));
        return {};
    });
}

int vm_store_get(vm_store* store, const char* id, vm_store_messages** list, vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        constexpr const char* kFunction = "vm_store_get";
        if (list == nullptr) return wrong(kFunction, "there is no place for the message");
        *list = nullptr;
        VM_TRY(usable(kFunction, store));
        VM_ASSIGN(const std::string which, needed(kFunction, "message", id));
        VM_ASSIGN(MessageRecord record, store->store->get(which));
        std::vector<MessageRecord> one;
        one.push_back(std::move(record));
        *list = list_of(*store->store, std::move(one));
        return {};
    });
}

void vm_store_messages_free(vm_store_messages* list) {
    delete static_cast<Messages*>(list);
}

int vm_store_count(vm_store* store, const char* mailbox, vm_store_counts* counts,
                   vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        constexpr const char* kFunction = "vm_store_count";
        VM_TRY(usable(kFunction, store));
        VM_ASSIGN(vm_store_counts given, taken(kFunction, counts));
        VM_ASSIGN(const std::string which, needed(kFunction, "mailbox", mailbox));
        VM_ASSIGN(const store::MailboxCounts found, store->store->counts(which));
        if (found == store::MailboxCounts{}) VM_TRY(known_mailbox(kFunction, store->paths, which));
        given.new_messages = found.new_messages;
        given.old_messages = found.old_messages;
        std::memcpy(counts, &given, std::min(given.struct_size, sizeof given));
        return {};
    });
}
