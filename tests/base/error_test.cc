#include "base/error.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace vm;

Result<int> half(int n) {
    if (n % 2 != 0) return fail(ErrorKind::kMessage, "halve", std::to_string(n), "odd");
    return n / 2;
}

Result<int> quarter(int n) {
    VM_ASSIGN(const int once, half(n));
    return half(once);
}

Result<> check_quarter(int n) {
    VM_TRY(quarter(n));
    return {};
}

class ErrorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ErrorTest);
    CPPUNIT_TEST(prints_as_one_line);
    CPPUNIT_TEST(does_not_turn_the_direction_of_writing);
    CPPUNIT_TEST(leaves_out_what_is_empty);
    CPPUNIT_TEST(every_kind_has_a_status_and_a_name);
    CPPUNIT_TEST(macros_pass_errors_on);
    CPPUNIT_TEST(errno_becomes_a_kind);
    CPPUNIT_TEST_SUITE_END();

    void prints_as_one_line() {
        const Error error{ErrorKind::kMessage, "push 01J to smtp.example.net", "RCPT",
                          "550 5.1.1 no\r\nsuch user", "correct Email Name"};
        CPPUNIT_ASSERT_EQUAL(
            std::string("push 01J to smtp.example.net: RCPT: 550 5.1.1 no  such user; "
                        "correct Email Name"),
            error.text());
    }

    void does_not_turn_the_direction_of_writing() {
        const Error error{ErrorKind::kUsage, "add", "\xE2\x80\xAEgpj.exe", "no", ""};
        CPPUNIT_ASSERT_EQUAL(std::string("add: gpj.exe: no"), error.text());
    }

    void leaves_out_what_is_empty() {
        CPPUNIT_ASSERT_EQUAL(std::string("read: no such file"),
                             (Error{ErrorKind::kNoInput, "read", "", "no such file", ""}).text());
        CPPUNIT_ASSERT_EQUAL(std::string("etc/misc.ini"),
                             (Error{ErrorKind::kConfig, "", "etc/misc.ini", "", ""}).text());
    }

    void every_kind_has_a_status_and_a_name() {
        // INTERFACE "Exit codes".
        const std::vector<std::pair<ErrorKind, int>> table{
            {ErrorKind::kRetryNow, 75},   {ErrorKind::kRetryLater, 75}, {ErrorKind::kMessage, 65},
            {ErrorKind::kMailbox, 69},    {ErrorKind::kAccount, 77},    {ErrorKind::kConfig, 78},
            {ErrorKind::kUncertain, 75},  {ErrorKind::kUsage, 64},      {ErrorKind::kNoInput, 66},
            {ErrorKind::kPermission, 77}, {ErrorKind::kUnavailable, 69}};
        std::set<std::string> names;
        for (const auto& [kind, status] : table) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(to_string(kind), status, exit_status(kind));
            CPPUNIT_ASSERT_MESSAGE(to_string(kind), names.insert(to_string(kind)).second);
        }
    }

    void macros_pass_errors_on() {
        CPPUNIT_ASSERT_EQUAL(2, quarter(8).value());
        CPPUNIT_ASSERT_EQUAL(std::string("halve: 3: odd"), quarter(6).error().text());
        CPPUNIT_ASSERT(check_quarter(4).has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("halve: 5: odd"), check_quarter(5).error().text());
    }

    void errno_becomes_a_kind() {
        CPPUNIT_ASSERT(errno_kind(ENOENT) == ErrorKind::kNoInput);
        CPPUNIT_ASSERT(errno_kind(EACCES) == ErrorKind::kPermission);
        CPPUNIT_ASSERT(errno_kind(ENOSPC) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(std::string("Permission denied"), errno_text(EACCES));
        const Error error = fail_errno(EROFS, "write", "etc/misc.ini").value();
        CPPUNIT_ASSERT_EQUAL(std::string("write: etc/misc.ini: Read-only file system; mount it "
                                         "read-write; the system may have made it read-only after "
                                         "an error, see its log"),
                             error.text());
        CPPUNIT_ASSERT_EQUAL(std::string("do this"),
                             fail_errno(ENOSPC, "write", "x", "do this").value().hint);
        CPPUNIT_ASSERT_EQUAL(std::string("free disk space and try again"),
                             fail_errno(ENOSPC, "write", "x").value().hint);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ErrorTest);

}  // namespace
