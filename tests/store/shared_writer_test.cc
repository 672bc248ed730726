#include "store/shared_writer.h"

#include "executed.h"
#include "root.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <new>
#include <thread>
#include <vector>

namespace {

using namespace vm;
using namespace vm::store;

// While it lives, connections that are opened tell of their commits: how many there were, and
// `at_commit` is called at each; false has it fail. One at a time.
class Commits {
  public:
    explicit Commits(std::function<bool()> at_commit = [] { return true; }) {
        g_count = 0;
        g_at_commit = std::move(at_commit);
        ::sqlite3_auto_extension(reinterpret_cast<void (*)()>(&opened));
    }
    Commits(const Commits&) = delete;
    Commits& operator=(const Commits&) = delete;
    ~Commits() { ::sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&opened)); }

    // Since it was asked last.
    static int count() { return g_count.exchange(0); }

  private:
    static int opened(sqlite3* database, char** /* error */,
                      const sqlite3_api_routines* /* api */) {
        ::sqlite3_commit_hook(database, committed, nullptr);
        return SQLITE_OK;
    }
    static int committed(void* /* context */) {
        ++g_count;
        return g_at_commit() ? 0 : 1;
    }
    static inline std::atomic<int> g_count{0};
    static inline std::function<bool()> g_at_commit;
};

class SharedWriterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SharedWriterTest);
    CPPUNIT_TEST(what_many_threads_were_told_done_is_there);
    CPPUNIT_TEST(those_who_wait_are_committed_together);
    CPPUNIT_TEST(those_who_come_during_a_commit_are_the_next);
    CPPUNIT_TEST(alone_it_is_a_transaction_and_no_more);
    CPPUNIT_TEST(a_write_that_fails_harms_no_other);
    CPPUNIT_TEST(a_write_that_fails_alone_leaves_nothing);
    CPPUNIT_TEST(an_exception_is_thrown_to_all);
    CPPUNIT_TEST(a_commit_that_fails_is_told_to_all);
    CPPUNIT_TEST(what_was_refused_in_a_transaction_that_fails_has_failed);
    CPPUNIT_TEST(a_full_disk_is_told_to_all);
    CPPUNIT_TEST(a_message_that_is_not_committed_leaves_no_file);
    CPPUNIT_TEST(a_lock_of_another_is_waited_for_together);
    CPPUNIT_TEST(it_is_durable_when_one_of_them_is_to_be);
    CPPUNIT_TEST(a_long_transaction_takes_in_no_more);
    CPPUNIT_TEST(beside_it_others_write_by_themselves);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        root_ = std::make_unique<Root>();
        commits_ = std::make_unique<Commits>([this] { return at_commit_(); });
        writer_ = std::make_shared<SharedWriter>(root_->paths);
        store_ = root_->open(system_clock(), writer_);
        write("CREATE TABLE songs (title TEXT PRIMARY KEY)");
        Commits::count();
    }
    void tearDown() override {
        store_.reset();
        writer_.reset();
        commits_.reset();
        root_.reset();
    }

  private:
    using Body = Writer::Body;

    Result<> write(const Body& body, Durable durable = Durable::kAtCommit) {
        return writer_->write({"song", "write", "a song", durable}, body);
    }
    void write(const std::string& statement) {
        good(write([&](soci::session& sql) {
            sql << statement;
            return true;
        }));
    }
    static Body inserts(const std::string& title, bool stays = true) {
        return [title, stays](soci::session& sql) {
            sql << "INSERT INTO songs (title) VALUES (:title)", soci::use(title);
            return stays;
        };
    }
    // The songs that another connection finds.
    std::string songs() const {
        const auto sql = good(open_database(root_->paths));
        std::string title, out;
        soci::statement all =
            (sql->prepare << "SELECT title FROM songs ORDER BY title", soci::into(title));
        all.execute();
        while (all.fetch()) out += title + " ";
        return out;
    }
    void wait_for(std::size_t waiting) const {
        while (writer_->waiting() != waiting)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    struct Song {
        Body body;
        Durable durable = Durable::kAtCommit;
    };
    // Writes the first in a thread of its own, and the others in theirs, who wait for it by then in
    // this order. Returns what they were told.
    std::vector<Result<>> together(std::vector<Song> songs) {
        std::vector<Result<>> told(songs.size());
        std::vector<std::thread> threads;
        std::atomic<bool> runs{false};
        const Body first = [&, body = songs[0].body](soci::session& sql) {
            runs = true;
            wait_for(songs.size() - 1);
            return body(sql);
        };
        threads.emplace_back([&] { told[0] = write(first, songs[0].durable); });
        while (!runs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        for (std::size_t i = 1; i < songs.size(); ++i) {
            threads.emplace_back([&, i] { told[i] = write(songs[i].body, songs[i].durable); });
            if (i + 1 < songs.size()) wait_for(i);  // with the last, the first goes on
        }
        for (std::thread& thread : threads) thread.join();
        return told;
    }

    void what_many_threads_were_told_done_is_there() {
        constexpr int kThreads = 8, kMessages = 10;
        std::vector<std::vector<std::string>> ids(kThreads);
        std::vector<std::thread> threads;
        std::atomic<int> failed{0};
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([&, i] {
                const auto store = root_->open(system_clock(), writer_);
                for (int n = 0; n < kMessages; ++n) {
                    const auto id = store->add(root_->message(std::to_string(100 + i)));
                    // What was committed is seen at once, and what follows rests on it.
                    if (!id || !store->get(*id) || !store->record_intent(*id, *id + "@x") ||
                        store->get(*id)->delivery.state != DeliveryState::kSending ||
                        !store->record_outcome({*id, DeliveryEvent::kAccepted, "250 done", 0}))
                        ++failed;
                    else
                        ids[static_cast<std::size_t>(i)].push_back(*id);
                }
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, failed.load());
        CPPUNIT_ASSERT(Commits::count() <= kThreads * kMessages * 3);
        const auto store = root_->open();
        for (const auto& of_a_thread : ids) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{kMessages}, of_a_thread.size());
            for (const std::string& id : of_a_thread) {
                CPPUNIT_ASSERT(good(store->get(id)).delivery.state == DeliveryState::kSent);
                CPPUNIT_ASSERT_EQUAL(std::size_t{4}, good(store->history(id)).size());
            }
        }
    }

    void those_who_wait_are_committed_together() {
        std::vector<Song> all;
        for (char title = 'a'; title <= 'p'; ++title)
            all.push_back({inserts(std::string(1, title))});
        for (const Result<>& told : together(all)) good(told);
        CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string("a b c d e f g h i j k l m n o p "), songs());
    }

    void those_who_come_during_a_commit_are_the_next() {
        std::vector<std::thread> others;
        at_commit_ = [&] {
            if (!others.empty()) return true;
            for (char title = 'b'; title <= 'i'; ++title)
                others.emplace_back([this, title] { good(write(inserts(std::string(1, title)))); });
            wait_for(8);
            return true;
        };
        good(write(inserts("a")));
        for (std::thread& other : others) other.join();
        CPPUNIT_ASSERT_EQUAL(2, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string("a b c d e f g h i "), songs());
    }

    void alone_it_is_a_transaction_and_no_more() {
        const Executed executed;
        SharedWriter writer(root_->paths);
        good(writer.open());
        for (int i = 0; i < 5; ++i) {
            good(writer.write({"song", "write", "a song"}, inserts(std::to_string(i))));
            CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        }
        CPPUNIT_ASSERT(executed.texts().contains("BEGIN IMMEDIATE"));
        CPPUNIT_ASSERT(!executed.texts().contains("SAVEPOINT member"));
    }

    void a_write_that_fails_harms_no_other() {
        const auto told = together({{inserts("a")},
                                    {inserts("a")},  // there is one
                                    {inserts("b")},
                                    {inserts("c", false)},  // thinks better of it
                                    {inserts("c")}});
        good(told[0]);
        CPPUNIT_ASSERT_EQUAL(std::string("write: a song: UNIQUE constraint failed: songs.title"),
                             told[1].error().text());
        for (const int i : {2, 3, 4}) good(told[static_cast<std::size_t>(i)]);
        CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string("a b c "), songs());
    }

    void a_write_that_fails_alone_leaves_nothing() {
        good(write(inserts("a")));
        CPPUNIT_ASSERT(!write([](soci::session& sql) {
            inserts("b")(sql);
            return inserts("a")(sql);
        }));
        good(write(inserts("c", false)));
        CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string("a "), songs());
        // Neither does the first of several.
        const auto told = together({{inserts("a")}, {inserts("b")}});
        CPPUNIT_ASSERT(!told[0]);
        good(told[1]);
        CPPUNIT_ASSERT_EQUAL(std::string("a b "), songs());
    }

    // A library's process must not end of it.
    void an_exception_is_thrown_to_all() {
        const auto used_up = [](soci::session& sql) -> bool {
            inserts("c")(sql);
            throw std::bad_alloc();
        };
        CPPUNIT_ASSERT_THROW(write(used_up), std::bad_alloc);
        bool thrown = false;
        std::thread other;
        const auto first = [&](soci::session& sql) {
            other = std::thread([&] {
                try {
                    (void)write(used_up);
                } catch (const std::bad_alloc&) {
                    thrown = true;
                }
            });
            wait_for(1);
            return inserts("a")(sql);
        };
        CPPUNIT_ASSERT_THROW(write(first), std::bad_alloc);
        other.join();
        CPPUNIT_ASSERT(thrown);
        CPPUNIT_ASSERT_EQUAL(std::string(), songs());
        good(write(inserts("b")));
        CPPUNIT_ASSERT_EQUAL(std::string("b "), songs());
    }

    void a_commit_that_fails_is_told_to_all() {
        at_commit_ = [] { return false; };
        for (const Result<>& told : together({{inserts("a")}, {inserts("b")}, {inserts("c")}}))
            CPPUNIT_ASSERT(kind_of(told) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string(), songs());
        at_commit_ = [] { return true; };
        good(write(inserts("d")));
        CPPUNIT_ASSERT_EQUAL(std::string("d "), songs());
    }

    void what_was_refused_in_a_transaction_that_fails_has_failed() {
        const std::string id = good(store_->add(root_->message()));
        const auto second = root_->open(system_clock(), writer_);
        // The first has the intent, and the second is told so, which is true for nobody.
        Result<Delivery> first_told = fail(ErrorKind::kUsage, "", "", ""), second_told = first_told;
        at_commit_ = [] { return false; };
        std::thread others[2];
        good(write([&](soci::session&) {
            others[0] = std::thread([&] { first_told = store_->record_intent(id, "x"); });
            wait_for(1);
            others[1] = std::thread([&] { second_told = second->record_intent(id, "x"); });
            wait_for(2);
            return false;
        }));
        for (std::thread& other : others) other.join();
        CPPUNIT_ASSERT(kind_of(first_told) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(kind_of(second_told) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(good(root_->open()->get(id)).delivery.state == DeliveryState::kQueued);
        at_commit_ = [] { return true; };
        good(second->record_intent(id, "x"));
        CPPUNIT_ASSERT(kind_of(store_->record_intent(id, "x")) == ErrorKind::kMessage);
    }

    void a_full_disk_is_told_to_all() {
        const Body fills = [](soci::session& sql) {
            sql << "PRAGMA max_page_count = 1";  // no more than there are
            const std::string much(100'000, 'x');
            return inserts(much)(sql);
        };
        for (const Result<>& told : together({{inserts("a")}, {inserts("b")}, {fills}})) {
            CPPUNIT_ASSERT(kind_of(told) == ErrorKind::kUnavailable);
            CPPUNIT_ASSERT_EQUAL(std::string("the disk is full"), told.error().reason);
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), songs());
        write("PRAGMA max_page_count = 1000000");
        good(write(inserts("a")));
        CPPUNIT_ASSERT_EQUAL(std::string("a "), songs());
    }

    void a_message_that_is_not_committed_leaves_no_file() {
        at_commit_ = [] { return false; };
        CPPUNIT_ASSERT(kind_of(store_->add(root_->message())) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(0, root_->media_files());
        at_commit_ = [] { return true; };
        const std::string id = good(store_->add(root_->message()));
        CPPUNIT_ASSERT_EQUAL(1, root_->media_files());
        // And one that is not deleted for good keeps its own.
        good(store_->remove(id));
        at_commit_ = [] { return false; };
        CPPUNIT_ASSERT(!store_->purge("101", 1LL << 50));
        CPPUNIT_ASSERT_EQUAL(1, root_->media_files());
        at_commit_ = [] { return true; };
        CPPUNIT_ASSERT_EQUAL(1, good(store_->purge("101", 1LL << 50)));
        CPPUNIT_ASSERT_EQUAL(0, root_->media_files());
    }

    void a_lock_of_another_is_waited_for_together() {
        const auto sql = good(open_database(root_->paths));
        auto held = std::make_unique<Transaction>(*sql, "held");
        const auto began = std::chrono::steady_clock::now();
        std::vector<Result<>> told(4);
        std::vector<std::thread> threads;
        for (Result<>& result : told) threads.emplace_back([&] { result = write(inserts("a")); });
        for (std::thread& thread : threads) thread.join();
        const auto lasted = std::chrono::steady_clock::now() - began;
        for (const Result<>& result : told)
            CPPUNIT_ASSERT(kind_of(result) == ErrorKind::kUnavailable);
        // 10 s the first; those who came when it waited already, together once more.
        CPPUNIT_ASSERT(lasted >= std::chrono::seconds(10));
        CPPUNIT_ASSERT(lasted < std::chrono::seconds(29));
        held.reset();
        good(write(inserts("a")));
    }

    // How durable a transaction is that is asked within.
    static Body asks(int& synchronous) {
        return [&](soci::session& sql) {
            sql << "PRAGMA synchronous", soci::into(synchronous);
            return inserts("song " + std::to_string(g_number++))(sql);
        };
    }

    void it_is_durable_when_one_of_them_is_to_be() {
        constexpr int kNormal = 1, kFull = 2;
        int first = 0, second = 0, third = 0;
        good(write(asks(first), Durable::kSoon));
        CPPUNIT_ASSERT_EQUAL(kNormal, first);
        good(write(asks(first)));
        CPPUNIT_ASSERT_EQUAL(kFull, first);
        CPPUNIT_ASSERT_EQUAL(2, Commits::count());
        together({{asks(first)}, {asks(second), Durable::kSoon}});
        CPPUNIT_ASSERT_EQUAL(kFull, second);
        CPPUNIT_ASSERT_EQUAL(1, Commits::count());
        // One that has begun otherwise is not joined.
        together({{asks(first), Durable::kSoon}, {asks(second), Durable::kSoon}, {asks(third)}});
        CPPUNIT_ASSERT_EQUAL(kNormal, first);
        CPPUNIT_ASSERT_EQUAL(kNormal, second);
        CPPUNIT_ASSERT_EQUAL(kFull, third);
        CPPUNIT_ASSERT_EQUAL(2, Commits::count());
    }

    void a_long_transaction_takes_in_no_more() {
        const Body sleeps = [](soci::session& sql) {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            return inserts("a")(sql);
        };
        for (const Result<>& told : together({{sleeps}, {inserts("b")}, {inserts("c")}}))
            good(told);
        CPPUNIT_ASSERT_EQUAL(2, Commits::count());
        CPPUNIT_ASSERT_EQUAL(std::string("a b c "), songs());
    }

    void beside_it_others_write_by_themselves() {
        std::vector<std::thread> threads;
        std::atomic<int> failed{0};
        for (int i = 0; i < 6; ++i)
            threads.emplace_back([&, i] {
                const auto store = root_->open(system_clock(), i % 2 == 0 ? writer_ : nullptr);
                for (int n = 0; n < 10; ++n)
                    if (!store->add(root_->message())) ++failed;
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, failed.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t{60}, good(root_->open()->queue()).size());
    }

    static inline std::atomic<int> g_number{0};
    std::unique_ptr<Root> root_;
    std::function<bool()> at_commit_ = [] { return true; };
    std::unique_ptr<Commits> commits_;
    std::shared_ptr<SharedWriter> writer_;
    std::unique_ptr<Store> store_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SharedWriterTest);

}  // namespace
