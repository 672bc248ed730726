#include "config/edit.h"

#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"
#include "temp_root.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <atomic>
#include <memory>
#include <thread>
#include <unistd.h>

using namespace vm;
using namespace vm::config;

namespace {

template <class T>
void assert_error(const Result<T>& result, ErrorKind kind, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("accepted; expected: " + part, !result.has_value());
    const Error& error = result.error();
    CPPUNIT_ASSERT_MESSAGE(error.text() + " lacks: " + part,
                           error.text().find(part) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::string(to_string(kind)), std::string(to_string(error.kind)));
}

}  // namespace

class EditTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EditTest);
    CPPUNIT_TEST(init_creates_and_keeps);
    CPPUNIT_TEST(misc_set_changes_one_line);
    CPPUNIT_TEST(switching_the_plugin_and_back);
    CPPUNIT_TEST(misc_refusals_leave_the_file);
    CPPUNIT_TEST(misc_unknown_options);
    CPPUNIT_TEST(misc_ignore);
    CPPUNIT_TEST(misc_is_repaired_one_by_one);
    CPPUNIT_TEST(a_mailbox_is_repaired_one_by_one);
    CPPUNIT_TEST(a_lost_key_is_not_replaced);
    CPPUNIT_TEST(links_stay);
    CPPUNIT_TEST(mailbox_create_and_delete);
    CPPUNIT_TEST(mailbox_set_is_all_or_nothing);
    CPPUNIT_TEST(mailbox_keeps_what_it_does_not_know);
    CPPUNIT_TEST(passwords_are_sealed);
    CPPUNIT_TEST(any_password_survives);
    CPPUNIT_TEST(seats_are_counted);
    CPPUNIT_TEST(concurrent_edits_are_not_lost);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TempRoot>
        root;  // CppUnit makes all fixtures first: one root for each run of a test

  public:
    void setUp() override { root = std::make_unique<TempRoot>(); }
    void tearDown() override { root.reset(); }

  private:
    std::string misc_text() const { return root->read(root->paths.misc_ini()); }
    std::string mailbox_text() const { return root->read(root->paths.mailbox_ini("101")); }
    Result<Notes> set(const std::vector<std::pair<std::string, std::string>>& values,
                      const char* number = "101") {
        std::vector<MailboxEdit> edits;
        for (const auto& [key, value] : values) edits.push_back({key, Secret(value)});
        return set_mailbox(root->paths, number, edits);
    }

    void init_creates_and_keeps() {
        const Paths fresh(root->paths.root / "a" / "b");
        const auto steps = init_root(fresh);
        if (!steps) CPPUNIT_FAIL(steps.error().text());
        for (const InitStep& step : *steps) CPPUNIT_ASSERT_MESSAGE(step.path, step.created);
        for (const auto& directory :
             {fresh.mailboxes(), fresh.var(), fresh.media(), fresh.spool(), fresh.trace()})
            CPPUNIT_ASSERT_EQUAL(mode_t{0700}, root->mode(directory));
        CPPUNIT_ASSERT_EQUAL(mode_t{0750}, root->mode(fresh.etc()));
        CPPUNIT_ASSERT_EQUAL(mode_t{0750}, root->mode(fresh.run()));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, root->mode(fresh.key_file()));
        CPPUNIT_ASSERT(load_misc(fresh));
        const std::string key = root->read(fresh.key_file());
        root->write(fresh.misc_ini(), "[x]\n");
        const auto again = init_root(fresh);
        for (const InitStep& step : *again) CPPUNIT_ASSERT_MESSAGE(step.path, !step.created);
        CPPUNIT_ASSERT_EQUAL(std::string("[x]\n"), root->read(fresh.misc_ini()));
        CPPUNIT_ASSERT_EQUAL(key, root->read(fresh.key_file()));

        const Paths blocked(root->paths.root / "c");
        root->write(blocked.root, "a file");
        assert_error(init_root(blocked), ErrorKind::kUnavailable, "remove what is in the way");
    }

    void misc_set_changes_one_line() {
        root->write(root->paths.misc_ini(),
                    "; mine\n[g_bUseTTS]\n; why\nValue = False ; off\n\n[Other]\nx = 1\n", 0644);
        CPPUNIT_ASSERT(set_misc(root->paths, "G_BUSETTS", " true "));
        CPPUNIT_ASSERT_EQUAL(
            std::string("; mine\n[g_bUseTTS]\n; why\nValue = True ; off\n\n[Other]\nx = 1\n"),
            misc_text());
        CPPUNIT_ASSERT_EQUAL(mode_t{0644}, root->mode(root->paths.misc_ini()));
        CPPUNIT_ASSERT(set_misc(root->paths, "MaxTraceFileSize", "5000"));
        CPPUNIT_ASSERT(misc_text().ends_with("x = 1\n\n[MaxTraceFileSize]\nValue = 5000\n"));
    }

    // N3.15
    void switching_the_plugin_and_back() {
        root->write(root->paths.misc_ini(), misc_sample(root->paths));
        const std::string before = misc_text();
        const std::string imap4 = (root->paths.lib() / "libsmtpimap4.so").string();
        const std::string pop3 = (root->paths.lib() / "libsmtppop3.so").string();
        const auto notes = set_misc(root->paths, "g_szEmailDllPath", pop3);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, notes->size());  // there is no such file
        CPPUNIT_ASSERT(transport_kind(*load_misc(root->paths)) == TransportKind::kPop3);
        const auto old_lines = split(before, '\n'), new_lines = split(misc_text(), '\n');
        CPPUNIT_ASSERT_EQUAL(old_lines.size(), new_lines.size());
        int changed = 0;
        for (std::size_t i = 0; i < old_lines.size(); ++i) {
            if (old_lines[i] == new_lines[i]) continue;
            ++changed;
            CPPUNIT_ASSERT_EQUAL("Value = " + imap4, old_lines[i]);
            CPPUNIT_ASSERT_EQUAL("Value = " + pop3, new_lines[i]);
        }
        CPPUNIT_ASSERT_EQUAL(1, changed);
        std::filesystem::create_directories(root->paths.lib());
        root->write(imap4, "x", 0755);
        CPPUNIT_ASSERT(set_misc(root->paths, "g_szEmailDllPath", imap4)->empty());
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
        // Whatever the agent refuses to load is noted.
        const auto note = [&] { return set_misc(root->paths, "g_szEmailDllPath", imap4)->front(); };
        ::chmod(imap4.c_str(), 0757);
        CPPUNIT_ASSERT(note().find("anyone can change it") != std::string::npos);
        ::chmod(imap4.c_str(), 0775);
        CPPUNIT_ASSERT(note().find("its group can change it; chmod go-w") != std::string::npos);
        ::chmod(imap4.c_str(), 0755);
        ::chmod(root->paths.lib().c_str(), 0777);
        CPPUNIT_ASSERT(note().find("is world-writable") != std::string::npos);
        ::chmod(root->paths.lib().c_str(), 0755);
        if (::geteuid() == 0 && ::chown(imap4.c_str(), 65534, 65534) == 0)
            CPPUNIT_ASSERT(note().find("owned by user 65534") != std::string::npos);
    }

    void misc_refusals_leave_the_file() {
        root->write(root->paths.misc_ini(), "[g_bUseTTS]\nValue = False\n");
        const std::string before = misc_text();
        assert_error(set_misc(root->paths, "g_bUseTTS", "perhaps"), ErrorKind::kConfig,
                     "set: g_bUseTTS: \"perhaps\" is not valid; allowed: True, False");
        assert_error(set_misc(root->paths, "g_bUseTS", "True"), ErrorKind::kUsage,
                     "did you mean g_bUseTTS?");
        assert_error(set_misc(root->paths, "g_szMessageWaitingCommand", "a ;b"), ErrorKind::kConfig,
                     "cannot stand in an INI file");
        assert_error(
            set_misc(root->paths, "g_szSpeechCommand", "espeak-ng"), ErrorKind::kConfig,
            "set: g_szSpeechCommand: \"espeak-ng\" is not valid; allowed: an absolute path");
        CPPUNIT_ASSERT_EQUAL(before, misc_text());
        // An invalid line elsewhere is not made worse silently.
        root->write(root->paths.misc_ini(),
                    "[g_bUseTTS]\nValue = False\n[g_bUseAmis]\nValue = x\n");
        const auto notes = set_misc(root->paths, "g_bUseTTS", "True");
        CPPUNIT_ASSERT(notes && notes->front().find("line 4: [g_bUseAmis]") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("[g_bUseTTS]\nValue = True\n[g_bUseAmis]\nValue = x\n"),
                             misc_text());
    }

    void misc_is_repaired_one_by_one() {
        root->write(root->paths.misc_ini(),
                    "[g_bUseTTS]\nValue = maybe\n[g_bUseAmis]\nValue = x\n[MaxTraceFileSize]\n"
                    "Value = 5000\nIgnore = no\n[g_nCustom]\nIgnore = no\n");
        assert_error(set_misc(root->paths, "g_bUseTTS", "perhaps"), ErrorKind::kConfig, "set: ");
        assert_error(set_misc(root->paths, "g_nCustom", "1"), ErrorKind::kConfig, "Ignore");
        assert_error(set_misc(root->paths, "MaxTraceFileSize", "6000"), ErrorKind::kConfig,
                     "Ignore");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, set_misc(root->paths, "g_bUseTTS", "True")->size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             set_misc_ignore(root->paths, "MaxTraceFileSize", false)->size());
        CPPUNIT_ASSERT(!load_misc(root->paths));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0},
                             set_misc_ignore(root->paths, "g_bUseAmis", true)->size());
        CPPUNIT_ASSERT(load_misc(root->paths)->use_tts);
    }

    void a_mailbox_is_repaired_one_by_one() {
        const std::string text =
            "[Email]\nEmail Integration = Yes\nSmtp SSL = Sometimes\nSmtp Port = x\n"
            "Email Name = a@b\nLanguage = en\n";
        root->write(root->paths.mailbox_ini("101"), text);
        assert_error(set({{"Language", "e/n"}}), ErrorKind::kConfig, "Language");
        assert_error(set({{"Smtp SSL", "Maybe"}}), ErrorKind::kConfig, "Smtp SSL");
        const auto notes = set({{"Smtp SSL", "STARTTLS"}});
        if (!notes) CPPUNIT_FAIL(notes.error().text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, notes->size());
        CPPUNIT_ASSERT(notes->front().find("line 4: Smtp Port = \"x\"") != std::string::npos);
        // Values are valid now; what belongs together is looked at, and was not before.
        assert_error(set({{"Smtp Port", "25"}}), ErrorKind::kConfig, "needs Smtp Server");
        CPPUNIT_ASSERT(set({{"Smtp Port", "25"}, {"Smtp Server", "b"}})->empty());
        // Of two combinations that are wrong, one can be put right; none can be added.
        root->write(root->paths.mailbox_ini("101"),
                    "[Email]\nEmail Integration = Yes\nSmtp Server = b\n");
        assert_error(set({{"TLS CA File", "/none"}}), ErrorKind::kConfig, "cannot be read");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, set({{"Language", "fr"}})->size());
        CPPUNIT_ASSERT(set({{"Email Name", "a@b"}})->empty());
    }

    // A key that was lost is not replaced silently: every password sealed with it would be lost.
    void a_lost_key_is_not_replaced() {
        for (const char* number : {"101", "102", "103"})
            CPPUNIT_ASSERT(create_mailbox(root->paths, number));
        CPPUNIT_ASSERT(set({{"Smtp Password", "one"}}, "101"));
        CPPUNIT_ASSERT(set({{"Smtp Password", "two"}, {"Imap4 Password", "three"}}, "102"));
        const std::string key = root->read(root->paths.key_file());
        std::filesystem::remove(root->paths.key_file());
        const std::string before = mailbox_text();
        for (const char* number : {"101", "103"}) {
            const auto refused = set({{"Smtp Password", "new"}}, number);
            assert_error(refused, ErrorKind::kConfig, "restore it");
            assert_error(refused, ErrorKind::kConfig, "mailbox ");
            assert_error(refused, ErrorKind::kConfig, "102");
        }
        assert_error(init_root(root->paths), ErrorKind::kConfig, "mailbox 101, 102;");
        CPPUNIT_ASSERT(!std::filesystem::exists(root->paths.key_file()));
        CPPUNIT_ASSERT_EQUAL(before, mailbox_text());
        CPPUNIT_ASSERT(set({{"Language", "fr"}}, "101"));  // needs no key

        root->write(root->paths.key_file(), key);  // restored
        CPPUNIT_ASSERT_EQUAL(std::string("one"),
                             load_mailbox(root->paths, "101")->smtp.password.reveal());

        // Lost for good: the sealed passwords are taken out of the other mailboxes, and the last
        // ones replaced in one step.
        std::filesystem::remove(root->paths.key_file());
        CPPUNIT_ASSERT(set({{"Smtp Password", ""}}, "101"));
        assert_error(set({{"smtp password", "new"}}, "102"), ErrorKind::kConfig, "mailbox 102;");
        CPPUNIT_ASSERT(set({{"smtp password", "new"}, {"Imap4 Password", "newer"}}, "102"));
        CPPUNIT_ASSERT_EQUAL(std::string("newer"),
                             load_mailbox(root->paths, "102")->imap4.password.reveal());
        CPPUNIT_ASSERT(set({{"Smtp Password", "new"}}, "101"));
        // What cannot be read as a mailbox may hold sealed passwords nevertheless.
        std::filesystem::remove(root->paths.key_file());
        for (const char* number : {"101", "102"})
            CPPUNIT_ASSERT(delete_mailbox(root->paths, number));
        root->write(root->paths.mailbox_ini("7"), "[Email\nSmtp Password = sealed:v1:AAAA\n");
        assert_error(set({{"Smtp Password", "new"}}, "103"), ErrorKind::kConfig, "mailbox 7;");
        root->write(root->paths.mailbox_ini("7"), "[Email\n");
        CPPUNIT_ASSERT(set({{"Smtp Password", "new"}}, "103"));
    }

    void links_stay() {
        const auto real = root->paths.root / "real";
        std::filesystem::create_directories(real);
        root->write(real / "m.ini", "[g_bUseTTS]\nValue = False\n", 0640);
        root->write(real / "101", "[Email]\n");
        std::filesystem::create_symlink("../real/m.ini", root->paths.misc_ini());
        std::filesystem::create_symlink(real / "101", root->paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(set_misc(root->paths, "g_bUseTTS", "True"));
        CPPUNIT_ASSERT(set({{"Smtp Password", "p"}}));
        CPPUNIT_ASSERT(std::filesystem::is_symlink(root->paths.misc_ini()));
        CPPUNIT_ASSERT(std::filesystem::is_symlink(root->paths.mailbox_ini("101")));
        CPPUNIT_ASSERT_EQUAL(std::string("[g_bUseTTS]\nValue = True\n"),
                             root->read(real / "m.ini"));
        CPPUNIT_ASSERT_EQUAL(mode_t{0640}, root->mode(real / "m.ini"));
        CPPUNIT_ASSERT_EQUAL(std::string("p"),
                             load_mailbox(root->paths, "101")->smtp.password.reveal());
        // A password in a file that others can read is refused behind a link, too.
        ::chmod((real / "101").c_str(), 0644);
        assert_error(set({{"Language", "fr"}}), ErrorKind::kPermission, "mode 0644");
        std::filesystem::create_symlink("nowhere", root->paths.mailbox_ini("102"));
        assert_error(create_mailbox(root->paths, "102"), ErrorKind::kNoInput, "symbolic link");
    }

    void misc_unknown_options() {
        root->write(root->paths.misc_ini(), "[g_nCustom]\nValue = 1\n");
        CPPUNIT_ASSERT(set_misc(root->paths, "g_ncustom", "some text"));
        CPPUNIT_ASSERT_EQUAL(std::string("[g_nCustom]\nValue = some text\n"), misc_text());
        CPPUNIT_ASSERT(set_misc_ignore(root->paths, "g_nCustom", true));
        CPPUNIT_ASSERT_EQUAL(std::string("[g_nCustom]\nValue = some text\nIgnore = 1\n"),
                             misc_text());
        assert_error(set_misc(root->paths, "g_nOther", "1"), ErrorKind::kUsage,
                     "there is no such option");
    }

    void misc_ignore() {
        CPPUNIT_ASSERT(set_misc_ignore(root->paths, "g_bUseTTS", true));
        CPPUNIT_ASSERT_EQUAL(std::string("[g_bUseTTS]\nValue = False\nIgnore = 1\n"), misc_text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, set_misc(root->paths, "g_bUseTTS", "True")->size());
        CPPUNIT_ASSERT(!load_misc(root->paths)->use_tts);
        CPPUNIT_ASSERT(set_misc_ignore(root->paths, "g_bUseTTS", false));
        CPPUNIT_ASSERT(load_misc(root->paths)->use_tts);
        root->write(root->paths.misc_ini(), "[g_bUseTTS]\nValue = x\nIgnore = 1\n");
        assert_error(set_misc_ignore(root->paths, "g_bUseTTS", false), ErrorKind::kConfig, "\"x\"");
        assert_error(set_misc_ignore(root->paths, "g_bUseTS", true), ErrorKind::kUsage,
                     "ignore: g_bUseTS: there is no such option");
        CPPUNIT_ASSERT(misc_text().ends_with("Ignore = 1\n"));
    }

    void mailbox_create_and_delete() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, root->mode(root->paths.mailbox_ini("101")));
        CPPUNIT_ASSERT_EQUAL(mailbox_sample(), mailbox_text());
        assert_error(create_mailbox(root->paths, "101"), ErrorKind::kUsage, "it exists already");
        assert_error(create_mailbox(root->paths, "1/2"), ErrorKind::kUsage, "1 to 8 digits");
        CPPUNIT_ASSERT(delete_mailbox(root->paths, "101"));
        assert_error(delete_mailbox(root->paths, "101"), ErrorKind::kNoInput,
                     "there is no such mailbox");
        assert_error(delete_mailbox(root->paths, "../misc"), ErrorKind::kUsage, "1 to 8 digits");
        const Paths nothing(root->paths.root / "nothing");
        assert_error(create_mailbox(nothing, "101"), ErrorKind::kNoInput, "vmconfig init");
    }

    void mailbox_set_is_all_or_nothing() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        const std::string before = mailbox_text();
        assert_error(set({{"Email Name", "a@b"}, {"Smtp Port", "x"}}), ErrorKind::kConfig,
                     "set mailbox 101: Smtp Port: \"x\" is not valid");
        assert_error(set({{"Email Name", "a@b"}, {"Smpt Server", "b"}}), ErrorKind::kUsage,
                     "did you mean Smtp Server?");
        assert_error(set({{"Email Name", "a@b"}, {"email name", "b@c"}}), ErrorKind::kUsage,
                     "given twice");
        assert_error(set({{"Email Integration", "Yes"}, {"Email Name", "a@b"}}), ErrorKind::kConfig,
                     "needs Smtp Server");
        assert_error(set({{"Email Name", "a@b\r\nBcc: c@d"}}), ErrorKind::kConfig,
                     "control character");
        assert_error(set({{"Smtp Authentication", "Plain"}}), ErrorKind::kConfig, "Smtp SSL = No");
        CPPUNIT_ASSERT_EQUAL(before, mailbox_text());
        CPPUNIT_ASSERT(
            set({{"email integration", "yes"}, {"Email Name", " a@b "}, {"Smtp Server", "b"}}));
        const auto loaded = load_mailbox(root->paths, "101");
        CPPUNIT_ASSERT(loaded->integration);
        CPPUNIT_ASSERT_EQUAL(std::string("a@b"), loaded->email_name);
        assert_error(set({{"Email Name", "a@b"}}, "999"), ErrorKind::kNoInput,
                     "there is no such mailbox");
        const auto notes =
            set({{"Imap4 Server", "b"}, {"Imap4 Account", "a"}, {"Imap4 Password", "p"}});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, notes->size());  // new key file; held back without TLS
    }

    void mailbox_keeps_what_it_does_not_know() {
        root->write(root->paths.mailbox_ini("101"),
                    "# by ann\r\n[Email]\r\nColour = blue\r\nsmtp port=25\r\n\r\n[Phone]\r\nSmtp "
                    "Port = 7\r\n");
        CPPUNIT_ASSERT(set({{"Smtp Port", "2525"}, {"colour", "red"}, {"Language", "fr"}}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "# by ann\r\n[Email]\r\nColour = red\r\nsmtp port=2525\r\nLanguage = fr\r\n\r\n"
                "[Phone]\r\nSmtp Port = 7\r\n"),
            mailbox_text());
    }

    void passwords_are_sealed() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        ::chmod(root->paths.mailbox_ini("101").c_str(), 0644);  // no password in it yet
        CPPUNIT_ASSERT(set({{"Smtp Password", "hunter2"}}));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, root->mode(root->paths.mailbox_ini("101")));
        CPPUNIT_ASSERT(mailbox_text().find("hunter2") == std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("hunter2"),
                             load_mailbox(root->paths, "101")->smtp.password.reveal());
        CPPUNIT_ASSERT(set({{"Smtp Password", ""}}));
        CPPUNIT_ASSERT(load_mailbox(root->paths, "101")->smtp.password.empty());
        assert_error(set({{"Smtp Password", std::string(70000, 'x')}}), ErrorKind::kConfig,
                     "longer than");
        assert_error(set({{"Smtp Password", std::string(1, '\0')}}), ErrorKind::kConfig, "NUL");
        ::chmod(root->paths.mailbox_ini("101").c_str(), 0644);
        CPPUNIT_ASSERT(set({{"Smtp Password", "again"}}));
        ::chmod(root->paths.mailbox_ini("101").c_str(), 0644);
        assert_error(set({{"Language", "fr"}}), ErrorKind::kPermission, "mode 0644");
    }

    void any_password_survives() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        CPPUNIT_ASSERT(rc::check("a password reads back identical", [this] {
            const auto bytes = *rc::gen::container<std::string>(rc::gen::nonZero<char>());
            const std::string text =
                "x" + bytes + std::string(*rc::gen::inRange<std::size_t>(0, 3000), ';');
            RC_ASSERT(set({{"Smtp Password", text}}).has_value());
            RC_ASSERT(load_mailbox(root->paths, "101")->smtp.password.reveal() == text);
        }));
    }

    void seats_are_counted() {
        root->write(root->paths.misc_ini(), "[g_nUnifiedMessagingSeats]\nValue = 2\n");
        const auto integrate = [&](const char* number) {
            return set({{"Email Integration", "Yes"}, {"Email Name", "a@b"}, {"Smtp Server", "b"}},
                       number);
        };
        for (const char* number : {"101", "102", "103"})
            CPPUNIT_ASSERT(create_mailbox(root->paths, number));
        CPPUNIT_ASSERT(integrate("102"));
        CPPUNIT_ASSERT(integrate("103"));
        const std::string before = mailbox_text();
        assert_error(integrate("101"), ErrorKind::kConfig, "there are 2 and 2 in use, by 102, 103");
        CPPUNIT_ASSERT_EQUAL(before, mailbox_text());
        CPPUNIT_ASSERT(integrate("103"));  // has its seat already
        const auto notes = set_misc(root->paths, "g_nUnifiedMessagingSeats", "1");
        CPPUNIT_ASSERT(notes->front().find("1 of 2 integrated mailboxes have no seat now: 103") !=
                       std::string::npos);
        CPPUNIT_ASSERT(set({{"Email Integration", "No"}}, "103"));
        CPPUNIT_ASSERT(set({{"Email Integration", "No"}}, "102"));
        CPPUNIT_ASSERT(integrate("101"));
    }

    // Each thread has a key of its own; a value of it that goes back was overwritten by an edit
    // that began with an older file.
    void concurrent_edits_are_not_lost() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "101"));
        std::atomic<int> lost = 0;
        std::vector<std::thread> threads;
        for (const char* key : {"Smtp Port", "Pop3 Port", "Imap4 Port", "Network Timeout"})
            threads.emplace_back([this, key, &lost] {
                for (int i = 1; i <= 20; ++i) {
                    const std::string value = std::to_string(i);
                    if (!set({{key, value}})) ++lost;
                    for (int look = 0; look < 5; ++look)
                        if (read_mailbox(root->paths, "101")->find(kEmailSection, key)->value !=
                            value)
                            ++lost;
                }
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, lost.load());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EditTest);
