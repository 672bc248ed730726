// The schema and its versions. Each version is one migration, applied in one transaction of its
// own: a process that dies in the middle leaves the version before it. Migrations that were
// released are never edited; a change of the schema is a new one at the end of the list.
#ifndef VM_STORE_SCHEMA_H
#define VM_STORE_SCHEMA_H

#include "base/error.h"

#include <soci/soci.h>

#include <string>
#include <vector>

namespace vm::store {

// Takes a database from version n - 1 to n, n being its place in the list counted from 1.
using Migration = void (*)(soci::session&);

const std::vector<Migration>& migrations();

// The version of the database, 0 when it is empty. kConfig when it holds something else.
Result<int> schema_version(soci::session& sql, const std::string& file);

// Brings the database to the last version of `list`. Any number of processes may do so at once.
// kConfig when a newer program wrote it. `file` is for the error.
Result<> migrate(soci::session& sql, const std::vector<Migration>& list, const std::string& file);

}  // namespace vm::store

#endif
