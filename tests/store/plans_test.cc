// Every statement goes by an index, so that what concerns one message or one mailbox costs the same
// however many others there are.
#include "executed.h"
#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

namespace {

using namespace vm;
using namespace vm::store;
using K = SyncActionKind;

constexpr TimeMs kStart = 1'000'000;
constexpr TimeMs kLater = 9'000'000;

// What may be read or sorted whole: a step, of the statement that has this part; and why.
struct Exception {
    std::string step, part, reason;
};
const std::vector<Exception> kExceptions{
    {"SCAN m", "WHERE (:folder = '' OR m.folder = :folder)",
     "`vmctl message list` of all mailboxes: all is shown, by its time"},
    {"SCAN m", "SELECT m.mailbox || '', m.state",
     "`vmctl status`: every message of the unit is counted, for a line a mailbox"},
    {"USE TEMP B-TREE FOR ORDER BY", "'uncertain') AND m.state <> 'deleted' ORDER BY d.queued_at",
     "`vmctl queue list`: what waits anywhere is shown, by its time"},
    {"USE TEMP B-TREE FOR GROUP BY", "SELECT d.state, d.mailbox, COUNT(*), MIN(d.queued_at)",
     "the agent's metrics: what waits anywhere is counted, at most each ten seconds"},
    {"SCAN messages USING INDEX messages_deleted", "SELECT DISTINCT mailbox",
     "the index has those that are deleted alone; once an hour"},
    {"SCAN sync_states USING INDEX sync_states_held", "WHERE hold <> ''",
     "the index has those on hold alone"},
    {"SCAN mailbox_status USING INDEX sqlite_autoindex_mailbox_status_1", " FROM mailbox_status ",
     "`vmctl status`: a row is a line of it"},
    {"SCAN schema_version", "SELECT version FROM schema_version", "there is one row"},
    {"SCAN sqlite_master", "from sqlite_master where type = 'table'", "SOCI's: a row a table"},
};

// Uses all of the interface, so that each of the store's statements is run at least once.
class Everything {
  public:
    explicit Everything(const Root& root) : root_(root), store_(root.open(clock_)) {
        phone();
        queue();
        synchronisation();
        maildrop();
        status();
    }

  private:
    std::string add(DeliveryState delivery = DeliveryState::kQueued) const {
        NewMessage message = root_.message();
        message.delivery = delivery;
        return good(store_->add(message));
    }
    std::string sent() const {
        const std::string id = add();
        good(store_->record_intent(id, id + "@x"));
        good(store_->record_outcome({id, DeliveryEvent::kAccepted, "250", 0}));
        return id;
    }

    void phone() const {
        const std::string id = add();
        good(store_->get(id));
        good(store_->history(id));
        for (const char* mailbox : {"", "101"}) good(store_->list({mailbox, std::nullopt, false}));
        good(store_->mark(id, MessageState::kRead));
        good(store_->set_urgent(id, true));
        good(store_->move(id, "Saved"));
        good(store_->remove(id));
        good(store_->restore(id));
        origins();
    }
    void origins() const {
        NewMessage message = root_.message();
        message.message.origin = "pbx/1";
        message.agreed = "INBOX";
        good(store_->add(message));
        const Placement seen{MessageState::kNew, kInboxFolder, false};
        for (const Origin& origin : good(store_->origins("101")))
            CPPUNIT_ASSERT(good(store_->agree(
                {origin.origin, kGone, seen, Placement{MessageState::kDeleted, "", false}, ""})));
    }

    void queue() const {
        const std::string id = add(), other = add();
        good(store_->queue());
        good(store_->queue_depths());
        good(store_->pending("101"));
        good(store_->due());
        good(store_->due("101"));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->begin_transcript(id)));
        good(store_->cut_transcript_short(id));
        good(store_->end_transcripts({{id, "Call me.", "in 1 s"}}));
        good(store_->transcript(id));
        good(store_->transcribed("101"));
        good(store_->retry(id));
        good(store_->postpone(id, kLater));
        good(store_->give_up(id, "nobody wants it"));
        good(store_->retry(id));
        good(store_->record_intent(id, "m@x"));
        good(store_->record_outcome({id, DeliveryEvent::kDeferral, "451", 0}, {other, "n@x"}));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->recover([](const auto&) { return true; }, 0)));
    }

    void synchronisation() const {
        const std::string id = sent(), back = sent();
        SyncCommit commit;
        commit.copies = {{id, {{{"INBOX", 5, 7}, {}}}}};
        commit.new_mails = {{{"INBOX", 5, 8}, "x@elsewhere", 0}};
        commit.state = good(store_->sync_state("101"));
        commit.state->folders = {{"INBOX", 5, 9, 1}, {"Old", 5, 9, 1}};
        for (const K kind :
             {K::kLink, K::kReport, K::kSetState, K::kSetUrgent, K::kSetFolder, K::kRemoveMail,
              K::kHold, K::kDeleteLocal, K::kAgreeGone, K::kRestoreLocal, K::kUnlink}) {
            SyncChange change;
            change.kind = kind;
            change.id = id;
            change.copy.place = {"INBOX", 5, 7};
            change.seen_folder = kInboxFolder;
            change.folder = "Saved";
            change.state = MessageState::kRead;
            change.urgent = true;
            change.reason = "so it is";
            commit.changes.push_back(change);
        }
        commit.found = {add()};
        commit.push_again = {back};
        good(store_->commit_sync("101", commit));
        good(store_->sync_messages("101"));
        good(store_->new_mails("101"));
        commit = {};
        commit.new_mails_gone = {{"INBOX", 5, 8}};
        commit.state = good(store_->sync_state("101"));
        commit.state->folders.pop_back();
        good(store_->commit_sync("101", commit));
        good(store_->release("101", false));
    }

    void maildrop() {
        const std::string id = sent();
        good(store_->remove(id));
        good(store_->drop_state("101", "ann"));
        good(store_->commit_drop("101", {"ann", true, {{"u1", id, ""}}, {"u0"}, {{id, "gone"}}}));
        clock_.advance(kLater - kStart);
        CPPUNIT_ASSERT(good(store_->with_deleted()) == std::set<std::string>{"101"});
        CPPUNIT_ASSERT(good(store_->purge("101", kLater, true)) > 0);
    }

    void status() const {
        good(store_->set_statuses({{.mailbox = "101", .reason = ""}}, {{"101", 1, "INBOX"}}));
        good(store_->holds());
        good(store_->statuses());
        good(store_->status("101"));
        good(store_->unfinished());
        good(store_->counts("101"));
        good(store_->all_counts());
        good(store_->changes_since(0));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(store_->changes_since(0, "101")).size());
        good(store_->change_mark());
        good(store_->set_waiting_told("101", {}));
        good(store_->waiting_told("101"));
    }

    const Root& root_;
    ManualClock clock_{kStart};
    const std::unique_ptr<Store> store_;
};

class PlansTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PlansTest);
    CPPUNIT_TEST(every_statement_goes_by_an_index);
    CPPUNIT_TEST(no_index_can_be_missing);
    CPPUNIT_TEST(what_goes_with_a_message_is_found_by_index);
    CPPUNIT_TEST(the_plans_want_no_statistics);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        root_.open();  // makes the schema, which is done once
        const Executed executed;
        const Everything everything(root_);
        texts_ = Executed::texts();
        sql_ = good(open_database(root_.paths));
    }

  private:
    static std::vector<std::string> rows(soci::session& sql, const std::string& query) {
        std::string text;
        std::vector<std::string> out;
        soci::statement statement = (sql.prepare << query, soci::into(text));
        statement.execute();
        while (statement.fetch()) out.push_back(text);
        return out;
    }

    // In the order of the loops.
    static std::vector<std::string> plan_of(soci::session& sql, const std::string& query) {
        int id = 0, parent = 0, unused = 0;
        std::string detail;
        std::vector<std::string> out;
        soci::statement statement = (sql.prepare << "EXPLAIN QUERY PLAN " + query, soci::into(id),
                                     soci::into(parent), soci::into(unused), soci::into(detail));
        statement.execute();
        while (statement.fetch()) out.push_back(detail);
        return out;
    }

    static bool contains(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    // The step of a statement's plan that grows with the store, or needlessly with the mailbox; ""
    // when none does.
    static std::string growing(soci::session& sql, const std::string& text) {
        const std::vector<std::string> plan = plan_of(sql, text);
        const auto one = [](const std::string& step) {
            return contains(step, "mailbox=?") || contains(step, "id=?");
        };
        bool narrow = false;  // the outermost loop is over one mailbox, or one message
        for (const std::string& step : plan) {
            if (&step == &plan.front()) narrow = one(step);
            // (An index of what waits is as long as the queue.)
            if (step.rfind("SCAN ", 0) == 0 && step != "SCAN CONSTANT ROW" &&
                !contains(step, " INDEX deliveries_open"))
                return step;
            if (contains(step, "USE TEMP B-TREE") && !narrow) return step;
            // What was deleted is a small part of its mailbox.
            if (contains(step, " INDEX messages_by_mailbox") &&
                contains(text, "m.state = 'deleted'"))
                return step;
        }
        return {};
    }

    // A line for each statement whose plan is not as it should be.
    std::string problems() const {
        std::string out;
        std::set<std::string> needed;
        for (const std::string& text : texts_) {
            if (text.rfind("PRAGMA ", 0) == 0) continue;  // has no plan
            const std::string step = growing(*sql_, text);
            if (step.empty()) continue;
            const auto exception =
                std::find_if(kExceptions.begin(), kExceptions.end(), [&](const Exception& known) {
                    return step == known.step && contains(text, known.part);
                });
            if (exception == kExceptions.end())
                out += step + ": " + text + "\n";
            else
                needed.insert(exception->part);
        }
        for (const Exception& known : kExceptions)
            if (!needed.contains(known.part)) out += "no exception: " + known.part + "\n";
        return out;
    }

    void every_statement_goes_by_an_index() {
        CPPUNIT_ASSERT_EQUAL(std::string(), problems());
        const std::vector<std::string> written = sql_in_sources("src/store", "schema.cc");
        CPPUNIT_ASSERT(written.size() > 40);
        std::string unused;
        for (const std::string& part : written)
            if (std::none_of(texts_.begin(), texts_.end(),
                             [&](const auto& text) { return contains(text, part); }))
                unused += part + "\n";
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not run here", std::string(), unused);
    }

    void no_index_can_be_missing() {
        const auto indexes =
            rows(*sql_, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL");
        CPPUNIT_ASSERT(indexes.size() >= 3);
        for (const std::string& index : indexes) {
            Transaction transaction(*sql_, "without an index");
            *sql_ << "DROP INDEX " + index;
            CPPUNIT_ASSERT_MESSAGE(index, !problems().empty());
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), problems());
    }

    // (The plan of a DELETE does not tell of what the schema deletes with it.)
    void what_goes_with_a_message_is_found_by_index() {
        const auto tables = rows(*sql_,
                                 "SELECT name FROM sqlite_master WHERE type = 'table'"
                                 " AND sql LIKE '%REFERENCES messages (id)%'");
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, tables.size());
        for (const std::string& table : tables)
            CPPUNIT_ASSERT_EQUAL(std::string(), growing(*sql_, "SELECT 1 FROM " + table +
                                                                   " WHERE message_id = 'x'"));
    }

    void the_plans_want_no_statistics() {
        CPPUNIT_ASSERT(
            rows(*sql_, "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").empty());
    }

    Root root_;
    std::set<std::string> texts_;
    std::unique_ptr<soci::session> sql_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(PlansTest);

}  // namespace
