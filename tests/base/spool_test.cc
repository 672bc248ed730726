#include "base/spool.h"

#include "temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <string>
#include <unistd.h>

namespace {

using vm::Spool;

class SpoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SpoolTest);
    CPPUNIT_TEST(gives_back_what_was_put_in);
    CPPUNIT_TEST(few_bytes_need_no_file);
    CPPUNIT_TEST(no_directory_is_told_when_a_file_is_needed);
    CPPUNIT_TEST(is_used_again);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::size_t kMost = Spool::kMostInMemory;
    vm::testing::TemporaryDirectory directory_;

    static std::string content_of(const Spool& spool) {
        std::string out(static_cast<std::size_t>(spool.size()), '\0');
        if (spool.fd() < 0) return std::string(spool.memory());
        const ssize_t n = ::pread(spool.fd(), out.data(), out.size() + 1, 0);
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(out.size()), n);
        return out;
    }
    // So many bytes, no two blocks of which are the same.
    static std::string bytes(std::size_t count) {
        std::string out;
        for (int i = 0; out.size() < count; ++i) out += std::to_string(i);
        out.resize(count);
        return out;
    }
    static void fill(Spool& spool, std::string_view content) {
        for (; !content.empty(); content.remove_prefix(std::min(content.size(), kMost / 16 + 7)))
            CPPUNIT_ASSERT(spool.append(content.substr(0, kMost / 16 + 7)).has_value());
    }

    void gives_back_what_was_put_in() {
        for (const std::size_t count :
             {std::size_t{0}, std::size_t{1}, kMost - 1, kMost, kMost + 1, 3 * kMost}) {
            Spool spool(directory_.path());
            const std::string content = bytes(count);
            fill(spool, content);
            CPPUNIT_ASSERT_EQUAL(count > kMost, spool.fd() >= 0);
            CPPUNIT_ASSERT(content == content_of(spool));
        }
        CPPUNIT_ASSERT(std::filesystem::is_empty(directory_.path()));
    }

    void few_bytes_need_no_file() {
        Spool spool("/nonexistent");
        fill(spool, bytes(kMost));
        CPPUNIT_ASSERT(!spool.no_file());
    }

    void no_directory_is_told_when_a_file_is_needed() {
        Spool spool("/nonexistent");
        const auto done = spool.append(bytes(kMost + 1));
        CPPUNIT_ASSERT(!done && spool.no_file());
        CPPUNIT_ASSERT_EQUAL(spool.no_file()->text(), done.error().text());
        CPPUNIT_ASSERT(done.error().text().find("/nonexistent") != std::string::npos);
        spool.clear();
        fill(spool, "little");
        CPPUNIT_ASSERT(!spool.no_file());
    }

    void is_used_again() {
        Spool spool(directory_.path());
        for (const std::size_t count : {3 * kMost, std::size_t{5}, 2 * kMost, std::size_t{0}}) {
            spool.clear();
            const std::string content = bytes(count);
            fill(spool, content);
            CPPUNIT_ASSERT(content == content_of(spool));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SpoolTest);

}  // namespace
