#include "store/store.h"

#include "store/database.h"
#include "store/schema.h"
#include "store/shared_writer.h"
#include "store/sql_store.h"

namespace vm::store {

std::shared_ptr<SharedWriter> share_writer(const Paths& paths) {
    return std::make_shared<SharedWriter>(paths);
}

Result<std::unique_ptr<Store>> Store::open(const Paths& paths, const Clock& clock,
                                           std::shared_ptr<SharedWriter> writer) {
    VM_ASSIGN(auto sql, open_database(paths));
    VM_TRY(migrate(*sql, migrations(), paths.database().string()));
    if (writer) VM_TRY(writer->open());
    return std::make_unique<SqlStore>(paths, std::move(sql), std::move(writer), clock);
}

}  // namespace vm::store
