// What one pass does in both directions, with a real store and an account in memory.
#include "sync_fixture.h"

namespace vm::agent {

namespace {

using testing::SyncRig;

class SyncRulesTest : public testing::SyncFixture {
    CPPUNIT_TEST_SUITE(SyncRulesTest);
    CPPUNIT_TEST(settled_mailbox_is_not_read_again);
    CPPUNIT_TEST(what_was_delivered_is_linked);
    CPPUNIT_TEST(read_goes_both_ways);
    CPPUNIT_TEST(urgent_goes_both_ways);
    CPPUNIT_TEST(folders_go_both_ways);
    CPPUNIT_TEST(folders_go_both_ways_where_moves_do_not_tell);
    CPPUNIT_TEST(deleted_on_the_phone_is_expunged_alone);
    CPPUNIT_TEST(deleted_on_the_phone_goes_to_trash);
    CPPUNIT_TEST(deleted_on_the_phone_goes_to_trash_without_uidplus);
    CPPUNIT_TEST(deleted_in_the_mail_is_deleted);
    CPPUNIT_TEST(restored_on_the_phone_comes_back_from_trash);
    CPPUNIT_TEST(restored_in_the_mail_is_restored);
    CPPUNIT_TEST(restored_and_gone_is_sent_once_more);
    CPPUNIT_TEST(refused_recovery_is_noted_and_sends_nothing);
    CPPUNIT_TEST(nothing_to_do_is_one_call_and_no_commit);
    CPPUNIT_TEST(nothing_to_do_without_mod_sequences_is_no_commit);
    CPPUNIT_TEST(one_change_of_many_costs_one_look);
    CPPUNIT_TEST(a_look_of_several_calls_is_one);
    CPPUNIT_TEST(a_look_that_breaks_off_keeps_what_it_found);
    CPPUNIT_TEST(once_a_day_everything_is_looked_at);
    CPPUNIT_TEST(found_settles_an_uncertain_delivery);
    CPPUNIT_TEST(second_copy_is_left_alone);
    CPPUNIT_TEST(scope_is_the_mailboxes);
    CPPUNIT_TEST(plan_changes_nothing);
    CPPUNIT_TEST_SUITE_END();

    // Also by another process: what is left to do is in the store.
    void settled_mailbox_is_not_read_again() {
        SyncRig& rig = *rig_;
        const std::string id = rig.add_linked();
        const auto settle = [&] {
            SyncResult result;
            for (int i = 0; i < 5 && !result.settled; ++i) result = rig.pass();
            CPPUNIT_ASSERT(result.settled && result.complete && result.busiest);
            CPPUNIT_ASSERT(rig.store().set_statuses({}, {*result.settled}));
        };
        settle();
        const auto is_read = [&] { return rig.pass().busiest.has_value(); };
        CPPUNIT_ASSERT(!is_read());
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), rig.pass().busiest_before);
        // The phone's changes, and the account's.
        CPPUNIT_ASSERT(rig.store().mark(id, MessageState::kRead));
        CPPUNIT_ASSERT(is_read());
        CPPUNIT_ASSERT(rig.mail(id).flags & VM_FLAG_SEEN);
        settle();
        CPPUNIT_ASSERT(!is_read());
        rig.foreign("INBOX");
        CPPUNIT_ASSERT(is_read());
        settle();
        // What could not be done is tried again.
        CPPUNIT_ASSERT(rig.store().mark(id, MessageState::kNew));
        rig.at("apply", [&] { rig.account.fail_at = rig.account.points - 1; });
        CPPUNIT_ASSERT(!rig.pass().settled);
        rig.account.fail_at = -1;
        CPPUNIT_ASSERT(is_read());
        CPPUNIT_ASSERT(!(rig.mail(id).flags & VM_FLAG_SEEN));
        // Also what no change of the phone's called for: a mail that comes after its deletion.
        const std::string late = rig.add_sent();
        CPPUNIT_ASSERT(rig.store().remove(late));
        settle();
        rig.deliver(late);
        rig.at("apply", [&] { rig.account.fail_at = rig.account.points - 1; });
        CPPUNIT_ASSERT(!rig.pass().settled);
        rig.account.fail_at = -1;
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), rig.folder_of(late));
        CPPUNIT_ASSERT(is_read());
        CPPUNIT_ASSERT(rig.account.destroyed == std::vector<std::string>{late});
    }

    void what_was_delivered_is_linked() {
        const auto id = rig_->add_sent(), later = rig_->add_sent();
        rig_->foreign("INBOX");
        rig_->deliver(id);
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(result.complete);
        CPPUNIT_ASSERT_EQUAL(1, result.changed_here);
        CPPUNIT_ASSERT_EQUAL(0, result.changed_there);
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), result.busiest.value_or("none"));
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(later));
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(later));
        rig_->deliver(later, "Work");
        rig_->settle();
        expect_linked({later});
        CPPUNIT_ASSERT(rig_->account.folders.count(kVmFolder) == 1);
    }

    void read_goes_both_ways() {
        const auto id = rig_->add_linked();
        CPPUNIT_ASSERT(rig_->store().mark(id, MessageState::kRead).has_value());
        CPPUNIT_ASSERT_EQUAL(1, rig_->pass().changed_there);
        CPPUNIT_ASSERT(has(id, VM_FLAG_SEEN));
        CPPUNIT_ASSERT(rig_->store().mark(id, MessageState::kNew).has_value());
        CPPUNIT_ASSERT_EQUAL(1, rig_->pass().changed_there);
        CPPUNIT_ASSERT(!has(id, VM_FLAG_SEEN));
        flag(id, VM_FLAG_SEEN, 0);
        CPPUNIT_ASSERT_EQUAL(1, rig_->pass().changed_here);
        CPPUNIT_ASSERT_EQUAL(Text("read"), rig_->state_of(id));
        flag(id, 0, VM_FLAG_SEEN);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
        CPPUNIT_ASSERT_EQUAL(0, rig_->settle());
        CPPUNIT_ASSERT(!has(id, VM_FLAG_SEEN));
    }

    void urgent_goes_both_ways() {
        const auto id = rig_->add_linked();
        CPPUNIT_ASSERT(rig_->store().set_urgent(id, true).has_value());
        rig_->settle();
        CPPUNIT_ASSERT(has(id, VM_FLAG_FLAGGED) && !has(id, VM_FLAG_SEEN));
        flag(id, 0, VM_FLAG_FLAGGED);
        rig_->settle();
        CPPUNIT_ASSERT(!rig_->get(id).message.urgent);
        flag(id, VM_FLAG_FLAGGED, 0);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->get(id).message.urgent);
        CPPUNIT_ASSERT(rig_->store().set_urgent(id, false).has_value());
        rig_->settle();
        CPPUNIT_ASSERT(!has(id, VM_FLAG_FLAGGED));
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
    }

    void folders_go_both_ways() {
        const auto id = rig_->add_linked();
        CPPUNIT_ASSERT(rig_->store().move(id, "Work").has_value());
        flag(id, VM_FLAG_FLAGGED, 0);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
        CPPUNIT_ASSERT(has(id, VM_FLAG_FLAGGED) && rig_->get(id).message.urgent);
        expect_linked({id});
        move_mail(id, "Archive");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Archive"), rig_->get(id).message.folder);
        expect_linked({id});
        CPPUNIT_ASSERT(rig_->store().move(id, "INBOX").has_value());
        move_mail(id, "Work");
        rig_->settle();  // both: the unit
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->folder_of(id));
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->get(id).message.folder);
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
    }
    void folders_go_both_ways_where_moves_do_not_tell() {
        rig_->account.uidplus = false;
        folders_go_both_ways();
    }

    void deleted_on_the_phone_is_expunged_alone() {
        const auto id = rig_->add_linked(), other = rig_->add_linked();
        const auto foreign = rig_->foreign("INBOX");
        rig_->account.set_flags("INBOX", foreign, VM_FLAG_DELETED, 0);
        CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rig_->account.folders.at("INBOX").mails.size());
        expect_linked({other});
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(other));
    }
    void deleted_on_the_phone_goes_to_trash() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        expect_trashed();
    }
    void deleted_on_the_phone_goes_to_trash_without_uidplus() {
        rig_->account.uidplus = false;
        expect_trashed();
    }
    void expect_trashed() {
        const auto id = rig_->add_linked();
        CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(id));
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        CPPUNIT_ASSERT_EQUAL(Text("deleted"), rig_->state_of(id));
    }

    void deleted_in_the_mail_is_deleted() {
        const auto expunged = rig_->add_linked(), marked = rig_->add_linked(),
                   trashed = rig_->add_linked(), stays = rig_->add_linked();
        expunge(expunged);
        flag(marked, VM_FLAG_DELETED, 0);
        move_mail(trashed, "Trash");
        CPPUNIT_ASSERT_EQUAL(0, rig_->pass().changed_there);
        for (const auto& id : {expunged, marked, trashed}) {
            CPPUNIT_ASSERT_EQUAL(Text("deleted"), rig_->state_of(id));
            CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        }
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(stays));
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->folder_of(marked));
        CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(trashed));
    }

    void restored_on_the_phone_comes_back_from_trash() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        for (const bool uidplus : {true, false}) {
            rig_->account.uidplus = uidplus;
            const auto id = rig_->add_linked();
            CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
            rig_->settle();
            CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(id));
            CPPUNIT_ASSERT(rig_->store().restore(id).has_value());
            rig_->settle();
            CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->folder_of(id));
            CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
            CPPUNIT_ASSERT_EQUAL(Text("sent"), Text(to_string(rig_->get(id).delivery.state)));
            expect_linked({id});
        }
    }

    void restored_in_the_mail_is_restored() {
        const auto marked = rig_->add_linked(), trashed = rig_->add_linked();
        flag(marked, VM_FLAG_DELETED, 0);
        move_mail(trashed, "Trash");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("deleted"), rig_->state_of(marked));
        flag(marked, 0, VM_FLAG_DELETED);
        move_mail(trashed, "INBOX");
        rig_->settle();
        for (const auto& id : {marked, trashed}) {
            CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
            expect_linked({id});
        }
    }

    void restored_and_gone_is_sent_once_more() {
        const auto id = rig_->add_linked();
        const std::string first = rig_->get(id).delivery.message_id;
        CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
        rig_->settle();
        CPPUNIT_ASSERT(rig_->store().restore(id).has_value());
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(result.push_again && result.complete);
        const auto delivery = rig_->get(id).delivery;
        CPPUNIT_ASSERT(delivery.state == DeliveryState::kQueued);
        CPPUNIT_ASSERT_EQUAL(resent_message_id(first), delivery.message_id);
        CPPUNIT_ASSERT_EQUAL(0, delivery.attempts);
        CPPUNIT_ASSERT_EQUAL(0, rig_->settle());  // and that is all
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("recover"));
        // It arrives.
        CPPUNIT_ASSERT(rig_->store().record_intent(id, "another@example.com").has_value());
        CPPUNIT_ASSERT(
            rig_->store().record_outcome({id, DeliveryEvent::kAccepted, "250", 0}).has_value());
        rig_->deliver(id);
        rig_->settle();
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
        CPPUNIT_ASSERT_EQUAL(resent_message_id(first), rig_->mail(id).message_id);
    }

    void refused_recovery_is_noted_and_sends_nothing() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        const auto id = rig_->add_linked();
        CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
        rig_->settle();
        CPPUNIT_ASSERT(rig_->store().restore(id).has_value());
        rig_->account.refused_ids = {id};
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(!result.complete && !result.push_again && !result.failure);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, result.notes.size());
        CPPUNIT_ASSERT(result.notes[0].find("NO not this") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(Text("sent"), Text(to_string(rig_->get(id).delivery.state)));
        rig_->account.refused_ids.clear();
        rig_->settle();
        expect_linked({id});
    }

    // Counts the commits that others see.
    void expect_no_commit(const std::vector<std::string>& calls) {
        auto watch = store::Store::open(rig_->root.paths, rig_->clock);
        CPPUNIT_ASSERT(watch.has_value());
        const auto mark = (*watch)->change_mark();
        rig_->account.calls.clear();
        rig_->clock.advance(60'000);
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(result.complete);
        CPPUNIT_ASSERT(rig_->account.calls == calls);
        CPPUNIT_ASSERT_EQUAL(*mark, *(*watch)->change_mark());
    }
    void nothing_to_do_is_one_call_and_no_commit() {
        for (int i = 0; i < 3; ++i) rig_->add_linked(i == 0 ? "Work" : "INBOX");
        rig_->unit_changed = false;
        expect_no_commit({"folders"});
        rig_->unit_changed = true;
        expect_no_commit({"folders"});
    }
    void nothing_to_do_without_mod_sequences_is_no_commit() {
        rig_->account.modseqs = false;
        rig_->add_linked();
        rig_->add_linked("Work");
        rig_->account.folder("Nothing of ours");
        rig_->settle();
        rig_->unit_changed = false;
        expect_no_commit({"folders", "look INBOX", "look Work"});
    }

    void one_change_of_many_costs_one_look() {
        const auto id = rig_->add_linked("Work");
        rig_->add_linked();
        rig_->unit_changed = false;
        rig_->account.calls.clear();
        flag(id, VM_FLAG_SEEN, 0);
        CPPUNIT_ASSERT_EQUAL(1, rig_->pass().changed_here);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("look"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("look Work"));
        CPPUNIT_ASSERT_EQUAL(Text("read"), rig_->state_of(id));
    }

    // A folder moved into another that takes three calls to look at: nothing is gone meanwhile.
    void a_look_of_several_calls_is_one() {
        const auto one = rig_->add_linked(), two = rig_->add_linked(), three = rig_->add_linked();
        rig_->account.folder("Much");
        for (const auto& id : {three, one, two}) move_mail(id, "Much");
        rig_->account.found_a_call = 1;
        rig_->account.calls.clear();
        rig_->at("look Much end", [&] { flag(three, VM_FLAG_SEEN, 0); });
        rig_->settle();
        CPPUNIT_ASSERT(rig_->called("look Much") >= 3);
        expect_state("read", {three});
        expect_state("new", {one, two});
        expect_linked({one, two, three});
        for (const auto& id : {one, two, three})
            CPPUNIT_ASSERT_EQUAL(Text("Much"), rig_->get(id).message.folder);
    }

    void a_look_that_breaks_off_keeps_what_it_found() {
        const auto one = rig_->add_linked(), two = rig_->add_linked(), three = rig_->add_linked();
        rig_->account.folder("Much");
        for (const auto& id : {three, one, two}) move_mail(id, "Much");
        rig_->account.found_a_call = 1;
        rig_->at("look Much end", [&] {  // of the first call
            rig_->at("look Much end", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        });
        CPPUNIT_ASSERT(rig_->pass().failure.has_value());
        expect_state("new", {one, two, three});
        expect_linked({three});
        rig_->account.calls.clear();
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rig_->called("look Much"));
        expect_state("new", {one, two, three});
        expect_linked({one, two, three});
    }

    void once_a_day_everything_is_looked_at() {
        const auto id = rig_->add_linked();
        rig_->unit_changed = false;
        rig_->mail(id).flags = VM_FLAG_SEEN;  // which the mod-sequences do not tell
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
        rig_->clock.advance(25LL * 3600 * 1000);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("read"), rig_->state_of(id));
        rig_->account.calls.clear();
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("look"));
    }

    void found_settles_an_uncertain_delivery() {
        const auto id = rig_->root.add(rig_->store(), SyncRig::kNumber);
        CPPUNIT_ASSERT(rig_->store().record_intent(id, "x@example.com").has_value());
        CPPUNIT_ASSERT(
            rig_->store().record_outcome({id, DeliveryEvent::kReplyLost, "lost", 1}).has_value());
        CPPUNIT_ASSERT(!rig_->pass().push_again);
        CPPUNIT_ASSERT(rig_->get(id).delivery.state == DeliveryState::kUncertain);
        rig_->deliver(id);
        CPPUNIT_ASSERT(rig_->pass().push_again);
        CPPUNIT_ASSERT(rig_->get(id).delivery.state == DeliveryState::kSent);
        expect_linked({id});
        CPPUNIT_ASSERT_EQUAL(0, rig_->settle());
        CPPUNIT_ASSERT(!rig_->pass().push_again);
    }

    void second_copy_is_left_alone() {
        const auto id = rig_->add_linked();
        const std::string link = rig_->link(id);
        const auto second = rig_->deliver(id, "Work");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(link, rig_->link(id));
        CPPUNIT_ASSERT(rig_->store().remove(id).has_value());
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.folders.at("Work").mails.count(second));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->account.places(id).size());
        CPPUNIT_ASSERT_EQUAL(Text("deleted"), rig_->state_of(id));
    }

    void scope_is_the_mailboxes() {
        const auto inbox = rig_->add_sent(), folder = rig_->add_sent(), other = rig_->add_sent();
        rig_->deliver(inbox);
        rig_->deliver(folder, kVmFolder);
        rig_->deliver(other, "Work");
        rig_->mailbox.sync_mode = config::SyncMode::kVmFolderOnly;
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(inbox) + rig_->link(other));
        expect_linked({folder});
        rig_->mailbox.sync_mode = config::SyncMode::kInboxOnly;
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(folder) + rig_->link(other));
        expect_linked({inbox});
        rig_->mailbox.sync_mode = config::SyncMode::kAllFolders;
        rig_->settle();
        for (const auto& id : {inbox, folder, other}) {
            expect_linked({id});
            CPPUNIT_ASSERT_EQUAL(Text("new"), rig_->state_of(id));
        }
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
    }

    void plan_changes_nothing() {
        const auto gone = rig_->add_linked(), heard = rig_->add_linked();
        expunge(gone);
        CPPUNIT_ASSERT(rig_->store().mark(heard, MessageState::kRead).has_value());
        rig_->account.folders.erase(kVmFolder);
        const std::string before = rig_->both_sides(), account = dump_account(rig_->account);
        auto session = transport::AccountSession::open(
            testing::account_plugin(), session_options(rig_->mailbox, rig_->misc, {}));
        CPPUNIT_ASSERT(session.has_value());
        const auto plan = plan_sync({rig_->clock,
                                     rig_->store(),
                                     rig_->mailbox,
                                     rig_->misc,
                                     *session,
                                     true,
                                     [] { return false; },
                                     {},
                                     {}});
        CPPUNIT_ASSERT(plan.has_value());
        std::string text;
        for (const auto& line : *plan) text += line + "\n";
        CPPUNIT_ASSERT(text.find(gone + ": delete") != std::string::npos);
        CPPUNIT_ASSERT(text.find(heard + ": flag the mail +\\Seen") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(before, rig_->both_sides());
        CPPUNIT_ASSERT_EQUAL(account, dump_account(rig_->account));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncRulesTest);

}  // namespace

}  // namespace vm::agent
