// What is said in voice messages: the tries to have it written down, and what came of them.
#include "store/database.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sql_store.h"

namespace vm::store {

Result<Transcript> SqlStore::transcript(const std::string& id) {
    return read("read transcript", id, [&](soci::session& sql) -> Result<Transcript> {
        Transcript out;
        int settled = 0;
        sql << kTranscript, soci::into(out.tries), soci::into(settled), soci::into(out.text),
            soci::use(id, "id");
        out.settled = settled != 0;
        return out;
    });
}

Result<std::set<std::string>> SqlStore::transcribed(const std::string& mailbox) {
    return read("read transcripts of mailbox", mailbox,
                [&](soci::session& sql) -> Result<std::set<std::string>> {
                    std::set<std::string> out;
                    std::string id;
                    soci::statement statement = (sql.prepare << kTranscribed, soci::into(id),
                                                 soci::use(mailbox, "mailbox"));
                    statement.execute();
                    while (statement.fetch()) out.insert(id);
                    return out;
                });
}

Result<int> SqlStore::begin_transcript(const std::string& id) {
    return write({"transcript", "begin transcript", id}, [&](soci::session& sql) -> Result<int> {
        VM_TRY(read_delivery(sql, id));
        sql << "INSERT INTO transcripts (message_id, tries, settled, text) VALUES (:id, 1, 0, '')"
               " ON CONFLICT (message_id) DO UPDATE SET tries = tries + 1",
            soci::use(id, "id");
        int tries = 0, settled = 0;
        std::string text;
        sql << kTranscript, soci::into(tries), soci::into(settled), soci::into(text),
            soci::use(id, "id");
        return tries;
    });
}

Result<> SqlStore::cut_transcript_short(const std::string& id) {
    return write({"transcript", "end transcript", id}, [&](soci::session& sql) -> Result<> {
        sql << "UPDATE transcripts SET tries = tries - 1 WHERE message_id = :id AND tries > 0",
            soci::use(id, "id");
        return {};
    });
}

Result<> SqlStore::end_transcripts(const std::vector<TranscriptEnd>& ends) {
    const std::string object = ends.empty() ? "" : ends.front().id;
    return write({"transcripts", "write transcript", object}, [&](soci::session& sql) -> Result<> {
        for (const TranscriptEnd& end : ends) {
            auto delivery = read_delivery(sql, end.id);
            if (!delivery && delivery.error().kind == ErrorKind::kNoInput) continue;
            VM_TRY(delivery);
            sql << "INSERT INTO transcripts (message_id, tries, settled, text)"
                   " VALUES (:id, 0, 1, :text) ON CONFLICT (message_id)"
                   " DO UPDATE SET settled = 1, text = excluded.text",
                soci::use(end.id, "id"), soci::use(end.text, "text");
            insert_history(sql, end.id, clock_.now(), "transcript", "",
                           end.text.empty() ? "none" : "made", end.words);
        }
        return {};
    });
}

}  // namespace vm::store
