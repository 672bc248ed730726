#include "store/schema.h"

#include "base/files.h"
#include "base/text.h"
#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::store;

// A next version, as it may come one day.
void good_step(soci::session& sql) {
    sql << "ALTER TABLE messages ADD COLUMN colour TEXT";
    sql << "UPDATE messages SET colour = 'blue'";
}
void failing_step(soci::session& sql) {
    sql << "ALTER TABLE messages ADD COLUMN colour TEXT";
    sql << "UPDATE no_such_table SET colour = 'blue'";
}
void dying_step(soci::session& sql) {
    sql << "ALTER TABLE messages ADD COLUMN colour TEXT";
    ::kill(::getpid(), SIGKILL);
}
void dying_version_2(soci::session& sql) {
    migrations()[1](sql);
    ::kill(::getpid(), SIGKILL);
}

const int kLatest = static_cast<int>(migrations().size());

std::vector<Migration> with(Migration step) {
    std::vector<Migration> list = migrations();
    list.push_back(step);
    return list;
}

// Every object of the schema, in the words of its creation.
std::string schema_of(soci::session& sql) {
    std::string out, text;
    soci::statement statement = (sql.prepare << "SELECT sql FROM sqlite_master"
                                                " WHERE sql IS NOT NULL ORDER BY type, name",
                                 soci::into(text));
    statement.execute();
    while (statement.fetch()) out += text + ";\n";
    return out;
}

// The database that version 1 of the schema left, with one message in it.
void write_version_1(const Root& root) {
    const std::string script = good(read_file("tests/store/fixtures/version_1.sql"));
    const auto sql = good(open_database(root.paths));
    for (const std::string& statement : split(script, ';'))
        if (!trim(statement).empty()) *sql << statement;
}

constexpr const char* kFixtureId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

class SchemaTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SchemaTest);
    CPPUNIT_TEST(a_fresh_store_and_an_old_one_end_alike);
    CPPUNIT_TEST(an_old_store_keeps_its_messages);
    CPPUNIT_TEST(an_old_store_can_be_synchronised);
    CPPUNIT_TEST(a_failing_migration_leaves_the_old_version);
    CPPUNIT_TEST(a_process_killed_while_migrating_leaves_the_old_version);
    CPPUNIT_TEST(a_newer_store_is_refused);
    CPPUNIT_TEST(a_foreign_or_damaged_file_is_refused);
    CPPUNIT_TEST(a_missing_root_says_what_to_do);
    CPPUNIT_TEST(any_path_will_do);
    CPPUNIT_TEST(many_open_a_fresh_store_at_once);
    CPPUNIT_TEST(sessions_are_durable_and_wait);
    CPPUNIT_TEST_SUITE_END();

    void a_fresh_store_and_an_old_one_end_alike() {
        const Root fresh, old;
        fresh.open();
        write_version_1(old);
        old.open();
        CPPUNIT_ASSERT_EQUAL(schema_of(*good(open_database(fresh.paths))),
                             schema_of(*good(open_database(old.paths))));
    }

    void an_old_store_keeps_its_messages() {
        const Root root;
        write_version_1(root);
        {
            const auto sql = good(open_database(root.paths));
            good(migrate(*sql, with(good_step), "vm.db"));
            std::string colour;
            *sql << "SELECT colour FROM messages", soci::into(colour);
            CPPUNIT_ASSERT_EQUAL(std::string("blue"), colour);
            *sql << "ALTER TABLE messages DROP COLUMN colour";
            *sql << "UPDATE schema_version SET version = :latest", soci::use(kLatest);
        }
        const auto store = root.open();
        const MessageRecord record = good(store->get(kFixtureId));
        CPPUNIT_ASSERT_EQUAL(std::string("Zoë"), record.message.caller_name);
        CPPUNIT_ASSERT(record.delivery.state == DeliveryState::kDeferred);
        CPPUNIT_ASSERT(record.link.has_value());
        CPPUNIT_ASSERT_EQUAL(4294967295U, record.link->uidvalidity);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, good(store->history(kFixtureId)).size());
    }

    void an_old_store_can_be_synchronised() {
        const Root root;
        write_version_1(root);
        const auto store = root.open();
        const auto messages = good(store->sync_messages("101"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, messages.size());
        CPPUNIT_ASSERT(messages[0].copies.empty());
        const Agreed& agreed = messages[0].agreed.value();
        CPPUNIT_ASSERT_EQUAL(17U, agreed.link.uid);
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), agreed.unit_folder);
        CPPUNIT_ASSERT(!agreed.seen && !agreed.flagged && !agreed.gone);
        // Its messages are news, and what was known of its mailbox is kept.
        const auto changes = good(store->changes_since(0));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, changes.size());
        CPPUNIT_ASSERT_EQUAL(std::string("101"), changes[0].mailbox);
        const auto status = good(store->statuses()).at(0);
        CPPUNIT_ASSERT_EQUAL(std::string("error"), status.state);
        CPPUNIT_ASSERT(!status.idle && status.last_sync == 0);
        CPPUNIT_ASSERT(!good(store->waiting_told("101")));
        CPPUNIT_ASSERT(good(store->sync_state("101")).on);
    }

    void a_failing_migration_leaves_the_old_version() {
        const Root root;
        write_version_1(root);
        root.open();
        const auto sql = good(open_database(root.paths));
        const std::string before = schema_of(*sql);
        const auto failed = migrate(*sql, with(failing_step), "vm.db");
        CPPUNIT_ASSERT(kind_of(failed) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(
            std::string("bring the store up to date: vm.db: no such table: no_such_table"),
            failed.error().text());
        CPPUNIT_ASSERT_EQUAL(before, schema_of(*sql));
        CPPUNIT_ASSERT_EQUAL(kLatest, good(schema_version(*sql, "vm.db")));
    }

    void a_process_killed_while_migrating_leaves_the_old_version() {
        const Root root;
        write_version_1(root);
        const std::string before = schema_of(*good(open_database(root.paths)));
        die_while_migrating(root, {migrations()[0], dying_version_2});
        const auto sql = good(open_database(root.paths));
        CPPUNIT_ASSERT_EQUAL(1, good(schema_version(*sql, "vm.db")));
        CPPUNIT_ASSERT_EQUAL(before, schema_of(*sql));
        die_while_migrating(root, with(dying_step));
        CPPUNIT_ASSERT_EQUAL(kLatest, good(schema_version(*sql, "vm.db")));
        good(migrate(*sql, with(good_step), "vm.db"));
        CPPUNIT_ASSERT_EQUAL(kLatest + 1, good(schema_version(*sql, "vm.db")));
    }

    static void die_while_migrating(const Root& root, const std::vector<Migration>& list) {
        const pid_t child = ::fork();
        if (child == 0) {
            const auto sql = open_database(root.paths);
            if (sql) (void)migrate(**sql, list, "vm.db");
            ::_exit(0);
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }

    void a_newer_store_is_refused() {
        const Root root;
        root.open();
        *good(open_database(root.paths)) << "UPDATE schema_version SET version = 99";
        const auto refused = Store::open(root.paths);
        CPPUNIT_ASSERT(kind_of(refused) == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL("open the store: " + root.paths.database().string() +
                                 ": its schema is version 99, written by a newer program; this one "
                                 "knows versions up to " +
                                 std::to_string(migrations().size()) + "; use the newer program",
                             refused.error().text());
    }

    void a_foreign_or_damaged_file_is_refused() {
        const Root foreign, damaged;
        *good(open_database(foreign.paths)) << "CREATE TABLE songs (title TEXT)";
        CPPUNIT_ASSERT(kind_of(Store::open(foreign.paths)) == ErrorKind::kConfig);
        std::ofstream(damaged.paths.database()) << std::string(8192, '#');
        CPPUNIT_ASSERT(kind_of(Store::open(damaged.paths)) == ErrorKind::kUnavailable);
    }

    void a_missing_root_says_what_to_do() {
        const Root root;
        const auto refused = Store::open(Paths(root.paths.root / "nowhere"));
        CPPUNIT_ASSERT(kind_of(refused) == ErrorKind::kNoInput);
        CPPUNIT_ASSERT(refused.error().text().find("vmconfig init") != std::string::npos);
    }

    void any_path_will_do() {
        const Root root;
        for (const char* name : {"a b", "a  b ", "timeout=0", "ü'%s;", ":memory:", "a=b c"}) {
            const Paths paths(root.paths.root / name);
            std::filesystem::create_directories(paths.var());
            const auto store = Store::open(paths);
            CPPUNIT_ASSERT_MESSAGE(name, store.has_value());
            CPPUNIT_ASSERT_MESSAGE(name, std::filesystem::exists(paths.database()));
            CPPUNIT_ASSERT_MESSAGE(name, std::filesystem::file_size(paths.database()) > 0);
        }
        const Paths quoted(root.paths.root / "a\"b");
        std::filesystem::create_directories(quoted.var());
        CPPUNIT_ASSERT(kind_of(Store::open(quoted)) == ErrorKind::kConfig);
    }

    void many_open_a_fresh_store_at_once() {
        for (int round = 0; round < 10; ++round) {
            const Root root;
            std::vector<pid_t> children;
            for (int i = 0; i < 8; ++i) {
                const pid_t child = ::fork();
                if (child == 0) {
                    const auto store = Store::open(root.paths);
                    if (!store) ::dprintf(2, "%s\n", store.error().text().c_str());
                    ::_exit(store && (*store)->add(root.message()) ? 0 : 1);
                }
                children.push_back(child);
            }
            for (const pid_t child : children) {
                int status = -1;
                ::waitpid(child, &status, 0);
                CPPUNIT_ASSERT_EQUAL(0, status);
            }
            CPPUNIT_ASSERT_EQUAL(std::size_t{8}, good(root.open()->queue()).size());
        }
    }

    void sessions_are_durable_and_wait() {
        const Root root;
        const auto sql = good(open_database(root.paths));
        std::string mode;
        int synchronous = 0, foreign_keys = 0;
        *sql << "PRAGMA journal_mode", soci::into(mode);
        *sql << "PRAGMA synchronous", soci::into(synchronous);
        *sql << "PRAGMA foreign_keys", soci::into(foreign_keys);
        CPPUNIT_ASSERT_EQUAL(std::string("wal"), mode);
        CPPUNIT_ASSERT_EQUAL(2, synchronous);  // FULL
        CPPUNIT_ASSERT_EQUAL(1, foreign_keys);

        // For a lock that another has.
        auto held = std::make_unique<Transaction>(*sql, "held");
        std::promise<void> tries;
        std::atomic<bool> got{false};
        std::thread waits([&] {
            const auto other = good(open_database(root.paths));
            tries.set_value();
            const Transaction transaction(*other, "waits");
            got = true;
        });
        tries.get_future().wait();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        CPPUNIT_ASSERT(!got);
        held.reset();
        waits.join();
        CPPUNIT_ASSERT(got);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SchemaTest);

}  // namespace
