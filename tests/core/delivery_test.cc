#include "core/delivery.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace vm;
using S = DeliveryState;
using E = DeliveryEvent;

const std::vector<S> kStates{S::kOff,      S::kQueued, S::kSending,  S::kSent,
                             S::kDeferred, S::kFailed, S::kUncertain};
const std::vector<E> kEvents{E::kIntent,  E::kAccepted, E::kDeferral, E::kFailure,   E::kReplyLost,
                             E::kRestart, E::kFound,    E::kRequeue,  E::kSwitchOff, E::kGiveUp,
                             E::kResend,  E::kPostpone, E::kAbandon,  E::kLookAgain};

// The transitions as the comment of core/delivery.h tells them.
std::map<std::pair<std::string, std::string>, std::string> documented() {
    std::ifstream header("src/core/delivery.h");
    std::map<std::pair<std::string, std::string>, std::string> table;
    for (std::string line; std::getline(header, line);) {
        std::istringstream words(line);
        std::string slashes, from, bar, event, arrow, to;
        words >> slashes >> from >> bar >> event >> arrow >> to;
        if (slashes != "//" || bar != "|" || arrow != "->") continue;
        for (char& c : event)
            if (c == '_') c = ' ';
        CPPUNIT_ASSERT_MESSAGE(line, table.emplace(std::pair(from, event), to).second);
    }
    return table;
}

class DeliveryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DeliveryTest);
    CPPUNIT_TEST(every_pair_does_what_the_header_says);
    CPPUNIT_TEST(only_a_sending_delivery_has_an_outcome);
    CPPUNIT_TEST(only_a_restored_message_is_sent_after_it_was_sent);
    CPPUNIT_TEST(what_is_seen_in_the_account_was_sent);
    CPPUNIT_TEST(nothing_unsure_becomes_unsent);
    CPPUNIT_TEST(names_come_back);
    CPPUNIT_TEST(what_may_have_arrived_stays_uncertain);
    CPPUNIT_TEST(timeout_counts_from_the_queue);
    CPPUNIT_TEST(clock_set_back_holds_nothing);
    CPPUNIT_TEST(what_a_person_postponed_waits_however_long);
    CPPUNIT_TEST(a_person_decides_about_what_waits_only);
    CPPUNIT_TEST(backoff_doubles_within_its_bounds);
    CPPUNIT_TEST(backoff_of_any_count_is_sane);
    CPPUNIT_TEST(sent_again_under_another_message_id);
    CPPUNIT_TEST_SUITE_END();

    void every_pair_does_what_the_header_says() {
        const auto table = documented();
        CPPUNIT_ASSERT(table.size() > 15);
        std::size_t possible = 0;
        for (const S state : kStates) {
            for (const E event : kEvents) {
                const auto next = next_state(state, event);
                const auto entry = table.find({to_string(state), to_string(event)});
                const std::string pair = std::string(to_string(state)) + " | " + to_string(event);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(pair, entry != table.end(), next.has_value());
                if (next)
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(pair, entry->second,
                                                 std::string(to_string(*next)));
                possible += next.has_value();
            }
        }
        CPPUNIT_ASSERT_EQUAL(table.size(), possible);  // no row of the comment names nothing
    }

    void only_a_sending_delivery_has_an_outcome() {
        for (const S state : kStates)
            for (const E event : {E::kAccepted, E::kFailure, E::kReplyLost, E::kRestart})
                CPPUNIT_ASSERT_EQUAL(state == S::kSending, next_state(state, event).has_value());
    }

    void only_a_restored_message_is_sent_after_it_was_sent() {
        for (const E event : kEvents)
            CPPUNIT_ASSERT_EQUAL(event == E::kResend, next_state(S::kSent, event).has_value());
        for (const S state : kStates)
            CPPUNIT_ASSERT_EQUAL(state == S::kSent, next_state(state, E::kResend).has_value());
        CPPUNIT_ASSERT(next_state(S::kSent, E::kResend) == S::kQueued);
    }

    // Whatever was thought of it, and unless an attempt is under way or nobody wants it sent.
    void what_is_seen_in_the_account_was_sent() {
        for (const S state : kStates) {
            const auto next = next_state(state, E::kFound);
            const bool open = state == S::kQueued || state == S::kDeferred || state == S::kFailed ||
                              state == S::kUncertain;
            CPPUNIT_ASSERT_EQUAL(open, next.has_value());
            CPPUNIT_ASSERT(!next || *next == S::kSent);
        }
    }

    // Nothing but an answer leads out of "uncertain" into a state that is sent again as if it never
    // had been handed over.
    void nothing_unsure_becomes_unsent() {
        for (const E event : kEvents) {
            const auto next = next_state(S::kUncertain, event);
            CPPUNIT_ASSERT(!next ||
                           (*next != S::kQueued && *next != S::kDeferred && *next != S::kOff));
        }
        CPPUNIT_ASSERT(next_state(S::kSending, E::kReplyLost) == S::kUncertain);
        CPPUNIT_ASSERT(next_state(S::kSending, E::kRestart) == S::kUncertain);
    }

    void names_come_back() {
        std::set<std::string> names;
        for (const S state : kStates) {
            CPPUNIT_ASSERT(parse_delivery_state(to_string(state)) == state);
            CPPUNIT_ASSERT(names.insert(to_string(state)).second);
        }
        CPPUNIT_ASSERT(!parse_delivery_state("Sent"));
        CPPUNIT_ASSERT(!parse_delivery_state(""));
        for (const MessageKind kind : {MessageKind::kVoice, MessageKind::kFax})
            CPPUNIT_ASSERT(parse_message_kind(to_string(kind)) == kind);
        for (const MessageState state :
             {MessageState::kNew, MessageState::kRead, MessageState::kDeleted})
            CPPUNIT_ASSERT(parse_message_state(to_string(state)) == state);
        CPPUNIT_ASSERT(!parse_message_kind("video"));
        CPPUNIT_ASSERT(!parse_message_state("unread"));
    }

    // Over any course of attempts: once an attempt may have arrived, only an answer, the timeout or
    // nothing follows.
    void what_may_have_arrived_stays_uncertain() {
        CPPUNIT_ASSERT(rc::check("uncertain for good", [] {
            const std::vector<E> ends{E::kAccepted, E::kDeferral, E::kFailure, E::kReplyLost};
            S state = S::kQueued;
            bool unsure = false;
            for (int i = *rc::gen::inRange(1, 8); i > 0; --i) {
                const S before = state;
                const auto sending = next_state(before, E::kIntent);
                if (!sending) break;
                const bool crash = *rc::gen::arbitrary<bool>();
                const E event =
                    crash ? E::kRestart : outcome_after(before, *rc::gen::elementOf(ends));
                state = *next_state(*sending, event);
                unsure |= event == E::kReplyLost || event == E::kRestart;
                if (unsure) RC_ASSERT(state == S::kUncertain || state == S::kSent);
                if (*rc::gen::arbitrary<bool>())
                    state = next_state(state, E::kRequeue).value_or(state);
            }
        }));
        CPPUNIT_ASSERT(outcome_after(S::kDeferred, E::kFailure) == E::kFailure);
        CPPUNIT_ASSERT(outcome_after(S::kQueued, E::kDeferral) == E::kDeferral);
    }

    void timeout_counts_from_the_queue() {
        Delivery delivery;
        delivery.queued_at = 5000;
        CPPUNIT_ASSERT(!is_over(delivery, 1000, 5999));
        CPPUNIT_ASSERT(is_over(delivery, 1000, 6000));
        CPPUNIT_ASSERT(is_over(delivery, 0, 5000));  // 0: no retry at all
    }

    void clock_set_back_holds_nothing() {
        constexpr TimeMs kNow = 1'800'000'000'000;
        Delivery delivery;
        delivery.state = S::kQueued;
        delivery.next_attempt = kNow + 60'000;
        CPPUNIT_ASSERT(is_due(delivery, kNow));  // has no pause to keep
        delivery.state = S::kDeferred;
        CPPUNIT_ASSERT(!is_due(delivery, kNow));
        CPPUNIT_ASSERT(is_due(delivery, kNow + 60'000));
        // The longest pause there is does count.
        delivery.next_attempt = kNow + kUncertainFactor * backoff_ms(100, 0.999);
        CPPUNIT_ASSERT(!is_due(delivery, kNow));
        delivery.next_attempt = kNow + 48LL * 3600 * 1000;
        CPPUNIT_ASSERT(is_due(delivery, kNow));
    }

    void what_a_person_postponed_waits_however_long() {
        constexpr TimeMs kNow = 1000, kYear = 365LL * 86'400'000;
        for (const S state : {S::kDeferred, S::kUncertain}) {
            Delivery delivery;
            delivery.state = state;
            delivery.next_attempt = kNow + kYear;
            CPPUNIT_ASSERT(is_due(delivery, kNow));
            delivery.postponed = true;
            CPPUNIT_ASSERT(!is_due(delivery, kNow));
            CPPUNIT_ASSERT(!is_due(delivery, kNow + kYear - 1));
            CPPUNIT_ASSERT(is_due(delivery, kNow + kYear));
        }
    }

    void a_person_decides_about_what_waits_only() {
        for (const S state : kStates) {
            const bool waits =
                state == S::kQueued || state == S::kDeferred || state == S::kUncertain;
            const auto postponed = next_state(state, E::kPostpone);
            CPPUNIT_ASSERT_EQUAL(waits, postponed.has_value());
            // Queued would be due at once.
            CPPUNIT_ASSERT(!postponed || *postponed != S::kQueued);
            CPPUNIT_ASSERT_EQUAL(waits, next_state(state, E::kAbandon).has_value());
            CPPUNIT_ASSERT(!waits || next_state(state, E::kAbandon) == S::kFailed);
        }
    }

    void backoff_doubles_within_its_bounds() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{30'000}, backoff_ms(1, 0.5));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{60'000}, backoff_ms(2, 0.5));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{240'000}, backoff_ms(4, 0.5));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7'200'000}, backoff_ms(100, 0.5));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{22'500}, backoff_ms(1, 0.0));
    }

    void backoff_of_any_count_is_sane() {
        CPPUNIT_ASSERT(rc::check("backoff", [] {
            const int attempts = *rc::gen::arbitrary<int>();
            const double jitter = *rc::gen::inRange(0, 1000) / 1000.0;
            const std::int64_t delay = backoff_ms(attempts, jitter);
            RC_ASSERT(delay >= 22'500 && delay < 9'000'000);
            if (attempts > 0 && attempts < 1000)
                RC_ASSERT(backoff_ms(attempts + 1, jitter) >= delay);
        }));
    }

    void sent_again_under_another_message_id() {
        CPPUNIT_ASSERT_EQUAL(std::string("01X.1@a.example"), resent_message_id("01X@a.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("01X.2@a.example"), resent_message_id("01X.1@a.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("01X.10@a.example"), resent_message_id("01X.9@a.example"));
        CPPUNIT_ASSERT_EQUAL(std::string(), resent_message_id(""));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DeliveryTest);

}  // namespace
