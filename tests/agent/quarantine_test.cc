#include "agent/quarantine.h"

#include <cppunit/extensions/HelperMacros.h>

namespace {

using namespace vm;
using namespace vm::agent;

constexpr TimeMs kNoon = 1'795'348'800'000;  // 2026-11-22T12:00:00Z

using Numbers = std::vector<std::string>;

class QuarantineTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QuarantineTest);
    CPPUNIT_TEST(tried_alone_at_once);
    CPPUNIT_TEST(pauses_grow_with_deaths_alone);
    CPPUNIT_TEST(a_pause_can_be_ended);
    CPPUNIT_TEST(what_it_did_alone_is_remembered_for_an_hour);
    CPPUNIT_TEST(an_innocent_one_is_tried_at_once);
    CPPUNIT_TEST(the_longest_waiting_first);
    CPPUNIT_TEST(words_say_what_comes_next);
    CPPUNIT_TEST(restarts_are_damped);
    CPPUNIT_TEST_SUITE_END();

    static Death death(bool alone, std::vector<Work> works = {Work::kSync}) {
        return {"signal 11 (Segmentation fault)", std::move(works), kNoon, alone};
    }
    // The pause after a death at 0.
    static std::int64_t pause_of(const Quarantine& quarantine, const std::string& mailbox) {
        for (std::int64_t s = 0; s <= 100'000; ++s) {
            const Numbers due = quarantine.due(s * 1000);
            if (std::find(due.begin(), due.end(), mailbox) != due.end()) return s;
        }
        CPPUNIT_FAIL("never tried again");
        return -1;
    }

    void tried_alone_at_once() {
        Quarantine quarantine;
        CPPUNIT_ASSERT(!quarantine.holds("101"));
        quarantine.died("101", death(false), 5000);
        CPPUNIT_ASSERT(quarantine.holds("101"));
        CPPUNIT_ASSERT(quarantine.due(4999).empty());
        CPPUNIT_ASSERT(quarantine.due(5000) == Numbers{"101"});
        CPPUNIT_ASSERT(quarantine.mailboxes() == std::set<std::string>{"101"});
        quarantine.released("101", 6000);
        CPPUNIT_ASSERT(!quarantine.holds("101") && quarantine.mailboxes().empty());
        CPPUNIT_ASSERT(quarantine.due(6000).empty());
    }

    void pauses_grow_with_deaths_alone() {
        Quarantine quarantine;
        quarantine.died("101", death(false), 0);
        for (const std::int64_t seconds : {30, 60, 120, 240, 480, 960, 1920, 3840, 7200, 7200}) {
            quarantine.died("101", death(true), 0);
            CPPUNIT_ASSERT_EQUAL(seconds, pause_of(quarantine, "101"));
        }
    }

    void a_pause_can_be_ended() {
        Quarantine quarantine;
        CPPUNIT_ASSERT(!quarantine.end_pause("101"));
        quarantine.died("101", death(false), 0);
        quarantine.died("101", death(true), 0);
        CPPUNIT_ASSERT(quarantine.due(1).empty());
        CPPUNIT_ASSERT(quarantine.end_pause("101"));
        CPPUNIT_ASSERT(quarantine.due(1) == Numbers{"101"});
    }

    // One that kills its share's worker again soon does not begin with an attempt at once.
    void what_it_did_alone_is_remembered_for_an_hour() {
        for (const std::int64_t later : {3'599'999, 3'600'000}) {
            Quarantine quarantine;
            quarantine.died("101", death(false), 0);
            quarantine.died("101", death(true), 0);
            quarantine.released("101", 0);
            quarantine.died("101", death(false), later);
            const bool remembered = later < 3'600'000;
            CPPUNIT_ASSERT_EQUAL(remembered, quarantine.due(later).empty());
            // The number of deaths it is told with begins anew.
            CPPUNIT_ASSERT(quarantine.words("101", later, kNoon, true).find("times") ==
                           std::string::npos);
        }
    }

    // But each time it returned, and a worker died that had it in hand, it stays apart longer.
    void an_innocent_one_is_tried_at_once() {
        Quarantine quarantine;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, quarantine.stay_ms("101"));
        for (const std::int64_t stay : {0, 60'000, 300'000, 1'800'000, 1'800'000}) {
            quarantine.died("101", death(false), 1);
            CPPUNIT_ASSERT(quarantine.due(1) == Numbers{"101"});
            CPPUNIT_ASSERT_EQUAL(stay, quarantine.stay_ms("101"));
            quarantine.released("101", 1);
        }
        quarantine.died("101", death(false), 3'600'001);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, quarantine.stay_ms("101"));
    }

    void the_longest_waiting_first() {
        Quarantine quarantine;
        quarantine.died("103", death(false), 20);
        quarantine.died("101", death(false), 30);
        quarantine.died("102", death(false), 10);
        CPPUNIT_ASSERT((quarantine.due(30) == Numbers{"102", "103", "101"}));
        quarantine.end_pause("101");
        CPPUNIT_ASSERT((quarantine.due(30) == Numbers{"101", "102", "103"}));
    }

    void words_say_what_comes_next() {
        Quarantine quarantine;
        CPPUNIT_ASSERT(quarantine.words("101", 0, kNoon, true).empty());
        quarantine.died("101", death(false, {Work::kPush, Work::kSync}), 0);
        CPPUNIT_ASSERT_EQUAL(
            std::string("in quarantine: the worker died of signal 11 (Segmentation fault) while "
                        "sending its messages and synchronising its account at "
                        "2026-11-22T12:00:00.000Z; it is being tried in a worker of its own; see "
                        "the trace"),
            quarantine.words("101", 0, kNoon, true));
        quarantine.died("101", death(true, {}), 0);
        CPPUNIT_ASSERT_EQUAL(
            std::string("in quarantine: the worker died of signal 11 (Segmentation fault) at "
                        "2026-11-22T12:00:00.000Z, the last of 2 times; tried again, in a worker "
                        "of its own, at 2026-11-22T12:00:30.000Z; see the trace; `vmctl sync 101`, "
                        "`vmctl queue retry` or a change of its options tries it now"),
            quarantine.words("101", 0, kNoon, true));
        CPPUNIT_ASSERT(quarantine.words("101", 0, kNoon, false).find("the next run tries it") !=
                       std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("the worker died of signal 11 (Segmentation fault)"),
                             quarantine.what_happened("101"));
    }

    void restarts_are_damped() {
        RestartPause pause;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, pause.died(10'000));
        for (const std::int64_t ms : {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000})
            CPPUNIT_ASSERT_EQUAL(ms, pause.died(9'999));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, pause.died(10'000));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{500}, pause.died(0));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(QuarantineTest);

}  // namespace
