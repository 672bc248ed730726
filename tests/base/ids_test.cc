#include "base/ids.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>
#include <string>

namespace {

using namespace vm;

class IdsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IdsTest);
    CPPUNIT_TEST(begins_with_the_time);
    CPPUNIT_TEST(sorts_by_time);
    CPPUNIT_TEST(never_repeats);
    CPPUNIT_TEST(knows_its_own);
    CPPUNIT_TEST_SUITE_END();

    void begins_with_the_time() {
        // The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41.
        CPPUNIT_ASSERT_EQUAL(std::string("01ARYZ6S41"),
                             new_id(ManualClock(1469918176385)).substr(0, 10));
        CPPUNIT_ASSERT_EQUAL(std::string("0000000000"), new_id(ManualClock(0)).substr(0, 10));
        CPPUNIT_ASSERT_EQUAL(std::string("7ZZZZZZZZZ"),
                             new_id(ManualClock((TimeMs{1} << 48) - 1)).substr(0, 10));
    }

    void sorts_by_time() {
        ManualClock clock(1469918176385);
        std::string previous = new_id(clock);
        for (int i = 0; i < 1000; ++i) {
            clock.advance(1);
            const std::string next = new_id(clock);
            CPPUNIT_ASSERT(previous < next);
            previous = next;
        }
    }

    void never_repeats() {
        const ManualClock stopped(1469918176385);
        std::set<std::string> ids;
        for (int i = 0; i < 10000; ++i) CPPUNIT_ASSERT(ids.insert(new_id(stopped)).second);
    }

    void knows_its_own() {
        CPPUNIT_ASSERT(is_id(new_id()));
        for (const char* bad : {"", "01ARYZ6S41", "01ARYZ6S41TSV4RRFFQ69G5FAVX",
                                "81ARYZ6S41TSV4RRFFQ69G5FAV", "01ARYZ6S41TSV4RRFFQ69G5FAI",
                                "01aryz6s41tsv4rrffq69g5fav", "../../../../../../../etc/x"})
            CPPUNIT_ASSERT_MESSAGE(bad, !is_id(bad));
        CPPUNIT_ASSERT(is_id("01ARYZ6S41TSV4RRFFQ69G5FAV"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(IdsTest);

}  // namespace
