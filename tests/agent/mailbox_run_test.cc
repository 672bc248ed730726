// A mailbox's turn against a real store and a plugin that reports what the recipient's address
// says.
#include "agent/mailbox_run.h"

#include "mime/compose.h"
#include "unit_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>

namespace vm::agent {

namespace {

constexpr TimeMs kStart = 1'800'000'000'000;

class MailboxRunTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MailboxRunTest);
    CPPUNIT_TEST(accepted_is_sent);
    CPPUNIT_TEST(refused_is_failed_and_the_next_still_goes);
    CPPUNIT_TEST(lost_reply_is_uncertain_with_a_long_pause);
    CPPUNIT_TEST(dead_server_defers_all_with_one_attempt);
    CPPUNIT_TEST(refused_login_defers_all_and_is_the_mailbox_problem);
    CPPUNIT_TEST(known_dead_server_is_not_asked);
    CPPUNIT_TEST(deferral_is_not_tried_before_its_time);
    CPPUNIT_TEST(message_id_stays_over_attempts);
    CPPUNIT_TEST(timeout_gives_up_after_an_attempt);
    CPPUNIT_TEST(damaged_media_fails_without_a_dialogue);
    CPPUNIT_TEST(switched_off_leaves_the_queue);
    CPPUNIT_TEST(deleted_is_not_sent);
    CPPUNIT_TEST(stop_leaves_the_queue_alone);
    CPPUNIT_TEST(missing_plugin_defers_and_says_why);
    CPPUNIT_TEST(unrecorded_outcome_is_recorded_by_the_next_turn);
    CPPUNIT_TEST(spool_is_empty_afterwards);
    CPPUNIT_TEST_SUITE_END();

    testing::UnitRoot root_;
    ManualClock clock_{kStart};
    std::unique_ptr<store::Store> store_;
    std::vector<UnrecordedOutcome> unrecorded_;
    bool cancelled_ = false;

  public:
    void setUp() override {
        mime::initialise();
        root_.misc();
        auto store = store::Store::open(root_.paths, clock_);
        if (!store) CPPUNIT_FAIL(store.error().text());
        store_ = std::move(*store);
    }

  private:
    RunContext context(const std::string& script, const std::string& more = {}) {
        root_.mailbox("101", script, more);
        auto misc = config::load_misc(root_.paths);
        if (!misc) CPPUNIT_FAIL(misc.error().text());
        auto mailbox = config::load_mailbox(root_.paths, "101");
        if (!mailbox) CPPUNIT_FAIL(mailbox.error().text());
        auto plugin = transport::Plugin::load(misc->email_dll_path);
        if (!plugin) CPPUNIT_FAIL(plugin.error().text());
        return RunContext{root_.paths,
                          clock_,
                          *store_,
                          *plugin,
                          {},
                          *misc,
                          std::make_shared<config::MailboxOptions>(*mailbox),
                          unrecorded_,
                          [this] { return cancelled_; },
                          [] { return false; },
                          [] { return 0.5; },
                          std::nullopt,
                          0};
    }

    std::string add() { return root_.add(*store_, "101"); }
    Delivery delivery(const std::string& id) {
        auto record = store_->get(id);
        if (!record) CPPUNIT_FAIL(record.error().text());
        return record->delivery;
    }
    void expect(DeliveryState state, const std::string& id) {
        CPPUNIT_ASSERT_EQUAL(std::string(to_string(state)),
                             std::string(to_string(delivery(id).state)));
    }

    void accepted_is_sent() {
        const auto id = add();
        const auto result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        expect(DeliveryState::kSent, id);
        CPPUNIT_ASSERT_EQUAL(1, delivery(id).attempts);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("250 scripted") != std::string::npos);
        const auto history = store_->history(id);
        CPPUNIT_ASSERT(history.has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("sent"), history->back().to);
    }

    void refused_is_failed_and_the_next_still_goes() {
        const auto first = add(), second = add();
        const auto result = run_mailbox(context("reply-rcpt-550"));
        CPPUNIT_ASSERT_EQUAL(2, result.failed);
        expect(DeliveryState::kFailed, first);
        expect(DeliveryState::kFailed, second);
        CPPUNIT_ASSERT_EQUAL(1, delivery(second).attempts);
        CPPUNIT_ASSERT(!result.server_down && result.problem.empty());
    }

    void lost_reply_is_uncertain_with_a_long_pause() {
        const auto id = add();
        const auto result = run_mailbox(context("lost-dot-0"));
        CPPUNIT_ASSERT_EQUAL(1, result.uncertain);
        expect(DeliveryState::kUncertain, id);
        CPPUNIT_ASSERT_EQUAL(kStart + 300'000, delivery(id).next_attempt);
    }

    // All three are deferred, but only the first in turn was tried.
    void expect_one_tried(const std::vector<std::string>& ids) {
        int attempts = 0, untried = 0;
        for (const auto& id : ids) {
            expect(DeliveryState::kDeferred, id);
            attempts += delivery(id).attempts;
            untried += delivery(id).last_reply.rfind("not tried: ", 0) == 0 ? 1 : 0;
        }
        CPPUNIT_ASSERT_EQUAL(1, attempts);
        CPPUNIT_ASSERT_EQUAL(static_cast<int>(ids.size()) - 1, untried);
    }

    void dead_server_defers_all_with_one_attempt() {
        const std::vector<std::string> ids{add(), add(), add()};
        const auto result = run_mailbox(context("refused-connect-0"));
        CPPUNIT_ASSERT_EQUAL(3, result.deferred);
        CPPUNIT_ASSERT(result.server_down.has_value());
        expect_one_tried(ids);
    }

    void refused_login_defers_all_and_is_the_mailbox_problem() {
        const std::vector<std::string> ids{add(), add(), add()};
        const auto result = run_mailbox(context("reply-auth-535"));
        CPPUNIT_ASSERT_EQUAL(3, result.deferred);
        CPPUNIT_ASSERT(result.problem.find("535") != std::string::npos);
        CPPUNIT_ASSERT(!result.server_down);
        expect_one_tried(ids);
    }

    void known_dead_server_is_not_asked() {
        const auto id = add();
        auto known = context("reply-dot-250");
        known.server_down = "connect: connection refused";
        known.down_until = kStart + 77'000;
        const auto result = run_mailbox(known);
        CPPUNIT_ASSERT(!result.talked);
        expect(DeliveryState::kDeferred, id);
        CPPUNIT_ASSERT_EQUAL(kStart + 77'000, delivery(id).next_attempt);
    }

    void deferral_is_not_tried_before_its_time() {
        const auto id = add();
        run_mailbox(context("reply-rcpt-451"));
        expect(DeliveryState::kDeferred, id);
        const auto next = delivery(id).next_attempt;
        CPPUNIT_ASSERT_EQUAL(kStart + 30'000, next);
        auto result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(0, result.sent);
        CPPUNIT_ASSERT(result.wake_at == next);
        clock_.advance(30'000);
        result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        CPPUNIT_ASSERT_EQUAL(2, delivery(id).attempts);
    }

    void message_id_stays_over_attempts() {
        const auto id = add();
        run_mailbox(context("reply-rcpt-451", "Domain Name = one.example\n"));
        CPPUNIT_ASSERT_EQUAL(id + "@one.example", delivery(id).message_id);
        clock_.advance(60'000);
        run_mailbox(context("reply-dot-250", "Domain Name = two.example\n"));
        expect(DeliveryState::kSent, id);
        CPPUNIT_ASSERT_EQUAL(id + "@one.example", delivery(id).message_id);
    }

    void timeout_gives_up_after_an_attempt() {
        const auto id = add();
        run_mailbox(context("reply-rcpt-451"));
        clock_.advance(7200LL * 60'000);
        const auto result = run_mailbox(context("reply-rcpt-451"));
        CPPUNIT_ASSERT_EQUAL(1, result.failed);
        expect(DeliveryState::kFailed, id);
        CPPUNIT_ASSERT_EQUAL(2, delivery(id).attempts);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("451") != std::string::npos);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("gave up") != std::string::npos);
    }

    void damaged_media_fails_without_a_dialogue() {
        const auto id = add();
        const auto media = store_->media_path(store_->get(id)->message);
        std::filesystem::resize_file(media, 10);
        const auto result = run_mailbox(context("reply-dot-250", "Voice Format = mp3\n"));
        CPPUNIT_ASSERT(!result.talked);
        CPPUNIT_ASSERT_EQUAL(1, result.failed);
        expect(DeliveryState::kFailed, id);
    }

    void switched_off_leaves_the_queue() {
        const auto id = add();
        const auto result =
            run_mailbox(context("reply-dot-250", "Email Integration Send Mode = Fax\n"));
        CPPUNIT_ASSERT_EQUAL(1, result.switched_off);
        expect(DeliveryState::kOff, id);
        CPPUNIT_ASSERT_EQUAL(std::string("Email Integration Send Mode is Fax"),
                             delivery(id).last_reply);
    }

    void deleted_is_not_sent() {
        const auto id = add();
        CPPUNIT_ASSERT(store_->remove(id).has_value());
        CPPUNIT_ASSERT_EQUAL(0, run_mailbox(context("reply-dot-250")).sent);
        CPPUNIT_ASSERT(store_->restore(id).has_value());
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("reply-dot-250")).sent);
    }

    void stop_leaves_the_queue_alone() {
        const auto id = add();
        cancelled_ = true;
        run_mailbox(context("reply-dot-250"));
        expect(DeliveryState::kQueued, id);
    }

    void missing_plugin_defers_and_says_why() {
        const auto id = add();
        auto without = context("reply-dot-250");
        without.plugin.reset();
        without.plugin_problem = "load plugin: /nowhere.so: no such file";
        const auto result = run_mailbox(without);
        CPPUNIT_ASSERT_EQUAL(without.plugin_problem, result.problem);
        expect(DeliveryState::kDeferred, id);
        CPPUNIT_ASSERT_EQUAL(0, delivery(id).attempts);
    }

    void unrecorded_outcome_is_recorded_by_the_next_turn() {
        const auto id = add();
        CPPUNIT_ASSERT(store_->record_intent(id, "x@example.com").has_value());
        unrecorded_.push_back({id, DeliveryEvent::kAccepted, "end of data: 250 ok", 0});
        run_mailbox(context("reply-dot-250"));
        expect(DeliveryState::kSent, id);
        CPPUNIT_ASSERT(unrecorded_.empty());
        CPPUNIT_ASSERT_EQUAL(1, delivery(id).attempts);
    }

    void spool_is_empty_afterwards() {
        add();
        add();
        run_mailbox(context("reply-dot-250", "Voice Format = mp3\n"));
        std::filesystem::remove(root_.paths.spool() / "silence.wav");
        CPPUNIT_ASSERT(std::filesystem::is_empty(root_.paths.spool()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MailboxRunTest);

}  // namespace

}  // namespace vm::agent
