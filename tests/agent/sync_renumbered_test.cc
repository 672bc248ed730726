// What a pass does when the account, or what of it is looked at, is another than it was.
#include "sync_fixture.h"

namespace vm::agent {

namespace {

using testing::SyncRig;

class SyncRenumberedTest : public testing::SyncFixture {
    CPPUNIT_TEST_SUITE(SyncRenumberedTest);
    CPPUNIT_TEST(another_uidvalidity_is_linked_anew);
    CPPUNIT_TEST(another_uidvalidity_restores_nothing_for_a_second_copy);
    CPPUNIT_TEST(another_uidvalidity_that_cannot_be_looked_at_restores_nothing);
    CPPUNIT_TEST(another_account_that_cannot_be_looked_at_restores_nothing);
    CPPUNIT_TEST(another_uidvalidity_restores_what_is_not_marked_any_more);
    CPPUNIT_TEST(another_account_holds_until_released);
    CPPUNIT_TEST(another_account_holds_until_released_keeping);
    CPPUNIT_TEST(released_while_a_pass_runs);
    CPPUNIT_TEST(another_scope_unlinks);
    CPPUNIT_TEST(another_scope_does_not_hide_what_came_since);
    CPPUNIT_TEST(another_scope_makes_no_removal_of_what_was_only_begun);
    CPPUNIT_TEST_SUITE_END();

    void another_uidvalidity_is_linked_anew() {
        const auto one = rig_->add_linked(), two = rig_->add_linked(), three = rig_->add_linked();
        mark(one, MessageState::kRead);
        remove(two);
        rig_->account.renumber("INBOX");
        rig_->account.set_flags("INBOX", rig_->account.places(three).at(0).second, VM_FLAG_SEEN, 0);
        rig_->settle();
        expect_linked({one, three});
        CPPUNIT_ASSERT(has(one, VM_FLAG_SEEN));
        expect_state("read", {one, three});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{two});
        rig_->account.calls.clear();
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("look"));
    }

    // Message deleted on the phone, whose second copy stays in INBOX.
    std::string with_leftover() {
        rig_->add_linked();
        const auto id = rig_->add_linked();
        rig_->deliver(id);
        rig_->settle();
        remove(id);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.places(id).size());
        expect_state("deleted", {id});
        return id;
    }
    void another_uidvalidity_restores_nothing_for_a_second_copy() {
        const auto id = with_leftover();
        rig_->account.renumber("INBOX");
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.places(id).size());
    }
    void another_uidvalidity_that_cannot_be_looked_at_restores_nothing() {
        const auto id = with_leftover();
        rig_->account.renumber("INBOX");
        rig_->account.refused_folders = {"INBOX"};
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(!rig_->pass().complete);
        rig_->account.refused_folders.clear();
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.places(id).size());
    }
    void another_account_that_cannot_be_looked_at_restores_nothing() {
        const auto id = with_leftover();
        const auto work = rig_->add_linked("Work");
        rig_->mailbox.imap4.account = "renamed@example.com";  // the same account in fact
        rig_->account.refused_folders = {"INBOX"};
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(!rig_->pass().complete);
        rig_->account.refused_folders.clear();
        rig_->settle();
        expect_state("deleted", {id});
        expect_linked({work});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->sync_state().hold);
    }

    void another_uidvalidity_restores_what_is_not_marked_any_more() {
        const auto id = rig_->add_linked(), still = rig_->add_linked();
        for (const auto& one : {id, still}) flag(one, VM_FLAG_DELETED, 0);
        rig_->settle();
        expect_state("deleted", {id, still});
        flag(id, 0, VM_FLAG_DELETED);
        rig_->account.renumber("INBOX");
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        expect_state("deleted", {still});
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
    }

    // Three linked messages, and then an account without them.
    std::vector<std::string> held() {
        const std::vector ids{rig_->add_linked(), rig_->add_linked(), rig_->add_linked("Work")};
        remove(ids[2]);
        rig_->mailbox.imap4.account = "another@example.com";
        rig_->account.folders.clear();
        rig_->foreign("INBOX");
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(!result.hold.empty());
        CPPUNIT_ASSERT_EQUAL(result.hold, rig_->sync_state().hold);
        rig_->settle();
        expect_state("new", {ids[0], ids[1]});
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        return ids;
    }
    void another_account_holds_until_released() {
        const auto ids = held();
        CPPUNIT_ASSERT(rig_->store().release(SyncRig::kNumber, false).has_value());
        rig_->settle();
        expect_state("deleted", ids);
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->sync_state().hold);
        CPPUNIT_ASSERT(!rig_->sync_state().released);
    }
    void another_account_holds_until_released_keeping() {
        const auto ids = held();
        CPPUNIT_ASSERT(rig_->store().release(SyncRig::kNumber, true).has_value());
        rig_->settle();
        expect_state("new", {ids[0], ids[1]});
        for (const auto& id : ids) CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->sync_state().hold);
        CPPUNIT_ASSERT(!rig_->sync_state().released_keep);
    }

    void released_while_a_pass_runs() {
        const auto ids = held();
        rig_->foreign("INBOX");
        rig_->at("look INBOX end", [&] {
            CPPUNIT_ASSERT(rig_->store().release(SyncRig::kNumber, false).has_value());
        });
        rig_->pass();
        CPPUNIT_ASSERT(rig_->account.hook == nullptr);
        rig_->settle();
        expect_state("deleted", ids);
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->sync_state().hold);
    }

    void another_scope_unlinks() {
        const auto inbox = rig_->add_linked(), work = rig_->add_linked("Work"),
                   second = rig_->add_linked("Work");
        rig_->mailbox.sync_mode = config::SyncMode::kInboxOnly;
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->pass().hold + rig_->sync_state().hold);
        rig_->settle();
        expect_linked({inbox});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(work) + rig_->link(second));
        expect_state("new", {inbox, work, second});
        mark(work, MessageState::kRead);
        rig_->settle();
        CPPUNIT_ASSERT(!has(work, VM_FLAG_SEEN));
        rig_->mailbox.sync_mode = config::SyncMode::kAllFolders;
        rig_->settle();
        expect_linked({inbox, work, second});
        CPPUNIT_ASSERT(has(work, VM_FLAG_SEEN));
    }

    void another_scope_does_not_hide_what_came_since() {
        const auto id = rig_->add_linked();
        move_mail(id, "Trash");
        remove(id);
        rig_->mailbox.sync_mode = config::SyncMode::kInboxOnly;
        move_mail(id, "INBOX");
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
    }

    void another_scope_makes_no_removal_of_what_was_only_begun() {
        const auto id = rig_->add_linked("Work");
        rig_->add_linked();
        remove(id);
        rig_->at("apply Work begin", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        rig_->pass();
        rig_->account.fail_at = -1;
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        restore(id);
        rig_->mailbox.sync_mode = config::SyncMode::kInboxOnly;
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        expect_state("new", {id});
        CPPUNIT_ASSERT(rig_->get(id).delivery.state == DeliveryState::kSent);
        rig_->mailbox.sync_mode = config::SyncMode::kAllFolders;
        rig_->settle();
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.places(id).size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncRenumberedTest);

}  // namespace

}  // namespace vm::agent
