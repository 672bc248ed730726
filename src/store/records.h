// Rows of the database as the structs of core, and back. Functions throw soci_error for the
// database; a value that no version of the program writes is an error.
#ifndef VM_STORE_RECORDS_H
#define VM_STORE_RECORDS_H

#include "base/error.h"
#include "core/message.h"
#include "core/sync.h"

#include <soci/soci.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vm::store {

// Values for the :names of a statement.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// The records that `where` (one of queries.h) selects.
Result<std::vector<MessageRecord>> read_records(soci::session& sql, const char* where,
                                                const Parameters& parameters);

// All messages of `mailbox` with what was agreed on about each, without the copies of their mails;
// by time of reception.
Result<std::vector<SyncMessage>> read_agreed(soci::session& sql, const std::string& mailbox);

// One record; kNoInput when there is no message `id`.
Result<MessageRecord> read_record(soci::session& sql, const std::string& id);

// How the delivery of message `id` stands, and whose message it is: all that the beginning and the
// end of an attempt need. kNoInput as above.
struct DeliveryRow {
    std::string mailbox;
    Delivery delivery;
    bool deleted = false;  // the message is
};
Result<DeliveryRow> read_delivery(soci::session& sql, const std::string& id);

void insert_message(soci::session& sql, const Message& message);
void insert_delivery(soci::session& sql, const Message& message, const Delivery& delivery);

// Writes all of `delivery` over that of message `id`.
void update_delivery(soci::session& sql, const std::string& id, const Delivery& delivery);

// Appends to the history of message `id`. `reply` is made one printable line.
void insert_history(soci::session& sql, const std::string& id, TimeMs time, std::string_view what,
                    std::string_view from, std::string_view to, std::string_view reply = {});

}  // namespace vm::store

#endif
