#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

namespace {

using namespace vm;
using namespace vm::store;
using K = SyncActionKind;

constexpr TimeMs kStart = 1000000;
constexpr const char* kUnknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

const std::vector<K> kKinds{K::kLink,     K::kUnlink,       K::kAgree,      K::kAgreeGone,
                            K::kSetState, K::kSetUrgent,    K::kSetFolder,  K::kDeleteLocal,
                            K::kReport,   K::kRestoreLocal, K::kHold,       K::kStoreFlags,
                            K::kMoveMail, K::kRemoveMail,   K::kRecoverMail};

MailCopy copy_at(const std::string& folder, std::uint32_t uid, MailFlags flags = {}) {
    return {{folder, 5, uid}, flags};
}

std::string text_of(const MailCopy& copy) {
    const MailFlags& f = copy.flags;
    return copy.place.folder + "/" + std::to_string(copy.place.uidvalidity) + "/" +
           std::to_string(copy.place.uid) + (f.seen ? "S" : "") + (f.flagged ? "F" : "") +
           (f.deleted ? "D" : "");
}

// A store with one message in it, and a pass over its mailbox.
class Rig {
  public:
    Rig() : clock(kStart), store(root.open(clock)), id(good(store->add(root.message()))) {}

    SyncChange change(K kind) const {
        SyncChange out;
        out.kind = kind;
        out.id = id;
        out.seen_folder = out.agreed_folder = kInboxFolder;
        out.copy = copy_at("INBOX", 7);
        if (kind == K::kHold) out.reason = "too many";
        return out;
    }
    void commit(std::vector<SyncChange> changes) const {
        SyncCommit all;
        all.changes = std::move(changes);
        good(store->commit_sync("101", all));
    }
    void commit(const SyncState& state) const {
        SyncCommit all;
        all.state = state;
        good(store->commit_sync("101", all));
    }
    void link(std::uint32_t uid = 7) const {
        SyncChange made = change(K::kLink);
        made.copy.place.uid = uid;
        commit({made});
    }
    void hold() const { commit({change(K::kHold)}); }

    MessageRecord record() const { return good(store->get(id)); }
    SyncMessage known() const {
        for (SyncMessage& message : good(store->sync_messages("101")))
            if (message.record.message.id == id) return std::move(message);
        CPPUNIT_FAIL("the message is gone");
        return {};
    }
    SyncState state() const { return good(store->sync_state("101")); }
    // Without the two lines of its arrival.
    std::string history() const {
        std::string out;
        const auto all = good(store->history(id));
        for (std::size_t i = 2; i < all.size(); ++i)
            out += all[i].what + ":" + all[i].from + ">" + all[i].to + "(" + all[i].reply + ") ";
        return out;
    }
    MailboxChange sequences(const std::string& mailbox = "101") const {
        for (const MailboxChange& change : good(store->changes_since(0)))
            if (change.mailbox == mailbox) return change;
        return {};
    }

    const Root root;
    mutable ManualClock clock;
    const std::unique_ptr<Store> store;
    const std::string id;
};

// Brings the delivery of the rig's message to `state`.
void bring_to(Store& store, const std::string& id, DeliveryState state) {
    using D = DeliveryState;
    const auto end = [&](DeliveryEvent event) {
        good(store.record_outcome({id, event, "words", kStart + 60000}));
    };
    if (state == D::kQueued) return;
    if (state == D::kOff) return end(DeliveryEvent::kSwitchOff);
    good(store.record_intent(id, id + "@x"));
    if (state == D::kSent) end(DeliveryEvent::kAccepted);
    if (state == D::kDeferred) end(DeliveryEvent::kDeferral);
    if (state == D::kFailed) end(DeliveryEvent::kFailure);
    if (state == D::kUncertain) end(DeliveryEvent::kReplyLost);
}

const std::vector<DeliveryState> kDeliveries{DeliveryState::kOff,      DeliveryState::kQueued,
                                             DeliveryState::kSending,  DeliveryState::kSent,
                                             DeliveryState::kDeferred, DeliveryState::kFailed,
                                             DeliveryState::kUncertain};

class SyncTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncTest);
    CPPUNIT_TEST(a_mailbox_without_a_pass_has_an_empty_state);
    CPPUNIT_TEST(a_link_is_told_when_its_folder_is_new);
    CPPUNIT_TEST(an_agreement_leaves_no_trace_in_the_history);
    CPPUNIT_TEST(a_link_goes_or_is_gone);
    CPPUNIT_TEST(copies_of_named_messages_are_replaced);
    CPPUNIT_TEST(the_account_changes_the_message);
    CPPUNIT_TEST(the_account_deletes_and_restores);
    CPPUNIT_TEST(what_the_phone_changed_meanwhile_stays);
    CPPUNIT_TEST(two_changes_of_one_message_are_one_decision);
    CPPUNIT_TEST(a_folder_that_is_no_name_is_not_followed);
    CPPUNIT_TEST(messages_that_are_not_the_mailboxs_are_left_out);
    CPPUNIT_TEST(what_is_begun_is_kept_until_it_is_confirmed);
    CPPUNIT_TEST(what_cannot_be_committed_leaves_nothing);
    CPPUNIT_TEST(a_second_copy_is_reported_once);
    CPPUNIT_TEST(found_settles_what_is_open);
    CPPUNIT_TEST(what_was_sent_is_pushed_again);
    CPPUNIT_TEST(a_state_is_kept);
    CPPUNIT_TEST(folders_are_written_when_they_differ);
    CPPUNIT_TEST(settled_until_anything_happens);
    CPPUNIT_TEST(a_hold_lasts_until_its_release);
    CPPUNIT_TEST(a_release_is_not_lost_to_the_pass_it_met);
    CPPUNIT_TEST(a_hold_is_not_set_over_a_release);
    CPPUNIT_TEST(purges_what_is_settled);
    CPPUNIT_TEST(a_purge_leaves_nothing_of_a_message);
    CPPUNIT_TEST(changes_of_the_phone_are_told_apart);
    CPPUNIT_TEST(changes_come_by_their_sequence);
    CPPUNIT_TEST(remembers_what_was_told_of_waiting_messages);
    CPPUNIT_TEST_SUITE_END();

    void a_mailbox_without_a_pass_has_an_empty_state() {
        const Rig rig;
        const SyncState state = rig.state();
        CPPUNIT_ASSERT(state.account.empty() && state.hold.empty() && state.folders.empty());
        CPPUNIT_ASSERT(state.on && !state.released && !state.released_keep);
        CPPUNIT_ASSERT(state.last_pass == 0 && state.last_every == 0);
        CPPUNIT_ASSERT(good(rig.store->sync_messages("102")).empty());
        const SyncMessage known = rig.known();
        CPPUNIT_ASSERT(!known.agreed && known.copies.empty());
        good(rig.store->commit_sync("102", {}));  // nothing is no error
    }

    void a_link_is_told_when_its_folder_is_new() {
        const Rig rig;
        SyncChange link = rig.change(K::kLink);
        link.copy = copy_at("INBOX", 4294967295U, {true, false, false});
        link.copy.place.uidvalidity = 4294967294U;
        link.agreed_folder = "Saved";
        link.reason = "found";
        rig.commit({link});
        const MessageRecord record = rig.record();
        CPPUNIT_ASSERT_EQUAL(4294967295U, record.link.value().uid);
        CPPUNIT_ASSERT_EQUAL(4294967294U, record.link->uidvalidity);
        const Agreed agreed = rig.known().agreed.value();
        CPPUNIT_ASSERT(agreed.seen && !agreed.flagged && !agreed.gone);
        CPPUNIT_ASSERT_EQUAL(std::string("Saved"), agreed.unit_folder);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, good(rig.store->counts("101")).linked);

        link.copy.place.uid = 3;  // another UIDVALIDITY, the same folder
        link.copy.flags = {false, true, false};
        rig.commit({link});
        CPPUNIT_ASSERT_EQUAL(3U, rig.record().link.value().uid);
        CPPUNIT_ASSERT(!rig.known().agreed->seen && rig.known().agreed->flagged);
        link.copy.place.folder = "Wörk/\x07";
        rig.commit({link});
        CPPUNIT_ASSERT_EQUAL(std::string("Wörk/\x07"), rig.record().link.value().folder);
        CPPUNIT_ASSERT_EQUAL(std::string("link:>INBOX, UID 4294967295(found) "
                                         "link:INBOX, UID 3>Wörk/ , UID 3(found) "),
                             rig.history());
    }

    void an_agreement_leaves_no_trace_in_the_history() {
        const Rig rig;
        SyncChange agree = rig.change(K::kAgree);
        agree.copy = copy_at("Work", 8, {true, true, false});
        agree.agreed_folder = "Saved";
        rig.commit({agree});
        const Agreed agreed = rig.known().agreed.value();
        CPPUNIT_ASSERT_EQUAL(std::string("Work"), agreed.link.folder);
        CPPUNIT_ASSERT_EQUAL(8U, agreed.link.uid);
        CPPUNIT_ASSERT(agreed.seen && agreed.flagged && !agreed.gone);
        CPPUNIT_ASSERT_EQUAL(std::string("Saved"), agreed.unit_folder);
        CPPUNIT_ASSERT_EQUAL(std::string(), rig.history());
        // And says nothing of the message.
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kNew);
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), rig.record().message.folder);
    }

    void a_link_goes_or_is_gone() {
        const Rig rig;
        SyncChange gone = rig.change(K::kAgreeGone), unlink = rig.change(K::kUnlink);
        gone.reason = "deleted in both";
        unlink.reason = "its folder is gone";
        rig.commit({gone, unlink});  // there is nothing yet
        CPPUNIT_ASSERT(!rig.known().agreed);
        rig.link();
        rig.commit({gone});
        rig.commit({gone});
        CPPUNIT_ASSERT(!rig.record().link && !rig.known().record.link);
        CPPUNIT_ASSERT(rig.known().agreed.value().gone);
        CPPUNIT_ASSERT_EQUAL(7U, rig.known().agreed->link.uid);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, good(rig.store->counts("101")).linked);
        rig.link(8);
        CPPUNIT_ASSERT(!rig.known().agreed.value().gone);
        rig.commit({unlink});
        CPPUNIT_ASSERT(!rig.record().link && !rig.known().agreed);
        CPPUNIT_ASSERT_EQUAL(std::string("link:>INBOX, UID 7() "
                                         "link:INBOX, UID 7>(deleted in both) "
                                         "link:>INBOX, UID 8() "
                                         "link:INBOX, UID 8>(its folder is gone) "),
                             rig.history());
        rig.link();
        rig.commit({gone, unlink});  // one that is gone is forgotten in silence
        CPPUNIT_ASSERT(!rig.known().agreed);
    }

    void copies_of_named_messages_are_replaced() {
        const Rig rig;
        const std::string other = good(rig.store->add(rig.root.message()));
        const std::string foreign = good(rig.store->add(rig.root.message("102")));
        const auto copies_of = [&](const std::string& id, const std::string& mailbox) {
            std::string out;
            for (const SyncMessage& message : good(rig.store->sync_messages(mailbox)))
                if (message.record.message.id == id)
                    for (const MailCopy& copy : message.copies) out += text_of(copy) + " ";
            return out;
        };
        const MailCopy far = {{"Z", 4294967295U, 4294967295U}, {true, true, true}};
        SyncCommit commit;
        commit.copies = {{rig.id, {far, copy_at("INBOX", 10), copy_at("INBOX", 9)}},
                         {other, {copy_at("INBOX", 1, {false, true, false})}},
                         {foreign, {copy_at("INBOX", 2)}},
                         {kUnknown, {copy_at("INBOX", 3)}}};
        good(rig.store->commit_sync("101", commit));
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX/5/9 INBOX/5/10 Z/4294967295/4294967295SFD "),
                             copies_of(rig.id, "101"));
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX/5/1F "), copies_of(other, "101"));
        CPPUNIT_ASSERT_EQUAL(std::string(), copies_of(foreign, "102"));

        // A place twice is one copy, of which the later words count.
        commit.copies = {{other, {copy_at("A", 1), copy_at("A", 1, {true, false, false})}}};
        good(rig.store->commit_sync("101", commit));
        CPPUNIT_ASSERT_EQUAL(std::string("A/5/1S "), copies_of(other, "101"));
        CPPUNIT_ASSERT(copies_of(rig.id, "101").size() > 40);
        commit.copies = {{rig.id, {}}, {foreign, {}}};
        good(rig.store->commit_sync("101", commit));
        CPPUNIT_ASSERT_EQUAL(std::string(), copies_of(rig.id, "101"));

        // What another mailbox knows cannot be wiped out either.
        commit.copies = {{foreign, {copy_at("INBOX", 2)}}};
        good(rig.store->commit_sync("102", commit));
        commit.copies = {{foreign, {}}};
        good(rig.store->commit_sync("101", commit));
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX/5/2 "), copies_of(foreign, "102"));
    }

    void the_account_changes_the_message() {
        const Rig rig;
        SyncChange read = rig.change(K::kSetState), urgent = rig.change(K::kSetUrgent),
                   folder = rig.change(K::kSetFolder);
        read.state = MessageState::kRead;
        urgent.urgent = true;
        urgent.reason = "flagged by\nsomebody";
        folder.folder = "Work/Büro";
        rig.commit({read, urgent, folder});
        const Message message = rig.record().message;
        CPPUNIT_ASSERT(message.state == MessageState::kRead && message.urgent);
        CPPUNIT_ASSERT_EQUAL(std::string("Work/Büro"), message.folder);
        const std::string told =
            "state:new>read(in the mail account) urgent:no>yes(flagged by somebody) "
            "folder:INBOX>Work/Büro(in the mail account) ";
        CPPUNIT_ASSERT_EQUAL(told, rig.history());
        // What is so already leaves no trace.
        read.seen_state = MessageState::kRead;
        urgent.seen_urgent = true;
        folder.seen_folder = "Work/Büro";
        rig.commit({read, urgent, folder});
        CPPUNIT_ASSERT_EQUAL(told, rig.history());
    }

    void the_account_deletes_and_restores() {
        const Rig rig;
        good(rig.store->mark(rig.id, MessageState::kRead));
        rig.clock.advance(5);
        SyncChange deleted = rig.change(K::kDeleteLocal), restored = rig.change(K::kRestoreLocal);
        deleted.seen_state = MessageState::kRead;
        rig.commit({deleted});
        rig.commit({deleted});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kDeleted);
        CPPUNIT_ASSERT(rig.record().message.deleted_at == kStart + 5);
        CPPUNIT_ASSERT(rig.record().delivery.state == DeliveryState::kQueued);
        CPPUNIT_ASSERT(good(rig.store->pending("101")).empty());
        rig.clock.advance(5);
        rig.commit({restored});
        rig.commit({restored});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kRead);
        CPPUNIT_ASSERT(!rig.record().message.deleted_at);
        CPPUNIT_ASSERT_EQUAL(kStart + 10, rig.record().delivery.queued_at);
        CPPUNIT_ASSERT_EQUAL(std::string("state:new>read() state:read>deleted(in the mail account) "
                                         "state:deleted>read(in the mail account) "),
                             rig.history());
    }

    void what_the_phone_changed_meanwhile_stays() {
        const Rig rig;
        SyncChange state = rig.change(K::kSetState), urgent = rig.change(K::kSetUrgent),
                   folder = rig.change(K::kSetFolder), deleted = rig.change(K::kDeleteLocal);
        state.seen_state = MessageState::kRead;  // decided while it was read and urgent, in Old
        urgent.seen_urgent = true;
        folder.seen_folder = "Old";
        folder.folder = "Work";
        good(rig.store->set_urgent(rig.id, false));
        good(rig.store->move(rig.id, "Saved"));
        const std::string told = rig.history();
        rig.commit({state, urgent, folder, rig.change(K::kRestoreLocal)});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kNew);
        CPPUNIT_ASSERT_EQUAL(std::string("Saved"), rig.record().message.folder);
        CPPUNIT_ASSERT_EQUAL(told, rig.history());

        // Deleted by the phone: neither marked nor deleted anew.
        good(rig.store->remove(rig.id));
        const std::string after = rig.history();
        state.seen_state = deleted.seen_state = MessageState::kNew;
        state.state = MessageState::kRead;
        rig.clock.advance(5);
        rig.commit({state, deleted});
        state.seen_state = deleted.seen_state = MessageState::kDeleted;
        rig.commit({state, deleted});
        CPPUNIT_ASSERT(rig.record().message.deleted_at == kStart);
        CPPUNIT_ASSERT_EQUAL(after, rig.history());
        good(rig.store->restore(rig.id));
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kNew);

        // A deletion in the account beats whatever else the phone has done.
        good(rig.store->mark(rig.id, MessageState::kRead));
        deleted.seen_state = MessageState::kNew;
        rig.commit({deleted});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kDeleted);
    }

    void two_changes_of_one_message_are_one_decision() {
        const Rig rig;
        SyncChange read = rig.change(K::kSetState), deleted = rig.change(K::kDeleteLocal),
                   restored = rig.change(K::kRestoreLocal);
        read.state = MessageState::kRead;
        rig.commit({read, deleted});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kDeleted);
        read.seen_state = restored.seen_state = MessageState::kDeleted;
        read.state = MessageState::kNew;
        rig.commit({restored, read});
        CPPUNIT_ASSERT(rig.record().message.state == MessageState::kNew);
        CPPUNIT_ASSERT(!rig.record().message.deleted_at);
    }

    void a_folder_that_is_no_name_is_not_followed() {
        const Rig rig;
        for (const std::string& name :
             {std::string(101, 'x'), std::string(), std::string("a\nb"), std::string(" x")}) {
            SyncChange folder = rig.change(K::kSetFolder), link = rig.change(K::kLink);
            folder.folder = link.agreed_folder = name;
            link.copy.place.folder = name;
            rig.commit({folder, link});
            CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), rig.record().message.folder);
            CPPUNIT_ASSERT_EQUAL(name, rig.record().link.value().folder);
            CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), rig.known().agreed.value().unit_folder);
        }
    }

    void messages_that_are_not_the_mailboxs_are_left_out() {
        const Rig rig;
        const std::string foreign = good(rig.store->add(rig.root.message("102")));
        const std::int64_t sequence = rig.sequences().sequence;
        for (const std::string& id : {foreign, std::string(kUnknown), std::string()}) {
            SyncCommit commit;
            for (const K kind : kKinds) {
                if (kind >= K::kHold) continue;
                SyncChange change = rig.change(kind);
                change.id = id;
                change.state = MessageState::kRead;
                change.urgent = true;
                change.folder = "Work";
                commit.changes.push_back(change);
            }
            commit.found = commit.push_again = {id};
            good(rig.store->commit_sync("101", commit));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, good(rig.store->history(foreign)).size());
        CPPUNIT_ASSERT(!good(rig.store->sync_messages("102")).at(0).agreed);
        CPPUNIT_ASSERT(good(rig.store->get(foreign)).delivery.state == DeliveryState::kQueued);
        CPPUNIT_ASSERT_EQUAL(sequence, rig.sequences().sequence);
    }

    void what_is_begun_is_kept_until_it_is_confirmed() {
        const Rig rig;
        rig.link();
        const auto begin = [&](K kind, Doubt doubt) {
            SyncChange change = rig.change(kind);
            change.doubt = doubt;
            rig.commit({change});
        };
        const Doubt none, seen{true, false, false, false}, flagged{false, true, false, false};
        const Doubt folder{false, false, true, false}, removed{false, false, false, true};
        const std::int64_t sequence = rig.sequences().sequence;
        for (const auto& [kind, doubt] : {std::pair{K::kStoreFlags, seen},
                                          {K::kMoveMail, folder},
                                          {K::kRemoveMail, removed},
                                          {K::kStoreFlags, flagged}}) {
            begin(kind, doubt);
            CPPUNIT_ASSERT(rig.known().agreed->doubt == doubt);
            begin(K::kAgree, none);
            CPPUNIT_ASSERT(rig.known().agreed->doubt == none);
        }
        begin(K::kStoreFlags, seen);
        begin(K::kMoveMail, folder);
        CPPUNIT_ASSERT(rig.known().agreed->doubt == (Doubt{true, false, true, false}));
        begin(K::kLink, folder);
        CPPUNIT_ASSERT(rig.known().agreed->doubt == folder);
        begin(K::kRemoveMail, removed);
        rig.commit({rig.change(K::kAgreeGone)});
        CPPUNIT_ASSERT(rig.known().agreed->gone && rig.known().agreed->doubt == none);
        CPPUNIT_ASSERT_EQUAL(sequence, rig.sequences().sequence);
    }

    void what_cannot_be_committed_leaves_nothing() {
        const Rig rig;
        SyncChange to_deleted = rig.change(K::kSetState), no_reason = rig.change(K::kHold);
        to_deleted.state = MessageState::kDeleted;
        no_reason.reason = " ";
        std::vector<SyncChange> misused{to_deleted, no_reason};
        for (const K kind : kKinds)
            if (kind > K::kRemoveMail) misused.push_back(rig.change(kind));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, misused.size());
        for (const SyncChange& change : misused) {
            SyncCommit commit;
            commit.copies = {{rig.id, {copy_at("INBOX", 7)}}};
            commit.changes = {rig.change(K::kLink), change};
            commit.state = SyncState{};
            CPPUNIT_ASSERT(kind_of(rig.store->commit_sync("101", commit)) == ErrorKind::kUsage);
        }
        CPPUNIT_ASSERT(!rig.known().agreed && rig.known().copies.empty());
        CPPUNIT_ASSERT_EQUAL(std::string(), rig.history());
        rig.link();  // the store goes on
        CPPUNIT_ASSERT(rig.record().link.has_value());
    }

    void a_second_copy_is_reported_once() {
        const Rig rig;
        SyncChange report = rig.change(K::kReport);
        report.reason = "a second copy";
        rig.commit({report, report});
        rig.commit({report});
        report.copy.place.uid = 8;
        rig.commit({report});
        CPPUNIT_ASSERT_EQUAL(std::string("copy:>INBOX, UID 7(a second copy) "
                                         "copy:>INBOX, UID 8(a second copy) "),
                             rig.history());
        CPPUNIT_ASSERT(!rig.known().agreed);
    }

    void found_settles_what_is_open() {
        for (const DeliveryState state : kDeliveries) {
            const Rig rig;
            bring_to(*rig.store, rig.id, state);
            const std::string told = rig.history();
            SyncCommit commit;
            commit.found = {rig.id, rig.id};
            good(rig.store->commit_sync("101", commit));
            const auto next = next_state(state, DeliveryEvent::kFound);
            const Delivery delivery = rig.record().delivery;
            CPPUNIT_ASSERT_MESSAGE(to_string(state), delivery.state == next.value_or(state));
            CPPUNIT_ASSERT_EQUAL(
                next ? told + "delivery:" + to_string(state) + ">sent(found in the account) "
                     : told,
                rig.history());
            if (next)
                CPPUNIT_ASSERT_EQUAL(std::string("found in the account"), delivery.last_reply);
        }
    }

    void what_was_sent_is_pushed_again() {
        for (const DeliveryState state : kDeliveries) {
            for (const bool deleted : {false, true}) {
                Rig rig;
                bring_to(*rig.store, rig.id, state);
                rig.link();
                if (deleted) good(rig.store->remove(rig.id));
                const Delivery before = rig.record().delivery;
                rig.clock.advance(5);
                SyncCommit commit;
                commit.push_again = {rig.id, rig.id};
                good(rig.store->commit_sync("101", commit));
                const MessageRecord after = rig.record();
                const bool again = state == DeliveryState::kSent && !deleted;
                CPPUNIT_ASSERT_EQUAL(!again, rig.known().agreed.has_value());
                CPPUNIT_ASSERT(after.delivery.state == (again ? DeliveryState::kQueued : state));
                CPPUNIT_ASSERT_EQUAL(again ? 0 : before.attempts, after.delivery.attempts);
                CPPUNIT_ASSERT_EQUAL(again ? kStart + 5 : before.queued_at,
                                     after.delivery.queued_at);
                CPPUNIT_ASSERT_EQUAL(again ? kStart + 5 : before.next_attempt,
                                     after.delivery.next_attempt);
                CPPUNIT_ASSERT_EQUAL(
                    again ? resent_message_id(before.message_id) : before.message_id,
                    after.delivery.message_id);
                if (again) {
                    good(rig.store->record_intent(rig.id, "other@x"));
                    bring_to_gone(rig);
                }
            }
        }
    }
    // One that is gone is unlinked as well.
    static void bring_to_gone(const Rig& rig) {
        good(rig.store->record_outcome({rig.id, DeliveryEvent::kAccepted, "250", 0}));
        rig.link();
        rig.commit({rig.change(K::kAgreeGone)});
        SyncCommit commit;
        commit.push_again = {rig.id};
        good(rig.store->commit_sync("101", commit));
        CPPUNIT_ASSERT(!rig.known().agreed);
        CPPUNIT_ASSERT(rig.record().delivery.state == DeliveryState::kQueued);
    }

    static SyncState some_state() {
        SyncState state;
        state.account = "imap.example.com \"zoë\"";
        state.on = false;
        state.hold = "too many";
        state.released_keep = true;
        state.last_pass = 1LL << 41;
        state.last_every = -1;
        state.folders = {{"INBOX", 4294967295U, 4294967295U, (1ULL << 63) - 1},
                         {"Wörk/A", 1, 2, 0}};
        return state;
    }

    void a_state_is_kept() {
        const Rig rig;
        rig.commit(some_state());
        const auto other = rig.root.open();
        for (int i = 0; i < 2; ++i) {
            const SyncState state = good(other->sync_state("101"));
            CPPUNIT_ASSERT_EQUAL(some_state().account, state.account);
            CPPUNIT_ASSERT_EQUAL(std::string("too many"), state.hold);
            CPPUNIT_ASSERT(!state.on && !state.released && state.released_keep);
            CPPUNIT_ASSERT_EQUAL(TimeMs{1} << 41, state.last_pass);
            CPPUNIT_ASSERT_EQUAL(TimeMs{-1}, state.last_every);
            CPPUNIT_ASSERT(state.folders == some_state().folders);
            good(other->commit_sync("101", {}));  // without a state it stays
        }
        CPPUNIT_ASSERT(good(other->sync_state("102")).folders.empty());
        SyncState next;
        rig.commit(next);
        CPPUNIT_ASSERT(!rig.state().on);  // by who does not know that it was off
        next.was_on = false;
        rig.commit(next);
        CPPUNIT_ASSERT(rig.state().on && rig.state().hold.empty() && rig.state().folders.empty());
    }

    void folders_are_written_when_they_differ() {
        const Rig rig;
        SyncState state = some_state();
        rig.commit(state);
        const auto sql = good(open_database(rig.root.paths));
        *sql << "CREATE TABLE written (folder TEXT)";
        for (const char* const how : {"INSERT", "UPDATE"})
            *sql << std::string("CREATE TRIGGER ") + how + "_seen AFTER " + how +
                        " ON sync_folders BEGIN INSERT INTO written VALUES (new.folder); END";
        const auto written = [&] {
            int count = 0;
            *sql << "SELECT COUNT(*) FROM written", soci::into(count);
            return count;
        };
        rig.commit(state);
        CPPUNIT_ASSERT_EQUAL(0, written());
        state.folders[1].modseq = 9;
        rig.commit(state);
        CPPUNIT_ASSERT_EQUAL(1, written());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{9}, rig.state().folders.at(1).modseq);
        state.folders[0].name = "New";
        rig.commit(state);
        CPPUNIT_ASSERT_EQUAL(2, written());
        CPPUNIT_ASSERT(rig.state().folders == state.folders);
    }

    // Whoever changes something, the next pass has to look.
    void settled_until_anything_happens() {
        const Rig rig;
        const auto settle = [&] {
            const SyncState now = good(rig.store->sync_state("101"));
            good(rig.store->set_statuses({}, {{"101", now.phone_sequence, "Work"}}));
            CPPUNIT_ASSERT(good(rig.store->sync_state("101")).is_settled());
        };
        const auto unsettled = [&] { return !good(rig.store->sync_state("101")).is_settled(); };
        CPPUNIT_ASSERT(unsettled());
        good(rig.store->set_statuses({}, {{"101", 1, "Work"}}));  // of which no pass knows
        CPPUNIT_ASSERT(unsettled());
        rig.commit(some_state());
        CPPUNIT_ASSERT(unsettled());
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("Work"), good(rig.store->sync_state("101")).busiest);
        good(rig.store->mark(rig.id, MessageState::kRead));
        CPPUNIT_ASSERT(unsettled());
        settle();
        good(rig.store->commit_sync("101", {}));
        CPPUNIT_ASSERT(unsettled());
        settle();
        good(rig.store->record_intent(rig.id, "m@example.test"));
        good(rig.store->recover([](const std::string&) { return true; }, 0));
        CPPUNIT_ASSERT(unsettled());
        settle();
        good(rig.store->add(rig.root.message()));
        CPPUNIT_ASSERT(unsettled());
        // Refused; of the second its mail was seen all the same.
        for (const bool seen : {false, true}) {
            const std::string id = good(rig.store->add(rig.root.message()));
            good(rig.store->record_intent(id, id + "@example.test"));
            SyncCommit commit;
            if (seen) commit.copies = {{id, {{{"INBOX", 5, 7}, {}}}}};
            good(rig.store->commit_sync("101", commit));
            settle();
            good(rig.store->record_outcome({id, DeliveryEvent::kDeferral, "451", 0}));
            CPPUNIT_ASSERT_EQUAL(seen, unsettled());
        }
    }

    void a_hold_lasts_until_its_release() {
        for (const bool keep : {false, true}) {
            const Rig rig;
            const auto refused = rig.store->release("101", keep);
            CPPUNIT_ASSERT(kind_of(refused) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(!refused.error().hint.empty());
            SyncState state = some_state();
            state.hold.clear();
            state.released_keep = false;
            rig.commit(state);
            rig.hold();
            state = rig.state();
            CPPUNIT_ASSERT_EQUAL(std::string("too many"), state.hold);
            CPPUNIT_ASSERT(!state.released && !state.released_keep);
            CPPUNIT_ASSERT_EQUAL(some_state().account, state.account);
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, state.folders.size());

            const MailboxChange before = rig.sequences();
            good(rig.root.open()->release("101", keep));
            state = rig.state();
            CPPUNIT_ASSERT_EQUAL(std::string(), state.hold);
            CPPUNIT_ASSERT_EQUAL(!keep, state.released);
            CPPUNIT_ASSERT_EQUAL(keep, state.released_keep);
            CPPUNIT_ASSERT_EQUAL(some_state().account, state.account);
            CPPUNIT_ASSERT(rig.sequences().phone_sequence > before.sequence);
            CPPUNIT_ASSERT(kind_of(rig.store->release("101", keep)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT_EQUAL(std::string(), rig.history());

            // The pass that does it says so.
            state.released = state.released_keep = false;
            rig.commit(state);
            CPPUNIT_ASSERT(!rig.state().released && !rig.state().released_keep);
        }
    }

    void a_release_is_not_lost_to_the_pass_it_met() {
        // The pass found the mailbox on hold.
        {
            const Rig rig;
            rig.hold();
            SyncState pass = rig.state();
            good(rig.store->release("101", false));
            pass.last_pass = 77;
            for (int i = 0; i < 2; ++i) {  // however often it commits
                rig.commit(pass);
                CPPUNIT_ASSERT_EQUAL(std::string(), rig.state().hold);
                CPPUNIT_ASSERT(rig.state().released);
                CPPUNIT_ASSERT_EQUAL(TimeMs{77}, rig.state().last_pass);
            }
        }
        // The pass itself has put it on hold, and was not at its end yet.
        {
            const Rig rig;
            SyncState pass = rig.state();
            rig.hold();
            good(rig.store->release("101", true));
            pass.hold = "too many";
            rig.commit(pass);
            CPPUNIT_ASSERT_EQUAL(std::string(), rig.state().hold);
            CPPUNIT_ASSERT(rig.state().released_keep);
        }
        // Nobody released it: the pass has its will, also over a hold of its own.
        {
            const Rig rig;
            SyncState pass = rig.state();
            rig.hold();
            rig.commit(pass);
            CPPUNIT_ASSERT_EQUAL(std::string(), rig.state().hold);
        }
    }

    void a_hold_is_not_set_over_a_release() {
        const Rig rig;
        const auto commit_with_hold = [&](const SyncState& pass, const std::string& reason) {
            SyncCommit commit;
            commit.changes = {rig.change(K::kHold)};
            commit.changes[0].reason = reason;
            commit.state = pass;
            good(rig.store->commit_sync("101", commit));
        };
        // In one commit the hold wins.
        commit_with_hold(rig.state(), "first\nreason");
        CPPUNIT_ASSERT_EQUAL(std::string("first reason"), rig.state().hold);
        const SyncState before = rig.state();
        good(rig.store->release("101", false));
        // Decided before the release, or at a time that is not told.
        commit_with_hold(before, "second");
        CPPUNIT_ASSERT(rig.state().hold.empty() && rig.state().released);
        rig.hold();
        CPPUNIT_ASSERT(rig.state().hold.empty() && rig.state().released);
        // Decided by a pass that knew of it.
        commit_with_hold(rig.state(), "third");
        CPPUNIT_ASSERT_EQUAL(std::string("third"), rig.state().hold);
        CPPUNIT_ASSERT(!rig.state().released);
    }

    void purges_what_is_settled() {
        const Rig rig;
        Store& store = *rig.store;
        const auto add = [&](bool deleted, const std::string& mailbox = "101") {
            const std::string id = good(store.add(rig.root.message(mailbox)));
            if (deleted) good(store.remove(id));
            return id;
        };
        const std::string plain = add(true), linked = add(true), gone = add(true);
        const std::string present = add(false), foreign = add(true, "102"), sending = add(false);
        bring_to(store, sending, DeliveryState::kSending);
        good(store.remove(sending));
        SyncChange link = rig.change(K::kLink), link_gone = link, agree = link;
        link.id = linked;
        link_gone.id = agree.id = gone;
        agree.kind = K::kAgreeGone;
        rig.commit({link, link_gone, agree});
        rig.clock.advance(10);
        const std::string later = add(true);

        CPPUNIT_ASSERT_EQUAL(0, good(store.purge("101", kStart)));
        const int files = rig.root.media_files();
        const auto media = store.media_path(good(store.get(plain)).message);
        CPPUNIT_ASSERT(std::filesystem::exists(media));
        CPPUNIT_ASSERT_EQUAL(2, good(store.purge("101", kStart + 1)));
        CPPUNIT_ASSERT(!std::filesystem::exists(media));
        CPPUNIT_ASSERT_EQUAL(files - 2, rig.root.media_files());
        for (const std::string& id : {plain, gone})
            CPPUNIT_ASSERT(kind_of(store.get(id)) == ErrorKind::kNoInput);
        for (const std::string& id : {linked, present, foreign, sending, later, rig.id})
            CPPUNIT_ASSERT(std::filesystem::exists(store.media_path(good(store.get(id)).message)));
        CPPUNIT_ASSERT_EQUAL(0, good(store.purge("101", kStart + 1)));

        // One that came back is there for good.
        good(store.restore(later));
        good(store.record_outcome({sending, DeliveryEvent::kAccepted, "250", 0}));
        SyncChange unlink = link;
        unlink.kind = K::kUnlink;
        rig.commit({unlink});
        CPPUNIT_ASSERT_EQUAL(2, good(store.purge("101", kStart + 1000)));
        CPPUNIT_ASSERT(good(store.get(later)).message.state == MessageState::kNew);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, good(store.list({"101", {}, true})).size());
    }

    void a_purge_leaves_nothing_of_a_message() {
        const Rig rig;
        rig.link();
        SyncCommit commit;
        commit.copies = {{rig.id, {copy_at("INBOX", 7), copy_at("INBOX", 8)}}};
        commit.changes = {rig.change(K::kAgreeGone)};
        good(rig.store->remove(rig.id));
        good(rig.store->commit_sync("101", commit));
        // A file that is not there (any more) is as good as removed.
        std::filesystem::remove(rig.store->media_path(rig.record().message));
        const MailboxChange before = rig.sequences();
        CPPUNIT_ASSERT_EQUAL(1, good(rig.store->purge("101", kStart + 1)));
        CPPUNIT_ASSERT(rig.sequences().sequence > before.sequence);
        CPPUNIT_ASSERT_EQUAL(before.phone_sequence, rig.sequences().phone_sequence);
        const auto sql = good(open_database(rig.root.paths));
        for (const std::string table :
             {"messages", "deliveries", "links", "history", "mail_copies"}) {
            int rows = -1;
            *sql << "SELECT COUNT(*) FROM " + table, soci::into(rows);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(table, 0, rows);
        }
        // A pass that still knew it finds nothing.
        commit.found = commit.push_again = {rig.id};
        good(rig.store->commit_sync("101", commit));
    }

    void changes_of_the_phone_are_told_apart() {
        const Rig rig;
        Store& store = *rig.store;
        const auto after = [&](auto act) {
            const MailboxChange before = rig.sequences();
            act();
            const MailboxChange now = rig.sequences();
            if (now.sequence == before.sequence) {
                CPPUNIT_ASSERT_EQUAL(before.phone_sequence, now.phone_sequence);
                return std::string("none");
            }
            CPPUNIT_ASSERT(now.sequence > before.sequence);
            if (now.phone_sequence == before.phone_sequence) return std::string("sync");
            CPPUNIT_ASSERT_EQUAL(now.sequence, now.phone_sequence);
            return std::string("phone");
        };
        const std::string phone = "phone", sync = "sync", none = "none";
        CPPUNIT_ASSERT_EQUAL(phone, after([&] { good(store.add(rig.root.message())); }));
        CPPUNIT_ASSERT_EQUAL(none, after([&] { good(store.add(rig.root.message("102"))); }));
        for (const std::string& expected : {phone, none}) {
            const auto twice = [&](auto act) { CPPUNIT_ASSERT_EQUAL(expected, after(act)); };
            twice([&] { good(store.mark(rig.id, MessageState::kRead)); });
            twice([&] { good(store.set_urgent(rig.id, true)); });
            twice([&] { good(store.move(rig.id, "Saved")); });
        }
        for (const std::string& expected : {phone, none})
            CPPUNIT_ASSERT_EQUAL(expected, after([&] { good(store.remove(rig.id)); }));
        for (const std::string& expected : {phone, none})
            CPPUNIT_ASSERT_EQUAL(expected, after([&] { good(store.restore(rig.id)); }));
        for (int i = 0; i < 2; ++i)  // who asks again is heard again
            CPPUNIT_ASSERT_EQUAL(phone, after([&] { good(store.retry(rig.id)); }));
        CPPUNIT_ASSERT_EQUAL(none, after([&] { bring_to(store, rig.id, DeliveryState::kSent); }));
        CPPUNIT_ASSERT_EQUAL(none, after([&] { rig.link(); }));
        CPPUNIT_ASSERT_EQUAL(none, after([&] { rig.hold(); }));
        CPPUNIT_ASSERT_EQUAL(phone, after([&] { good(store.release("101", false)); }));
        CPPUNIT_ASSERT_EQUAL(none, after([&] { rig.commit(rig.state()); }));

        SyncChange state = rig.change(K::kSetState), urgent = rig.change(K::kSetUrgent),
                   folder = rig.change(K::kSetFolder), deleted = rig.change(K::kDeleteLocal);
        state.seen_state = MessageState::kRead;
        urgent.seen_urgent = true;
        folder.seen_folder = "Saved";
        folder.folder = "Work";
        for (const SyncChange& change :
             {state, urgent, folder, deleted, rig.change(K::kRestoreLocal)})
            for (const std::string& expected : {sync, none})
                CPPUNIT_ASSERT_EQUAL(expected, after([&] { rig.commit({change}); }));
    }

    void changes_come_by_their_sequence() {
        const Rig rig;
        for (const char* mailbox : {"103", "102"}) good(rig.store->add(rig.root.message(mailbox)));
        good(rig.store->mark(rig.id, MessageState::kRead));
        std::string order;
        std::int64_t last = 0;
        for (const MailboxChange& change : good(rig.root.open()->changes_since(0))) {
            CPPUNIT_ASSERT(change.sequence > last);
            last = change.sequence;
            order += change.mailbox + " ";
        }
        CPPUNIT_ASSERT_EQUAL(std::string("103 102 101 "), order);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(rig.store->changes_since(last - 1)).size());
        CPPUNIT_ASSERT(good(rig.store->changes_since(last)).empty());
    }

    void remembers_what_was_told_of_waiting_messages() {
        const Rig rig;
        CPPUNIT_ASSERT(!good(rig.store->waiting_told("101")));
        for (const Store::Waiting& waiting : {Store::Waiting{0, 0}, Store::Waiting{3, 1}}) {
            good(rig.store->set_waiting_told("101", waiting));
            CPPUNIT_ASSERT(good(rig.root.open()->waiting_told("101")) == waiting);
        }
        CPPUNIT_ASSERT(!good(rig.store->waiting_told("102")));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SyncTest);

}  // namespace
