// decide_sync in a small world (sync_world.h), over any course of events.
#include "core/sync.h"
#include "sync_world.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace vm;
using namespace vm::testing;

// Many short stories in each case: RapidCheck counts cases, and most stories are dull.
constexpr std::size_t kStories = 20;

struct Story {
    SyncPolicy policy;
    unsigned messages = 1;
    std::vector<Step> steps;
};
std::ostream& operator<<(std::ostream& out, const Story& story) {
    out << story.messages << " messages" << (story.policy.folders ? ", folders" : "")
        << (story.policy.remove_to_trash ? ", to Trash" : "") << ", limit "
        << story.policy.mass_deletion_limit << ":";
    for (const Step& step : story.steps) out << "\n    " << step;
    return out << "\n";
}

rc::Gen<SyncPolicy> any_policy(std::int64_t limit) {
    return rc::gen::exec([limit] {
        SyncPolicy policy;
        policy.folders = *rc::gen::arbitrary<bool>();
        policy.remove_to_trash = *rc::gen::arbitrary<bool>();
        policy.mass_deletion_limit = limit;
        return policy;
    });
}

rc::Gen<Step> any_step(std::vector<Doing> doings) {
    return rc::gen::map(
        rc::gen::tuple(rc::gen::elementOf(std::move(doings)), rc::gen::inRange(0U, 12U),
                       rc::gen::inRange(0U, 6U), rc::gen::inRange(0U, 6U)),
        [](const std::tuple<Doing, unsigned, unsigned, unsigned>& t) {
            return Step{std::get<0>(t), std::get<1>(t), std::get<2>(t), std::get<3>(t)};
        });
}

std::vector<Doing> doings(Doing from, Doing to) {
    std::vector<Doing> out;
    for (int i = static_cast<int>(from); i <= static_cast<int>(to); ++i)
        out.push_back(static_cast<Doing>(i));
    return out;
}

std::vector<Doing> with(std::vector<Doing> list, const std::vector<Doing>& more, int times = 1) {
    for (int i = 0; i < times; ++i) list.insert(list.end(), more.begin(), more.end());
    return list;
}

const std::vector<Doing> kPasses{Doing::kPass, Doing::kPartialPass, Doing::kCrashedPass,
                                 Doing::kWorstPass};

rc::Gen<Story> any_story(const std::vector<Doing>& what, unsigned messages, std::int64_t limit) {
    return rc::gen::build<Story>(
        rc::gen::set(&Story::policy, any_policy(limit)),
        rc::gen::set(&Story::messages, rc::gen::inRange(1U, messages + 1)),
        rc::gen::set(&Story::steps, rc::gen::container<std::vector<Step>>(any_step(what))));
}

// Runs it to its end and past it.
SyncWorld told(const Story& story) {
    SyncWorld world(story.messages, story.policy);
    for (const Step& step : story.steps) {
        world.run(step);
        if (!world.problem().empty()) break;
    }
    if (world.problem().empty()) world.settle(story.steps.size() % 2 == 0);
    return world;
}

void check_all(const rc::Gen<Story>& any) {
    const auto stories = *rc::gen::container<std::vector<Story>>(kStories, any);
    for (const Story& story : stories) {
        const SyncWorld world = told(story);
        if (!world.problem().empty()) RC_FAIL(world.problem() + "\n" + world.story());
    }
}

// What both sides show of one message.
struct Facts {
    bool deleted = false, read = false, urgent = false;
    std::string folder;
};
std::ostream& operator<<(std::ostream& out, const Facts& facts) {
    return out << (facts.deleted ? "deleted " : "") << (facts.read ? "read " : "new ")
               << (facts.urgent ? "urgent " : "") << facts.folder;
}

Facts of_unit(const SyncWorld::UnitMessage& one) {
    return {one.message.state == MessageState::kDeleted, one.message.state == MessageState::kRead,
            one.message.urgent, one.message.folder};
}
Facts of_mail(SyncWorld& world, const SyncWorld::UnitMessage& one) {
    const auto places = world.live(one);
    if (places.empty()) return {true, false, false, ""};
    const MailFlags& flags = world.mail(places.front()).flags;
    return {false, flags.seen, flags.flagged, places.front().folder};
}

// The rules of who wins, once more and in short.
Facts merged(const Facts& base, const Facts& unit, const Facts& mail) {
    if (base.deleted) return {unit.deleted && mail.deleted, false, false, ""};
    if (unit.deleted || mail.deleted) return {true, false, false, ""};
    return {false, unit.read != base.read ? unit.read : mail.read,
            unit.urgent != base.urgent ? unit.urgent : mail.urgent,
            unit.folder != base.folder ? unit.folder : mail.folder};
}

// Changes after both sides agreed, all of them before the next pass.
struct Change {
    Story before;  // how both came to agree
    std::vector<Step> steps, passes;
};
std::ostream& operator<<(std::ostream& out, const Change& change) {
    out << change.before << "  changes:";
    for (const Step& step : change.steps) out << "\n    " << step;
    for (const Step& step : change.passes) out << "\n    " << step;
    return out << "\n";
}

rc::Gen<Change> any_change(const std::vector<Doing>& what, const std::vector<Doing>& passes) {
    // Deletions and what comes of them too; one copy of each.
    const auto before = with(with(doings(Doing::kHear, Doing::kMoveIn), {Doing::kPass}, 3),
                             {Doing::kDeliver, Doing::kRestore, Doing::kMoveIn}, 2);
    return rc::gen::build<Change>(
        rc::gen::set(&Change::before, any_story(before, 4, 1000)),
        rc::gen::set(&Change::steps, rc::gen::container<std::vector<Step>>(any_step(what))),
        rc::gen::set(&Change::passes, rc::gen::container<std::vector<Step>>(any_step(passes))));
}

void check_merge(const Change& change) {
    SyncWorld world = told(change.before);
    std::vector<Facts> base, expected;
    // What was never seen there is not deleted for not being there; what was sent again may be
    // there twice, and one of two outlives a deletion.
    std::vector<bool> linked;
    for (unsigned i = 0; i < world.messages(); ++i) {
        base.push_back(of_unit(world.message(i)));
        const auto& one = world.message(i);
        linked.push_back(one.agreed && world.mails(one) < 2 &&
                         of_mail(world, one).deleted == base[i].deleted);
    }
    for (const Step& step : change.steps) world.run(step);
    for (unsigned i = 0; i < world.messages(); ++i) {
        const auto& one = world.message(i);
        expected.push_back(merged(base[i], of_unit(one), of_mail(world, one)));
    }
    for (const Step& step : change.passes) world.run(step);
    world.settle();
    if (!world.problem().empty()) RC_FAIL(world.problem() + "\n" + world.story());
    for (unsigned i = 0; i < world.messages(); ++i) {
        if (!linked[i]) continue;
        const auto& one = world.message(i);
        const Facts unit = of_unit(one), mail = of_mail(world, one);
        std::ostringstream text;
        text << one.message.id << " is " << unit << ", its mail is " << mail << ", to be "
             << expected[i] << "\n"
             << world.story();
        const Facts& wanted = expected[i];
        bool good = unit.deleted == wanted.deleted && mail.deleted == wanted.deleted;
        if (!wanted.deleted && !base[i].deleted) {
            good = good && unit.read == wanted.read && mail.read == wanted.read &&
                   unit.urgent == wanted.urgent && mail.urgent == wanted.urgent;
            if (world.policy.folders)
                good = good && unit.folder == wanted.folder && mail.folder == wanted.folder;
        }
        if (!good) RC_FAIL(text.str());
    }
}

void check_merges(const std::vector<Doing>& what, const std::vector<Doing>& passes) {
    for (const Change& change :
         *rc::gen::container<std::vector<Change>>(kStories / 4, any_change(what, passes)))
        check_merge(change);
}

const auto kPhone = doings(Doing::kHear, Doing::kToFolder);
const auto kMail = doings(Doing::kSee, Doing::kMoveIn);
const std::vector<Doing> kCompletePasses{Doing::kPass, Doing::kCrashedPass};

class SyncPropertyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SyncPropertyTest);
    CPPUNIT_TEST(any_course_of_events_settles);
    CPPUNIT_TEST(what_the_phone_did_arrives_in_the_account);
    CPPUNIT_TEST(what_the_subscriber_did_arrives_in_the_unit);
    CPPUNIT_TEST(when_both_did_something_the_unit_wins_and_deletion_beats_all);
    CPPUNIT_TEST(both_sides_and_incomplete_listings);
    CPPUNIT_TEST(nothing_is_deleted_by_what_becomes_of_folders);
    CPPUNIT_TEST_SUITE_END();

    void any_course_of_events_settles() {
        const auto what = with(doings(Doing::kHear, Doing::kRejoin), kPasses, 2);
        CPPUNIT_ASSERT(rc::check("sync: all together", [&] { check_all(any_story(what, 5, 2)); }));
    }

    void what_the_phone_did_arrives_in_the_account() {
        CPPUNIT_ASSERT(rc::check("sync: the phone alone", [] { check_merges(kPhone, kPasses); }));
    }

    void what_the_subscriber_did_arrives_in_the_unit() {
        CPPUNIT_ASSERT(rc::check("sync: the mail alone", [] { check_merges(kMail, kPasses); }));
    }

    void when_both_did_something_the_unit_wins_and_deletion_beats_all() {
        CPPUNIT_ASSERT(rc::check("sync: both sides",
                                 [] { check_merges(with(kPhone, kMail), kCompletePasses); }));
    }

    // Deleted on the phone and moved in the account: a pass that sees one folder only cannot tell
    // the moved mail from a second copy, which is not touched.
    void both_sides_and_incomplete_listings() {
        CPPUNIT_ASSERT(rc::check("sync: both sides, in part", [] {
            auto what = with(kPhone, kMail);
            if (*rc::gen::arbitrary<bool>())
                std::erase(what, Doing::kDelete);
            else
                std::erase_if(what,
                              [](Doing d) { return d == Doing::kMove || d == Doing::kMoveIn; });
            check_merges(what, kPasses);
        }));
    }

    void nothing_is_deleted_by_what_becomes_of_folders() {
        const auto what = with(
            {Doing::kDeliver, Doing::kHear, Doing::kUrgent, Doing::kSee, Doing::kFlag, Doing::kCopy,
             Doing::kForeign, Doing::kRenumber, Doing::kRename, Doing::kDropFolder},
            kPasses);
        CPPUNIT_ASSERT(rc::check("sync: folders", [&] {
            for (const Story& story :
                 *rc::gen::container<std::vector<Story>>(kStories, any_story(what, 5, 2))) {
                SyncWorld world(story.messages, story.policy);
                for (const Step& step : story.steps) world.run(step);
                if (world.problem().empty()) world.settle(true);
                if (!world.problem().empty()) RC_FAIL(world.problem() + "\n" + world.story());
                for (unsigned i = 0; i < world.messages(); ++i)
                    if (world.message(i).message.state == MessageState::kDeleted)
                        RC_FAIL("deleted\n" + world.story());
            }
        }));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SyncPropertyTest);

}  // namespace
