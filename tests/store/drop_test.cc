#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

namespace {

using namespace vm;
using namespace vm::store;

class DropStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DropStoreTest);
    CPPUNIT_TEST(only_what_was_sent_and_deleted_is_pending);
    CPPUNIT_TEST(a_visit_is_committed_whole);
    CPPUNIT_TEST(another_account_is_another_drop);
    CPPUNIT_TEST(a_settled_message_can_be_purged);
    CPPUNIT_TEST(what_is_restored_can_be_deleted_again);
    CPPUNIT_TEST(a_settled_message_is_no_folders_business);
    CPPUNIT_TEST(a_drop_has_begun);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        root_ = std::make_unique<Root>();
        store_ = root_->open(clock_);
    }
    void tearDown() override {
        store_.reset();
        root_.reset();
    }

  private:
    std::string sent() {
        NewMessage message = root_->message();
        message.delivery = DeliveryState::kQueued;
        const std::string id = good(store_->add(message));
        good(store_->record_intent(id, id + "@unit"));
        good(store_->record_outcome({id, DeliveryEvent::kAccepted, "250 ok", 0}));
        return id;
    }
    DropState state(const std::string& account = "pop:995 ann") {
        return good(store_->drop_state("101", account));
    }

    void only_what_was_sent_and_deleted_is_pending() {
        const std::string kept = sent(), gone = sent();
        const std::string unsent = good(store_->add(root_->message()));
        clock_.advance(1'000'000);
        good(store_->remove(gone));
        good(store_->remove(unsent));
        const DropState pending = state();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pending.deleted.size());
        CPPUNIT_ASSERT_EQUAL(gone, pending.deleted[0].id);
        CPPUNIT_ASSERT_EQUAL(gone + "@unit", pending.deleted[0].message_id);
        CPPUNIT_ASSERT_EQUAL(TimeMs{2'000'000}, pending.deleted[0].deleted_at);
        CPPUNIT_ASSERT(pending.mails.empty());
        CPPUNIT_ASSERT(good(store_->drop_state("102", "pop:995 ann")).deleted.empty());
        good(store_->restore(gone));
        CPPUNIT_ASSERT(state().deleted.empty());
    }

    void a_visit_is_committed_whole() {
        const std::string id = sent();
        good(store_->remove(id));
        DropCommit commit;
        commit.account = "pop:995 ann";
        commit.looked = {{"u1", "", "x@elsewhere"}, {"u2", id, ""}, {"u3", "", ""}};
        good(store_->commit_drop("101", commit));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, state().mails.size());
        commit.looked.clear();
        commit.gone = {"u3", "u9"};
        commit.settled = {{id, "deleted on the phone"}};
        for (int i = 0; i < 2; ++i) good(store_->commit_drop("101", commit));
        const DropState after = state();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, after.mails.size());
        CPPUNIT_ASSERT_EQUAL(std::string("u1"), after.mails[0].unique_id);
        CPPUNIT_ASSERT(after.deleted.empty());
        const auto history = good(store_->history(id));
        CPPUNIT_ASSERT_EQUAL(std::string("deleted on the phone"), history.back().reply);
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1},
                             std::count_if(history.begin(), history.end(),
                                           [](const auto& entry) { return entry.what == "link"; }));
        // What is another mailbox's is not touched.
        const std::string other = sent();
        good(store_->remove(other));
        good(store_->commit_drop("102", {"x", false, {}, {"u1"}, {{other, "no"}}}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state().deleted.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state().mails.size());
        CPPUNIT_ASSERT(good(store_->history(other)).back().reply != "no");
    }

    void another_account_is_another_drop() {
        DropCommit commit;
        commit.account = "pop:995 ann";
        commit.looked = {{"u1", "", ""}};
        good(store_->commit_drop("101", commit));
        CPPUNIT_ASSERT(state("pop:995 bob").mails.empty());
        commit.account = "pop:995 bob";
        good(store_->commit_drop("101", commit));
        CPPUNIT_ASSERT(state().mails.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state("pop:995 bob").mails.size());
    }

    void a_settled_message_can_be_purged() {
        const std::string id = sent();
        good(store_->remove(id));
        CPPUNIT_ASSERT_EQUAL(0, good(store_->purge("101", 9'000'000, true)));
        good(store_->commit_drop("101", {"a", false, {}, {}, {{id, "gone"}}}));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->purge("101", 9'000'000, true)));
        good(store_->remove(sent()));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->purge("101", 9'000'000, false)));
    }

    void what_is_restored_can_be_deleted_again() {
        const std::string id = sent();
        good(store_->remove(id));
        good(store_->commit_drop("101",
                                 {"a", false, {}, {}, {{id, "not in the account any more"}}}));
        good(store_->restore(id));
        good(store_->remove(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state().deleted.size());
        // A visit that ends after the restoring settles nothing.
        good(store_->restore(id));
        good(store_->commit_drop("101", {"a", false, {}, {}, {{id, "late"}}}));
        good(store_->remove(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state().deleted.size());
    }

    void a_drop_has_begun() {
        CPPUNIT_ASSERT(!state().begun);
        good(store_->commit_drop("101", {"pop:995 ann", false, {{"u1", "", ""}}, {}, {}}));
        CPPUNIT_ASSERT(!state().begun);
        good(store_->commit_drop("101", {"pop:995 ann", true, {}, {}, {}}));
        CPPUNIT_ASSERT(state().begun);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, state().mails.size());
        CPPUNIT_ASSERT(!state("pop:995 bob").begun);
    }

    void a_settled_message_is_no_folders_business() {
        const std::string id = sent();
        good(store_->remove(id));
        good(store_->commit_drop("101", {"a", false, {}, {}, {{id, "gone"}}}));
        const auto messages = good(store_->sync_messages("101"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, messages.size());
        CPPUNIT_ASSERT(!messages[0].agreed);
    }

    ManualClock clock_{1'000'000};
    std::unique_ptr<Root> root_;
    std::unique_ptr<Store> store_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DropStoreTest);

}  // namespace
