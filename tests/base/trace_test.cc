#include "base/trace.h"

#include "base/files.h"
#include "temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <limits.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace vm;

class TraceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TraceTest);
    CPPUNIT_TEST(writes_lines_and_hides_debug);
    CPPUNIT_TEST(neutralises_control_characters);
    CPPUNIT_TEST(rotates_at_its_size);
    CPPUNIT_TEST(names_a_file_it_cannot_open);
    CPPUNIT_TEST(a_worker_s_lines_come_through_a_pipe);
    CPPUNIT_TEST_SUITE_END();

  public:
    void tearDown() override { trace_everything(false); }

  private:
    vm::testing::TemporaryDirectory directory_;
    std::filesystem::path file() const { return directory_.path() / "t.trace"; }

    void writes_lines_and_hides_debug() {
        CPPUNIT_ASSERT(trace_open(file(), 100000, false));
        trace(TraceLevel::kInfo, "mailbox {} {}", 101, "ok");
        trace(TraceLevel::kDebug, "dialogue");
        CPPUNIT_ASSERT(!trace_enabled(TraceLevel::kDebug));
        const std::string before = read_file(file()).value();
        CPPUNIT_ASSERT(before.ends_with(" I mailbox 101 ok\n"));
        CPPUNIT_ASSERT(before.find("dialogue") == std::string::npos);

        trace_everything(true);  // TraceLevelOverride
        trace(TraceLevel::kDebug, "dialogue");
        CPPUNIT_ASSERT(read_file(file()).value().ends_with(" D dialogue\n"));
    }

    void neutralises_control_characters() {
        CPPUNIT_ASSERT(trace_open(file(), 100000, false));
        trace_line(TraceLevel::kInfo, "220 hi\r\n2026-01-01 forged");
        const std::string content = read_file(file()).value();
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(content.begin(), content.end(), '\n'));
    }

    void rotates_at_its_size() {
        CPPUNIT_ASSERT(trace_open(file(), 1000, false));
        for (int i = 0; i < 200; ++i)
            trace(TraceLevel::kInfo, "line {} {}", i, std::string(50, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, directory_.files());  // the file and 3 old ones
        for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
            CPPUNIT_ASSERT(entry.file_size() <= 1000);
            struct stat status {};
            CPPUNIT_ASSERT_EQUAL(0, ::stat(entry.path().c_str(), &status));
            CPPUNIT_ASSERT_EQUAL(mode_t{0640}, status.st_mode & 0777);
        }
    }

    void names_a_file_it_cannot_open() {
        const mode_t before = ::umask(0022);
        const auto failed = trace_open("/proc/none/t.trace", 1000, false);
        const mode_t after = ::umask(before);
        CPPUNIT_ASSERT(!failed);
        CPPUNIT_ASSERT_EQUAL(std::string("/proc/none/t.trace"), failed.error().object);
        CPPUNIT_ASSERT_EQUAL(mode_t{0022}, after);  // a file made later is not tighter for it
    }

    void a_worker_s_lines_come_through_a_pipe() {
        int ends[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends));
        const UniqueFd reading(ends[0]);
        UniqueFd writing(ends[1]);
        trace_to_pipe(writing.get());
        trace(TraceLevel::kWarning, "from the worker");
        trace_line(TraceLevel::kInfo, std::string(10000, 'x'));  // cut, and still one write

        CPPUNIT_ASSERT(trace_open(file(), 100000, false));  // the master's side
        writing.reset();
        std::string received(20000, ' ');
        const ssize_t n = ::read(reading.get(), received.data(), received.size());
        CPPUNIT_ASSERT(n > 0);
        received.resize(static_cast<std::size_t>(n));
        const std::size_t first = received.find('\n');
        CPPUNIT_ASSERT(received.substr(0, first).ends_with(" W from the worker"));
        CPPUNIT_ASSERT(received.size() - first - 2 < PIPE_BUF);
        trace_copy(received.substr(0, first));
        CPPUNIT_ASSERT_EQUAL(received.substr(0, first + 1), read_file(file()).value());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TraceTest);

}  // namespace
