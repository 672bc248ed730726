// What every way into the unit asks of a new message: whether it is sent as mail, and whether its
// file is what it is said to be. Any thread.
#ifndef VM_AGENT_INCOMING_H
#define VM_AGENT_INCOMING_H

#include "base/error.h"
#include "base/paths.h"
#include "store/store.h"

#include <filesystem>
#include <optional>
#include <string>

namespace vm::agent {

// Queued, or off with the reason. Options that cannot be used do not keep it from being stored: it
// is queued, and what is wrong with them is in `trouble`. kNoInput: there is no such mailbox.
struct Incoming {
    std::optional<Error> trouble;
};
Result<Incoming> decide_delivery(const Paths& paths, store::NewMessage& incoming);

// A NewMessage::inspect, by the kind of the message.
Result<> measure(const std::filesystem::path& copy, Message& message);

// A recording or fax as somebody hands it in; `called`: what the person knows the file as, where
// that is not its path. kUsage: the mailbox is no number, or `received` lies outside of the years
// that a mail can name in every time zone (1900 to 9998).
Result<store::NewMessage> incoming_message(const Message& message,
                                           const std::filesystem::path& file,
                                           const std::string& called = "");

// Stores it, to be delivered as decide_delivery() says; durable when it returns. The agent is to be
// poked then. Errors are Store::add()'s, besides.
struct Added {
    std::string id;
    std::optional<Error> trouble;
};
Result<Added> add_message(const Paths& paths, store::Store& store, store::NewMessage incoming);

}  // namespace vm::agent

#endif
