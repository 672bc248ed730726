#include "core/drop.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <algorithm>

namespace {

using namespace vm;

constexpr TimeMs kDeleted = 1'000'000'000;

class DropTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DropTest);
    CPPUNIT_TEST(removals_name_every_known_mail);
    CPPUNIT_TEST(every_outcome);
    CPPUNIT_TEST(a_late_mail_is_looked_for);
    CPPUNIT_TEST(all_copies_must_be_gone);
    CPPUNIT_TEST(every_message_is_settled_or_open);
    CPPUNIT_TEST_SUITE_END();

    static DropDecision decide(const std::vector<DropMessage>& messages,
                               const std::vector<DropResult>& results, TimeMs now = kDeleted) {
        return decide_drop(messages, removals_for(messages), results, now);
    }
    static std::string reason(const DropDecision& decision) {
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, decision.settled.size());
        CPPUNIT_ASSERT_EQUAL(std::string("A"), decision.settled[0].first);
        return decision.settled[0].second;
    }

    void removals_name_every_known_mail() {
        const auto removals =
            removals_for({{"A", "a@unit", kDeleted, {"u1", "u2"}}, {"B", "b@unit", kDeleted, {}}});
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, removals.size());
        CPPUNIT_ASSERT(removals[0].unique_id == "u1" && removals[0].id == "A");
        CPPUNIT_ASSERT(removals[1].unique_id == "u2" && removals[1].message_id == "a@unit");
        CPPUNIT_ASSERT(removals[2].unique_id.empty() && removals[2].id == "B");
    }

    void every_outcome() {
        const DropMessage known{"A", "", kDeleted, {"u1"}}, unknown{"A", "", kDeleted, {}};
        for (const DropMessage& message : {known, unknown})
            CPPUNIT_ASSERT_EQUAL(std::string("deleted on the phone"),
                                 reason(decide({message}, {{DropOutcome::kDone, ""}})));
        // Fetched and removed by the subscriber's own program.
        CPPUNIT_ASSERT_EQUAL(std::string("not in the account any more"),
                             reason(decide({known}, {{DropOutcome::kMissing, ""}})));
        const DropDecision other = decide({known}, {{DropOutcome::kOther, ""}});
        CPPUNIT_ASSERT(other.settled.empty() && other.again_ms && other.forget.at(0) == "u1");
        const DropDecision refused = decide({known}, {{DropOutcome::kRefused, "-ERR read only"}});
        CPPUNIT_ASSERT(refused.settled.empty() && refused.forget.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("the mail of A cannot be deleted: -ERR read only"),
                             refused.notes.at(0));
        const DropDecision unwanted = decide({known}, {{DropOutcome::kUnwanted, ""}});
        CPPUNIT_ASSERT(unwanted.settled.empty() && unwanted.notes.empty() && !unwanted.again_ms);
    }

    void a_late_mail_is_looked_for() {
        const DropMessage unknown{"A", "", kDeleted, {}};
        const auto after = [&](std::int64_t ms) {
            return decide({unknown}, {{DropOutcome::kMissing, ""}}, kDeleted + ms);
        };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{60'000}, after(0).again_ms.value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{60'000}, after(-5'000'000).again_ms.value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{300'000}, after(300'000).again_ms.value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1'800'000}, after(kDropGraceMs - 1).again_ms.value());
        CPPUNIT_ASSERT(!after(kDropGraceMs).again_ms);
        CPPUNIT_ASSERT_EQUAL(std::string("not in the account any more"),
                             reason(after(kDropGraceMs)));
        // The soonest of several counts.
        const DropMessage later{"B", "", kDeleted + 400'000, {}};
        const auto both =
            decide({unknown, later}, {{DropOutcome::kMissing, ""}, {DropOutcome::kMissing, ""}},
                   kDeleted + 500'000);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100'000}, both.again_ms.value());
    }

    void all_copies_must_be_gone() {
        const DropMessage twice{"A", "", kDeleted, {"u1", "u2"}};
        CPPUNIT_ASSERT(decide({twice}, {{DropOutcome::kDone, ""}, {DropOutcome::kRefused, "no"}})
                           .settled.empty());
        CPPUNIT_ASSERT_EQUAL(
            std::string("deleted on the phone"),
            reason(decide({twice}, {{DropOutcome::kMissing, ""}, {DropOutcome::kDone, ""}})));
    }

    // Whatever is answered: a message is settled once or not at all, and one that is not will be
    // looked at again, or said to be refused, or is not deleted any more.
    void every_message_is_settled_or_open() {
        CPPUNIT_ASSERT(rc::check("drop: any answers", [] {
            std::vector<DropMessage> messages;
            const int count = *rc::gen::inRange(0, 6);
            for (int i = 0; i < count; ++i) {
                DropMessage one{std::to_string(i), "", kDeleted, {}};
                for (int k = *rc::gen::inRange(0, 3); k > 0; --k)
                    one.unique_ids.push_back(one.id + "u" + std::to_string(k));
                messages.push_back(one);
            }
            std::vector<DropResult> results;
            for (std::size_t i = 0; i < removals_for(messages).size(); ++i)
                results.push_back({static_cast<DropOutcome>(*rc::gen::inRange(0, 5)), "words"});
            const DropDecision out =
                decide(messages, results, kDeleted + *rc::gen::inRange(0, 8'000'000));
            const auto has = [&](DropOutcome outcome) {
                return std::any_of(results.begin(), results.end(),
                                   [&](const DropResult& r) { return r.outcome == outcome; });
            };
            RC_ASSERT(out.settled.size() <= messages.size());
            if (out.settled.size() < messages.size())
                RC_ASSERT(out.again_ms || !out.notes.empty() || has(DropOutcome::kUnwanted));
            RC_ASSERT(out.notes.empty() == !has(DropOutcome::kRefused));
        }));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DropTest);

}  // namespace
