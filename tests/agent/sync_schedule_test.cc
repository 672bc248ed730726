// When a mailbox's account is looked at: persons who ask, of a mailbox that is parked.
#include "agent/sync_schedule.h"

#include "agent/settings.h"
#include "sync_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <poll.h>
#include <sys/eventfd.h>

namespace vm::testing {

namespace {

using Says = FakeAccount::Says;
constexpr std::int64_t kMinute = 60'000;

// Of threads, too.
class SharedClock : public Clock {
  public:
    TimeMs now() const override { return now_; }
    std::int64_t steady_ms() const override { return now_; }
    void advance(std::int64_t ms) { now_ += ms; }

  private:
    std::atomic<std::int64_t> now_ = 1'800'000'000'000;
};

// A SyncSchedule with one mailbox, which its first pass has left parked.
class ScheduleRig {
  public:
    ScheduleRig() {
        rig.account.parked_fd = answering.get();
        auto settings = std::make_shared<agent::Settings>();
        rig.mailbox.sync_mode = config::SyncMode::kInboxOnly;
        settings->misc = std::make_shared<config::MiscSetup>(rig.misc);
        settings->mailboxes[SyncRig::kNumber].options =
            std::make_shared<config::MailboxOptions>(rig.mailbox);
        schedule.take_settings(settings, account_plugin());
        CPPUNIT_ASSERT_EQUAL(std::string("folders look INBOX park"), run());
    }

    // All there is to do now; what was called of the plugin.
    std::string run() {
        rig.account.calls.clear();
        while (schedule.start({}) || schedule.running() > 0) {
            pollfd wake{wake_fd.get(), POLLIN, 0};
            CPPUNIT_ASSERT_EQUAL(1, ::poll(&wake, 1, 10'000));
            std::uint64_t ignored = 0;
            CPPUNIT_ASSERT(::read(wake_fd.get(), &ignored, sizeof ignored) > 0);
            for (agent::SyncSchedule::Ended& one : schedule.take_ended())
                ended.push_back(std::move(one));
        }
        std::string out;
        for (const std::string& call : rig.account.calls) out += (out.empty() ? "" : " ") + call;
        return out;
    }

    // A person asks.
    std::string ask() {
        ended.clear();
        CPPUNIT_ASSERT(schedule.ask(SyncRig::kNumber));
        return run();
    }

    SyncRig rig;
    SharedClock clock;
    const UniqueFd wake_fd{::eventfd(0, EFD_NONBLOCK)};
    const UniqueFd answering{::eventfd(1, EFD_NONBLOCK)}, silent{::eventfd(0, EFD_NONBLOCK)};
    std::vector<agent::SyncSchedule::Ended> ended;
    agent::SyncSchedule schedule{
        {.paths = rig.root.paths,
         .clock = clock,
         .stopping = [] { return false; },
         .jitter = [] { return 0.5; },
         .wake_fd = wake_fd.get(),
         .store = store::Store::for_threads(rig.root.paths, store::share_writer(rig.root.paths))}};
};

}  // namespace

class SyncScheduleTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncScheduleTest);
    CPPUNIT_TEST(asks_the_parked_connection);
    CPPUNIT_TEST(asked_often_the_next_look_stays_where_it_is);
    CPPUNIT_TEST(news_are_looked_at_before_anybody_is_told);
    CPPUNIT_TEST(what_is_lost_was_not_asked);
    CPPUNIT_TEST(who_does_not_answer_gets_a_thread);
    CPPUNIT_TEST(what_changed_on_the_phone_makes_a_pass);
    CPPUNIT_TEST(persons_make_no_pause_longer);
    CPPUNIT_TEST_SUITE_END();

    static void assert_told_once(const ScheduleRig& rig) {
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.ended.size());
        CPPUNIT_ASSERT(rig.ended.front().asked_before > 0);
        CPPUNIT_ASSERT(rig.ended.front().result.complete);
    }

  public:
    void asks_the_parked_connection() {
        ScheduleRig rig;
        rig.clock.advance(kMinute);
        CPPUNIT_ASSERT_EQUAL(std::string("ask answer"), rig.ask());
        assert_told_once(rig);
        CPPUNIT_ASSERT_EQUAL(rig.clock.now(), rig.ended.front().asked_before);
        CPPUNIT_ASSERT_EQUAL(rig.clock.now(), rig.schedule.view(SyncRig::kNumber).last_sync);
        CPPUNIT_ASSERT(rig.schedule.view(SyncRig::kNumber).idle);
    }

    void asked_often_the_next_look_stays_where_it_is() {
        ScheduleRig rig;
        const std::int64_t due = rig.schedule.next_due();
        while (rig.clock.steady_ms() + kMinute < due) {
            rig.clock.advance(kMinute);
            CPPUNIT_ASSERT_EQUAL(std::string("ask answer"), rig.ask());
            rig.schedule.start({});
            CPPUNIT_ASSERT_EQUAL(due, rig.schedule.next_due());
        }
        rig.clock.advance(due - rig.clock.steady_ms());
        CPPUNIT_ASSERT_EQUAL(std::string("folders park"), rig.ask());
    }

    void news_are_looked_at_before_anybody_is_told() {
        ScheduleRig rig;
        rig.rig.account.says = Says::kNews;
        CPPUNIT_ASSERT_EQUAL(std::string("ask answer folders park"), rig.ask());
        assert_told_once(rig);
    }

    void what_is_lost_was_not_asked() {
        ScheduleRig rig;
        rig.rig.account.says = Says::kBye;
        CPPUNIT_ASSERT_EQUAL(std::string("ask answer folders park"), rig.ask());
        assert_told_once(rig);
    }

    void who_does_not_answer_gets_a_thread() {
        ScheduleRig rig;
        rig.rig.account.parked_fd = rig.silent.get();
        rig.schedule.unit_changed(SyncRig::kNumber);
        CPPUNIT_ASSERT_EQUAL(std::string("folders park"), rig.run());
        rig.rig.account.hook = [&](const std::string& point) {
            if (point == "ask end") rig.clock.advance(kMinute);
        };
        CPPUNIT_ASSERT_EQUAL(std::string("ask park"), rig.ask());
        assert_told_once(rig);
    }

    // Whether the server is down or only this mailbox has trouble.
    void persons_make_no_pause_longer() {
        for (const int step : {VM_STEP_CONNECT, VM_STEP_AUTH}) {
            ScheduleRig rig;
            FakeAccount& account = rig.rig.account;
            account.fail_step = static_cast<std::uint8_t>(step);
            account.fail_cause = VM_CAUSE_TIMEOUT;
            account.hook = [&](const std::string&) { account.fail_at = account.points - 1; };
            const auto pause = [&] {
                rig.schedule.start({});
                return rig.schedule.next_due() - rig.clock.steady_ms();
            };
            rig.ask();
            const std::int64_t first = pause();
            CPPUNIT_ASSERT(first > 0);
            for (int i = 0; i < 5; ++i) {
                CPPUNIT_ASSERT_EQUAL(std::string("folders"), rig.ask());
                CPPUNIT_ASSERT_EQUAL(first, pause());
            }
            // Those do that nobody asked for.
            rig.clock.advance(first);
            CPPUNIT_ASSERT_EQUAL(std::string("folders"), rig.run());
            CPPUNIT_ASSERT(pause() > first);
            CPPUNIT_ASSERT_EQUAL(std::string(""), rig.run());
            account.hook = nullptr;
            account.fail_at = -1;
            CPPUNIT_ASSERT(rig.schedule.end_pause(SyncRig::kNumber));
            CPPUNIT_ASSERT_EQUAL(std::string("folders park"), rig.run());
        }
    }

    void what_changed_on_the_phone_makes_a_pass() {
        ScheduleRig rig;
        rig.schedule.unit_changed(SyncRig::kNumber);
        CPPUNIT_ASSERT_EQUAL(std::string("folders park"), rig.ask());
        assert_told_once(rig);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SyncScheduleTest);

}  // namespace vm::testing
