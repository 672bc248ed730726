// vmreadmail as a program: its options and exit statuses. What it makes of mails is in tests/mime.
#include "../media/samples.h"
#include "base/process.h"
#include "mime/mail_json.h"
#include "mime/template.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

const std::string kMail =
    "From: Ann <ann@example.com>\nSubject: Lunch\n\nSee http://example.org/x\n";

class VmreadmailTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(VmreadmailTest);
    CPPUNIT_TEST(prints_json);
    CPPUNIT_TEST(prints_what_is_spoken);
    CPPUNIT_TEST(exit_statuses);
    CPPUNIT_TEST_SUITE_END();

    static vm::SandboxOutput run(std::vector<std::string> arguments, const std::string& input) {
        const char* build = std::getenv("VM_BUILD");
        arguments.insert(arguments.begin(),
                         std::string(build == nullptr ? "build" : build) + "/bin/vmreadmail");
        const auto done = vm::run_sandboxed(arguments, input, {});
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
        return *done;
    }

  public:
    void prints_json() {
        const auto done = run({}, kMail);
        CPPUNIT_ASSERT_EQUAL(0, done.exit_code);
        CPPUNIT_ASSERT(done.output.ends_with("}\n"));
        const auto mail = vm::mime::parse_mail_json(done.output);
        CPPUNIT_ASSERT(mail && mail->subject == "Lunch" && !mail->truncated);
        CPPUNIT_ASSERT(vm::mime::parse_mail_json(run({"--cut"}, kMail).output)->truncated);
    }

    void prints_what_is_spoken() {
        const vm::test::TestDirectory dir;
        CPPUNIT_ASSERT_EQUAL(
            std::string("Message from Ann.\n\nSubject: Lunch.\n\nSee link to example.org\n"),
            run({"--root", dir.path().string(), "--speech"}, kMail).output);
        std::filesystem::create_directories(dir / "etc" / "templates");
        std::string german(vm::mime::Template::built_in());
        const std::string english = "sender = Message from";
        german.replace(german.find(english), english.size(), "sender = Nachricht von");
        vm::test::write_all_bytes(dir / "etc/templates/de.ini", german);
        CPPUNIT_ASSERT(
            run({"--root", dir.path().string(), "--speech", "--language", "de-AT"}, kMail)
                .output.starts_with("Nachricht von Ann.\n"));
        vm::test::write_all_bytes(dir / "etc/templates/de.ini", "x");
        const auto wrong =
            run({"--root", dir.path().string(), "--speech", "--language", "de"}, kMail);
        CPPUNIT_ASSERT_EQUAL(78, wrong.exit_code);
    }

    void exit_statuses() {
        const auto none = run({}, "");
        CPPUNIT_ASSERT_EQUAL(65, none.exit_code);
        CPPUNIT_ASSERT_EQUAL(std::string("vmreadmail: read mail: it has no header\n"),
                             none.diagnostics);
        CPPUNIT_ASSERT_EQUAL(64, run({"--spech"}, kMail).exit_code);
        CPPUNIT_ASSERT_EQUAL(64, run({"mail.eml"}, kMail).exit_code);
        CPPUNIT_ASSERT_EQUAL(0, run({"--help"}, "").exit_code);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(VmreadmailTest);

}  // namespace
