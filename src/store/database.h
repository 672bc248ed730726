// One SOCI session on ROOT/var/vm.db, its write transactions, and SOCI's exceptions as errors.
//
// The SQL of this layer is kept to what SQLite and PostgreSQL share; what only SQLite knows
// (pragmas, BEGIN IMMEDIATE, creation of the file, result codes) stands in database.cc,
// statement_cache.cc and change_mark(). A session belongs to one thread and must not be carried
// across fork().
#ifndef VM_STORE_DATABASE_H
#define VM_STORE_DATABASE_H

#include "base/error.h"
#include "base/paths.h"

#include <soci/soci.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace vm::store {

// Opens (creating it with mode 0600) the database with WAL, synchronous=FULL, foreign keys and a
// busy timeout of 10 s; statements stay prepared (statement_cache.h). The schema is the caller's
// next step. kNoInput: the root has no var directory.
Result<std::unique_ptr<soci::session>> open_database(const Paths& paths);

// How long the lock of another process is waited for.
inline constexpr std::chrono::seconds kBusyTimeout{10};
// Whether that was what kept us.
bool is_busy(const soci::soci_error& error);

enum class Durable {
    kAtCommit,  // commit() returns when nothing can undo it any more
    kSoon,      // a loss of power may undo the last of these; costs no fsync
};

// A write transaction that holds the write lock from its begin, so that two writers wait for each
// other instead of failing half way. Rolls back unless committed. Both throw soci_error, and
// bad_alloc.
class Transaction {
  public:
    // `name` is that of its crash points (base/crash_point.h); a literal.
    Transaction(soci::session& sql, const char* name, Durable durable = Durable::kAtCommit);
    // For the writes that are yet to join(). Waits for the lock until `deadline`.
    Transaction(soci::session& sql, Durable durable,
                std::chrono::steady_clock::time_point deadline);
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    // One more write is part of it, with crash points of its own.
    void join(const char* name) { names_.push_back(name); }
    void commit();

  private:
    void close() noexcept;

    soci::session& sql_;
    std::vector<const char*> names_;
    const Durable durable_;
    bool open_ = true;
};

Error database_error(std::string operation, std::string object, const soci::soci_error& error);

// Runs `body`, which returns a Result, and turns SOCI's exceptions into its error.
template <class Body>
auto guarded(const char* operation, const std::string& object, Body body) -> decltype(body()) {
    try {
        return body();
    } catch (const soci::soci_error& error) {
        return fail(database_error(operation, object, error));
    }
}

}  // namespace vm::store

#endif
