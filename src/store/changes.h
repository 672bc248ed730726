// Changes of one message, whoever makes them: the row and its history. Parts of a transaction; all
// throw soci_error. `record` is the message as it is, and as it has become afterwards.
#ifndef VM_STORE_CHANGES_H
#define VM_STORE_CHANGES_H

#include "base/error.h"
#include "core/message.h"

#include <soci/soci.h>

#include <optional>
#include <string>
#include <string_view>

namespace vm::store {

// For the history.
struct Because {
    TimeMs now;
    std::string reason;
};

// To read or new, of one that is not deleted.
void change_state(soci::session& sql, MessageRecord& record, MessageState to,
                  const Because& because);
void change_urgent(soci::session& sql, MessageRecord& record, bool to, const Because& because);
void change_folder(soci::session& sql, MessageRecord& record, const std::string& to,
                   const Because& because);
void change_to_deleted(soci::session& sql, MessageRecord& record, const Because& because);
// To the state before; a delivery that waits has a new delivery timeout.
Result<> change_to_restored(soci::session& sql, MessageRecord& record, const Because& because);

// Writes `to`, the delivery after a transition of message `id`.
void change_delivery(soci::session& sql, const std::string& id, DeliveryState from,
                     const Delivery& to, TimeMs now, const std::string& reply);
void change_delivery(soci::session& sql, const MessageRecord& from, const Delivery& to, TimeMs now,
                     const std::string& reply);

enum class ChangedBy { kPhone, kSync };
// Gives `mailbox` the next sequence: its messages changed.
void note_change(soci::session& sql, const std::string& mailbox, ChangedBy by);

// Why `name` can be no folder of the unit; nullopt when it can. Slashes inside part the levels of a
// hierarchy.
std::optional<std::string> folder_problem(std::string_view name);

}  // namespace vm::store

#endif
