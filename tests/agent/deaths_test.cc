#include "agent/deaths.h"

#include "../base/temporary_directory.h"
#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>

namespace {

using namespace vm;
using namespace vm::agent;

constexpr TimeMs kNoon = 1'795'348'800'000;

class DeathsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DeathsTest);
    CPPUNIT_TEST(recent_ones_are_counted);
    CPPUNIT_TEST(the_file_does_not_grow);
    CPPUNIT_TEST(a_file_that_is_none);
    CPPUNIT_TEST_SUITE_END();

    testing::TemporaryDirectory directory_;
    const Paths paths_{directory_.path()};

  public:
    void setUp() override { std::filesystem::create_directories(paths_.run()); }

  private:
    void recent_ones_are_counted() {
        CPPUNIT_ASSERT_EQUAL(0, recent_deaths(paths_, kNoon).count);
        for (const std::int64_t ago : {kRecentMs + 1, kRecentMs, std::int64_t{1000}})
            CPPUNIT_ASSERT(
                note_death(paths_, kNoon - ago, "signal 6 (Aborted)\nof " + std::to_string(ago)));
        const RecentDeaths recent = recent_deaths(paths_, kNoon);
        CPPUNIT_ASSERT_EQUAL(2, recent.count);
        CPPUNIT_ASSERT_EQUAL(kNoon - 1000, recent.last);
        CPPUNIT_ASSERT_EQUAL(std::string("signal 6 (Aborted) of 1000"), recent.words);
        // Of a clock that was set back, nothing is known.
        CPPUNIT_ASSERT_EQUAL(0, recent_deaths(paths_, kNoon - kRecentMs - 2).count);
    }

    void the_file_does_not_grow() {
        for (int i = 0; i < 150; ++i) CPPUNIT_ASSERT(note_death(paths_, kNoon + i, "x"));
        CPPUNIT_ASSERT_EQUAL(100, recent_deaths(paths_, kNoon + 1000).count);
        CPPUNIT_ASSERT_EQUAL(kNoon + 149, recent_deaths(paths_, kNoon + 1000).last);
    }

    void a_file_that_is_none() {
        std::ofstream(paths_.run() / "vmemaild.deaths") << "nonsense\n2026\n\n\xFF\xFE\n";
        CPPUNIT_ASSERT_EQUAL(0, recent_deaths(paths_, kNoon).count);
        std::filesystem::remove_all(paths_.run());
        CPPUNIT_ASSERT(!note_death(paths_, kNoon, "x"));
        CPPUNIT_ASSERT_EQUAL(0, recent_deaths(paths_, kNoon).count);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DeathsTest);

}  // namespace
