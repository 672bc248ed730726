#include "store/records.h"

#include "base/text.h"
#include "store/queries.h"
#include "store/sync_rows.h"

#include <optional>

namespace vm::store {

namespace {

tl::unexpected<Error> no_message(const std::string& id) {
    return fail(ErrorKind::kNoInput, "message", id, "there is no such message",
                "vmctl message list --all shows those there are");
}

tl::unexpected<Error> unknown_word(const std::string& id, const std::string& words) {
    return fail(ErrorKind::kUnavailable, "read message", id,
                "the database holds the unknown word " + words,
                "restore the database from a backup");
}

// One row as SOCI fills it in.
struct Row {
    std::string id, mailbox, kind, folder, state, caller_number, caller_name, media, sender,
        subject, origin;
    int urgent = 0, is_private = 0, pages = 0;
    long long received = 0, duration_ms = 0, size = 0, created = 0, deleted_at = 0;
    soci::indicator deleted = soci::i_null;
    std::string delivery, last_reply, rfc_message_id;
    int attempts = 0, postponed = 0;
    long long queued_at = 0, next_attempt = 0;
    std::string link_folder, unit_folder;
    long long uidvalidity = 0, uid = 0;
    int seen = 0, flagged = 0, gone = 0, doubt = 0;
    soci::indicator linked = soci::i_null;  // of all columns of the link: it is there or not

    void bind(soci::statement& statement) {
        const auto take = [&](auto& value) { statement.exchange(soci::into(value)); };
        take(id), take(mailbox), take(kind), take(folder), take(state), take(urgent);
        take(is_private), take(caller_number), take(caller_name), take(received);
        take(duration_ms), take(pages), take(size), take(media), take(created);
        statement.exchange(soci::into(deleted_at, deleted));
        take(sender), take(subject), take(origin);
        take(delivery), take(attempts), take(queued_at), take(next_attempt), take(last_reply);
        take(rfc_message_id), take(postponed);
        const auto take_link = [&](auto& value) { statement.exchange(soci::into(value, linked)); };
        take_link(link_folder), take_link(uidvalidity), take_link(uid), take_link(seen);
        take_link(flagged), take_link(unit_folder), take_link(gone), take_link(doubt);
    }

    Link link() const {
        return {link_folder, static_cast<std::uint32_t>(uidvalidity),
                static_cast<std::uint32_t>(uid)};
    }

    std::optional<Agreed> agreed() const {
        // (What a maildrop has settled says nothing of folders.)
        if (linked != soci::i_ok || (gone != 0 && uid == 0)) return std::nullopt;
        return Agreed{link(),      seen != 0, flagged != 0,
                      unit_folder, gone != 0, doubt_of_bits(doubt)};
    }

    Result<MessageRecord> record() const {
        const auto parsed_kind = parse_message_kind(kind);
        const auto parsed_state = parse_message_state(state);
        const auto parsed_delivery = parse_delivery_state(delivery);
        if (!parsed_kind || !parsed_state || !parsed_delivery)
            return unknown_word(id, kind + ", " + state + " or " + delivery);
        MessageRecord out;
        Message& m = out.message;
        m.id = id;
        m.mailbox = mailbox;
        m.kind = *parsed_kind;
        m.folder = folder;
        m.state = *parsed_state;
        m.urgent = urgent != 0;
        m.is_private = is_private != 0;
        m.caller_number = caller_number;
        m.caller_name = caller_name;
        m.received = received;
        m.duration_ms = duration_ms;
        m.pages = pages;
        m.size = size;
        m.media = media;
        m.created = created;
        m.sender = sender;
        m.subject = subject;
        m.origin = origin;
        if (deleted == soci::i_ok) m.deleted_at = deleted_at;
        out.delivery = {*parsed_delivery, attempts,       queued_at,     next_attempt,
                        last_reply,       rfc_message_id, postponed != 0};
        if (linked == soci::i_ok && gone == 0) out.link = link();
        return out;
    }
};

// Calls `take` with each row that `where` selects.
template <class Take>
Result<> read_rows(soci::session& sql, const char* where, const Parameters& parameters, Take take) {
    Row row;
    soci::statement statement(sql);
    row.bind(statement);
    for (const auto& [name, value] : parameters) statement.exchange(soci::use(value, name));
    statement.alloc();
    statement.prepare(std::string(kRecords) + where);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) VM_TRY(take(row));
    return {};
}

}  // namespace

Result<std::vector<MessageRecord>> read_records(soci::session& sql, const char* where,
                                                const Parameters& parameters) {
    std::vector<MessageRecord> out;
    VM_TRY(read_rows(sql, where, parameters, [&](const Row& row) -> Result<> {
        VM_ASSIGN(MessageRecord record, row.record());
        out.push_back(std::move(record));
        return {};
    }));
    return out;
}

Result<std::vector<SyncMessage>> read_agreed(soci::session& sql, const std::string& mailbox) {
    std::vector<SyncMessage> out;
    const Parameters all{{"mailbox", mailbox}, {"folder", ""}, {"deleted", "yes"}};
    VM_TRY(read_rows(sql, kWhereMailbox, all, [&](const Row& row) -> Result<> {
        VM_ASSIGN(MessageRecord record, row.record());
        out.push_back({std::move(record), row.agreed(), {}});
        return {};
    }));
    return out;
}

Result<MessageRecord> read_record(soci::session& sql, const std::string& id) {
    VM_ASSIGN(std::vector<MessageRecord> found, read_records(sql, kWhereId, {{"id", id}}));
    if (found.empty()) return no_message(id);
    return std::move(found.front());
}

Result<DeliveryRow> read_delivery(soci::session& sql, const std::string& id) {
    DeliveryRow out;
    Delivery& d = out.delivery;
    std::string state;
    long long queued = 0, next = 0;
    int postponed = 0, deleted = 0;
    sql << kDelivery, soci::into(out.mailbox), soci::into(state), soci::into(d.attempts),
        soci::into(queued), soci::into(next), soci::into(d.last_reply), soci::into(d.message_id),
        soci::into(postponed), soci::into(deleted), soci::use(id, "id");
    if (!sql.got_data()) return no_message(id);
    const auto parsed = parse_delivery_state(state);
    if (!parsed) return unknown_word(id, state);
    d.state = *parsed;
    d.queued_at = queued;
    d.next_attempt = next;
    d.postponed = postponed != 0;
    out.deleted = deleted != 0;
    return out;
}

void insert_message(soci::session& sql, const Message& m) {
    const std::string kind = to_string(m.kind), state = to_string(m.state);
    const int urgent = m.urgent, is_private = m.is_private;
    const long long received = m.received, duration = m.duration_ms, size = m.size;
    const long long created = m.created;
    sql << "INSERT INTO messages (id, mailbox, kind, folder, state, urgent, private, caller_number,"
           " caller_name, received, duration_ms, pages, size, media, created, sender,"
           " subject)"
           " VALUES (:id, :mailbox, :kind, :folder, :state, :urgent, :private, :number, :name,"
           " :received, :duration, :pages, :size, :media, :created, :sender, :subject)",
        soci::use(m.id, "id"), soci::use(m.mailbox, "mailbox"), soci::use(kind, "kind"),
        soci::use(m.folder, "folder"), soci::use(state, "state"), soci::use(urgent, "urgent"),
        soci::use(is_private, "private"), soci::use(m.caller_number, "number"),
        soci::use(m.caller_name, "name"), soci::use(received, "received"),
        soci::use(duration, "duration"), soci::use(m.pages, "pages"), soci::use(size, "size"),
        soci::use(m.media, "media"), soci::use(created, "created"), soci::use(m.sender, "sender"),
        soci::use(m.subject, "subject");
}

void insert_delivery(soci::session& sql, const Message& message, const Delivery& d) {
    const std::string state = to_string(d.state);
    const long long queued = d.queued_at, next = d.next_attempt;
    sql << "INSERT INTO deliveries (message_id, mailbox, state, attempts, queued_at, next_attempt,"
           " last_reply, rfc_message_id)"
           " VALUES (:id, :mailbox, :state, :attempts, :queued, :next, :reply, :rfc)",
        soci::use(message.id, "id"), soci::use(message.mailbox, "mailbox"),
        soci::use(state, "state"), soci::use(d.attempts, "attempts"), soci::use(queued, "queued"),
        soci::use(next, "next"), soci::use(d.last_reply, "reply"), soci::use(d.message_id, "rfc");
}

void update_delivery(soci::session& sql, const std::string& id, const Delivery& d) {
    const std::string state = to_string(d.state);
    const long long queued = d.queued_at, next = d.next_attempt;
    const int postponed = d.postponed;
    sql << "UPDATE deliveries SET state = :state, attempts = :attempts, queued_at = :queued,"
           " next_attempt = :next, last_reply = :reply, rfc_message_id = :rfc,"
           " postponed = :postponed"
           " WHERE message_id = :id",
        soci::use(state, "state"), soci::use(d.attempts, "attempts"), soci::use(queued, "queued"),
        soci::use(next, "next"), soci::use(d.last_reply, "reply"), soci::use(d.message_id, "rfc"),
        soci::use(postponed, "postponed"), soci::use(id, "id");
}

void insert_history(soci::session& sql, const std::string& id, TimeMs time, std::string_view what,
                    std::string_view from, std::string_view to, std::string_view reply) {
    const std::string what_text(what), old_value(from), new_value(to), words = sanitize_line(reply);
    const long long when = time;
    sql << "INSERT INTO history (message_id, step, time, what, old_value, new_value, reply)"
           " SELECT :id, COALESCE(MAX(step), 0) + 1, :time, :what, :old, :new, :reply"
           " FROM history WHERE message_id = :id",
        soci::use(id, "id"), soci::use(when, "time"), soci::use(what_text, "what"),
        soci::use(old_value, "old"), soci::use(new_value, "new"), soci::use(words, "reply");
}

}  // namespace vm::store
