// What vmctl prints of messages: the JSON objects of INTERFACE, and words for people.
#ifndef VM_APP_VMCTL_OUTPUT_H
#define VM_APP_VMCTL_OUTPUT_H

#include "app/output.h"
#include "core/message.h"
#include "store/store.h"

#include <optional>
#include <string>
#include <vector>

namespace vm::app {

// Fields in the order of INTERFACE.
Json to_json(const MessageRecord& record);
Json to_json(const store::HistoryEntry& entry);
// {"messages": […]}
Json to_json(const std::vector<MessageRecord>& records);

// When the delivery is tried next; nullopt when nothing waits.
std::optional<TimeMs> next_attempt(const Delivery& delivery);

// "2026-11-22 02:30:29Z"
std::string short_time(TimeMs time);
// "1:23" or "3 pages"
std::string length_of(const Message& message);
// "Ann <4711> (urgent, private)", "unknown" without name and number
std::string caller_of(const Message& message);

}  // namespace vm::app

#endif
