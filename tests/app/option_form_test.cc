// The forms without a terminal: rows, what is changed, what is refused, what is applied.
#include "../config/temp_root.h"
#include "app/mailbox_form.h"
#include "app/misc_form.h"
#include "config/config.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <memory>

using namespace vm;
using namespace vm::app;
using namespace vm::config;

class OptionFormTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OptionFormTest);
    CPPUNIT_TEST(misc_has_every_option_and_the_unknown_ones);
    CPPUNIT_TEST(misc_is_judged_as_misc_set_does);
    CPPUNIT_TEST(misc_changes_can_be_taken_back);
    CPPUNIT_TEST(misc_is_applied_in_one_write);
    CPPUNIT_TEST(what_is_ignored_may_be_wrong);
    CPPUNIT_TEST(a_change_by_both_is_shown_and_then_written);
    CPPUNIT_TEST(an_option_that_is_gone_is_not_made_anew);
    CPPUNIT_TEST(the_mailbox_form_follows_the_plugin);
    CPPUNIT_TEST(mailbox_values_mean_what_they_say);
    CPPUNIT_TEST(a_mailbox_is_judged_as_a_whole_when_it_is_applied);
    CPPUNIT_TEST(passwords_go_in_and_never_out);
    CPPUNIT_TEST(a_mailbox_that_is_not_there);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TempRoot> root;

  public:
    void setUp() override {
        root = std::make_unique<TempRoot>();
        CPPUNIT_ASSERT(init_root(root->paths));
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
    }
    void tearDown() override { root.reset(); }

  private:
    std::string misc_text() const { return root->read(root->paths.misc_ini()); }
    std::string mailbox_text() const { return root->read(root->paths.mailbox_ini("101")); }
    std::unique_ptr<MiscForm> misc() const { return MiscForm::open(root->paths).value(); }
    std::unique_ptr<MailboxForm> mailbox() const {
        return MailboxForm::open(root->paths, "101").value();
    }

    static std::size_t index(const OptionForm& form, const std::string& name) {
        const auto& rows = form.rows();
        const auto row = std::find_if(rows.begin(), rows.end(),
                                      [&](const FormRow& r) { return r.name == name; });
        CPPUNIT_ASSERT_MESSAGE(name, row != rows.end());
        return static_cast<std::size_t>(row - rows.begin());
    }
    static const FormRow& row(const OptionForm& form, const std::string& name) {
        return form.rows()[index(form, name)];
    }
    static Result<> change(OptionForm& form, const std::string& name, const std::string& value,
                           bool ignored = false) {
        return form.change(index(form, name), {Secret(value), ignored});
    }
    static void assert_refused(const Result<>& result, const std::string& part) {
        CPPUNIT_ASSERT_MESSAGE("taken; expected: " + part, !result.has_value());
        CPPUNIT_ASSERT_MESSAGE(result.error().text(),
                               result.error().text().find(part) != std::string::npos);
    }
    static void good(const Result<>& result) {
        if (!result) CPPUNIT_FAIL(result.error().text());
    }
    static Notes applied(OptionForm& form) {
        auto done = form.apply();
        if (!done) CPPUNIT_FAIL(done.error().text());
        return *done;
    }

    void misc_has_every_option_and_the_unknown_ones() {
        root->write(root->paths.misc_ini(), "[g_nCustom]\nValue = 7\nIgnore = 1\n");
        const auto form = misc();
        const std::vector<Option> options = misc_options(root->paths);
        CPPUNIT_ASSERT_EQUAL(options.size() + 1, form->rows().size());
        for (std::size_t i = 0; i < options.size(); ++i) {
            CPPUNIT_ASSERT_EQUAL(options[i].name, form->rows()[i].name);
            CPPUNIT_ASSERT_EQUAL(options[i].default_text, form->rows()[i].value);
        }
        const FormRow& unknown = form->rows().back();
        CPPUNIT_ASSERT_EQUAL(std::string("g_nCustom"), unknown.name);
        CPPUNIT_ASSERT(unknown.value == "7" && unknown.ignored && unknown.option == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::string("vmconfig [g_nCustom]"), form->dialog_title(unknown));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());

        root->write(root->paths.misc_ini(), "[g_bUseTTS]\nIgnore = perhaps\n");
        CPPUNIT_ASSERT(MiscForm::open(root->paths).error().kind == ErrorKind::kConfig);
    }

    void misc_is_judged_as_misc_set_does() {
        const auto form = misc();
        for (const auto& [name, value] :
             {std::pair{"MaxTraceFileSize", "99"}, std::pair{"MaxTraceFileSize", "many"},
              std::pair{"g_bUseTTS", "Maybe"}, std::pair{"g_szMetricsFile", "/tmp/x"},
              std::pair{"g_szMessageWaitingCommand", "a ;b"}}) {
            const auto refused = change(*form, name, value);
            const auto by_command = set_misc(root->paths, name, value);
            CPPUNIT_ASSERT(!refused && !by_command);
            CPPUNIT_ASSERT_EQUAL(by_command.error().text(), refused.error().text());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        good(change(*form, "g_bUseTTS", " true "));
        CPPUNIT_ASSERT_EQUAL(std::string("True"), row(*form, "g_bUseTTS").value);
        CPPUNIT_ASSERT(row(*form, "g_bUseTTS").changed);
        assert_refused(change(*form, "g_bUseTTS", "x"), "allowed: True, False");
        CPPUNIT_ASSERT_EQUAL(std::string("True"), row(*form, "g_bUseTTS").value);
    }

    void misc_changes_can_be_taken_back() {
        const std::string before = misc_text();
        const auto form = misc();
        good(change(*form, "g_bUseTTS", "True", true));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, form->changes());
        CPPUNIT_ASSERT_EQUAL(std::string("g_bUseTTS = True (ignored)"), form->summary().front());
        good(change(*form, "g_bUseTTS", "false"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        good(form->change(index(*form, "g_bUseTTS"), {std::nullopt, true}));
        CPPUNIT_ASSERT(row(*form, "g_bUseTTS").changed && row(*form, "g_bUseTTS").ignored);
        CPPUNIT_ASSERT_EQUAL(std::string("False"), row(*form, "g_bUseTTS").value);
        CPPUNIT_ASSERT_EQUAL(before, misc_text());  // a form that goes has done nothing
    }

    // N3.15, and more at once.
    void misc_is_applied_in_one_write() {
        root->write(root->paths.misc_ini(),
                    "; mine\n[g_szEmailDllPath]\n; why\nValue = lib/libsmtpimap4.so\nIgnore = 1\n"
                    "\n[g_nCustom]\nValue = 7\n[Other]\nx = 1\n");
        const auto form = misc();
        good(change(*form, "g_szEmailDllPath", "lib/libsmtppop3.so", false));
        good(change(*form, "g_nCustom", "8"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, form->changes());
        const Notes notes = applied(*form);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, notes.size());  // there is no such file
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "; mine\n[g_szEmailDllPath]\n; why\nValue = lib/libsmtppop3.so\nIgnore = 0\n"
                "\n[g_nCustom]\nValue = 8\n[Other]\nx = 1\n"),
            misc_text());
        CPPUNIT_ASSERT(transport_kind(*load_misc(root->paths)) == TransportKind::kPop3);
    }

    void what_is_ignored_may_be_wrong() {
        root->write(root->paths.misc_ini(), "[g_bUseTTS]\nValue = x\nIgnore = 0\n");
        const auto form = misc();
        const std::size_t tts = index(*form, "g_bUseTTS");
        assert_refused(form->change(tts, {std::nullopt, false}), "\"x\" is not valid");
        assert_refused(form->change(tts, {Secret("y"), true}), "\"y\" is not valid");
        good(form->change(tts, {std::nullopt, true}));
        applied(*form);
        CPPUNIT_ASSERT_EQUAL(std::string("[g_bUseTTS]\nValue = x\nIgnore = 1\n"), misc_text());
    }

    void a_change_by_both_is_shown_and_then_written() {
        const auto form = misc();
        good(change(*form, "MaxTraceFileSize", "3000"));
        good(change(*form, "g_bUseTTS", "True"));
        CPPUNIT_ASSERT(set_misc(root->paths, "MaxTraceFileSize", "2000"));
        CPPUNIT_ASSERT(set_misc(root->paths, "g_bUseAmis", "False"));
        const std::string before = misc_text();
        const auto refused = form->apply();
        CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kRetryNow);
        CPPUNIT_ASSERT(refused.error().text().find("MaxTraceFileSize (now \"2000\")") !=
                       std::string::npos);
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
        // Nothing is lost of either.
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, form->changes());
        CPPUNIT_ASSERT_EQUAL(std::string("3000"), row(*form, "MaxTraceFileSize").value);
        CPPUNIT_ASSERT_EQUAL(std::string("False"), row(*form, "g_bUseAmis").value);
        CPPUNIT_ASSERT(!row(*form, "g_bUseAmis").changed);
        applied(*form);
        const auto now = load_misc(root->paths);
        CPPUNIT_ASSERT(now->max_trace_file_size == 3000 && now->use_tts);
        CPPUNIT_ASSERT_EQUAL(
            std::string("False"),
            misc_row(*read_misc(root->paths), misc_options(root->paths), "g_bUseAmis")->value);
        // One can also take over what the other has set.
        const auto second = misc();
        good(change(*second, "MaxTraceFileSize", "4000"));
        CPPUNIT_ASSERT(set_misc(root->paths, "MaxTraceFileSize", "5000"));
        CPPUNIT_ASSERT(!second->apply());
        good(change(*second, "MaxTraceFileSize", "5000"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, second->changes());
    }

    void an_option_that_is_gone_is_not_made_anew() {
        root->write(root->paths.misc_ini(),
                    "[g_nCustom]\nValue = 1\n[MaxTraceFileSize]\nValue = 1000\n");
        const auto form = misc();
        good(change(*form, "g_nCustom", "2"));
        good(change(*form, "MaxTraceFileSize", "3000"));
        root->write(root->paths.misc_ini(), "[MaxTraceFileSize]\nValue = 2000\n");
        CPPUNIT_ASSERT(form->apply().error().kind == ErrorKind::kUsage);
        CPPUNIT_ASSERT_EQUAL(std::string("[MaxTraceFileSize]\nValue = 2000\n"), misc_text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, form->changes());
        good(change(*form, "g_nCustom", "1"));  // taken back; the rest can be applied
        CPPUNIT_ASSERT(form->apply().error().kind == ErrorKind::kRetryNow);
        applied(*form);
        CPPUNIT_ASSERT_EQUAL(std::string("[MaxTraceFileSize]\nValue = 3000\n"), misc_text());
    }

    void the_mailbox_form_follows_the_plugin() {
        for (const char* plugin : {"imap4", "pop3"}) {
            CPPUNIT_ASSERT(set_misc(root->paths, "g_szEmailDllPath",
                                    "lib/libsmtp" + std::string(plugin) + ".so"));
            const auto wanted = screen_options(transport_kind(*load_misc(root->paths)));
            const auto form = mailbox();
            CPPUNIT_ASSERT_EQUAL(wanted.size(), form->rows().size());
            bool extension = false;
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                CPPUNIT_ASSERT_EQUAL(wanted[i]->name, form->rows()[i].name);
                CPPUNIT_ASSERT(!extension || wanted[i]->extension);  // they come last
                extension = wanted[i]->extension;
            }
        }
    }

    void mailbox_values_mean_what_they_say() {
        const auto form = mailbox();
        CPPUNIT_ASSERT_EQUAL(std::string("None"), row(*form, "Smtp Server").value);
        CPPUNIT_ASSERT_EQUAL(std::string(), form->field_text(index(*form, "Smtp Server")));
        CPPUNIT_ASSERT_EQUAL(std::string("300"), form->field_text(index(*form, "Network Timeout")));
        CPPUNIT_ASSERT_EQUAL(std::string("(blank)"), row(*form, "Email Name").value);
        for (const char* not_set : {"", "none", "None"}) {
            good(change(*form, "Smtp Server", not_set));
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        }
        good(change(*form, "Network Timeout", ""));  // the default, as before
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        good(change(*form, "Email Integration Sync Mode", "none"));  // a value here
        CPPUNIT_ASSERT_EQUAL(std::string("None"), row(*form, "Email Integration Sync Mode").value);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, form->changes());
        assert_refused(change(*form, "Smtp Port", "0"), "Smtp Port: \"0\" is not valid; allowed: ");
        assert_refused(change(*form, "Email Name", "Ann <a@b>"), "one address such as");
        good(form->change(index(*form, "Smtp Port"), {std::nullopt, false}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, form->changes());
        CPPUNIT_ASSERT_EQUAL(std::string("None"),
                             form->field_text(index(*form, "Email Integration Sync Mode")));
    }

    void a_mailbox_is_judged_as_a_whole_when_it_is_applied() {
        const std::string before = mailbox_text();
        const auto form = mailbox();
        good(change(*form, "Email Integration", "Yes"));
        good(change(*form, "Email Name", "ann@example.com"));
        const auto refused = form->apply();
        CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT(refused.error().text().find("needs Smtp Server") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(before, mailbox_text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, form->changes());
        good(change(*form, "Smtp Server", "smtp.example.com"));
        applied(*form);
        CPPUNIT_ASSERT(load_mailbox(root->paths, "101")->integration);
    }

    void passwords_go_in_and_never_out() {
        CPPUNIT_ASSERT(set_mailbox(root->paths, "101", {{"Imap4 Password", Secret("0ld-one")}}));
        const auto form = mailbox();
        const std::size_t imap = index(*form, "Imap4 Password");
        CPPUNIT_ASSERT_EQUAL(std::string("(set)"), form->rows()[imap].value);
        CPPUNIT_ASSERT_EQUAL(std::string(), form->field_text(imap));
        good(form->change(imap, {std::nullopt, false}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        good(change(*form, "Smtp Password", ""));  // was blank
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, form->changes());
        good(change(*form, "Smtp Password", "n3w-one; "));
        good(change(*form, "Imap4 Password", ""));
        CPPUNIT_ASSERT_EQUAL(std::string("(blank)"), form->rows()[imap].value);
        CPPUNIT_ASSERT_EQUAL(std::string(), form->field_text(index(*form, "Smtp Password")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, form->summary().size());
        for (const std::string& line : form->summary())
            CPPUNIT_ASSERT_MESSAGE(
                line, line == "Smtp Password = (set)" || line == "Imap4 Password = (blank)");
        applied(*form);
        const auto loaded = load_mailbox(root->paths, "101");
        CPPUNIT_ASSERT_EQUAL(std::string("n3w-one; "), loaded->smtp.password.reveal());
        CPPUNIT_ASSERT(loaded->imap4.password.empty());
        CPPUNIT_ASSERT(mailbox_text().find("n3w-one") == std::string::npos);
    }

    void a_mailbox_that_is_not_there() {
        CPPUNIT_ASSERT(MailboxForm::open(root->paths, "999").error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT(MailboxForm::open(root->paths, "x").error().kind == ErrorKind::kUsage);
        // Nor one whose password others can read.
        CPPUNIT_ASSERT(set_mailbox(root->paths, "101", {{"Smtp Password", Secret("p")}}));
        ::chmod(root->paths.mailbox_ini("101").c_str(), 0644);
        CPPUNIT_ASSERT(MailboxForm::open(root->paths, "101").error().kind ==
                       ErrorKind::kPermission);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OptionFormTest);
