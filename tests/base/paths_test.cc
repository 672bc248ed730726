#include "base/paths.h"

#include "temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <stdlib.h>
#include <string>

namespace {

using namespace vm;

// INTERFACE "Root".
class PathsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PathsTest);
    CPPUNIT_TEST(option_before_environment_before_default);
    CPPUNIT_TEST(is_absolute);
    CPPUNIT_TEST(a_working_directory_that_is_gone_is_told);
    CPPUNIT_TEST(files_lie_where_the_contract_says);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        const char* before = ::getenv("VM_ROOT");
        was_set_ = before != nullptr;
        before_ = was_set_ ? before : "";
    }
    void tearDown() override {
        if (was_set_)
            ::setenv("VM_ROOT", before_.c_str(), 1);
        else
            ::unsetenv("VM_ROOT");
    }

  private:
    bool was_set_ = false;
    std::string before_;

    void option_before_environment_before_default() {
        ::setenv("VM_ROOT", "/env", 1);
        CPPUNIT_ASSERT_EQUAL(std::string("/option"), find_root("/option")->root.string());
        CPPUNIT_ASSERT_EQUAL(std::string("/env"), find_root("")->root.string());
        ::unsetenv("VM_ROOT");
        CPPUNIT_ASSERT_EQUAL(std::string("/usr/local/vm"), find_root("")->root.string());
    }

    void is_absolute() {
        CPPUNIT_ASSERT_EQUAL((std::filesystem::current_path() / "r").string(),
                             find_root("./x/../r")->root.string());
    }

    void a_working_directory_that_is_gone_is_told() {
        const std::filesystem::path before = std::filesystem::current_path();
        {
            const testing::TemporaryDirectory gone;
            std::filesystem::current_path(gone.path());
        }
        const auto relative = find_root("r"), absolute = find_root("/r");
        std::filesystem::current_path(before);
        CPPUNIT_ASSERT(!relative && absolute);
        CPPUNIT_ASSERT(relative.error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT_EQUAL(
            std::string("find the root: r: the working directory it is taken from: "
                        "No such file or directory; give an absolute path"),
            relative.error().text());
    }

    void files_lie_where_the_contract_says() {
        const Paths paths("/r");
        CPPUNIT_ASSERT_EQUAL(std::string("/r/etc/misc.ini"), paths.misc_ini().string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/etc/mailboxes/101.ini"),
                             paths.mailbox_ini("101").string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/var/vm.db"), paths.database().string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/var/media"), paths.media().string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/var/trace/vmemaild.trace"),
                             paths.trace_file().string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/run/vmemaild.sock"), paths.socket().string());
        CPPUNIT_ASSERT_EQUAL(std::string("/r/lib"), paths.lib().string());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PathsTest);

}  // namespace
