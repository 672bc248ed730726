// How the programs print: JSON, and tables for people. Text that is not UTF-8 prints with
// replacement characters; nothing here fails.
#ifndef VM_APP_OUTPUT_H
#define VM_APP_OUTPUT_H

#include <nlohmann/json.hpp>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace vm::app {

// Fields in the order in which they are written.
using Json = nlohmann::ordered_json;

void print_json(std::ostream& out, const Json& json);

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
