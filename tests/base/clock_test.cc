#include "base/clock.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>

namespace {

using namespace vm;

class ClockTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClockTest);
    CPPUNIT_TEST(formats_known_instants);
    CPPUNIT_TEST(parses_every_form_of_rfc3339);
    CPPUNIT_TEST(refuses_what_is_none);
    CPPUNIT_TEST(every_instant_comes_back);
    CPPUNIT_TEST(a_manual_clock_moves_when_told);
    CPPUNIT_TEST_SUITE_END();

    void formats_known_instants() {
        CPPUNIT_ASSERT_EQUAL(std::string("1970-01-01T00:00:00.000Z"), format_rfc3339(0));
        CPPUNIT_ASSERT_EQUAL(std::string("1969-12-31T23:59:59.999Z"), format_rfc3339(-1));
        CPPUNIT_ASSERT_EQUAL(std::string("2024-02-29T12:34:56.007Z"),
                             format_rfc3339(1709210096007));
    }

    void parses_every_form_of_rfc3339() {
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-29T12:34:56.007Z") == 1709210096007);
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-29t12:34:56z") == 1709210096000);
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-29 14:04:56+01:30") == 1709210096000);
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-28T23:34:56-13:00") == 1709210096000);
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-29T12:34:56.5Z") == 1709210096500);
        CPPUNIT_ASSERT(parse_rfc3339("2024-02-29T12:34:56.123456789Z") == 1709210096123);
        CPPUNIT_ASSERT(parse_rfc3339("2016-12-31T23:59:60Z") == 1483228800000);  // leap second
    }

    void refuses_what_is_none() {
        for (const char* bad :
             {"", "now", "2024-02-29", "2024-02-29T12:34:56", "2023-02-29T12:34:56Z",
              "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-01T24:00:00Z",
              "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z", "2024-01-01T00:00:00.Z",
              "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00Zx",
              "2024-1-01T00:00:00Z", "+024-01-01T00:00:00Z", "2024-01-01T00:00Z"})
            CPPUNIT_ASSERT_MESSAGE(bad, !parse_rfc3339(bad));
    }

    void every_instant_comes_back() {
        // The years RFC 3339 can write, 0000 to 9999.
        const auto instants = rc::gen::inRange<TimeMs>(-62167219200000, 253402300800000);
        CPPUNIT_ASSERT(rc::check("parse(format(t)) is t", [&] {
            const TimeMs time = *instants;
            RC_ASSERT(parse_rfc3339(format_rfc3339(time)) == time);
        }));
        CPPUNIT_ASSERT(
            rc::check("no text does harm", [](const std::string& text) { parse_rfc3339(text); }));
    }

    void a_manual_clock_moves_when_told() {
        ManualClock clock(1000);
        CPPUNIT_ASSERT_EQUAL(TimeMs{1000}, clock.now());
        clock.advance(5);
        CPPUNIT_ASSERT_EQUAL(TimeMs{1005}, clock.now());
        CPPUNIT_ASSERT(system_clock().now() > 1700000000000);
        CPPUNIT_ASSERT(system_clock().steady_ms() <= system_clock().steady_ms());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ClockTest);

}  // namespace
