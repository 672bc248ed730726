// The statements that this process runs, as SQLite sees them, and those that the sources hold.
#ifndef VM_TESTS_STORE_EXECUTED_H
#define VM_TESTS_STORE_EXECUTED_H

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace vm::store {

// While it lives: the texts of all statements that are run by connections opened meanwhile. One at
// a time; for one thread.
class Executed {
  public:
    Executed();
    Executed(const Executed&) = delete;
    Executed& operator=(const Executed&) = delete;
    ~Executed();

    static const std::set<std::string>& texts();
};

// The SQL in the sources of `directory`, without `except` (a file's name): each string literal, in
// one piece, that begins with a verb of SQL or a WHERE. Throws when a file cannot be read.
std::vector<std::string> sql_in_sources(const std::filesystem::path& directory,
                                        const std::string& except);

}  // namespace vm::store

#endif
