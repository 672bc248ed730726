#include "store/store.h"

#include "store/database.h"
#include "store/schema.h"
#include "store/shared_writer.h"
#include "store/sql_store.h"

#include <algorithm>
#include <thread>

namespace vm::store {

namespace {

constexpr unsigned kReadSessions = 4;  // at least

}  // namespace

std::shared_ptr<SharedWriter> share_writer(const Paths& paths) {
    return std::make_shared<SharedWriter>(paths);
}

Result<std::unique_ptr<Store>> Store::open(const Paths& paths, const Clock& clock,
                                           std::shared_ptr<SharedWriter> writer) {
    VM_ASSIGN(auto sql, open_database(paths));
    VM_TRY(migrate(*sql, migrations(), paths.database().string()));
    if (writer) VM_TRY(writer->open());
    std::shared_ptr<Writer> by = std::move(writer);
    if (!by) by = std::make_shared<OwnWriter>(*sql);
    return std::make_unique<SqlStore>(paths, std::make_unique<ReadSessions>(std::move(sql)),
                                      std::move(by), clock);
}

std::unique_ptr<Store> Store::for_threads(const Paths& paths, std::shared_ptr<SharedWriter> writer,
                                          const Clock& clock) {
    const std::size_t sessions = std::max(kReadSessions, std::thread::hardware_concurrency());
    return std::make_unique<SqlStore>(paths, std::make_unique<ReadSessions>(paths, sessions),
                                      std::move(writer), clock);
}

}  // namespace vm::store
