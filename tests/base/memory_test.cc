#include "base/memory.h"

#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace vm::testing {

namespace {

long kilobytes(const std::string& key) {
    const std::string status = read_file("/proc/self/status").value();
    const auto at = status.find("\n" + key + ":");
    CPPUNIT_ASSERT(at != std::string::npos);
    return std::strtol(status.c_str() + at + key.size() + 2, nullptr, 10);
}

class MemoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MemoryTest);
    CPPUNIT_TEST(pages_of_libraries);
    CPPUNIT_TEST(free_heap);
    CPPUNIT_TEST_SUITE_END();

    void pages_of_libraries() {
        const long before = kilobytes("RssFile");
        give_back_memory();
        const long after = kilobytes("RssFile");
        CPPUNIT_ASSERT_MESSAGE(std::to_string(before) + " -> " + std::to_string(after),
                               after < before * 3 / 4);
        // (What is needed has come back: this runs.)
        CPPUNIT_ASSERT_EQUAL(std::string("2.5"), std::to_string(2.5).substr(0, 3));
    }

    void free_heap() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        std::vector<std::unique_ptr<char[]>> blocks;
        for (int i = 0; i < 20'000; ++i) {
            blocks.push_back(std::make_unique<char[]>(1000));
            blocks.back()[0] = 'x';
        }
        // One that stays keeps the rest from being given back by itself.
        blocks.erase(blocks.begin(), blocks.end() - 1);
        const long before = kilobytes("RssAnon");
        give_back_memory();
        CPPUNIT_ASSERT(kilobytes("RssAnon") < before - 15'000);
        CPPUNIT_ASSERT_EQUAL('x', blocks.front()[0]);
#endif
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MemoryTest);

}  // namespace

}  // namespace vm::testing
