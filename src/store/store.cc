#include "store/store.h"

#include "store/database.h"
#include "store/schema.h"
#include "store/sql_store.h"

namespace vm::store {

Result<std::unique_ptr<Store>> Store::open(const Paths& paths, const Clock& clock) {
    VM_ASSIGN(auto sql, open_database(paths));
    VM_TRY(migrate(*sql, migrations(), paths.database().string()));
    return std::make_unique<SqlStore>(paths, std::move(sql), clock);
}

}  // namespace vm::store
