// SQLite for SOCI, with statements that stay prepared: SOCI prepares each anew, which takes longer
// than most of ours run. What is done with is kept for the next who prepares the same text in the
// same session, and goes with the session.
//
// Every text that is prepared is kept: they are to be the program's own, whose number is bounded,
// with values as parameters. A session belongs to one thread, and so do its statements.
#ifndef VM_STORE_STATEMENT_CACHE_H
#define VM_STORE_STATEMENT_CACHE_H

#include <soci/soci.h>

namespace vm::store {

// For soci::session, in the place of soci::sqlite3, whose connection strings and errors it has.
const soci::backend_factory& caching_sqlite3();

// What SQLite asks, in a session that has this backend, when a lock is another connection's
// (sqlite3_busy_handler). Takes the place of a timeout.
void set_busy_handler(soci::session& sql, int (*handler)(void* context, int times));

// Runs a statement in a session that has this backend, past SOCI, which allocates; what comes of it
// is not told.
bool in_transaction(soci::session& sql) noexcept;
void run_plain(soci::session& sql, const char* statement) noexcept;

}  // namespace vm::store

#endif
