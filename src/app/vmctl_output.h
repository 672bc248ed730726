// How vmctl prints: the JSON objects of INTERFACE, and tables for people. Text that is not UTF-8
// prints with replacement characters; nothing here fails.
#ifndef VM_APP_VMCTL_OUTPUT_H
#define VM_APP_VMCTL_OUTPUT_H

#include "core/message.h"
#include "store/store.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace vm::app {

// Fields in the order of INTERFACE.
using Json = nlohmann::ordered_json;

Json to_json(const MessageRecord& record);
Json to_json(const store::HistoryEntry& entry);
// {"messages": […]}
Json to_json(const std::vector<MessageRecord>& records);

void print_json(std::ostream& out, const Json& json);

// When the delivery is tried next; nullopt when nothing waits.
std::optional<TimeMs> next_attempt(const Delivery& delivery);

// "2026-11-22 02:30:29Z"
std::string short_time(TimeMs time);
// "1:23" or "3 pages"
std::string length_of(const Message& message);
// "Ann <4711> (urgent, private)", "unknown" without name and number
std::string caller_of(const Message& message);

// Foreign words as a terminal may show them: one line, no controls, nothing that turns it around.
std::string shown(std::string_view text);

// Columns aligned by characters, two spaces apart; every cell as shown().
class Table {
  public:
    explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void add(std::vector<std::string> row);
    void print(std::ostream& out) const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace vm::app

#endif
