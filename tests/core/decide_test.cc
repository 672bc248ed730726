#include "core/decide.h"

#include "core/delivery.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace vm;

constexpr TimeMs kNow = 1'000'000;

MessageRecord message(const std::string& id, DeliveryState state, TimeMs next_attempt = 0) {
    MessageRecord record;
    record.message.id = id;
    record.message.mailbox = "101";
    record.delivery.state = state;
    record.delivery.next_attempt = next_attempt;
    return record;
}

PushPolicy on() {
    PushPolicy policy;
    policy.integration = true;
    return policy;
}

// "send A; switch off B", as short as a table needs it.
std::string told(const Plan& plan) {
    std::string out;
    for (const Action& action : plan.actions)
        out += (out.empty() ? "" : "; ") + std::string(to_string(action.kind)) + " " +
               action.message_id;
    return out;
}

rc::Gen<MessageRecord> any_record() {
    return rc::gen::exec([] {
        MessageRecord record =
            message(*rc::gen::container<std::string>(4, rc::gen::inRange('A', 'Z')),
                    static_cast<DeliveryState>(*rc::gen::inRange(0, 7)),
                    *rc::gen::inRange<TimeMs>(kNow - 1000, kNow + 1000));
        record.message.kind = static_cast<MessageKind>(*rc::gen::inRange(0, 2));
        record.message.state = static_cast<MessageState>(*rc::gen::inRange(0, 3));
        record.delivery.queued_at = *rc::gen::inRange<TimeMs>(0, kNow);
        record.delivery.attempts = *rc::gen::inRange(0, 50);
        return record;
    });
}

class DecideTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DecideTest);
    CPPUNIT_TEST(one_of_each_state);
    CPPUNIT_TEST(one_that_is_postponed);
    CPPUNIT_TEST(those_that_wait_for_transcripts);
    CPPUNIT_TEST(an_uncertain_one_is_searched_for_where_that_works);
    CPPUNIT_TEST(nothing_before_its_time);
    CPPUNIT_TEST(a_deleted_message_stays);
    CPPUNIT_TEST(send_mode_filters);
    CPPUNIT_TEST(integration_off_empties_the_queue_with_a_reason);
    CPPUNIT_TEST(oldest_first);
    CPPUNIT_TEST(invariants_hold_for_any_queue);
    CPPUNIT_TEST_SUITE_END();

    void one_that_is_postponed() {
        constexpr TimeMs kSoon = kNow + 5000, kFarAhead = kNow + 365LL * 86'400'000;
        for (const TimeMs until : {kSoon, kFarAhead}) {
            MessageRecord record = message("A", DeliveryState::kDeferred, until);
            record.delivery.postponed = true;
            const Plan waits = decide({record}, on(), kNow);
            CPPUNIT_ASSERT(waits.actions.empty());
            // No scheduler waits longer than for any pause: a look now and then costs nothing.
            CPPUNIT_ASSERT_EQUAL(std::min(until, kNow + kLongestPauseMs), *waits.wake_at);
            CPPUNIT_ASSERT_EQUAL(std::string("send A"), told(decide({record}, on(), until)));
        }
    }

    void one_of_each_state() {
        const std::vector<std::pair<DeliveryState, std::string>> table{
            {DeliveryState::kOff, ""},
            {DeliveryState::kQueued, "send A"},
            {DeliveryState::kSending, ""},
            {DeliveryState::kSent, ""},
            {DeliveryState::kDeferred, "send A"},
            {DeliveryState::kFailed, ""},
            {DeliveryState::kUncertain, "send A"}};
        for (const auto& [state, expected] : table)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(to_string(state), expected,
                                         told(decide({message("A", state)}, on(), kNow)));
    }

    void an_uncertain_one_is_searched_for_where_that_works() {
        PushPolicy policy = on();
        policy.account_searchable = true;
        CPPUNIT_ASSERT_EQUAL(std::string("search the account for A; send B"),
                             told(decide({message("A", DeliveryState::kUncertain),
                                          message("B", DeliveryState::kDeferred)},
                                         policy, kNow)));
    }

    void nothing_before_its_time() {
        const Plan plan = decide({message("A", DeliveryState::kDeferred, kNow + 20),
                                  message("B", DeliveryState::kQueued, kNow),
                                  message("C", DeliveryState::kUncertain, kNow + 10)},
                                 on(), kNow);
        CPPUNIT_ASSERT_EQUAL(std::string("send B"), told(plan));
        CPPUNIT_ASSERT(plan.wake_at == kNow + 10);
        CPPUNIT_ASSERT(!decide({message("A", DeliveryState::kQueued)}, on(), kNow).wake_at);
    }

    void a_deleted_message_stays() {
        auto deleted = message("A", DeliveryState::kQueued);
        deleted.message.state = MessageState::kDeleted;
        CPPUNIT_ASSERT_EQUAL(std::string(), told(decide({deleted}, on(), kNow)));
        deleted.message.state = MessageState::kRead;  // restored, heard
        CPPUNIT_ASSERT_EQUAL(std::string("send A"), told(decide({deleted}, on(), kNow)));
    }

    void send_mode_filters() {
        auto fax = message("F", DeliveryState::kQueued);
        fax.message.kind = MessageKind::kFax;
        const auto voice = message("V", DeliveryState::kQueued);
        PushPolicy policy = on();
        policy.send_fax = false;
        CPPUNIT_ASSERT_EQUAL(std::string("take out of the queue F; send V"),
                             told(decide({fax, voice}, policy, kNow)));
        policy.send_fax = true;
        policy.send_voice = false;
        CPPUNIT_ASSERT_EQUAL(std::string("send F; take out of the queue V"),
                             told(decide({fax, voice}, policy, kNow)));
        CPPUNIT_ASSERT_EQUAL(std::string("Email Integration Send Mode is Fax"),
                             decide({voice}, policy, kNow).actions.at(0).reason);
    }

    void integration_off_empties_the_queue_with_a_reason() {
        PushPolicy policy;
        const Plan plan = decide(
            {message("A", DeliveryState::kQueued), message("B", DeliveryState::kDeferred, kNow + 5),
             message("C", DeliveryState::kUncertain)},
            policy, kNow);
        // C may lie in the account: what is not known stays not known.
        CPPUNIT_ASSERT_EQUAL(std::string("take out of the queue A; take out of the queue B"),
                             told(plan));
        CPPUNIT_ASSERT_EQUAL(std::string("Email Integration is No"), plan.actions.at(0).reason);
    }

    void those_that_wait_for_transcripts() {
        PushPolicy policy = on();
        policy.account_searchable = true;
        policy.transcribe = true;
        policy.transcribed = {"C"};
        std::vector<MessageRecord> records{message("A", DeliveryState::kQueued),
                                           message("B", DeliveryState::kDeferred),
                                           message("C", DeliveryState::kQueued),
                                           message("D", DeliveryState::kUncertain),
                                           message("E", DeliveryState::kQueued),
                                           message("F", DeliveryState::kQueued),
                                           message("G", DeliveryState::kDeferred),
                                           message("H", DeliveryState::kDeferred, kNow + 1),
                                           message("I", DeliveryState::kSending),
                                           message("J", DeliveryState::kQueued)};
        records[4].message.is_private = true;
        records[5].message.kind = MessageKind::kFax;
        records[6].delivery.attempts = 1;  // may have arrived, as it was
        records[9].message.state = MessageState::kDeleted;
        const Plan plan = decide(records, policy, kNow);
        CPPUNIT_ASSERT_EQUAL(
            std::string("transcribe, then send A; transcribe, then send B; send C; search the "
                        "account for D; send E; send F; send G"),
            told(plan));
        CPPUNIT_ASSERT(plan.wake_at == kNow + 1);
        policy.send_voice = false;
        CPPUNIT_ASSERT_EQUAL(
            std::string("take out of the queue A; take out of the queue B; take out of the queue "
                        "C; take out of the queue E; send F; take out of the queue G; take out of "
                        "the queue H"),
            told(decide(records, policy, kNow)));
        policy = on();
        policy.account_searchable = true;
        CPPUNIT_ASSERT_EQUAL(
            std::string("send A; send B; send C; search the account for D; send E; send F; send G"),
            told(decide(records, policy, kNow)));
    }

    void oldest_first() {
        auto a = message("A", DeliveryState::kQueued), b = message("B", DeliveryState::kQueued),
             c = message("C", DeliveryState::kQueued);
        a.delivery.queued_at = 3;
        b.delivery.queued_at = 1;
        c.delivery.queued_at = 1;
        CPPUNIT_ASSERT_EQUAL(std::string("send B; send C; send A"),
                             told(decide({a, c, b}, on(), kNow)));
    }

    void invariants_hold_for_any_queue() {
        CPPUNIT_ASSERT(rc::check("decide", [] {
            auto records = *rc::gen::container<std::vector<MessageRecord>>(any_record());
            std::set<std::string> ids;
            std::erase_if(records,
                          [&](const MessageRecord& r) { return !ids.insert(r.message.id).second; });
            PushPolicy policy;
            policy.integration = *rc::gen::arbitrary<bool>();
            policy.send_voice = *rc::gen::arbitrary<bool>();
            policy.send_fax = *rc::gen::arbitrary<bool>();
            policy.account_searchable = *rc::gen::arbitrary<bool>();
            policy.transcribe = *rc::gen::arbitrary<bool>();
            const Plan plan = decide(records, policy, kNow);

            std::set<std::string> acted;
            for (const Action& action : plan.actions) {
                RC_ASSERT(acted.insert(action.message_id).second);  // one action a message
                const auto record = std::find_if(
                    records.begin(), records.end(),
                    [&](const MessageRecord& r) { return r.message.id == action.message_id; });
                RC_ASSERT(record != records.end());
                const DeliveryState state = record->delivery.state;
                RC_ASSERT(state == DeliveryState::kQueued || state == DeliveryState::kDeferred ||
                          state == DeliveryState::kUncertain);
                RC_ASSERT(record->message.state != MessageState::kDeleted);
                if (action.kind == ActionKind::kSwitchOff) {
                    RC_ASSERT(state != DeliveryState::kUncertain);
                    continue;
                }
                RC_ASSERT(policy.integration);
                RC_ASSERT(is_due(record->delivery, kNow));
                const bool voice = record->message.kind == MessageKind::kVoice;
                RC_ASSERT((voice ? policy.send_voice : policy.send_fax));
                const bool searches = action.kind == ActionKind::kSearch;
                RC_ASSERT(searches ==
                          (state == DeliveryState::kUncertain && policy.account_searchable));
            }
            if (plan.wake_at) RC_ASSERT(*plan.wake_at > kNow);

            std::reverse(records.begin(), records.end());
            RC_ASSERT(told(decide(records, policy, kNow)) ==
                      told(plan));  // order of input is nothing
        }));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DecideTest);

}  // namespace
