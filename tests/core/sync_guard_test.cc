// Copies, guards and what a person says, as decide_sync minds them.
#include "sync_cases.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <string>

namespace {

using namespace vm;
using namespace vm::testing;

// Whether `there` linked messages whose mail is there, and those in `more`, put it on hold.
bool holds(int there, Messages more, std::int64_t limit) {
    for (int i = 0; i < there; ++i)
        more.push_back(linked("T" + std::to_string(i), static_cast<std::uint32_t>(100 + i)));
    const auto actions =
        decide_sync(more, scope(), with([&](SyncPolicy& p) { p.mass_deletion_limit = limit; }));
    bool hold = false, deletes = false;
    for (const SyncAction& action : actions) {
        hold |= action.kind == SyncActionKind::kHold;
        deletes |= action.kind == SyncActionKind::kDeleteLocal ||
                   action.kind == SyncActionKind::kUnlink ||
                   action.kind == SyncActionKind::kRemoveMail;
    }
    CPPUNIT_ASSERT(hold != deletes);
    return hold;
}
Messages several(int count, const std::function<SyncMessage(const std::string&)>& make) {
    Messages out;
    for (int i = 0; i < count; ++i) out.push_back(make("M" + std::to_string(i)));
    return out;
}

class SyncGuardTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncGuardTest);
    CPPUNIT_TEST(of_several_copies_one_is_linked);
    CPPUNIT_TEST(a_second_copy_stands_in_for_mail_that_is_gone);
    CPPUNIT_TEST(a_deletion_does_not_reach_a_second_copy);
    CPPUNIT_TEST(a_second_copy_brings_nothing_back);
    CPPUNIT_TEST(a_deleted_message_follows_its_marked_mail);
    CPPUNIT_TEST(mass_limit_exactly);
    CPPUNIT_TEST(mass_limit_at_half);
    CPPUNIT_TEST(mass_counts_what_is_marked);
    CPPUNIT_TEST(mass_does_not_count_what_the_phone_deleted);
    CPPUNIT_TEST(lost_places_at_half);
    CPPUNIT_TEST(lost_and_vanished_together);
    CPPUNIT_TEST(on_hold_nothing_is_deleted);
    CPPUNIT_TEST(released_deletes_without_a_guard);
    CPPUNIT_TEST(keeping_unlinks);
    CPPUNIT_TEST(an_incomplete_listing_says_nothing_of_what_is_missing);
    CPPUNIT_TEST(rejoined_unit_wins_for_the_read_state);
    CPPUNIT_TEST(rejoined_sends_nothing_old);
    CPPUNIT_TEST(every_kind_has_a_name_and_a_side);
    CPPUNIT_TEST_SUITE_END();

    void of_several_copies_one_is_linked() {
        SyncMessage one = linked("A");
        one.copies.push_back(copy(place(2), kSeen, true));
        expect("A second copy (INBOX, UID 2)", one);  // its flags are nobody's change
        one.copies[1].fresh = false;
        expect("", one);
        one.copies[1] = copy(place(2), kMarked, true);
        expect("", one);
        SyncMessage first = message("B");
        first.copies = {copy(place(3), kNone, true), copy(place(4), kNone, true)};
        expect("B second copy (INBOX, UID 4); B link (INBOX, UID 3)", first);
    }

    void a_second_copy_stands_in_for_mail_that_is_gone() {
        SyncMessage one = vanished("A");
        one.copies = {copy(place(2))};
        expect("A link (INBOX, UID 2)", one);
        expect("", one, {}, scope(false));  // as it was last seen: it may be gone as well
        one.copies = {copy(place(1), kMarked), copy(place(2))};
        expect("A link (INBOX, UID 2)", one);
        // But one found just now is where it was moved to; and one in the folder that has another
        // UIDVALIDITY now is the one that was there.
        one.copies = {copy(place(2)), copy(place(5, "Work"), kNone, true)};
        expect("A link (Work, UID 5) as Work; A move to folder Work", one, kFolders);
        one.copies = {copy(place(5, "Archive"), kNone, true), copy(place(2, "INBOX", 3))};
        SyncScope renumbered = scope();
        renumbered.folders["INBOX"] = 3;
        expect("A second copy (Archive, UID 5); A link (INBOX, UID 2)", one, kFolders, renumbered);
    }

    void a_deletion_does_not_reach_a_second_copy() {
        SyncMessage one = deleted(linked("A"));
        one.copies.push_back(copy(place(2)));
        expect("A delete the mail (INBOX, UID 1)", one);
        // It was removed, and the process died before it could note that; or the subscriber did.
        one.copies.erase(one.copies.begin());
        expect("A agree that the mail is gone", one);
        expect("A agree that the mail is gone", one, kKeep);
        expect("", one, kHeld);
        expect("", one, {}, scope(false));
        one.copies.push_back(copy(place(1), kMarked));
        expect("A agree that the mail is gone", one);
        // Moved.
        one.copies.push_back(copy(place(5, "Work"), kNone, true));
        expect("A link (Work, UID 5); A delete the mail (Work, UID 5)", one);
    }

    void a_second_copy_brings_nothing_back() {
        SyncMessage one = gone("A");
        one.copies = {copy(place(2))};
        expect("", one);
        one.record.message.state = MessageState::kNew;  // but it serves what was restored
        expect("A link (INBOX, UID 2)", one);
        // As it was last seen, which may be long ago.
        expect("", one, {}, scope(false));
    }

    void a_deleted_message_follows_its_marked_mail() {
        SyncMessage one = gone("A");
        one.copies = {copy(place(5, "Work"), kMarked, true)};
        expect("A link (Work, UID 5); A agree that the mail is gone", one);
        expect("", one, kHeld);
        expect("", one, {}, scope(false));
        SyncMessage moved = vanished("B");
        moved.copies = one.copies;
        expect("B link (Work, UID 5); B delete; B agree that the mail is gone", moved);
        expect("B link (Work, UID 5)", moved, {}, scope(false));
        expect("B unlink", moved, kKeep);
    }

    void mass_limit_exactly() {
        CPPUNIT_ASSERT(!holds(0, several(50, vanished), 50));
        CPPUNIT_ASSERT(holds(0, several(51, vanished), 50));
        CPPUNIT_ASSERT(!holds(0, several(1, vanished), 1));
        CPPUNIT_ASSERT(holds(0, several(1, vanished), 0));
    }

    void mass_limit_at_half() {
        CPPUNIT_ASSERT(!holds(10, several(10, vanished), 2));  // not more than half
        CPPUNIT_ASSERT(holds(9, several(10, vanished), 2));
        CPPUNIT_ASSERT(!holds(2, several(2, vanished), 2));
    }

    void mass_counts_what_is_marked() {
        const auto flagged = [](const std::string& id) { return marked(linked(id)); };
        CPPUNIT_ASSERT(holds(2, several(3, flagged), 2));
        CPPUNIT_ASSERT(!holds(3, several(3, flagged), 2));
        const auto new_and_flagged = [](const std::string& id) {
            SyncMessage out = message(id);
            out.copies = {copy(place(1), kMarked, true)};
            return out;
        };
        CPPUNIT_ASSERT(holds(2, several(3, new_and_flagged), 2));
        CPPUNIT_ASSERT(!holds(3, several(3, new_and_flagged), 2));
    }

    void mass_does_not_count_what_the_phone_deleted() {
        Messages all = several(5, [](const std::string& id) { return deleted(vanished(id)); });
        all.push_back(vanished("V"));
        CPPUNIT_ASSERT(!holds(1, all, 0));  // one of two
        CPPUNIT_ASSERT(holds(0, all, 0));   // one of one
    }

    void lost_places_at_half() {
        CPPUNIT_ASSERT(!holds(2, several(2, lost), 50));
        CPPUNIT_ASSERT(holds(2, several(3, lost), 50));
        CPPUNIT_ASSERT(holds(0, several(1, lost), 50));
    }

    void lost_and_vanished_together() {
        Messages all = several(2, vanished);
        all.push_back(lost("L"));
        CPPUNIT_ASSERT(!holds(3, all, 50));
        CPPUNIT_ASSERT(holds(2, all, 50));
    }

    void on_hold_nothing_is_deleted() {
        SyncMessage read = linked("E", 5);
        read.copies[0].flags = kSeen;
        expect("E agree (INBOX, UID 5) seen; E mark as read",
               {vanished("A"), lost("B"), deleted(linked("C", 3)), deleted(marked(linked("D", 4))),
                read, deleted(vanished("F"))},
               kHeld);
    }

    void released_deletes_without_a_guard() {
        const Messages all{vanished("A"), lost("B"), deleted(linked("C", 3))};
        expect(
            "A delete; A agree that the mail is gone; B delete; B agree that the mail is gone; "
            "C delete the mail (INBOX, UID 3)",
            all, with([](SyncPolicy& p) {
                p.released = true;
                p.mass_deletion_limit = 0;
            }));
        expect("C delete the mail (INBOX, UID 3)", all, kReleased, scope(false));
    }

    void keeping_unlinks() {
        expect("A unlink; B unlink; C unlink; D delete the mail (INBOX, UID 4)",
               {vanished("A"), lost("B"), marked(linked("C", 3)), deleted(linked("D", 4))},
               with([](SyncPolicy& p) {
                   p.keep_missing = true;
                   p.mass_deletion_limit = 0;
               }));
        expect("", vanished("A"), kKeep, scope(false));
        expect("", marked(linked("A")), kKeep, scope(false));
    }

    void an_incomplete_listing_says_nothing_of_what_is_missing() {
        expect("",
               {vanished("A"), lost("B"), marked(linked("C", 3)), deleted(vanished("D")),
                deleted(marked(linked("E", 5)))},
               with([](SyncPolicy& p) { p.mass_deletion_limit = 0; }), scope(false));
    }

    void rejoined_unit_wins_for_the_read_state() {
        SyncMessage one = linked("A");
        one.copies[0].flags = {true, true, false};
        expect(
            // Agreed is what the mail has, so that a later pass, too, sees the unit's change.
            "A agree (INBOX, UID 1) seen flagged; A urgent: set; A flag the mail -\\Seen (INBOX, "
            "UID 1)",
            one, kRejoined);
        one.record.message.state = MessageState::kRead;
        one.copies[0].flags = kNone;
        expect("A flag the mail +\\Seen (INBOX, UID 1)", one, kRejoined);
        expect("A unlink", vanished("A"), kRejoined);
        expect("A delete the mail (INBOX, UID 1)", deleted(linked("A")), kRejoined);
    }

    void rejoined_sends_nothing_old() {
        SyncMessage one = gone("A");
        one.record.message.state = MessageState::kNew;
        expect("A unlink", one, kRejoined);
    }

    void every_kind_has_a_name_and_a_side() {
        using K = SyncActionKind;
        for (int i = 0; i <= static_cast<int>(K::kRecoverMail); ++i) {
            const K kind = static_cast<K>(i);
            CPPUNIT_ASSERT(std::string(to_string(kind)) != "unknown");
            CPPUNIT_ASSERT_EQUAL(i >= static_cast<int>(K::kStoreFlags), in_account(kind));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncGuardTest);

}  // namespace
