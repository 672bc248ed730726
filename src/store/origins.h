// Where messages came from: rows of the table origins. Functions throw soci_error.
#ifndef VM_STORE_ORIGINS_H
#define VM_STORE_ORIGINS_H

#include "base/error.h"
#include "core/message.h"

#include <soci/soci.h>

#include <optional>
#include <string>

namespace vm::store {

// kUsage for what is no origin; "" is none, and good.
Result<> check_origin(const std::string& origin);

// The id under which the store has, or had, what `message` comes from; nullopt: it is new, or has
// no origin. kUsage when it was another mailbox's.
Result<std::optional<std::string>> known_origin(soci::session& sql, const Message& message);

// Nothing when `message` has none.
void insert_origin(soci::session& sql, const Message& message, const std::string& agreed);

// Message `id` was purged: what is gone where it came from cannot come again.
void forget_gone_origin(soci::session& sql, const std::string& id);

}  // namespace vm::store

#endif
