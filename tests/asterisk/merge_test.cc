#include "asterisk/merge.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>
#include <string>
#include <vector>

namespace {

using namespace vm;
using namespace vm::asterisk;
using store::kGone;
using store::Placement;
using S = MessageState;

std::vector<std::string> all_states() {
    std::vector<std::string> out{kGone};
    for (const std::string_view folder : kFolders)
        if (folder != kDeleted) out.emplace_back(folder);
    return out;
}

class MergeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MergeTest);
    CPPUNIT_TEST(the_table);
    CPPUNIT_TEST(every_combination_ends_in_step);
    CPPUNIT_TEST(nothing_is_deleted_that_nobody_deleted);
    CPPUNIT_TEST(folders_and_states);
    CPPUNIT_TEST(what_is_taken_over_is_what_was_found);
    CPPUNIT_TEST_SUITE_END();

    void the_table() {
        const struct {
            std::string unit, spool, agreed;
            bool in_deleted;
            Decision decision;
        } cases[] = {
            {"INBOX", "INBOX", "INBOX", false, {Step::kNothing, "INBOX"}},
            {"Old", "Old", "INBOX", false, {Step::kAgree, "Old"}},
            {kGone, kGone, "INBOX", false, {Step::kAgree, kGone}},
            {"Old", "INBOX", "INBOX", false, {Step::kMove, "Old"}},
            {kGone, "INBOX", "INBOX", false, {Step::kRemove, kGone}},
            {"INBOX", kGone, kGone, false, {}},
            {"INBOX", kGone, kGone, true, {Step::kMove, "INBOX"}},
            {"INBOX", "Old", "INBOX", false, {Step::kFollow, "Old"}},
            {"INBOX", kGone, "INBOX", false, {Step::kFollow, kGone}},
            {"INBOX", kGone, "INBOX", true, {Step::kFollow, kGone}},
            {kGone, "Old", "INBOX", false, {Step::kRemove, kGone}},
            {kGone, "Old", kGone, false, {Step::kFollow, "Old"}},
            {"Old", kGone, "INBOX", false, {Step::kFollow, kGone}},
            {"Work", "Old", "INBOX", false, {Step::kMove, "Work"}},
            {"Work", "Old", kGone, false, {Step::kMove, "Work"}},
        };
        for (const auto& c : cases) {
            const Decision found = decide(c.unit, c.spool, c.agreed, c.in_deleted);
            CPPUNIT_ASSERT_MESSAGE(c.unit + " " + c.spool + " " + c.agreed, found == c.decision);
        }
    }

    // What is decided is done, and then nothing is left.
    void every_combination_ends_in_step() {
        for (const std::string& unit : all_states())
            for (const std::string& spool : all_states())
                for (const std::string& agreed : all_states()) {
                    const Decision first = decide(unit, spool, agreed, false);
                    std::string u = unit, s = spool, a = agreed;
                    if (first.step == Step::kFollow) u = first.folder;
                    if (first.step == Step::kRemove || first.step == Step::kMove) s = first.folder;
                    const Decision killed = decide(u, s, agreed, false);
                    const std::string name = unit + " " + spool + " " + agreed;
                    // Who dies before it was noted only has to note it.
                    CPPUNIT_ASSERT_MESSAGE(name, killed.step == Step::kNothing ||
                                                     (killed.step == Step::kAgree && u == s));
                    if (first.step != Step::kNothing) a = first.folder;
                    CPPUNIT_ASSERT_MESSAGE(name, decide(u, s, a, false).step == Step::kNothing);
                }
    }

    void nothing_is_deleted_that_nobody_deleted() {
        for (const std::string& unit : all_states())
            for (const std::string& spool : all_states())
                for (const std::string& agreed : all_states()) {
                    const Decision d = decide(unit, spool, agreed, false);
                    if (d.folder != kGone || d.step == Step::kNothing) continue;
                    CPPUNIT_ASSERT(unit == kGone || spool == kGone);
                    CPPUNIT_ASSERT(d.step != Step::kRemove || unit == kGone);
                    CPPUNIT_ASSERT(d.step != Step::kFollow || spool == kGone);
                }
    }

    void folders_and_states() {
        const struct {
            std::optional<Placement> unit;
            const char *lies_in, *moving, *staying;
        } cases[] = {
            {Placement{S::kNew, "INBOX", false}, "INBOX", "INBOX", "INBOX"},
            {Placement{S::kNew, "INBOX", true}, "Urgent", "Urgent", "Urgent"},
            {Placement{S::kRead, "INBOX", false}, "INBOX", "Old", "INBOX"},
            {Placement{S::kRead, "INBOX", true}, "Urgent", "Old", "Urgent"},
            {Placement{S::kRead, "INBOX", false}, "Work", "Old", "Old"},
            {Placement{S::kNew, "Work", false}, "INBOX", "Work", "Work"},
            {Placement{S::kRead, "Elsewhere", false}, "Old", "Old", "Old"},
            {Placement{S::kRead, "Deleted", false}, "Old", "Old", "Old"},
            {Placement{S::kDeleted, "INBOX", false}, "INBOX", kGone, kGone},
            {std::nullopt, "INBOX", kGone, kGone},
        };
        for (const auto& c : cases) {
            CPPUNIT_ASSERT_EQUAL(std::string(c.moving), folder_for(c.unit, c.lies_in, true));
            CPPUNIT_ASSERT_EQUAL(std::string(c.staying), folder_for(c.unit, c.lies_in, false));
        }
    }

    void what_is_taken_over_is_what_was_found() {
        for (const std::string& state : all_states())
            for (const S before : {S::kNew, S::kRead, S::kDeleted})
                for (const char* folder : {"INBOX", "Work", "Cust5", "Elsewhere", ""})
                    for (const bool urgent : {false, true}) {
                        const Placement now = placement_for(state, {before, folder, urgent});
                        CPPUNIT_ASSERT_EQUAL(state, folder_for(now, state, true));
                    }
        CPPUNIT_ASSERT_EQUAL(std::string("Elsewhere"),
                             placement_for("Old", {S::kNew, "Elsewhere", false}).folder);
        CPPUNIT_ASSERT(placement_for("Old", {S::kNew, "INBOX", true}).urgent);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MergeTest);

}  // namespace
