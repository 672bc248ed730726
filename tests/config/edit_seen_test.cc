// Edits by somebody who looked at the file for a while: edit_misc and set_mailbox with `seen`.
#include "config/config.h"
#include "config/edit.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"
#include "config/store_file.h"
#include "temp_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>

using namespace vm;
using namespace vm::config;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

class EditSeenTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EditSeenTest);
    CPPUNIT_TEST(many_options_in_one_write);
    CPPUNIT_TEST(one_that_is_wrong_refuses_all);
    CPPUNIT_TEST(what_others_changed_is_kept_and_said);
    CPPUNIT_TEST(what_both_changed_is_refused);
    CPPUNIT_TEST(the_same_change_by_both_is_none);
    CPPUNIT_TEST(a_mailbox_changed_by_both);
    CPPUNIT_TEST(a_password_changed_by_both_is_not_said);
    CPPUNIT_TEST(the_lock_is_not_waited_for_for_ever);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TempRoot> root;

  public:
    void setUp() override { root = std::make_unique<TempRoot>(); }
    void tearDown() override { root.reset(); }

  private:
    std::string misc_text() const { return root->read(root->paths.misc_ini()); }
    std::string mailbox_text() const { return root->read(root->paths.mailbox_ini("101")); }
    void write_misc(const std::string& text) const { root->write(root->paths.misc_ini(), text); }
    IniDocument misc() const { return read_misc(root->paths).value(); }
    static void assert_refused(const Result<Notes>& done, ErrorKind kind, const std::string& part) {
        CPPUNIT_ASSERT_MESSAGE("taken; expected: " + part, !done.has_value());
        CPPUNIT_ASSERT_MESSAGE(done.error().text(), has(done.error().text(), part));
        CPPUNIT_ASSERT_EQUAL(std::string(to_string(kind)),
                             std::string(to_string(done.error().kind)));
    }

    void many_options_in_one_write() {
        write_misc("; mine\n[g_bUseTTS]\nValue = False ; off\n\n[g_nCustom]\nValue = 1\n");
        const auto done = edit_misc(root->paths, {{"g_busetts", "true", std::nullopt},
                                                  {"g_ncustom", "2", true},
                                                  {"MaxTraceFileSize", std::nullopt, true}});
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done && done->empty());
        CPPUNIT_ASSERT_EQUAL(
            std::string("; mine\n[g_bUseTTS]\nValue = True ; off\n\n[g_nCustom]\nValue = 2\n"
                        "Ignore = 1\n\n[MaxTraceFileSize]\nValue = 100000\nIgnore = 1\n"),
            misc_text());
        const std::string before = misc_text();
        CPPUNIT_ASSERT(edit_misc(root->paths, {}));
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
    }

    void one_that_is_wrong_refuses_all() {
        write_misc("[g_bUseTTS]\nValue = False\n");
        const std::string before = misc_text();
        assert_refused(edit_misc(root->paths, {{"g_bUseTTS", "True", std::nullopt},
                                               {"MaxTraceFileSize", "9", std::nullopt}}),
                       ErrorKind::kConfig,
                       "set: MaxTraceFileSize: \"9\" is not valid; allowed: 100 to 2147483647");
        assert_refused(edit_misc(root->paths, {{"g_bUseTTS", "True", std::nullopt},
                                               {"g_nGone", "1", std::nullopt}}),
                       ErrorKind::kUsage, "g_nGone: there is no such option");
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
    }

    void what_others_changed_is_kept_and_said() {
        write_misc("[g_bUseTTS]\nValue = False\n[g_nCustom]\nValue = 1\n[g_nGone]\nValue = 1\n");
        const IniDocument seen = misc();
        write_misc(
            "[g_bUseTTS]\nValue = False\nIgnore = 0\n[g_nCustom]\nValue = 2\n[g_bUseAmis]\n"
            "Value = False\n");
        const auto done = edit_misc(root->paths, {{"g_bUseTTS", "True", std::nullopt}}, &seen);
        if (!done) CPPUNIT_FAIL(done.error().text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, done->size());
        CPPUNIT_ASSERT_MESSAGE(done->front(),
                               has(done->front(), "changed by somebody else meanwhile") &&
                                   done->front().ends_with(
                                       "that was kept: g_bUseTTS, g_nCustom, g_bUseAmis, g_nGone"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("[g_bUseTTS]\nValue = True\nIgnore = 0\n[g_nCustom]\nValue = 2\n"
                        "[g_bUseAmis]\nValue = False\n"),
            misc_text());
    }

    void what_both_changed_is_refused() {
        write_misc("[MaxTraceFileSize]\nValue = 1000\n[g_bUseTTS]\nValue = False\n");
        const IniDocument seen = misc();
        CPPUNIT_ASSERT(set_misc(root->paths, "MaxTraceFileSize", "2000"));
        const std::string before = misc_text();
        const std::vector<MiscEdit> edits{{"MaxTraceFileSize", "3000", std::nullopt},
                                          {"g_bUseTTS", "True", std::nullopt}};
        const auto done = edit_misc(root->paths, edits, &seen);
        assert_refused(done, ErrorKind::kRetryNow, "MaxTraceFileSize (now \"2000\")");
        CPPUNIT_ASSERT(!has(done.error().text(), "g_bUseTTS"));
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
        // Who has seen that may do it.
        const IniDocument now = misc();
        CPPUNIT_ASSERT(edit_misc(root->paths, edits, &now)->empty());
        CPPUNIT_ASSERT_EQUAL(
            std::string("[MaxTraceFileSize]\nValue = 3000\n[g_bUseTTS]\nValue = True\n"),
            misc_text());
    }

    void the_same_change_by_both_is_none() {
        write_misc("[MaxTraceFileSize]\nValue = 1000\n");
        const IniDocument seen = misc();
        CPPUNIT_ASSERT(set_misc(root->paths, "MaxTraceFileSize", "2000"));
        CPPUNIT_ASSERT(edit_misc(root->paths, {{"MaxTraceFileSize", "2000", std::nullopt}}, &seen));
    }

    void a_mailbox_changed_by_both() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        const IniDocument seen = read_mailbox(root->paths, "101").value();
        CPPUNIT_ASSERT(set_mailbox(root->paths, "101", {{"Smtp Server", Secret("theirs")}}));
        const std::string before = mailbox_text();
        assert_refused(set_mailbox(root->paths, "101", {{"Smtp Server", Secret("ours")}}, &seen),
                       ErrorKind::kRetryNow, "Smtp Server (now \"theirs\")");
        CPPUNIT_ASSERT_EQUAL(before, mailbox_text());
        const auto done = set_mailbox(root->paths, "101", {{"Language", Secret("fr")}}, &seen);
        CPPUNIT_ASSERT(done && done->size() == 1 && done->front().ends_with(": Smtp Server"));
        CPPUNIT_ASSERT_EQUAL(std::string("theirs"), load_mailbox(root->paths, "101")->smtp.host);
        CPPUNIT_ASSERT_EQUAL(std::string("fr"), load_mailbox(root->paths, "101")->language);
    }

    void a_password_changed_by_both_is_not_said() {
        root->write(root->paths.mailbox_ini("101"), "[Email]\nSmtp Password = one\n");
        const IniDocument seen = read_mailbox(root->paths, "101").value();
        root->write(root->paths.mailbox_ini("101"), "[Email]\nSmtp Password = two-hidden\n");
        const auto done =
            set_mailbox(root->paths, "101", {{"smtp password", Secret("three")}}, &seen);
        assert_refused(done, ErrorKind::kRetryNow, "Smtp Password");
        CPPUNIT_ASSERT(!has(done.error().text(), "hidden") && !has(done.error().text(), "three"));
    }

    void the_lock_is_not_waited_for_for_ever() {
        const auto held = lock_etc(root->paths);
        const auto refused = lock_etc(root->paths, std::chrono::seconds{0});
        CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_MESSAGE(refused.error().text(),
                               has(refused.error().text(), "another edit is being written"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EditSeenTest);
