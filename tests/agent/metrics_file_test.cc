#include "agent/metrics_file.h"

#include "../base/temporary_directory.h"
#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace {

using namespace vm;
using vm::agent::MetricsFile;
namespace fs = std::filesystem;

class MetricsFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MetricsFileTest);
    CPPUNIT_TEST(it_is_renewed_when_it_is_time);
    CPPUNIT_TEST(another_path_takes_the_old_one_away);
    CPPUNIT_TEST(somebody_elses_stays);
    CPPUNIT_TEST(trouble_passes);
    CPPUNIT_TEST_SUITE_END();

    testing::TemporaryDirectory directory_;
    const fs::path path_ = directory_.path() / "vmemail.prom";
    MetricsFile file_;
    int written_ = 0;

    void keep(std::int64_t now, const fs::path& path) {
        file_.keep(now, path, [this] { return "n " + std::to_string(++written_) + "\n"; });
    }
    static std::string content(const fs::path& path) { return read_file(path).value_or("none"); }

    void it_is_renewed_when_it_is_time() {
        keep(1000, path_);
        CPPUNIT_ASSERT_EQUAL(std::string("n 1\n"), content(path_));
        struct stat stat {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(path_.c_str(), &stat));
        CPPUNIT_ASSERT_EQUAL(mode_t{0644}, stat.st_mode & 0777);
        const ino_t first = stat.st_ino;
        const UniqueFd reader(open_regular(path_, "read").value());
        keep(1000 + MetricsFile::kPeriodMs - 1, path_);
        CPPUNIT_ASSERT_EQUAL(std::string("n 1\n"), content(path_));
        keep(1000 + MetricsFile::kPeriodMs, path_);
        CPPUNIT_ASSERT_EQUAL(std::string("n 2\n"), content(path_));
        // Who reads the old one meanwhile reads all of it: it is another file.
        CPPUNIT_ASSERT_EQUAL(0, ::stat(path_.c_str(), &stat));
        CPPUNIT_ASSERT(first != stat.st_ino);
        CPPUNIT_ASSERT(fs::directory_iterator(directory_.path()) != fs::directory_iterator());
        CPPUNIT_ASSERT_EQUAL(
            std::ptrdiff_t{1},
            std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
        file_.remove();
        CPPUNIT_ASSERT(!fs::exists(path_));
    }

    void another_path_takes_the_old_one_away() {
        const fs::path other = directory_.path() / "other.prom";
        keep(1000, path_);
        keep(2000, other);
        CPPUNIT_ASSERT(!fs::exists(path_));
        CPPUNIT_ASSERT_EQUAL(std::string("n 2\n"), content(other));
        keep(3000, "");
        CPPUNIT_ASSERT(!fs::exists(other));
        keep(99'000, "");
        CPPUNIT_ASSERT_EQUAL(2, written_);
    }

    void somebody_elses_stays() {
        std::ofstream(path_) << "# HELP node_uname_info x\n";
        keep(1000, path_);
        keep(2000, "");
        CPPUNIT_ASSERT_EQUAL(std::string("# HELP node_uname_info x\n"), content(path_));
        // An agent's that was killed is not.
        std::ofstream(path_) << "# HELP vmemail_up x\n";
        keep(3000, path_);
        CPPUNIT_ASSERT_EQUAL(std::string("n 1\n"), content(path_));
    }

    void trouble_passes() {
        const fs::path path = directory_.path() / "none" / "vmemail.prom";
        keep(1000, path);
        keep(2000, path);
        CPPUNIT_ASSERT_EQUAL(1, written_);
        fs::create_directory(path.parent_path());
        std::filesystem::create_symlink("/dev/null", path.string() + ".tmp");  // left by somebody
        keep(1000 + MetricsFile::kPeriodMs, path);
        CPPUNIT_ASSERT_EQUAL(std::string("n 2\n"), content(path));
        CPPUNIT_ASSERT(fs::is_regular_file(fs::symlink_status(path)));
        // What is in its place and cannot be replaced stays, and nothing else is left there.
        fs::remove(path);
        fs::create_directories(path / "x");
        keep(1000 + 2 * MetricsFile::kPeriodMs, path);
        CPPUNIT_ASSERT(fs::is_directory(path) && !fs::exists(path.string() + ".tmp"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MetricsFileTest);

}  // namespace
