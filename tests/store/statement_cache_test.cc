#include "store/statement_cache.h"

#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include <vector>

namespace {

using namespace vm;
using namespace vm::store;

// The connections of this process that were opened while this object lives.
class Connections {
  public:
    Connections() {
        g_opened.clear();
        ::sqlite3_auto_extension(reinterpret_cast<void (*)()>(&opened));
    }
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;
    ~Connections() { ::sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&opened)); }

    // How many statements the last one holds, prepared.
    static int statements() {
        int count = 0;
        for (sqlite3_stmt* at = nullptr;
             (at = ::sqlite3_next_stmt(g_opened.back(), at)) != nullptr;)
            ++count;
        return count;
    }

  private:
    static int opened(sqlite3* database, char** /* error */,
                      const sqlite3_api_routines* /* api */) {
        g_opened.push_back(database);
        return SQLITE_OK;
    }
    static inline std::vector<sqlite3*> g_opened;
};

class StatementCacheTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StatementCacheTest);
    CPPUNIT_TEST(a_text_is_prepared_once);
    CPPUNIT_TEST(a_text_runs_within_itself);
    CPPUNIT_TEST(nothing_is_left_of_the_values_before);
    CPPUNIT_TEST(a_statement_that_failed_is_as_good_as_before);
    CPPUNIT_TEST(what_is_kept_holds_no_lock);
    CPPUNIT_TEST(the_schema_may_change);
    CPPUNIT_TEST_SUITE_END();

    static std::unique_ptr<soci::session> session(const Root& root) {
        auto sql = good(open_database(root.paths));
        *sql << "CREATE TABLE IF NOT EXISTS songs (title TEXT PRIMARY KEY, seconds INTEGER)";
        return sql;
    }
    static void insert(soci::session& sql, const std::string& title, int seconds) {
        sql << "INSERT INTO songs (title, seconds) VALUES (:title, :seconds)", soci::use(title),
            soci::use(seconds);
    }
    static int seconds_of(soci::session& sql, const std::string& title) {
        int seconds = -1;
        sql << "SELECT seconds FROM songs WHERE title = :title", soci::into(seconds),
            soci::use(title);
        return seconds;
    }

    void a_text_is_prepared_once() {
        const Root root;
        const Connections connections;
        const auto sql = session(root);
        insert(*sql, "Lucia", 100);
        CPPUNIT_ASSERT_EQUAL(100, seconds_of(*sql, "Lucia"));
        const int before = Connections::statements();
        for (int i = 0; i < 10; ++i) {
            insert(*sql, std::to_string(i), i);
            CPPUNIT_ASSERT_EQUAL(i, seconds_of(*sql, std::to_string(i)));
        }
        CPPUNIT_ASSERT_EQUAL(before, Connections::statements());
        CPPUNIT_ASSERT_EQUAL(7, seconds_of(*sql, "7"));
    }

    void a_text_runs_within_itself() {
        const Root root;
        const Connections connections;
        const auto sql = session(root);
        for (const char* title : {"a", "b", "c"}) insert(*sql, title, 1);
        const std::string all = "SELECT title FROM songs ORDER BY title";
        std::string outer, inner, seen;
        soci::statement outside = (sql->prepare << all, soci::into(outer));
        outside.execute();
        const int one = Connections::statements();
        while (outside.fetch()) {
            seen += outer;
            soci::statement inside = (sql->prepare << all, soci::into(inner));
            inside.execute();
            while (inside.fetch()) seen += inner;
        }
        CPPUNIT_ASSERT_EQUAL(std::string("aabcbabccabc"), seen);
        outside.clean_up();
        CPPUNIT_ASSERT_EQUAL(one, Connections::statements());
    }

    void nothing_is_left_of_the_values_before() {
        const Root root;
        const auto sql = session(root);
        insert(*sql, "Lucia", 100);
        CPPUNIT_ASSERT_EQUAL(-1, seconds_of(*sql, "nobody's"));
        const std::string text = "SELECT COUNT(*) FROM songs WHERE title = :a OR title = :b";
        int count = 0;
        const std::string title = "Lucia", other = "none";
        *sql << text, soci::into(count), soci::use(title, "a"), soci::use(other, "b");
        CPPUNIT_ASSERT_EQUAL(1, count);
        // The same text, its values by their places this time.
        *sql << text, soci::into(count), soci::use(other), soci::use(other);
        CPPUNIT_ASSERT_EQUAL(0, count);
    }

    void a_statement_that_failed_is_as_good_as_before() {
        const Root root;
        const auto sql = session(root);
        insert(*sql, "Lucia", 100);
        for (int i = 0; i < 3; ++i)
            CPPUNIT_ASSERT_THROW(insert(*sql, "Lucia", 200), soci::soci_error);
        insert(*sql, "Nobody", 300);
        CPPUNIT_ASSERT_EQUAL(100, seconds_of(*sql, "Lucia"));
        CPPUNIT_ASSERT_EQUAL(300, seconds_of(*sql, "Nobody"));
    }

    void what_is_kept_holds_no_lock() {
        const Root root;
        const auto sql = session(root);
        insert(*sql, "a", 1);
        insert(*sql, "b", 2);
        {
            // Left in the middle of its rows.
            std::string title;
            soci::statement statement =
                (sql->prepare << "SELECT title FROM songs", soci::into(title));
            statement.execute();
            CPPUNIT_ASSERT(statement.fetch());
        }
        // A reader that had not ended would keep the log from being emptied.
        int busy = -1, pages = 0, moved = 0;
        *good(open_database(root.paths)) << "PRAGMA wal_checkpoint(TRUNCATE)", soci::into(busy),
            soci::into(pages), soci::into(moved);
        CPPUNIT_ASSERT_EQUAL(0, busy);
    }

    void the_schema_may_change() {
        const Root root;
        const auto sql = session(root);
        insert(*sql, "Lucia", 100);
        CPPUNIT_ASSERT_EQUAL(100, seconds_of(*sql, "Lucia"));
        const auto other = session(root);
        *other << "DROP TABLE songs";
        CPPUNIT_ASSERT_THROW(seconds_of(*sql, "Lucia"), soci::soci_error);
        *other << "CREATE TABLE songs (seconds INTEGER, title TEXT PRIMARY KEY, colour TEXT)";
        insert(*sql, "Lucia", 200);
        CPPUNIT_ASSERT_EQUAL(200, seconds_of(*sql, "Lucia"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(StatementCacheTest);

}  // namespace
