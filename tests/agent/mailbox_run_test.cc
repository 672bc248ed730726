// A mailbox's turn against a real store and a plugin that reports what the recipient's address
// says.
#include "agent/mailbox_run.h"

#include "mime/compose.h"
#include "unit_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <sys/stat.h>

namespace vm::agent {

namespace {

constexpr TimeMs kStart = 1'800'000'000'000;

class MailboxRunTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MailboxRunTest);
    CPPUNIT_TEST(accepted_is_sent);
    CPPUNIT_TEST(refused_is_failed_and_the_next_still_goes);
    CPPUNIT_TEST(lost_reply_is_uncertain_with_a_long_pause);
    CPPUNIT_TEST(dead_server_is_asked_once_and_the_others_stay_as_they_are);
    CPPUNIT_TEST(refused_login_ends_the_turn_for_this_mailbox_alone);
    CPPUNIT_TEST(pauses_grow);
    CPPUNIT_TEST(stalling_server_ends_the_turn);
    CPPUNIT_TEST(limit_that_lets_some_through_is_no_growing_outage);
    CPPUNIT_TEST(deferral_is_not_tried_before_its_time);
    CPPUNIT_TEST(message_id_stays_over_attempts);
    CPPUNIT_TEST(timeout_gives_up_after_an_attempt);
    CPPUNIT_TEST(outage_past_the_timeout_gives_up_those_that_waited_as_long);
    CPPUNIT_TEST(one_message_that_breaks_the_dialogue_takes_no_other_along);
    CPPUNIT_TEST(nothing_is_given_up_soon_after_the_start);
    CPPUNIT_TEST(clock_set_during_a_turn_gives_nothing_up);
    CPPUNIT_TEST(lost_reply_is_looked_for_before_it_is_given_up);
    CPPUNIT_TEST(uncertain_by_crashes_alone_is_given_up);
    CPPUNIT_TEST(uncertain_stays_so_whatever_the_next_attempt_meets);
    CPPUNIT_TEST(edit_ends_the_turn_between_two_messages);
    CPPUNIT_TEST(damaged_media_fails_without_a_dialogue);
    CPPUNIT_TEST(media_that_is_no_file_is_not_waited_for);
    CPPUNIT_TEST(switched_off_leaves_the_queue);
    CPPUNIT_TEST(deleted_is_not_sent);
    CPPUNIT_TEST(stop_leaves_the_queue_alone);
    CPPUNIT_TEST(missing_plugin_leaves_the_queue_alone_and_says_why);
    CPPUNIT_TEST(trouble_in_composing_counts_as_an_attempt);
    CPPUNIT_TEST(spool_that_cannot_be_written_pauses_the_mailbox);
    CPPUNIT_TEST(alone_every_intent_comes_first);
    CPPUNIT_TEST(unrecorded_outcome_is_recorded_later);
    CPPUNIT_TEST(outcomes_are_counted);
    CPPUNIT_TEST(a_session_goes_on_over_turns);
    CPPUNIT_TEST(only_a_sound_session_is_left_for_the_next);
    CPPUNIT_TEST(a_working_server_is_told_at_once_and_once);
    CPPUNIT_TEST(the_end_of_a_batch_composes_nothing_in_vain);
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
                          [](int) { return false; },
                          [] { return 0.5; },
                          0,
                          0,
                          0};
    }

    std::string add() {
        clock_.advance(1);  // so that the order of the messages is that of their queueing
        return root_.add(*store_, "101");
    }
    // One whose mail is too long for memory.
    std::string add_long() {
        clock_.advance(1);
        return root_.add(*store_, "101", 150);
    }
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
        CPPUNIT_ASSERT(!result.pause);
        CPPUNIT_ASSERT(result.server == ServerSeen::kWorks);
    }

    void lost_reply_is_uncertain_with_a_long_pause() {
        const auto id = add();
        const auto result = run_mailbox(context("lost-dot-0"));
        CPPUNIT_ASSERT_EQUAL(1, result.uncertain);
        expect(DeliveryState::kUncertain, id);
        CPPUNIT_ASSERT_EQUAL(clock_.now() + 300'000, delivery(id).next_attempt);
    }

    // The oldest of three was tried, and waits for the end of the pause; the others are as before.
    void expect_one_tried(const std::vector<std::string>& ids) {
        expect(DeliveryState::kDeferred, ids[0]);
        CPPUNIT_ASSERT_EQUAL(1, delivery(ids[0]).attempts);
        CPPUNIT_ASSERT_EQUAL(clock_.now() + 30'000, delivery(ids[0]).next_attempt);
        for (const auto& id : {ids[1], ids[2]}) {
            expect(DeliveryState::kQueued, id);
            CPPUNIT_ASSERT_EQUAL(0, delivery(id).attempts);
            CPPUNIT_ASSERT_EQUAL(std::string("queued"), store_->history(id)->back().to);
        }
    }

    void dead_server_is_asked_once_and_the_others_stay_as_they_are() {
        const std::vector<std::string> ids{add(), add(), add()};
        const auto result = run_mailbox(context("refused-connect-0"));
        CPPUNIT_ASSERT_EQUAL(1, result.deferred);
        CPPUNIT_ASSERT(result.pause && result.pause->scope == PushScope::kServer);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{30'000}, result.pause->ms);
        CPPUNIT_ASSERT(result.server == ServerSeen::kDown);
        expect_one_tried(ids);
    }

    void refused_login_ends_the_turn_for_this_mailbox_alone() {
        for (const auto* script : {"reply-auth-535", "reply-auth-454", "lost-auth-0"}) {
            setUp();
            const std::vector<std::string> ids{add(), add(), add()};
            const auto result = run_mailbox(context(script));
            CPPUNIT_ASSERT_MESSAGE(script, result.pause);
            CPPUNIT_ASSERT(result.pause->scope == PushScope::kMailbox);
            CPPUNIT_ASSERT(result.pause->reason.find("AUTH") == 0);
            expect_one_tried(ids);
            for (const auto& id : ids) CPPUNIT_ASSERT(store_->remove(id).has_value());
        }
    }

    void pauses_grow() {
        add();
        auto third = context("reply-auth-535");
        third.mailbox_failures = 2;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{120'000}, run_mailbox(third).pause->ms);
        clock_.advance(120'000);
        auto eighth = context("refused-connect-0");
        eighth.server_failures = 7;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{30'000 * 128}, run_mailbox(eighth).pause->ms);
    }

    // It may be the message that the dialogue breaks off at: after the pause another one goes
    // first.
    void stalling_server_ends_the_turn() {
        const auto first = add(), second = add();
        auto result = run_mailbox(context("timeout-mail-0"));
        CPPUNIT_ASSERT(result.pause && result.pause->scope == PushScope::kMailbox);
        CPPUNIT_ASSERT(result.server == ServerSeen::kStalls);
        expect(DeliveryState::kDeferred, first);
        expect(DeliveryState::kQueued, second);
        clock_.advance(result.pause->ms);
        result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        expect(DeliveryState::kDeferred, first);
        expect(DeliveryState::kSent, second);
    }

    void limit_that_lets_some_through_is_no_growing_outage() {
        const auto first = add(), second = add();
        auto limited = context("limit-mail-421");
        limited.server_failures = 5;
        const auto result = run_mailbox(limited);
        expect(DeliveryState::kSent, first);
        expect(DeliveryState::kDeferred, second);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{30'000}, result.pause->ms);
    }

    void deferral_is_not_tried_before_its_time() {
        const auto id = add();
        run_mailbox(context("reply-rcpt-451"));
        expect(DeliveryState::kDeferred, id);
        const auto next = delivery(id).next_attempt;
        CPPUNIT_ASSERT_EQUAL(clock_.now() + 30'000, next);
        auto result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(0, result.sent);
        CPPUNIT_ASSERT_EQUAL(0, result.recorded);
        CPPUNIT_ASSERT(!result.more && !result.pause && result.wake_at == next);
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

    void outage_past_the_timeout_gives_up_those_that_waited_as_long() {
        const auto first = add(), second = add();
        clock_.advance(7200LL * 60'000);
        const auto young = add();
        const auto result = run_mailbox(context("refused-connect-0"));
        CPPUNIT_ASSERT_EQUAL(2, result.failed);
        expect(DeliveryState::kFailed, first);
        expect(DeliveryState::kFailed, second);
        CPPUNIT_ASSERT_EQUAL(0, delivery(second).attempts);
        CPPUNIT_ASSERT(delivery(second).last_reply.find("gave up") == 0);
        expect(DeliveryState::kQueued, young);
    }

    // A unit that was off for a week boots before its network is up, or with a clock that is wrong.
    void one_message_that_breaks_the_dialogue_takes_no_other_along() {
        const auto first = add(), second = add();
        clock_.advance(7200LL * 60'000);
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("lost-mail-0")).failed);
        expect(DeliveryState::kFailed, first);
        expect(DeliveryState::kQueued, second);
    }

    void nothing_is_given_up_soon_after_the_start() {
        const auto first = add(), second = add();
        clock_.advance(9000LL * 60'000);
        for (const auto* script : {"refused-connect-0", "reply-rcpt-451"}) {
            auto early = context(script);
            early.clock_offset.reset();
            CPPUNIT_ASSERT_EQUAL(0, run_mailbox(early).failed);
            clock_.advance(30'000);
        }
        expect(DeliveryState::kDeferred, first);
        expect(DeliveryState::kDeferred, second);
    }

    // The manual clock's two times are one; what a turn knows of the wall is what it began with.
    void clock_set_during_a_turn_gives_nothing_up() {
        const auto first = add(), second = add();
        auto jumped = context("refused-connect-0");
        jumped.clock_offset = -9000LL * 60'000;
        clock_.advance(9000LL * 60'000);
        CPPUNIT_ASSERT_EQUAL(0, run_mailbox(jumped).failed);
        expect(DeliveryState::kDeferred, first);
        expect(DeliveryState::kQueued, second);
    }

    void lost_reply_is_looked_for_before_it_is_given_up() {
        const auto id = add();
        const auto* account = "Imap4 Server = imap.example.net\n";
        run_mailbox(context("lost-dot-0", account));
        clock_.advance(7200LL * 60'000);
        CPPUNIT_ASSERT_EQUAL(0, run_mailbox(context("lost-dot-0", account)).failed);
        expect(DeliveryState::kUncertain, id);
        CPPUNIT_ASSERT_EQUAL(2, delivery(id).attempts);
        clock_.advance(delivery(id).next_attempt - clock_.now());
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("reply-dot-250", account)).failed);
        expect(DeliveryState::kFailed, id);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("gave up") == 0);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("not sent again") != std::string::npos);
    }

    // No attempt's end was lived to see: each took the worker along.
    void uncertain_by_crashes_alone_is_given_up() {
        const auto id = add();
        for (int attempts = 1; attempts <= 3; ++attempts) {
            CPPUNIT_ASSERT(store_->record_intent(id, id + "@example.com").has_value());
            const auto all = [](const std::string&) { return true; };
            CPPUNIT_ASSERT(store_->recover(all, clock_.now(), "died").has_value());
        }
        CPPUNIT_ASSERT_EQUAL(3, delivery(id).attempts);
        clock_.advance(7200LL * 60'000);
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("reply-dot-250")).failed);
        expect(DeliveryState::kFailed, id);
    }

    // The first attempt may have arrived: what the second met says nothing about it.
    void uncertain_stays_so_whatever_the_next_attempt_meets() {
        const auto id = add();
        run_mailbox(context("lost-dot-0"));
        expect(DeliveryState::kUncertain, id);
        for (const auto* script : {"reply-rcpt-451", "reply-rcpt-550", "refused-connect-0"}) {
            clock_.advance(delivery(id).next_attempt - clock_.now());
            const int attempts = delivery(id).attempts;
            run_mailbox(context(script));
            expect(DeliveryState::kUncertain, id);
            CPPUNIT_ASSERT_EQUAL(attempts + 1, delivery(id).attempts);
            CPPUNIT_ASSERT(delivery(id).next_attempt >= clock_.now() + 300'000);
            CPPUNIT_ASSERT(delivery(id).last_reply.find("may have arrived") != std::string::npos);
        }
        clock_.advance(delivery(id).next_attempt - clock_.now());
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("reply-dot-250")).sent);
    }

    void edit_ends_the_turn_between_two_messages() {
        const auto first = add(), second = add();
        auto edited = context("reply-dot-250");
        edited.should_yield = [](int done) { return done >= 1; };
        const auto result = run_mailbox(edited);
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        CPPUNIT_ASSERT(result.more);
        expect(DeliveryState::kSent, first);
        expect(DeliveryState::kQueued, second);
    }

    void media_that_is_no_file_is_not_waited_for() {
        const auto id = add();
        const auto media = store_->media_path(store_->get(id)->message);
        std::filesystem::remove(media);
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(media.c_str(), 0600));
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(context("reply-dot-250")).failed);
        CPPUNIT_ASSERT(delivery(id).last_reply.find("no file any more") != std::string::npos);
    }

    void damaged_media_fails_without_a_dialogue() {
        const auto id = add();
        const auto media = store_->media_path(store_->get(id)->message);
        std::filesystem::resize_file(media, 10);
        const auto result = run_mailbox(context("reply-dot-250", "Voice Format = mp3\n"));
        CPPUNIT_ASSERT(result.server == ServerSeen::kNothing);
        CPPUNIT_ASSERT_EQUAL(1, result.failed);
        expect(DeliveryState::kFailed, id);
    }

    // Else it would be tried every 30 s for ever, with a line of history each.
    void trouble_in_composing_counts_as_an_attempt() {
        const auto broken = add(), good = add();
        std::filesystem::remove(store_->media_path(store_->get(broken)->message));
        auto result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        CPPUNIT_ASSERT_EQUAL(1, result.deferred);
        expect(DeliveryState::kDeferred, broken);
        expect(DeliveryState::kSent, good);
        CPPUNIT_ASSERT_EQUAL(1, delivery(broken).attempts);
        clock_.advance(30'000);
        run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT_EQUAL(clock_.now() + 60'000, delivery(broken).next_attempt);
    }

    void spool_that_cannot_be_written_pauses_the_mailbox() {
        const auto id = add_long();
        std::filesystem::remove_all(root_.paths.spool());
        const auto result = run_mailbox(context("reply-dot-250"));
        CPPUNIT_ASSERT(result.pause && result.pause->scope == PushScope::kMailbox);
        CPPUNIT_ASSERT(result.pause->reason.find("spool") != std::string::npos);
        expect(DeliveryState::kQueued, id);
    }

    // What kills the worker in composing is the one that is under way, and no other is.
    void alone_every_intent_comes_first() {
        const auto first = add(), second = add();
        auto alone = context("reply-dot-250");
        alone.alone = true;
        std::vector<std::string> under_way;
        alone.should_yield = [&](int done) {
            under_way.push_back(std::to_string(done) + " " + to_string(delivery(first).state) +
                                " " + to_string(delivery(second).state));
            return false;
        };
        CPPUNIT_ASSERT_EQUAL(2, run_mailbox(alone).sent);
        CPPUNIT_ASSERT_EQUAL(std::string("0 queued queued"), under_way.at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("1 sent queued"), under_way.at(1));

        const auto third = add_long();
        std::filesystem::remove_all(root_.paths.spool());
        CPPUNIT_ASSERT(run_mailbox(alone).pause.has_value());
        expect(DeliveryState::kDeferred, third);
        CPPUNIT_ASSERT_EQUAL(1, delivery(third).attempts);
        CPPUNIT_ASSERT(delivery(third).last_reply.find("spool") != std::string::npos);
        std::filesystem::create_directory(root_.paths.spool());
        add();
        alone.should_yield = [](int) { return true; };
        CPPUNIT_ASSERT(run_mailbox(alone).more);
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

    void missing_plugin_leaves_the_queue_alone_and_says_why() {
        const auto id = add();
        auto without = context("reply-dot-250");
        without.plugin.reset();
        without.plugin_problem = "load plugin: /nowhere.so: no such file";
        const auto result = run_mailbox(without);
        CPPUNIT_ASSERT(result.pause);
        CPPUNIT_ASSERT_EQUAL(without.plugin_problem, result.pause->reason);
        expect(DeliveryState::kQueued, id);
        CPPUNIT_ASSERT_EQUAL(0, delivery(id).attempts);
    }

    void unrecorded_outcome_is_recorded_later() {
        const auto id = add();
        CPPUNIT_ASSERT(store_->record_intent(id, "x@example.com").has_value());
        unrecorded_.push_back({id, DeliveryEvent::kAccepted, "end of data: 250 ok", 0});
        CPPUNIT_ASSERT(record_outcomes(*store_, unrecorded_).has_value());
        expect(DeliveryState::kSent, id);
        CPPUNIT_ASSERT(unrecorded_.empty());
        CPPUNIT_ASSERT_EQUAL(1, delivery(id).attempts);
    }

    void outcomes_are_counted() {
        MetricsTable table;
        Metrics metrics(&table);
        const auto turn = [&](const std::string& script) {
            add();
            RunContext counted = context(script);
            counted.metrics = &metrics;
            run_mailbox(counted);
        };
        turn("reply-dot-250");
        turn("reply-rcpt-550");
        turn("lost-dot-0");
        const std::string server = "smtp.example.net:25";
        const std::map<LabelValues, std::int64_t> wanted{
            {{server, "sent"}, 1}, {{server, "failed"}, 1}, {{server, "uncertain"}, 1}};
        CPPUNIT_ASSERT(table.read().at(Metric::kDeliveries) == wanted);
    }

    // Of a session of this script only the first push is accepted.
    void a_session_goes_on_over_turns() {
        std::optional<transport::Session> session;
        auto turn = context("limit-rcpt-550");
        turn.session = &session;
        const auto first = add();
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(turn).sent);
        CPPUNIT_ASSERT(session.has_value());
        const auto second = add();
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(turn).failed);
        CPPUNIT_ASSERT(session.has_value());
        expect(DeliveryState::kSent, first);
        expect(DeliveryState::kFailed, second);
        add();
        session.reset();
        CPPUNIT_ASSERT_EQUAL(1, run_mailbox(turn).sent);
    }

    void only_a_sound_session_is_left_for_the_next() {
        const std::pair<const char*, bool> cases[] = {
            {"reply-dot-250", true},     {"reply-dot-552", true},  {"reply-rcpt-550", true},
            {"reply-mail-421", false},   {"reply-dot-421", false}, {"lost-dot-0", false},
            {"timeout-rcpt-0", false},   {"lost-mail-0", false},   {"reply-auth-535", false},
            {"refused-connect-0", false}};
        for (const auto& [script, left] : cases) {
            add();
            clock_.advance(3'600'000);
            std::optional<transport::Session> session;
            auto turn = context(script);
            turn.session = &session;
            run_mailbox(turn);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(script, left, session.has_value());
        }
    }

    void a_working_server_is_told_at_once_and_once() {
        int told = 0, before_the_first = -1;
        auto turn = context("reply-dot-250");
        turn.server_works = [&] { ++told; };
        turn.should_yield = [&](int done) {
            if (done == 1 && before_the_first < 0) before_the_first = told;
            return false;
        };
        add();
        add();
        CPPUNIT_ASSERT_EQUAL(2, run_mailbox(turn).sent);
        CPPUNIT_ASSERT_EQUAL(0, before_the_first);
        CPPUNIT_ASSERT_EQUAL(1, told);
        auto down = context("refused-connect-0");
        down.server_works = turn.server_works;
        add();
        run_mailbox(down);
        CPPUNIT_ASSERT_EQUAL(1, told);
    }

    void the_end_of_a_batch_composes_nothing_in_vain() {
        const auto first = add(), second = add();
        std::filesystem::remove(store_->media_path(store_->get(second)->message));
        auto turn = context("reply-dot-250");
        turn.should_yield = [](int done) { return done >= 1; };
        const auto result = run_mailbox(turn);
        CPPUNIT_ASSERT_EQUAL(1, result.sent);
        CPPUNIT_ASSERT(result.more);
        expect(DeliveryState::kSent, first);
        expect(DeliveryState::kQueued, second);
        CPPUNIT_ASSERT_EQUAL(0, delivery(second).attempts);
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
