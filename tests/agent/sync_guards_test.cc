// What a pass does when the account refuses or fails, and what holds it.
#include "sync_fixture.h"

#include <algorithm>

namespace vm::agent {

namespace {

using testing::SyncRig;

class SyncGuardsTest : public testing::SyncFixture {
    CPPUNIT_TEST_SUITE(SyncGuardsTest);
    CPPUNIT_TEST(refused_folder_deletes_nothing);
    CPPUNIT_TEST(half_a_look_at_another_account_deletes_nothing);
    CPPUNIT_TEST(refused_change_is_noted_and_tried_by_the_next_pass);
    CPPUNIT_TEST(uid_of_another_message_is_linked_anew);
    CPPUNIT_TEST(missing_mail_is_seen_by_the_next_round);
    CPPUNIT_TEST(mail_that_only_seems_missing_is_not);
    CPPUNIT_TEST(impossible_folders_are_taken_back);
    CPPUNIT_TEST(restored_to_an_impossible_folder);
    CPPUNIT_TEST(marked_and_not_expunged_is_deleted);
    CPPUNIT_TEST(what_was_begun_before_is_told_so);
    CPPUNIT_TEST(a_copy_where_nobody_could_look_restores_nothing);
    CPPUNIT_TEST(what_was_begun_stays_in_doubt_where_nobody_could_look);
    CPPUNIT_TEST(mass_deletion_holds);
    CPPUNIT_TEST(switched_off_and_on_deletes_nothing);
    CPPUNIT_TEST(switched_off_and_on_within_a_pass_deletes_nothing);
    CPPUNIT_TEST(failure_says_whose_it_is);
    CPPUNIT_TEST_SUITE_END();

    static bool mentions(const std::vector<std::string>& notes, const std::string& text) {
        return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
            return note.find(text) != std::string::npos;
        });
    }

    void refused_folder_deletes_nothing() {
        const auto gone = rig_->add_linked(), out = rig_->add_linked(),
                   heard = rig_->add_linked("Work");
        expunge(gone);
        rig_->account.move("INBOX", rig_->account.places(out).at(0).second, "Trash");
        mark(heard, MessageState::kRead);
        rig_->account.put("Work", {"", "foreign", 0, 0});
        rig_->account.refused_folders = {"Work"};
        for (int i = 0; i < 2; ++i) {
            const auto result = rig_->pass();
            CPPUNIT_ASSERT(!result.complete && !result.failure);
            CPPUNIT_ASSERT(mentions(result.notes, "folder Work cannot be looked at: NO not now"));
            CPPUNIT_ASSERT(mentions(result.notes, "no mail is taken for deleted"));
            expect_state("new", {gone, out});
        }
        CPPUNIT_ASSERT(has(heard, VM_FLAG_SEEN));  // what is known is done
        rig_->account.refused_folders.clear();
        rig_->settle();
        expect_state("deleted", {gone, out});
        expect_linked({heard});
    }

    // What was learnt of a folder there is not what this one was like, though it looks the same.
    void half_a_look_at_another_account_deletes_nothing() {
        const std::string id = rig_->add_linked();
        rig_->account.folder("Secret");
        rig_->settle();
        const auto here = rig_->account.folders;
        const std::string name = rig_->mailbox.imap4.account, link = rig_->link(id);

        rig_->mailbox.imap4.account = "another@example.com";
        for (auto& [folder, in] : rig_->account.folders) {
            in.mails.clear();
            in.uid_next = 1;
        }
        while (rig_->account.folders.at("INBOX").uid_next < here.at("INBOX").uid_next)
            rig_->foreign("INBOX");
        rig_->account.refused_folders = {"Secret"};
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(!rig_->pass().complete);

        rig_->mailbox.imap4.account = name;
        rig_->account.refused_folders.clear();
        rig_->account.folders = here;
        rig_->settle();
        expect_state("new", {id});
        CPPUNIT_ASSERT_EQUAL(link, rig_->link(id));
        CPPUNIT_ASSERT_EQUAL(std::string(), rig_->sync_state().hold);
    }

    void refused_change_is_noted_and_tried_by_the_next_pass() {
        const auto refused = rig_->add_linked(), done = rig_->add_linked();
        mark(refused, MessageState::kRead);
        mark(done, MessageState::kRead);
        rig_->account.refused_ids = {refused};
        rig_->account.calls.clear();
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(!result.complete && !result.failure);
        CPPUNIT_ASSERT_EQUAL(1, result.changed_there);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, result.notes.size());
        CPPUNIT_ASSERT(result.notes[0].find(refused) == 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("apply"));
        CPPUNIT_ASSERT(has(done, VM_FLAG_SEEN) && !has(refused, VM_FLAG_SEEN));
        expect_state("read", {refused, done});
        rig_->account.refused_ids.clear();
        rig_->settle();
        CPPUNIT_ASSERT(has(refused, VM_FLAG_SEEN));
    }

    void uid_of_another_message_is_linked_anew() {
        const auto deleted = rig_->add_linked(), other = rig_->add_linked();
        remove(deleted);
        rig_->at("apply INBOX begin", [&] {  // under the same UIDVALIDITY
            auto& mails = rig_->account.folders.at("INBOX").mails;
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, mails.size());
            std::swap(mails.begin()->second, mails.rbegin()->second);
        });
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(mentions(result.notes, "the UID is another message's"));
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{deleted});
        expect_state("new", {other});
        expect_linked({other});
        CPPUNIT_ASSERT_EQUAL(Text("INBOX 1"), rig_->link(other));
    }

    void missing_mail_is_seen_by_the_next_round() {
        const auto id = rig_->add_linked(), other = rig_->add_linked();
        mark(id, MessageState::kRead);
        mark(other, MessageState::kRead);
        rig_->at("apply INBOX begin", [&] { expunge(id); });
        rig_->pass();
        expect_state("deleted", {id});
        expect_state("read", {other});
        CPPUNIT_ASSERT(has(other, VM_FLAG_SEEN));
    }

    // "There is no such message" is believed of a look alone.
    void mail_that_only_seems_missing_is_not() {
        const auto heard = rig_->add_linked(), filed = rig_->add_linked();
        mark(heard, MessageState::kRead);
        CPPUNIT_ASSERT(rig_->store().move(filed, "Work").has_value());
        rig_->account.denied_ids = {heard, filed};
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(!rig_->pass().complete);
        expect_state("read", {heard});
        expect_state("new", {filed});
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        rig_->account.denied_ids.clear();
        rig_->settle();
        CPPUNIT_ASSERT(has(heard, VM_FLAG_SEEN));
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(filed));
        expect_linked({heard, filed});
    }

    void impossible_folders_are_taken_back() {
        const auto id = rig_->add_linked("Work");
        rig_->account.impossible_folders = {"a//b", "Trash"};
        CPPUNIT_ASSERT(rig_->store().move(id, "a//b").has_value());
        CPPUNIT_ASSERT(mentions(rig_->pass().notes, "no such place"));
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->get(id).message.folder);
        expect_linked({id});
        // What cannot be removed is said, and tried again.
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        remove(id);
        for (int i = 0; i < 2; ++i) {
            const auto result = rig_->pass();
            CPPUNIT_ASSERT(mentions(result.notes, "no such place") && !result.complete);
        }
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
    }

    // The account says NO to the EXPUNGE: that is said, once, and the subscriber may take it back.
    void marked_and_not_expunged_is_deleted() {
        rig_->account.expunge_refused = true;
        const auto id = rig_->add_linked(), other = rig_->add_linked();
        remove(id);
        remove(other);
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(mentions(result.notes, "NO [NOPERM] not yours"));
        CPPUNIT_ASSERT(result.complete);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig_->called("apply"));
        CPPUNIT_ASSERT(has(id, VM_FLAG_DELETED) && has(other, VM_FLAG_DELETED));
        expect_state("deleted", {id, other});
        flag(id, 0, VM_FLAG_DELETED);
        expunge(other);
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        expect_state("deleted", {other});
        // Restored on the phone, it is brought back where it is.
        remove(id);
        rig_->settle();
        restore(id);
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
        CPPUNIT_ASSERT(!has(id, VM_FLAG_DELETED));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("recover"));
    }

    void what_was_begun_before_is_told_so() {
        for (const bool removal : {false, true}) {
            const auto id = rig_->add_linked();
            if (removal)
                remove(id);
            else
                CPPUNIT_ASSERT(rig_->store().move(id, "Work").has_value());
            for (const bool again : {false, true, true}) {
                rig_->at("apply INBOX begin",
                         [&] { rig_->account.fail_at = rig_->account.points - 1; });
                CPPUNIT_ASSERT(rig_->pass().failure.has_value());
                rig_->account.fail_at = -1;
                CPPUNIT_ASSERT_EQUAL(again, rig_->account.again.at(id));
            }
            rig_->settle();
            CPPUNIT_ASSERT(rig_->account.again.at(id));
            if (removal) continue;
            // What is begun for another reason later is new.
            CPPUNIT_ASSERT(rig_->store().move(id, "INBOX").has_value());
            rig_->settle();
            CPPUNIT_ASSERT(!rig_->account.again.at(id));
        }
    }

    void restored_to_an_impossible_folder() {
        rig_->mailbox.delete_mode = config::DeleteMode::kTrash;
        const auto id = rig_->add_linked();
        mark(id, MessageState::kRead);
        rig_->settle();
        rig_->account.impossible_folders = {"a//b"};
        CPPUNIT_ASSERT(rig_->store().move(id, "a//b").has_value());
        remove(id);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Trash"), rig_->folder_of(id));
        restore(id);
        CPPUNIT_ASSERT(mentions(rig_->pass().notes, "no such place"));
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->get(id).message.folder);
        CPPUNIT_ASSERT_EQUAL(Text("INBOX"), rig_->folder_of(id));
        expect_state("read", {id});
        CPPUNIT_ASSERT(has(id, VM_FLAG_SEEN));
        expect_linked({id});
    }

    void a_copy_where_nobody_could_look_restores_nothing() {
        const auto id = rig_->add_linked(), other = rig_->add_linked("Work");
        rig_->deliver(id, "Work");
        rig_->account.refused_folders = {"Work"};
        remove(id);
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(!rig_->pass().complete);
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{id});
        rig_->account.refused_folders.clear();
        rig_->settle();
        expect_state("deleted", {id});
        CPPUNIT_ASSERT_EQUAL(Text("Work"), rig_->folder_of(id));
        expect_linked({other});
        // What comes back where everybody can look does.
        move_mail(id, "Archive");
        rig_->settle();
        expect_state("new", {id});
        expect_linked({id});
    }

    void what_was_begun_stays_in_doubt_where_nobody_could_look() {
        const auto removed = rig_->add_linked(), read = rig_->add_linked();
        mark(read, MessageState::kRead);
        rig_->at("apply INBOX done", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        rig_->pass();
        remove(removed);
        rig_->account.fail_at = -1;
        rig_->at("apply INBOX done", [&] { rig_->account.fail_at = rig_->account.points - 1; });
        rig_->pass();
        rig_->account.fail_at = -1;
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{removed});
        CPPUNIT_ASSERT(has(read, VM_FLAG_SEEN));
        restore(removed);
        mark(read, MessageState::kNew);
        rig_->account.refused_folders = {"INBOX"};
        CPPUNIT_ASSERT(!rig_->pass().complete);
        rig_->account.refused_folders.clear();
        rig_->settle();
        expect_state("new", {removed, read});
        CPPUNIT_ASSERT(!has(read, VM_FLAG_SEEN));
    }

    void mass_deletion_holds() {
        rig_->misc.mass_deletion_limit = 1;
        const std::vector ids{rig_->add_linked(), rig_->add_linked(), rig_->add_linked()};
        expunge(ids[0]);
        expunge(ids[1]);
        mark(ids[2], MessageState::kRead);
        CPPUNIT_ASSERT(!rig_->pass().hold.empty());
        expect_state("new", {ids[0], ids[1]});
        CPPUNIT_ASSERT(has(ids[2], VM_FLAG_SEEN));  // the rest goes on
        CPPUNIT_ASSERT(rig_->store().release(SyncRig::kNumber, false).has_value());
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->pass().hold);
        expect_state("deleted", {ids[0], ids[1]});
    }

    void switch_off() {
        store::SyncCommit off;
        off.state = rig_->sync_state();
        off.state->on = false;
        CPPUNIT_ASSERT(rig_->store().commit_sync(SyncRig::kNumber, off).has_value());
    }

    void switched_off_and_on_deletes_nothing() {
        const auto seen = rig_->add_linked(), gone = rig_->add_linked(), back = rig_->add_linked(),
                   deleted = rig_->add_linked();
        remove(back);
        rig_->settle();
        switch_off();
        rig_->account.set_flags("INBOX", rig_->account.places(seen).at(0).second, VM_FLAG_SEEN, 0);
        expunge(gone);
        restore(back);
        remove(deleted);
        rig_->account.destroyed.clear();
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(result.complete && !result.push_again);
        CPPUNIT_ASSERT(rig_->sync_state().on);
        rig_->settle();
        expect_state("new", {seen, gone, back});
        CPPUNIT_ASSERT(!has(seen, VM_FLAG_SEEN));
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(gone) + rig_->link(back));
        CPPUNIT_ASSERT(rig_->get(back).delivery.state == DeliveryState::kSent);
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector{deleted});
    }

    // The pass knows nothing of it, and ends as if it had been on all the time.
    void switched_off_and_on_within_a_pass_deletes_nothing() {
        const auto id = rig_->add_linked();
        rig_->foreign("INBOX");
        rig_->at("look INBOX end", [&] { switch_off(); });
        CPPUNIT_ASSERT(rig_->pass().complete);
        CPPUNIT_ASSERT(!rig_->sync_state().on);
        expunge(id);
        rig_->settle();
        expect_state("new", {id});
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        CPPUNIT_ASSERT(rig_->sync_state().on);
    }

    void failure_says_whose_it_is() {
        struct Case {
            std::uint8_t step, cause;
            AccountFault fault;
        };
        rig_->add_linked();
        const std::string before = rig_->both_sides();
        for (const Case& one :
             {Case{VM_STEP_CONNECT, VM_CAUSE_REFUSED, AccountFault::kServer},
              Case{VM_STEP_CONNECT, VM_CAUSE_DNS, AccountFault::kServer},
              Case{VM_STEP_AUTH, VM_CAUSE_REPLY, AccountFault::kLogin},
              Case{VM_STEP_AUTH, VM_CAUSE_CONFIG, AccountFault::kConfig},
              Case{VM_STEP_ACCOUNT, VM_CAUSE_TIMEOUT, AccountFault::kStalls},
              Case{VM_STEP_ACCOUNT, VM_CAUSE_REPLY, AccountFault::kRefused},
              Case{VM_STEP_ACCOUNT, VM_CAUSE_CANCELLED, AccountFault::kCancelled}}) {
            rig_->account.fail_at = rig_->account.points;
            rig_->account.fail_step = one.step;
            rig_->account.fail_cause = one.cause;
            const auto result = rig_->pass();
            CPPUNIT_ASSERT(result.failure && !result.complete);
            CPPUNIT_ASSERT(result.failure->fault == one.fault);
            CPPUNIT_ASSERT_EQUAL(Text("fault at folders begin"), result.failure->text);
            CPPUNIT_ASSERT_EQUAL(before, rig_->both_sides());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncGuardsTest);

}  // namespace

}  // namespace vm::agent
