// A busy pass that is broken off at every point of every call: by a lost connection, or because the
// process dies. What follows must arrive where it would have arrived without.
#include "base/files.h"
#include "sync_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace vm::agent {

namespace {

using testing::SyncRig;

// What the server can, and what a deletion on the phone does there.
struct Server {
    bool modseqs, uidplus, trash;
};

class SyncFaultsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncFaultsTest);
    CPPUNIT_TEST(end_without_a_fault);
    CPPUNIT_TEST(connection_lost_anywhere);
    CPPUNIT_TEST(connection_lost_anywhere_twice);
    CPPUNIT_TEST(refused_anywhere);
    CPPUNIT_TEST(process_dies_anywhere);
    CPPUNIT_TEST(plain_server_connection_lost_anywhere);
    CPPUNIT_TEST(plain_server_process_dies_anywhere);
    CPPUNIT_TEST(trash_connection_lost_anywhere);
    CPPUNIT_TEST(trash_process_dies_anywhere);
    CPPUNIT_TEST(renumbered_connection_lost_anywhere);
    CPPUNIT_TEST(renumbered_refused_anywhere);
    CPPUNIT_TEST(renumbered_process_dies_anywhere);
    CPPUNIT_TEST(told_results_are_kept);
    CPPUNIT_TEST_SUITE_END();

    static constexpr Server kGood{true, true, false}, kPlain{false, false, false},
        kTrash{true, true, true};
    using Prepare = void (SyncFaultsTest::*)(SyncRig& rig);

    // The messages of the busy scene by what happened to them.
    std::map<std::string, std::string> ids_;
    bool copies_ = true;                 // the subscriber makes second copies
    std::optional<std::string> before_;  // TMPDIR

    // ---- the scenes -----------------------------------------------------------------------------

    static void must(const Result<>& result) {
        if (!result) CPPUNIT_FAIL(result.error().text());
    }
    static std::uint32_t uid(SyncRig& rig, const std::string& id) {
        return rig.account.places(id).at(0).second;
    }

    // Everything that can be pending at either end, all at once.
    void busy(SyncRig& rig) {
        ids_.clear();
        for (const auto* name : {"heard",
                                 "urgent",
                                 "deleted",
                                 "moved",
                                 "deleted elsewhere",
                                 "trashed and restored",
                                 "gone and restored",
                                 "marked and restored",
                                 "mail seen",
                                 "mail flagged",
                                 "mail expunged",
                                 "mail moved",
                                 "mail marked",
                                 "mail back",
                                 "heard and expunged",
                                 "deleted and seen",
                                 "copied",
                                 "copied and deleted",
                                 "moved both",
                                 "quiet"}) {
            ids_[name] = rig.add_sent();
            rig.deliver(ids_[name], std::string(name) == "deleted elsewhere" ? "Archive" : "INBOX");
        }
        rig.foreign("INBOX");
        rig.account.set_flags("INBOX", rig.foreign("INBOX"), VM_FLAG_DELETED, 0);
        rig.foreign("Archive");
        rig.foreign("Trash");
        rig.settle();
        auto& store = rig.store();
        auto& account = rig.account;
        // What was agreed to be gone before.
        must(store.remove(ids_["trashed and restored"]));
        must(store.remove(ids_["gone and restored"]));
        account.move("INBOX", uid(rig, ids_["mail back"]), "Trash");
        account.set_flags("INBOX", uid(rig, ids_["marked and restored"]), VM_FLAG_DELETED, 0);
        rig.settle();
        for (const auto& [folder, mail] : account.places(ids_["gone and restored"]))
            account.expunge(folder, mail);
        account.destroyed.clear();
        // The phone.
        must(store.mark(ids_["heard"], MessageState::kRead));
        must(store.set_urgent(ids_["urgent"], true));
        must(store.mark(ids_["urgent"], MessageState::kRead));
        for (const auto* name : {"deleted", "deleted elsewhere", "deleted and seen"})
            must(store.remove(ids_[name]));
        must(store.move(ids_["moved"], "Work"));
        must(store.move(ids_["moved both"], "Work"));
        for (const auto* name :
             {"trashed and restored", "gone and restored", "marked and restored"})
            must(store.restore(ids_[name]));
        must(store.mark(ids_["heard and expunged"], MessageState::kRead));
        must(store.remove(ids_["copied and deleted"]));
        // The subscriber.
        for (const auto* name : {"mail seen", "deleted and seen"})
            account.set_flags("INBOX", uid(rig, ids_[name]), VM_FLAG_SEEN, 0);
        account.set_flags("INBOX", uid(rig, ids_["mail flagged"]), VM_FLAG_FLAGGED, 0);
        for (const auto* name : {"mail expunged", "heard and expunged"})
            account.expunge("INBOX", uid(rig, ids_[name]));
        account.move("INBOX", uid(rig, ids_["mail moved"]), "Archive");
        account.move("INBOX", uid(rig, ids_["moved both"]), "Archive");
        account.set_flags("INBOX", uid(rig, ids_["mail marked"]), VM_FLAG_DELETED, 0);
        account.move("Trash", uid(rig, ids_["mail back"]), "INBOX");
        for (const auto* name : {"copied", "copied and deleted"})
            if (copies_)
                account.put("Archive", {ids_[name], rig.get(ids_[name]).delivery.message_id, 0, 0});
        // The agent: delivered and not linked yet; nobody knows whether it was delivered.
        ids_["delivered"] = rig.add_sent();
        rig.deliver(ids_["delivered"], "INBOX", VM_FLAG_SEEN);
        ids_["uncertain"] = rig.root.add(store, SyncRig::kNumber);
        CPPUNIT_ASSERT(
            store.record_intent(ids_["uncertain"], ids_["uncertain"] + "@example.com").has_value());
        must(store.record_outcome({ids_["uncertain"], DeliveryEvent::kReplyLost, "lost", 1}));
        rig.deliver(ids_["uncertain"]);
    }

    // INBOX is another one by the same name, while there was more to do.
    void renumbered(SyncRig& rig) {
        ids_.clear();
        for (const auto* name : {"quiet", "heard", "deleted", "mail seen", "deleted elsewhere",
                                 "mail expunged", "copied", "moved"}) {
            ids_[name] = rig.add_sent();
            rig.deliver(ids_[name], std::string(name) == "deleted elsewhere" ? "Archive" : "INBOX");
        }
        rig.settle();
        rig.foreign("INBOX");
        rig.deliver(ids_["copied"]);
        rig.settle();
        must(rig.store().remove(ids_["copied"]));
        rig.settle();  // its second copy stays
        rig.account.destroyed.clear();
        must(rig.store().mark(ids_["heard"], MessageState::kRead));
        must(rig.store().remove(ids_["deleted"]));
        must(rig.store().remove(ids_["deleted elsewhere"]));
        must(rig.store().move(ids_["moved"], "Work"));
        rig.account.set_flags("INBOX", uid(rig, ids_["mail seen"]), VM_FLAG_SEEN, 0);
        rig.account.expunge("INBOX", uid(rig, ids_["mail expunged"]));
        rig.account.renumber("INBOX");
    }

    // ---- breaking off ---------------------------------------------------------------------------

    struct Scene {
        std::unique_ptr<SyncRig> rig;  // closed
        std::string account;
        std::string end;  // both sides, when nothing breaks off
        int points = 0;   // of the first pass
    };

    Scene scene(Prepare prepare, const Server& server) {
        Scene out;
        out.rig = std::make_unique<SyncRig>();
        set(*out.rig, server);
        (this->*prepare)(*out.rig);
        out.account = dump_account(out.rig->account);
        out.rig->close();

        SyncRig rig(*out.rig);
        rig.open();
        rig.account.points = 0;
        const auto result = rig.pass();
        CPPUNIT_ASSERT(result.complete);
        out.points = rig.account.points;
        rig.settle();
        out.end = rig.both_sides();
        return out;
    }
    static void set(SyncRig& rig, const Server& server) {
        rig.account.modseqs = server.modseqs;
        rig.account.uidplus = server.uidplus;
        if (server.trash) rig.mailbox.delete_mode = config::DeleteMode::kTrash;
    }
    // The scene as it was at its beginning; `use` gets it with an open store.
    template <class Use>
    static void again(const Scene& scene, Use use) {
        restore_account(scene.rig->account, scene.account);
        SyncRig rig(*scene.rig);
        rig.account.points = 0;
        use(rig);
        rig.account.fail_at = -1;
        rig.account.hook = nullptr;
    }
    // Whether the pass had so many points.
    static bool lose(SyncRig& rig, int at) {
        rig.account.fail_at = rig.account.points + at;
        const auto result = rig.pass();
        const bool lost = rig.account.points > rig.account.fail_at;
        rig.account.fail_at = -1;
        CPPUNIT_ASSERT(!result.store_error);
        CPPUNIT_ASSERT_EQUAL(lost, result.failure.has_value());
        CPPUNIT_ASSERT_EQUAL(!lost, result.complete);
        return lost;
    }
    static void expect_end(const Scene& scene, SyncRig& rig, const std::string& after) {
        rig.settle();
        const std::string end = rig.both_sides();
        if (end == scene.end) return;
        CPPUNIT_FAIL(after + "\nmissing:\n" + lines_without(scene.end, end) + "too much:\n" +
                     lines_without(end, scene.end));
    }
    static std::string lines_without(const std::string& text, const std::string& others) {
        std::string out, line;
        for (std::istringstream in(text); std::getline(in, line);)
            if (("\n" + others).find("\n" + line + "\n") == std::string::npos) out += line + "\n";
        return out;
    }

    void lose_anywhere(Prepare prepare, const Server& server) {
        const Scene all = scene(prepare, server);
        CPPUNIT_ASSERT(all.points > 15);
        for (int i = 0; i < all.points; ++i)
            again(all, [&](SyncRig& rig) {
                rig.open();
                CPPUNIT_ASSERT(lose(rig, i));
                expect_end(all, rig, "lost at point " + std::to_string(i));
            });
    }
    // NO instead of a lost connection: a folder that refuses a look does not end the pass.
    void refuse_anywhere(Prepare prepare, const Server& server) {
        const Scene all = scene(prepare, server);
        for (int i = 0; i < all.points; ++i)
            again(all, [&](SyncRig& rig) {
                rig.open();
                rig.account.fail_at = i;
                rig.account.fail_cause = VM_CAUSE_REPLY;
                const auto result = rig.pass();
                rig.account.fail_cause = VM_CAUSE_LOST;
                rig.account.fail_at = -1;
                CPPUNIT_ASSERT(result.failure || !result.notes.empty());
                CPPUNIT_ASSERT(!result.failure || result.failure->fault == AccountFault::kRefused);
                expect_end(all, rig, "refused at point " + std::to_string(i));
            });
    }
    // In a child that leaves the account behind in a file.
    void die_anywhere(Prepare prepare, const Server& server) {
        const Scene all = scene(prepare, server);
        for (int i = 0; i < all.points; ++i)
            again(all, [&](SyncRig& rig) {
                const auto left = rig.root.paths.root / "account";
                const pid_t child = ::fork();
                if (child == 0) {
                    rig.account.hook = [&](const std::string&) {
                        if (rig.account.points <= i) return;  // counted before it is called
                        const auto done = write_file_atomic(left, dump_account(rig.account), 0600);
                        ::_exit(done ? 0 : 2);
                    };
                    rig.open();
                    rig.pass();
                    ::_exit(1);
                }
                int status = 0;
                CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
                CPPUNIT_ASSERT(WIFEXITED(status));
                CPPUNIT_ASSERT_EQUAL(0, WEXITSTATUS(status));
                restore_account(rig.account, *read_file(left, 1U << 20));
                rig.open();
                expect_end(all, rig, "died at point " + std::to_string(i));
            });
    }

  public:
    // Hundreds of stores: in memory, where there is such a place.
    void setUp() override {
        if (const char* before = std::getenv("TMPDIR")) before_ = before;
        if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
    }
    void tearDown() override {
        if (before_)
            ::setenv("TMPDIR", before_->c_str(), 1);
        else
            ::unsetenv("TMPDIR");
    }

  private:
    // What the others compare with is right.
    void end_without_a_fault() {
        const Scene all = scene(&SyncFaultsTest::busy, kGood);
        again(all, [&](SyncRig& rig) {
            rig.open();
            rig.settle();
            const auto expect = [&](const char* name, const std::string& state, bool urgent,
                                    const std::string& folder, std::uint32_t flags,
                                    const std::string& unit_folder) {
                const auto record = rig.get(ids_.at(name));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, state, rig.state_of(ids_.at(name)));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, urgent, record.message.urgent);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, unit_folder, record.message.folder);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, folder, record.link ? record.link->folder : "");
                if (folder.empty()) return;
                const auto& mails = rig.account.folders.at(folder).mails;
                CPPUNIT_ASSERT_MESSAGE(name, mails.count(record.link->uid) == 1);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, flags, mails.at(record.link->uid).flags);
            };
            constexpr std::uint32_t kSeen = VM_FLAG_SEEN, kFlagged = VM_FLAG_FLAGGED;
            expect("heard", "read", false, "INBOX", kSeen, "INBOX");
            expect("urgent", "read", true, "INBOX", kSeen | kFlagged, "INBOX");
            expect("moved", "new", false, "Work", 0, "Work");
            expect("moved both", "new", false, "Work", 0, "Work");
            expect("mail seen", "read", false, "INBOX", kSeen, "INBOX");
            expect("mail flagged", "new", true, "INBOX", kFlagged, "INBOX");
            expect("mail moved", "new", false, "Archive", 0, "Archive");
            for (const auto* name : {"mail back", "copied", "quiet", "uncertain"})
                expect(name, "new", false, "INBOX", 0, "INBOX");
            expect("marked and restored", "new", false, "INBOX", 0, "INBOX");
            expect("delivered", "read", false, "INBOX", kSeen, "INBOX");
            for (const auto* name : {"trashed and restored", "gone and restored"}) {
                expect(name, "new", false, "", 0, "INBOX");
                CPPUNIT_ASSERT(rig.get(ids_.at(name)).delivery.state == DeliveryState::kQueued);
            }
            for (const auto* name : {"deleted", "deleted elsewhere", "deleted and seen",
                                     "mail expunged", "heard and expunged", "copied and deleted"})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string("deleted"),
                                             rig.state_of(ids_.at(name)));
            CPPUNIT_ASSERT(rig.get(ids_.at("uncertain")).delivery.state == DeliveryState::kSent);
            CPPUNIT_ASSERT_EQUAL(std::string("deleted"), rig.state_of(ids_.at("mail marked")));
            // No mail is destroyed but those.
            std::multiset<std::string> destroyed;
            for (const auto* name : {"deleted", "deleted elsewhere", "deleted and seen",
                                     "mail expunged", "heard and expunged", "copied and deleted"})
                destroyed.insert(ids_.at(name));
            CPPUNIT_ASSERT(destroyed == std::multiset(rig.account.destroyed.begin(),
                                                      rig.account.destroyed.end()));
            std::size_t foreign = 0;
            for (const auto& [name, in] : rig.account.folders)
                for (const auto& [mail_uid, mail] : in.mails) foreign += mail.id.empty() ? 1 : 0;
            CPPUNIT_ASSERT_EQUAL(std::size_t{4}, foreign);
        });
    }

    void connection_lost_anywhere() { lose_anywhere(&SyncFaultsTest::busy, kGood); }
    void connection_lost_anywhere_twice() {
        const Scene all = scene(&SyncFaultsTest::busy, kTrash);
        for (int i = 3; i < all.points; i += 4)
            again(all, [&](SyncRig& rig) {
                rig.open();
                CPPUNIT_ASSERT(lose(rig, i));
                lose(rig, i / 2);
                CPPUNIT_ASSERT(lose(rig, 1));
                expect_end(all, rig, "lost three times, first at " + std::to_string(i));
            });
    }
    // A copy that nobody could look at when its message was deleted looks, once it is seen, like
    // the mail being brought back: the message is restored, which loses nothing, but is another
    // end.
    void refused_anywhere() {
        copies_ = false;
        refuse_anywhere(&SyncFaultsTest::busy, kGood);
    }
    void renumbered_refused_anywhere() { refuse_anywhere(&SyncFaultsTest::renumbered, kGood); }
    void process_dies_anywhere() { die_anywhere(&SyncFaultsTest::busy, kGood); }
    void plain_server_connection_lost_anywhere() { lose_anywhere(&SyncFaultsTest::busy, kPlain); }
    void plain_server_process_dies_anywhere() { die_anywhere(&SyncFaultsTest::busy, kPlain); }
    void trash_connection_lost_anywhere() { lose_anywhere(&SyncFaultsTest::busy, kTrash); }
    void trash_process_dies_anywhere() { die_anywhere(&SyncFaultsTest::busy, kTrash); }
    void renumbered_connection_lost_anywhere() {
        lose_anywhere(&SyncFaultsTest::renumbered, kGood);
    }
    void renumbered_process_dies_anywhere() { die_anywhere(&SyncFaultsTest::renumbered, kGood); }

    // Of three deletions two were told, the third was done: two are agreed on.
    void told_results_are_kept() {
        SyncRig rig;
        const std::vector ids{rig.add_linked(), rig.add_linked(), rig.add_linked()};
        for (const auto& id : ids) must(rig.store().remove(id));
        int done = 0;
        rig.account.hook = [&](const std::string& point) {
            if (point == "apply INBOX done" && ++done == 3)
                rig.account.fail_at = rig.account.points - 1;
        };
        const auto result = rig.pass();
        CPPUNIT_ASSERT(result.failure && result.failure->fault == AccountFault::kStalls);
        CPPUNIT_ASSERT_EQUAL(2, result.changed_there);
        CPPUNIT_ASSERT_EQUAL(std::string(), rig.link(ids[0]) + rig.link(ids[1]));
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX 3"), rig.link(ids[2]));
        rig.account.hook = nullptr;
        rig.account.fail_at = -1;
        rig.account.calls.clear();
        rig.settle();
        CPPUNIT_ASSERT_EQUAL(std::string(), rig.link(ids[2]));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, rig.called("apply"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncFaultsTest);

}  // namespace

}  // namespace vm::agent
