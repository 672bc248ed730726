// What a pass does when either side changes while it is at work.
#include "sync_fixture.h"

#include <algorithm>

namespace vm::agent {

namespace {

class SyncMeanwhileTest : public testing::SyncFixture {
    CPPUNIT_TEST_SUITE(SyncMeanwhileTest);
    CPPUNIT_TEST(added_and_delivered_meanwhile_is_linked);
    CPPUNIT_TEST(moved_between_two_looks_is_not_deleted);
    CPPUNIT_TEST(moved_into_a_folder_of_which_little_is_known_is_not_deleted);
    CPPUNIT_TEST(moved_between_two_looks_and_deleted_on_the_phone_goes);
    CPPUNIT_TEST(moved_after_its_look_and_deleted_on_the_phone_goes);
    CPPUNIT_TEST(moved_before_it_was_linked_and_deleted_on_the_phone_goes);
    CPPUNIT_TEST(copied_and_deleted_on_the_phone_leaves_the_copy);
    CPPUNIT_TEST(moved_into_a_folder_that_is_not_named_is_not_deleted);
    CPPUNIT_TEST(moved_into_a_folder_made_meanwhile_is_not_deleted);
    CPPUNIT_TEST(deleted_while_a_folder_is_not_named_stays_deleted);
    CPPUNIT_TEST(restored_before_its_removal_stays);
    CPPUNIT_TEST(restored_before_its_folders_turn_stays);
    CPPUNIT_TEST(restored_while_it_is_removed_comes_back);
    CPPUNIT_TEST(restored_after_a_removal_nobody_heard_of_comes_back);
    CPPUNIT_TEST(restored_before_a_pass_is_as_it_was);
    CPPUNIT_TEST(deleted_again_before_a_pass_goes);
    CPPUNIT_TEST(deleted_again_beats_a_mail_that_is_back);
    CPPUNIT_TEST(deleted_again_says_nothing_of_what_comes_back_later);
    CPPUNIT_TEST(deleted_before_its_recovery_stays_deleted);
    CPPUNIT_TEST(marked_while_flags_are_stored);
    CPPUNIT_TEST(deleted_while_flags_are_stored);
    CPPUNIT_TEST(subscriber_changes_while_flags_are_stored);
    CPPUNIT_TEST(cancelled_stops_between_steps);
    CPPUNIT_TEST_SUITE_END();

    void added_and_delivered_meanwhile_is_linked() {
        for (const auto* where : {"folders end", "look INBOX begin", "look INBOX end"}) {
            rig_->add_linked("Work");
            rig_->foreign("INBOX");  // so that it is looked at
            std::string id;
            rig_->at(where, [&] {
                id = rig_->add_sent();
                rig_->deliver(id);
            });
            rig_->pass();
            CPPUNIT_ASSERT_MESSAGE(where, !id.empty());
            rig_->unit_changed = false;
            rig_->settle();
            expect_linked({id});
            rig_->unit_changed = true;
        }
    }

    // From a folder that is still to be looked at into one that was.
    void moved_between_two_looks_is_not_deleted() {
        const auto id = rig_->add_linked("Work");
        rig_->foreign("INBOX");
        rig_->foreign("Work");
        rig_->at("look INBOX end", [&] { move_mail(id, "INBOX"); });
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        const auto changes = rig_->changes(id);
        CPPUNIT_ASSERT(std::count(changes.begin(), changes.end(), "state new>deleted") == 0);
    }
    // Two listings that say the same of it, namely that something is new, do not say that nothing
    // is.
    void moved_into_a_folder_of_which_little_is_known_is_not_deleted() {
        const auto id = rig_->add_linked("Work");
        rig_->foreign("INBOX");
        rig_->foreign("Work");
        rig_->account.changed_folders = {"INBOX"};
        rig_->at("look INBOX end", [&] {
            move_mail(id, "INBOX");
            rig_->at("folders end", [&] { rig_->account.changed_folders.clear(); });
        });
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        const auto changes = rig_->changes(id);
        CPPUNIT_ASSERT(std::count(changes.begin(), changes.end(), "state new>deleted") == 0);
    }
    void moved_between_two_looks_and_deleted_on_the_phone_goes() {
        const auto id = rig_->add_linked("Work");
        remove(id);
        rig_->foreign("INBOX");
        rig_->foreign("Work");
        rig_->at("look INBOX end", [&] { move_mail(id, "INBOX"); });
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
    }
    // The other way round it is seen in both.
    void moved_after_its_look_and_deleted_on_the_phone_goes() {
        const auto id = rig_->add_linked();
        remove(id);
        rig_->foreign("INBOX");
        rig_->at("look INBOX end", [&] { move_mail(id, "Work"); });
        rig_->foreign("Work");
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        CPPUNIT_ASSERT(rig_->account.places(id).empty());
    }
    // Then it is new in both, once in each folder that it went through.
    void moved_before_it_was_linked_and_deleted_on_the_phone_goes() {
        for (const bool twice : {false, true}) {
            const auto id = rig_->add_sent();
            rig_->deliver(id);
            remove(id);
            for (const auto* folder : {kVmFolder, "Work"}) rig_->foreign(folder);
            rig_->at("look INBOX end", [&] {
                move_mail(id, twice ? kVmFolder : "Work");
                if (!twice) return;
                rig_->at(Text("look ") + kVmFolder + " end", [&] { move_mail(id, "Work"); });
            });
            rig_->account.destroyed.clear();
            rig_->settle();
            CPPUNIT_ASSERT(rig_->account.hook == nullptr);
            expect_state("deleted", {id});
            CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
            CPPUNIT_ASSERT(rig_->account.places(id).empty());
        }
    }
    void copied_and_deleted_on_the_phone_leaves_the_copy() {
        const auto id = rig_->add_linked();
        remove(id);
        rig_->foreign("INBOX");
        rig_->at("look INBOX end", [&] { rig_->deliver(id, "Work"); });
        rig_->foreign("Work");
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
    }

    void moved_into_a_folder_that_is_not_named_is_not_deleted() {
        const auto id = rig_->add_linked();
        rig_->add_linked("Work");
        move_mail(id, "Work");
        rig_->account.unnamed_folders = {"Work"};
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
        const auto changes = rig_->changes(id);
        CPPUNIT_ASSERT(std::count(changes.begin(), changes.end(), "state new>deleted") == 0);
    }
    void moved_into_a_folder_made_meanwhile_is_not_deleted() {
        const std::set<Text> others{kVmFolder};
        rig_->account.unnamed_folders = others;
        const auto id = rig_->add_sent();
        rig_->deliver(id);
        rig_->pass();
        rig_->account.unnamed_folders = others;
        rig_->foreign("INBOX");
        rig_->at("look INBOX begin", [&] { move_mail(id, "Work"); });
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        const auto changes = rig_->changes(id);
        CPPUNIT_ASSERT(std::count(changes.begin(), changes.end(), "state new>deleted") == 0);
    }

    // Its second copy lies in that folder, and has not come back with it.
    void deleted_while_a_folder_is_not_named_stays_deleted() {
        const auto id = rig_->add_linked();
        rig_->deliver(id, "Work");
        rig_->settle();
        remove(id);
        rig_->account.unnamed_folders = {"Work"};
        rig_->at("apply INBOX end", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        CPPUNIT_ASSERT(rig_->pass().failure.has_value());
        rig_->account.fail_at = -1;
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
    }

    void restored_before_its_removal_stays() {
        const auto id = rig_->add_linked();
        remove(id);
        rig_->foreign("INBOX");
        rig_->at("look INBOX end", [&] { restore(id); });
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        expect_state("new", {id});
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("apply"));
    }
    void restored_before_its_folders_turn_stays() {
        const auto first = rig_->add_linked(), second = rig_->add_linked("Work");
        remove(first);
        remove(second);
        rig_->at("apply INBOX begin", [&] { restore(second); });
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{first});
        expect_state("new", {second});
        expect_linked({second});
    }
    // Too late to stop it: nothing is lost.
    void restored_while_it_is_removed_comes_back() {
        const auto id = rig_->add_linked();
        remove(id);
        rig_->at("apply INBOX begin", [&] { restore(id); });
        rig_->settle();
        expect_state("new", {id});
        CPPUNIT_ASSERT(rig_->get(id).delivery.state == DeliveryState::kQueued);
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        const auto trashed = rig_->add_linked();
        remove(trashed);
        rig_->at("apply INBOX told", [&] { restore(trashed); });
        rig_->settle();
        expect_state("new", {trashed});
        expect_linked({trashed});
    }
    // The mail was removed by the unit itself, and the answer was lost.
    void restored_after_a_removal_nobody_heard_of_comes_back() {
        const auto id = rig_->add_linked();
        remove(id);
        rig_->at("apply INBOX done", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        CPPUNIT_ASSERT(rig_->pass().failure.has_value());
        rig_->account.fail_at = -1;
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        restore(id);
        rig_->settle();
        expect_state("new", {id});
        CPPUNIT_ASSERT(rig_->get(id).delivery.state == DeliveryState::kQueued);
    }
    void restored_before_a_pass_is_as_it_was() {
        const auto id = rig_->add_linked();
        mark(id, MessageState::kRead);
        rig_->settle();
        remove(id);
        restore(id);
        flag(id, 0, VM_FLAG_SEEN);
        rig_->account.calls.clear();
        rig_->settle();
        expect_state("new", {id});  // the subscriber's change is still one
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("apply"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("recover"));
    }
    void deleted_again_before_a_pass_goes() {
        const auto id = rig_->add_linked();
        remove(id);
        restore(id);
        remove(id);
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
    }
    // Both sides took a deletion back, and the phone repeated it: as ever, the deletion wins.
    void deleted_again_beats_a_mail_that_is_back() {
        const auto undeleted = rig_->add_linked(), moved = rig_->add_linked();
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        flag(undeleted, VM_FLAG_DELETED, 0);
        remove(moved);
        rig_->settle();
        expect_state("deleted", {undeleted, moved});
        flag(undeleted, 0, VM_FLAG_DELETED);
        move_mail(moved, "Work");
        for (const auto& id : {undeleted, moved}) {
            restore(id);
            remove(id);
        }
        rig_->settle();
        expect_state("deleted", {undeleted, moved});
        for (const auto& id : {undeleted, moved})
            CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(id));
    }
    void deleted_again_says_nothing_of_what_comes_back_later() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        const auto id = rig_->add_linked();
        remove(id);
        rig_->settle();
        restore(id);
        remove(id);
        rig_->settle();
        move_mail(id, "Work");
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
    }
    void deleted_before_its_recovery_stays_deleted() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        const auto first = rig_->add_linked(), second = rig_->add_linked();
        for (const auto& id : {first, second}) remove(id);
        rig_->settle();
        for (const auto& id : {first, second}) restore(id);
        rig_->account.calls.clear();
        rig_->at("recover begin", [&] { remove(second); });
        rig_->settle();
        expect_state("new", {first});
        expect_state("deleted", {second});
        CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(second));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("recover"));
    }

    void marked_while_flags_are_stored() {
        for (const auto* where : {"apply INBOX begin", "apply INBOX done", "apply INBOX end"}) {
            const auto id = rig_->add_linked();
            mark(id, MessageState::kRead);
            rig_->at(where, [&] { mark(id, MessageState::kNew); });
            rig_->settle();
            CPPUNIT_ASSERT(rig_->account.hook == nullptr);
            expect_state("new", {id});
            CPPUNIT_ASSERT_MESSAGE(where, !has(id, VM_FLAG_SEEN));
        }
    }
    void deleted_while_flags_are_stored() {
        const auto id = rig_->add_linked();
        mark(id, MessageState::kRead);
        rig_->at("apply INBOX done", [&] { remove(id); });
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
    }
    void subscriber_changes_while_flags_are_stored() {
        for (const auto* where : {"apply INBOX begin", "apply INBOX done", "apply INBOX end"}) {
            const auto id = rig_->add_linked();
            mark(id, MessageState::kRead);
            rig_->at(where, [&] {
                rig_->account.set_flags("INBOX", rig_->account.places(id).at(0).second,
                                        VM_FLAG_FLAGGED, 0);
            });
            rig_->settle();
            CPPUNIT_ASSERT_MESSAGE(where, rig_->get(id).message.urgent);
            expect_state("read", {id});
            CPPUNIT_ASSERT(has(id, VM_FLAG_SEEN) && has(id, VM_FLAG_FLAGGED));
        }
    }

    void cancelled_stops_between_steps() {
        const auto first = rig_->add_linked(), second = rig_->add_linked("Work");
        mark(first, MessageState::kRead);
        mark(second, MessageState::kRead);
        bool stop = false;
        rig_->cancelled = [&] { return stop; };
        rig_->at("apply INBOX begin", [&] { stop = true; });
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(!result.complete);
        CPPUNIT_ASSERT_EQUAL(1, result.changed_there);
        CPPUNIT_ASSERT(has(first, VM_FLAG_SEEN) && !has(second, VM_FLAG_SEEN));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("apply Work"));
        stop = false;
        rig_->settle();
        CPPUNIT_ASSERT(has(second, VM_FLAG_SEEN));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("apply INBOX"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncMeanwhileTest);

}  // namespace

}  // namespace vm::agent
