// The way in for new messages.
#include "agent/control.h"
#include "agent/incoming.h"
#include "library/handle.h"

#include <algorithm>
#include <optional>

namespace vm::library {

namespace {

constexpr const char* kFunction = "vm_store_add";

Result<Message> message_of(const vm_store_new& given) {
    Message message;
    if (given.kind != VM_STORE_VOICE && given.kind != VM_STORE_FAX)
        return wrong(kFunction, "the kind is neither VM_STORE_VOICE nor VM_STORE_FAX");
    for (const int flag : {given.urgent, given.is_private})
        if (flag != 0 && flag != 1)
            return wrong(kFunction, "urgent or is_private is neither 0 nor 1");
    if (given.origin != nullptr && *given.origin == '\0')
        return wrong(kFunction, "the origin is empty", "NULL stands for none");
    message.kind = given.kind == VM_STORE_VOICE ? MessageKind::kVoice : MessageKind::kFax;
    message.mailbox = text_of(given.mailbox);
    message.urgent = given.urgent == 1;
    message.is_private = given.is_private == 1;
    message.caller_number = text_of(given.caller_number);
    message.caller_name = text_of(given.caller_name);
    message.origin = text_of(given.origin);
    message.received = given.received == 0 ? system_clock().now() : given.received;
    return message;
}

}  // namespace

}  // namespace vm::library

using namespace vm;
using namespace vm::library;

int vm_store_add(vm_store* store, const vm_store_new* message, char* id, vm_store_error* error) {
    return at_border(error, [&]() -> Result<std::optional<Error>> {
        if (id == nullptr) return wrong(kFunction, "there is no place for the id");
        *id = '\0';
        VM_TRY(usable(kFunction, store));
        VM_ASSIGN(const vm_store_new given, taken(kFunction, message));
        VM_ASSIGN(const Message wanted, message_of(given));
        VM_ASSIGN(const std::string file, needed(kFunction, "file", given.file));
        VM_ASSIGN(store::NewMessage incoming, agent::incoming_message(wanted, file));
        VM_ASSIGN(agent::Added added,
                  agent::add_message(store->paths, *store->store, std::move(incoming)));
        // (An id of ours has this many characters.)
        const std::size_t length = std::min<std::size_t>(added.id.size(), VM_STORE_ID_SIZE - 1);
        *std::copy_n(added.id.begin(), length, id) = '\0';
        quietly([&] { agent::poke(store->paths, wanted.mailbox); });
        return std::move(added.trouble);
    });
}
