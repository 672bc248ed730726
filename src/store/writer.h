// Who writes to the database for a Store: its own session, or one that many Stores share.
#ifndef VM_STORE_WRITER_H
#define VM_STORE_WRITER_H

#include "base/error.h"
#include "store/database.h"

#include <soci/soci.h>

#include <functional>
#include <string>

namespace vm::store {

// What is written, in words.
struct Write {
    const char* name;       // of its crash points (base/crash_point.h); a literal
    const char* operation;  // of its errors
    std::string object;     // the same
    Durable durable = Durable::kAtCommit;
};

class Writer {
  public:
    // Reads and writes by the session it is given, and by no other: only that one sees what the
    // transaction has written so far. False: nothing of it is to stay. It may run in another
    // thread, while the caller waits, and must wait for nothing but SQLite: others wait for it.
    // May throw soci_error.
    using Body = std::function<bool(soci::session& sql)>;

    Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    virtual ~Writer() = default;

    // Runs `body` once, in a transaction; when this succeeds it is committed, as durable as `what`
    // says, or the body said false. An error: nothing was written.
    virtual Result<> write(const Write& what, const Body& body) = 0;
};

// Writes by a session that others use too, in one thread; each write is a transaction.
class OwnWriter : public Writer {
  public:
    explicit OwnWriter(soci::session& sql) : sql_(sql) {}

    Result<> write(const Write& what, const Body& body) override {
        return guarded(what.operation, what.object, [&]() -> Result<> {
            Transaction transaction(sql_, what.name, what.durable);
            if (body(sql_)) transaction.commit();
            return {};
        });
    }

  private:
    soci::session& sql_;
};

}  // namespace vm::store

#endif
