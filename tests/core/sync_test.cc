// The rules of core/sync.h, one by one; its guards are in sync_guard_test.cc, and what comes of any
// mixture of them in sync_property_test.cc.
#include "sync_cases.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace {

using namespace vm;
using namespace vm::testing;

class SyncTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncTest);
    CPPUNIT_TEST(nothing_happened);
    CPPUNIT_TEST(phone_heard_and_marked_new);
    CPPUNIT_TEST(phone_urgent_set_and_cleared);
    CPPUNIT_TEST(phone_deleted);
    CPPUNIT_TEST(phone_deleted_before_the_mail_was_seen);
    CPPUNIT_TEST(phone_moved);
    CPPUNIT_TEST(phone_restored);
    CPPUNIT_TEST(mail_seen_and_flagged);
    CPPUNIT_TEST(mail_expunged);
    CPPUNIT_TEST(mail_marked_deleted_and_unmarked);
    CPPUNIT_TEST(mail_back_in_scope);
    CPPUNIT_TEST(deleted_again);
    CPPUNIT_TEST(mail_moved);
    CPPUNIT_TEST(both_changed_the_same);
    CPPUNIT_TEST(both_changed_unit_wins);
    CPPUNIT_TEST(deletion_beats_everything);
    CPPUNIT_TEST(what_was_begun_is_in_doubt);
    CPPUNIT_TEST(uidvalidity_changed);
    CPPUNIT_TEST(folder_gone);
    CPPUNIT_TEST(first_link);
    CPPUNIT_TEST(linked_late);
    CPPUNIT_TEST(folders_off);
    CPPUNIT_TEST(a_folder_that_is_no_name_is_not_followed);
    CPPUNIT_TEST_SUITE_END();

    void nothing_happened() {
        expect("", {linked("A", 1), linked("B", 2), gone("C"), message("D"), marked(gone("E"))});
        expect("", Messages{});
    }

    void phone_heard_and_marked_new() {
        SyncMessage one = linked("A");
        one.record.message.state = MessageState::kRead;
        expect("A flag the mail +\\Seen (INBOX, UID 1)", one);
        one.record.message.state = MessageState::kNew;
        one.agreed->seen = one.copies[0].flags.seen = true;
        expect("A flag the mail -\\Seen (INBOX, UID 1)", one);
    }

    void phone_urgent_set_and_cleared() {
        SyncMessage one = linked("A");
        one.record.message.urgent = true;
        expect("A flag the mail +\\Flagged (INBOX, UID 1)", one);
        one.record.message.urgent = false;
        one.agreed->flagged = one.copies[0].flags.flagged = true;
        expect("A flag the mail -\\Flagged (INBOX, UID 1)", one);
    }

    void phone_deleted() {
        expect("A delete the mail (INBOX, UID 1)", deleted(linked("A")));
        // Its mail was known to be there; whatever folder was not looked at now.
        expect("A delete the mail (INBOX, UID 1)", deleted(linked("A")), {}, scope(false));
        expect("A agree that the mail is gone", deleted(vanished("A")));
        expect("A agree that the mail is gone", deleted(marked(linked("A"))));
    }

    void phone_deleted_before_the_mail_was_seen() {
        SyncMessage one = message("A", MessageState::kDeleted);
        expect("", one);
        one.copies = {copy(place(1), kNone, true)};
        expect("A link (INBOX, UID 1); A delete the mail (INBOX, UID 1)", one);
        expect("A link (INBOX, UID 1)", one, kHeld);
    }

    void phone_moved() {
        SyncMessage one = linked("A");
        one.record.message.folder = "Work";
        expect("A move the mail to Work (INBOX, UID 1)", one, kFolders);
    }

    void phone_restored() {
        SyncMessage one = gone("A");
        one.record.message.state = MessageState::kRead;
        expect("A bring the mail back to INBOX", one);
        expect("", one, {}, scope(false));  // it may have come back where nobody looked
        one.record.message.folder = "Work";
        expect("A bring the mail back to INBOX", one);
        expect("A bring the mail back to Work", one, kFolders);
        // Before its mail was removed: there is nothing to do.
        expect("", linked("A"));
        // Its mail is still there, marked as deleted: that one is taken.
        one.copies = {copy(place(1), kMarked)};
        const auto actions = decide_sync({one}, scope(), {});
        CPPUNIT_ASSERT_EQUAL(std::string("A bring the mail back to INBOX"), told(actions));
        CPPUNIT_ASSERT(actions[0].copy.place == place(1));
    }

    void mail_seen_and_flagged() {
        SyncMessage one = linked("A");
        one.copies[0].flags = kSeen;
        expect("A agree (INBOX, UID 1) seen; A mark as read", one);
        one.copies[0].flags = kFlagged;
        expect("A agree (INBOX, UID 1) flagged; A urgent: set", one);
        one.agreed->seen = one.agreed->flagged = one.record.message.urgent = true;
        one.record.message.state = MessageState::kRead;
        one.copies[0].flags = kNone;
        expect("A agree (INBOX, UID 1); A mark as new; A urgent: cleared", one);
        expect("A agree (INBOX, UID 1); A mark as new; A urgent: cleared", one, kHeld);
        expect("A agree (INBOX, UID 1); A mark as new; A urgent: cleared", one, {}, scope(false));
    }

    void mail_expunged() {
        expect("A delete; A agree that the mail is gone", vanished("A"));
        expect("", vanished("A"), {}, scope(false));
        expect("", vanished("A"), kHeld);
        expect("A unlink", vanished("A"), kKeep);
    }

    void mail_marked_deleted_and_unmarked() {
        const SyncMessage one = marked(linked("A"));
        expect("A delete; A agree that the mail is gone", one);
        expect("", one, {}, scope(false));  // another copy may have taken its place
        expect("", one, kHeld);
        expect("A unlink", one, kKeep);
        SyncMessage cleared = gone("A");
        cleared.copies = {copy(place(1))};
        expect("A link (INBOX, UID 1); A restore", cleared);
        expect("A link (INBOX, UID 1); A restore", cleared, {}, scope(false));
    }

    void mail_back_in_scope() {
        SyncMessage one = gone("A");
        one.copies = {copy(place(7, "Work"), kSeen, true)};
        expect("A link (Work, UID 7); A restore", one);
        expect("A link (Work, UID 7); A restore", one, {}, scope(false));
        one.record.message.state = MessageState::kNew;  // and restored on the phone
        expect("A link (Work, UID 7)", one);
    }

    // Since both sides agreed, the phone has restored it and deleted it again.
    void deleted_again() {
        SyncMessage one = gone("A");
        one.agreed->doubt.removed = true;
        expect("A agree that the mail is gone", one);
        expect("", one, {}, scope(false));  // it may be back where nobody looked
        one.copies = {copy(place(7, "Work"), kNone, true)};
        expect("A link (Work, UID 7); A delete the mail (Work, UID 7)", one);
        const auto actions = decide_sync({one}, scope(), {});
        CPPUNIT_ASSERT(actions[0].doubt.removed);  // until that is confirmed
        expect("A link (Work, UID 7)", one, kHeld);
        one.copies = {copy(place(8))};  // a second copy that was known: left alone
        expect("A agree that the mail is gone", one);
    }

    void mail_moved() {
        const SyncMessage one = in_folder(linked("A"), "INBOX", "Work");
        expect("A link (Work, UID 5) as Work; A move to folder Work", one, kFolders);
        expect("A link (Work, UID 5)", one);
        SyncMessage read = one;  // and opened there
        read.copies[0].flags = kSeen;
        expect("A link (Work, UID 5) seen; A mark as read", read);
    }

    void both_changed_the_same() {
        SyncMessage one = in_folder(linked("A"), "Work", "Work");
        one.record.message.state = MessageState::kRead;
        one.record.message.urgent = true;
        one.copies[0].flags = {true, true, false};
        expect("A link (Work, UID 5) seen flagged as Work", one, kFolders);
    }

    void both_changed_unit_wins() {
        SyncMessage one = in_folder(linked("A"), "Archive", "Work");
        one.record.message.urgent = true;  // by the phone alone
        one.copies[0].flags = kSeen;       // by the subscriber alone
        expect(
            "A link (Work, UID 5) seen; A mark as read; A flag the mail +\\Flagged (Work, UID 5); "
            "A move the mail to Archive (Work, UID 5)",
            one, kFolders);
        // Both sides of a switch: there and back again.
        SyncMessage back = linked("B");
        back.agreed->seen = true;  // since then marked new here, and read there anew
        back.copies[0].flags = kSeen;
        expect("B flag the mail -\\Seen (INBOX, UID 1)", back);
    }

    // The phone has taken back what was begun in the account and not confirmed.
    void what_was_begun_is_in_doubt() {
        SyncMessage removed = vanished("A");
        removed.agreed->doubt.removed = true;
        expect("A bring the mail back to INBOX", removed);
        expect("", removed, {}, scope(false));
        expect("A agree that the mail is gone", deleted(removed));
        removed.copies = {copy(place(1), kMarked)};
        const auto actions = decide_sync({removed}, scope(), {});
        CPPUNIT_ASSERT_EQUAL(std::string("A bring the mail back to INBOX"), told(actions));
        CPPUNIT_ASSERT(actions[0].copy.place == place(1));
        // Marked, and not expunged.
        expect("A delete the mail (INBOX, UID 1)", deleted(removed));
        expect("A agree that the mail is gone", deleted(removed), {.remove_to_trash = true});
        removed.copies = {copy(place(1))};  // it was not removed
        expect("A agree (INBOX, UID 1)", removed);
        expect("", removed, {}, scope(false));  // or nobody has looked since

        SyncMessage flags = linked("B");
        flags.copies[0].flags = {true, true, false};
        flags.agreed->doubt.flagged = true;
        expect(
            "B agree (INBOX, UID 1) seen; B mark as read; "
            "B flag the mail -\\Flagged (INBOX, UID 1)",
            flags);
        flags.agreed->doubt.seen = true;
        expect("B flag the mail -\\Seen \\Flagged (INBOX, UID 1)", flags);
        flags.copies[0].flags = kNone;
        expect("B agree (INBOX, UID 1)", flags);
        expect("", flags, {}, scope(false));

        SyncMessage moved = in_folder(linked("C"), "INBOX", "Work");
        moved.agreed->doubt.folder = true;
        expect("C link (Work, UID 5); C move the mail to INBOX (Work, UID 5)", moved, kFolders);
        const auto kept = decide_sync({moved}, scope(), kFolders);
        CPPUNIT_ASSERT(kept[0].doubt.folder && kept[1].kind == SyncActionKind::kMoveMail);
    }

    void deletion_beats_everything() {
        SyncMessage one = vanished("A");
        one.record.message.state = MessageState::kRead;
        one.record.message.urgent = true;
        one.record.message.folder = "Work";
        expect("A delete; A agree that the mail is gone", one, kFolders);
        SyncMessage other = deleted(in_folder(linked("B"), "Archive", "Work"));
        other.copies[0].flags = {true, true, false};
        expect("B link (Work, UID 5); B delete the mail (Work, UID 5)", other, kFolders);
    }

    void uidvalidity_changed() {
        SyncMessage one = linked("A");
        one.agreed->link.uidvalidity = 9;
        expect("A link (INBOX, UID 1)", one);  // found by identity
        expect("A link (INBOX, UID 1); A delete the mail (INBOX, UID 1)", deleted(one));
        expect("A link (INBOX, UID 1); A delete; A agree that the mail is gone", marked(one));
        expect("A unlink", {lost("A"), linked("B", 2), linked("C", 3)});
        expect("", lost("A"), {}, scope(false));
    }

    void folder_gone() {
        SyncMessage one = vanished("A");
        one.agreed->link.folder = "Gone";
        const Messages all{one, linked("B", 2), linked("C", 3)};
        expect("A unlink", all);
        expect("A unlink", {deleted(one), all[1], all[2]});
        expect("", all, {}, scope(false));
        one.copies = {copy(place(5, "Work"), kNone, true)};  // renamed
        expect("A link (Work, UID 5)", one);
    }

    void first_link() {
        SyncMessage one = message("A");
        one.copies = {copy(place(1), kNone, true)};
        expect("A link (INBOX, UID 1)", one);
        one.copies[0].flags = {true, true, false};
        expect("A link (INBOX, UID 1) seen flagged; A mark as read; A urgent: set", one);
        one.copies[0].flags = kNone;
        one.record.message.state = MessageState::kRead;
        one.record.message.urgent = true;
        expect("A link (INBOX, UID 1); A flag the mail +\\Seen \\Flagged (INBOX, UID 1)", one);
        one = in_folder(message("A"), "INBOX", "Work");  // by a rule of the subscriber's
        expect("A link (Work, UID 5) as Work; A move to folder Work", one, kFolders);
        one = in_folder(message("A"), "Archive", "INBOX");
        expect("A link (INBOX, UID 5); A move the mail to Archive (INBOX, UID 5)", one, kFolders);
    }

    // Marked as deleted before it was ever seen.
    void linked_late() {
        SyncMessage one = message("A");
        one.copies = {copy(place(1), kMarked, true)};
        expect("A link (INBOX, UID 1); A delete; A agree that the mail is gone", one);
        // Another pass would not know that it is new.
        expect("A link (INBOX, UID 1)", one, {}, scope(false));
        expect("A link (INBOX, UID 1)", one, kHeld);
        expect("", one, kKeep);
        expect("A link (INBOX, UID 1); A agree that the mail is gone", deleted(one));
        // One that was seen so and kept; and one that was copied since.
        one.copies[0].fresh = false;
        expect("", one);
        one.copies.push_back(copy(place(2), kMarked, true));
        expect("", one);
        std::swap(one.copies[0], one.copies[1]);
        expect("", one);
        one.copies.push_back(copy(place(3)));
        expect("A link (INBOX, UID 3)", one);
    }

    void folders_off() {
        expect("A link (Work, UID 5)", in_folder(linked("A"), "Archive", "Work"));
        SyncMessage one = linked("A");
        one.record.message.folder = "Work";
        expect("", one);
    }

    void a_folder_that_is_no_name_is_not_followed() {
        for (const std::string& name : {std::string(101, 'x'), std::string(" Work"),
                                        std::string("a\x01"), std::string("\xff")}) {
            const SyncMessage one = in_folder(linked("A"), "INBOX", name);
            expect("A link (" + name + ", UID 5)", one, kFolders);
            // But for the phone's wish it is left.
            const SyncMessage moved = in_folder(linked("A"), "Work", name);
            expect("A link (" + name + ", UID 5); A move the mail to Work (" + name + ", UID 5)",
                   moved, kFolders);
            expect("A link (" + name + ", UID 5)", in_folder(message("A"), "INBOX", name),
                   kFolders);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncTest);

}  // namespace
