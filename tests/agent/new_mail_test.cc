// Somebody's mails as messages (g_bUseTTS), with a real store, a real vmreadmail and an account in
// memory.
#include "agent/new_mail.h"

#include "base/files.h"
#include "base/text.h"
#include "sync_fixture.h"

namespace vm::agent {

namespace {

using testing::SyncRig;

class NewMailTest : public testing::SyncFixture {
    CPPUNIT_TEST_SUITE(NewMailTest);
    CPPUNIT_TEST(a_mail_becomes_a_message);
    CPPUNIT_TEST(what_is_read_or_elsewhere_does_not);
    CPPUNIT_TEST(what_changed_meanwhile_is_not_heard);
    CPPUNIT_TEST(of_many_old_ones_the_newest);
    CPPUNIT_TEST(broken_off_anywhere_it_is_one_message);
    CPPUNIT_TEST(added_and_not_linked_is_linked_later);
    CPPUNIT_TEST(the_same_message_id_is_no_proof);
    CPPUNIT_TEST(the_same_message_id_renumbered);
    CPPUNIT_TEST(the_same_place_in_another_account);
    CPPUNIT_TEST(switched_off_nothing_travels);
    CPPUNIT_TEST(ours_without_its_id_is_none);
    CPPUNIT_TEST(a_refusing_folder_keeps_none_from_being_read);
    CPPUNIT_TEST(another_account_forgets_what_was_to_be_read);
    CPPUNIT_TEST(two_mails_without_a_message_id);
    CPPUNIT_TEST(a_reader_that_cannot_run_is_tried_again);
    CPPUNIT_TEST(a_restored_one_is_never_sent);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        SyncFixture::setUp();
        rig_->misc.use_tts = true;
    }
    void tearDown() override { session_.reset(); }

  private:
    std::optional<transport::AccountSession> session_;

    std::uint32_t put(const std::string& name, std::uint32_t flags = 0,
                      const std::string& folder = "INBOX") {
        testing::FakeMail mail{"", name.empty() ? "" : name + "@elsewhere", flags, 0};
        mail.content = "From: Ann <ann@elsewhere>\r\nSubject: about " + name +
                       "\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nHello " + name + ".\r\n";
        return rig_->account.put(folder, mail);
    }
    std::vector<MessageRecord> emails() {
        auto all = rig_->store().list({SyncRig::kNumber, std::nullopt, true});
        CPPUNIT_ASSERT(all.has_value());
        std::erase_if(*all, [](const MessageRecord& record) {
            return record.message.kind != MessageKind::kEmail;
        });
        return *all;
    }
    std::string text_of(const MessageRecord& record) {
        return read_file(rig_->store().media_path(record.message)).value();
    }

    void a_mail_becomes_a_message() {
        const auto voice = rig_->add_linked();
        const std::uint32_t uid = put("one", VM_FLAG_FLAGGED);
        CPPUNIT_ASSERT_EQUAL(1, rig_->pass().changed_here);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
        const MessageRecord mail = emails()[0];
        CPPUNIT_ASSERT_EQUAL(Text("about one"), mail.message.subject);
        CPPUNIT_ASSERT_EQUAL(Text("Ann"), mail.message.caller_name);
        CPPUNIT_ASSERT_EQUAL(Text("ann@elsewhere"), mail.message.sender);
        CPPUNIT_ASSERT(mail.message.urgent);
        CPPUNIT_ASSERT_EQUAL(Text("Hello one."), Text(trim(text_of(mail))));
        CPPUNIT_ASSERT_EQUAL(Text("INBOX ") + std::to_string(uid), rig_->link(mail.message.id));
        CPPUNIT_ASSERT_EQUAL(0, rig_->settle());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
        expect_linked({voice});
        // Both directions.
        mark(mail.message.id, MessageState::kRead);
        rig_->settle();
        CPPUNIT_ASSERT((rig_->account.folders.at("INBOX").mails.at(uid).flags & VM_FLAG_SEEN) != 0);
        rig_->account.move("INBOX", uid, "Friends");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text("Friends"), rig_->get(mail.message.id).message.folder);
        remove(mail.message.id);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed == std::vector<Text>{"one@elsewhere"});
    }

    void what_is_read_or_elsewhere_does_not() {
        put("read", VM_FLAG_SEEN);
        put("deleted", VM_FLAG_DELETED);
        put("filed", 0, "Archive");
        put("lost", 0, "Trash");
        rig_->settle();
        CPPUNIT_ASSERT(emails().empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig_->called("fetch"));
        rig_->misc.use_tts = false;
        put("unwanted");
        rig_->settle();
        CPPUNIT_ASSERT(emails().empty());
    }

    void what_changed_meanwhile_is_not_heard() {
        const std::uint32_t seen = put("seen"), gone = put("gone");
        put("stays");
        rig_->at("fetch INBOX begin", [&] {
            rig_->account.set_flags("INBOX", seen, VM_FLAG_SEEN, 0);
            rig_->account.expunge("INBOX", gone);
        });
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
        CPPUNIT_ASSERT_EQUAL(Text("about stays"), emails()[0].message.subject);
        CPPUNIT_ASSERT(rig_->store().new_mails(SyncRig::kNumber).value().empty());
    }

    void of_many_old_ones_the_newest() {
        for (int i = 0; i < 103; ++i) put("m" + std::to_string(i), 0);
        rig_->misc.use_tts = false;
        rig_->settle();
        rig_->misc.use_tts = true;
        CPPUNIT_ASSERT(rig_->pass().complete);
        CPPUNIT_ASSERT_EQUAL(
            std::size_t{100},
            emails().size() + rig_->store().new_mails(SyncRig::kNumber).value().size());
        CPPUNIT_ASSERT_EQUAL(
            Text("fetch INBOX 103"),
            *std::find_if(rig_->account.calls.begin(), rig_->account.calls.end(),
                          [](const Text& call) { return call.starts_with("fetch"); }));
    }

    void broken_off_anywhere_it_is_one_message() {
        put("zero");
        rig_->settle();
        const int before = rig_->account.points;
        put("one");
        rig_->settle();
        const int points = rig_->account.points - before;
        CPPUNIT_ASSERT(points > 4);
        for (int at = 0; at < points; ++at) {
            const std::string name = "n" + std::to_string(at);
            put(name);
            rig_->account.fail_at = rig_->account.points + at;
            rig_->pass();
            rig_->account.fail_at = -1;
            rig_->settle();
            const auto all = emails();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(at) + 3, all.size());
            for (const MessageRecord& one : all)
                CPPUNIT_ASSERT_MESSAGE(one.message.subject, one.link.has_value());
        }
    }

    // The process died between the two.
    void added_and_not_linked_is_linked_later() {
        const std::uint32_t uid = put("one");
        rig_->at("fetch INBOX end", [&] {
            const SyncContext context{
                rig_->clock,          rig_->store(),     rig_->mailbox,
                rig_->misc,           *other_session(),  true,
                [] { return false; }, rig_->mail_reader, rig_->root.paths.spool()};
            CPPUNIT_ASSERT(add_email(context, "Subject: one\r\n\r\nx", "one@elsewhere", false)
                               .value()
                               .has_value());
            rig_->account.fail_at = rig_->account.points - 1;
        });
        CPPUNIT_ASSERT(rig_->pass().failure.has_value());
        rig_->account.fail_at = -1;
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
        CPPUNIT_ASSERT_EQUAL(Text("INBOX ") + std::to_string(uid),
                             rig_->link(emails()[0].message.id));
    }
    std::optional<transport::AccountSession>& other_session() {
        if (!session_) {
            auto session = transport::AccountSession::open(
                testing::account_plugin(), session_options(rig_->mailbox, rig_->misc, {}));
            CPPUNIT_ASSERT(session.has_value());
            session_.emplace(std::move(*session));
        }
        return session_;
    }

    // Anybody may use a Message-ID again: what is done to the one message is not done to the
    // other's mail.
    void the_same_message_id_is_no_proof() {
        const std::uint32_t bank = put("one");
        rig_->settle();
        const std::string first = emails()[0].message.id;
        const std::uint32_t spam = put("one");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
        const auto second = emails()[0].message.id == first ? emails()[1] : emails()[0];
        CPPUNIT_ASSERT(!second.link);
        remove(second.message.id);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        // Off and on again: each is still known by where it lies.
        for (const bool on : {false, true}) {
            rig_->misc.use_tts = on;
            rig_->settle();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
        remove(first);
        rig_->settle();
        const auto& mails = rig_->account.folders.at("INBOX").mails;
        CPPUNIT_ASSERT(mails.count(bank) == 0 && mails.count(spam) == 1);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
    }

    // Where another account's folder has the same UIDVALIDITY, the place alone says nothing.
    void the_same_place_in_another_account() {
        const std::uint32_t uid = put("one");
        rig_->settle();
        const std::string id = emails()[0].message.id;
        rig_->mailbox.imap4.account = "another@example.com";
        auto& inbox = rig_->account.folders.at("INBOX");
        inbox.mails.clear();
        inbox.uid_next = uid;
        CPPUNIT_ASSERT_EQUAL(uid, put("other"));
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(Text(), rig_->link(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
        remove(id);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, inbox.mails.size());
    }

    // Under another UIDVALIDITY nobody knows which is which.
    void the_same_message_id_renumbered() {
        put("one");
        rig_->settle();
        const std::string first = emails()[0].message.id;
        put("one");
        rig_->settle();
        rig_->account.renumber("INBOX");
        rig_->settle();
        remove(first);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
    }

    void switched_off_nothing_travels() {
        const std::uint32_t uid = put("one"), other = put("two");
        rig_->settle();
        auto all = emails();
        if (all[0].message.subject != "about one") std::swap(all[0], all[1]);
        rig_->misc.use_tts = false;
        mark(all[0].message.id, MessageState::kRead);
        rig_->account.set_flags("INBOX", other, VM_FLAG_SEEN, 0);
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(0u, rig_->account.folders.at("INBOX").mails.at(uid).flags);
        for (const MessageRecord& one : emails()) CPPUNIT_ASSERT(one.link.has_value());
        rig_->misc.use_tts = true;
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(VM_FLAG_SEEN, rig_->account.folders.at("INBOX").mails.at(uid).flags);
        expect_state("read", {all[0].message.id, all[1].message.id});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
    }

    void ours_without_its_id_is_none() {
        const auto id = rig_->add_sent();
        testing::FakeMail mail{"", rig_->get(id).delivery.message_id, 0, 0};
        mail.content = "Subject: a voice message\r\n\r\nx";
        rig_->account.put("INBOX", mail);
        rig_->settle();
        CPPUNIT_ASSERT(emails().empty());
    }

    void a_refusing_folder_keeps_none_from_being_read() {
        rig_->account.put("Secret", {"", "x@elsewhere", 0, 0});
        rig_->account.refused_folders = {"Secret"};
        put("one");
        CPPUNIT_ASSERT(!rig_->pass().complete);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
    }

    void another_account_forgets_what_was_to_be_read() {
        rig_->mail_reader = "/nowhere/vmreadmail";
        put("one");
        rig_->pass();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             rig_->store().new_mails(SyncRig::kNumber).value().size());
        rig_->mailbox.imap4.account = "another@example.com";
        rig_->account.folders.at("INBOX").mails.clear();
        rig_->pass();
        CPPUNIT_ASSERT(rig_->store().new_mails(SyncRig::kNumber).value().empty());
    }

    void two_mails_without_a_message_id() {
        put("");
        put("");
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
        // They are heard; nothing of the account is touched for them.
        remove(emails()[0].message.id);
        rig_->settle();
        CPPUNIT_ASSERT(rig_->account.destroyed.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, emails().size());
    }

    void a_reader_that_cannot_run_is_tried_again() {
        rig_->mail_reader = "/nowhere/vmreadmail";
        put("one");
        const auto result = rig_->pass();
        CPPUNIT_ASSERT(!result.notes.empty());
        CPPUNIT_ASSERT(emails().empty());
        rig_->mail_reader = testing::UnitRoot::build() / "bin" / "vmreadmail";
        rig_->settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, emails().size());
    }

    void a_restored_one_is_never_sent() {
        put("one");
        rig_->settle();
        const std::string id = emails()[0].message.id;
        remove(id);
        rig_->settle();
        restore(id);
        rig_->settle();
        const MessageRecord record = rig_->get(id);
        CPPUNIT_ASSERT(record.delivery.state == DeliveryState::kOff);
        CPPUNIT_ASSERT(!record.link && record.message.state == MessageState::kNew);
        CPPUNIT_ASSERT(!rig_->store().retry(id).has_value());
        CPPUNIT_ASSERT_EQUAL(0, rig_->settle());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(NewMailTest);

}  // namespace

}  // namespace vm::agent
