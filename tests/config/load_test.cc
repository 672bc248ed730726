// load_misc, load_mailbox, list_mailboxes, count_seats.
#include "config/config.h"
#include "config/seal.h"
#include "temp_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>

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

class LoadTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoadTest);
    CPPUNIT_TEST(misc_defaults);
    CPPUNIT_TEST(misc_values);
    CPPUNIT_TEST(misc_ignore);
    CPPUNIT_TEST(misc_errors_name_the_line);
    CPPUNIT_TEST(plugin_path_and_kind);
    CPPUNIT_TEST(mailbox_defaults);
    CPPUNIT_TEST(mailbox_values);
    CPPUNIT_TEST(ports_follow_ssl);
    CPPUNIT_TEST(mailbox_errors_name_the_line);
    CPPUNIT_TEST(what_belongs_together);
    CPPUNIT_TEST(typed_and_sealed_passwords);
    CPPUNIT_TEST(a_comment_never_cuts_a_password);
    CPPUNIT_TEST(readable_by_others_is_refused);
    CPPUNIT_TEST(sender);
    CPPUNIT_TEST(numbers_in_order);
    CPPUNIT_TEST(seats);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TempRoot>
        root;  // CppUnit makes all fixtures first: one root for each run of a test

  public:
    void setUp() override { root = std::make_unique<TempRoot>(); }
    void tearDown() override { root.reset(); }

  private:
    void misc(const std::string& text) { root->write(root->paths.misc_ini(), text); }
    Result<MailboxOptions> mailbox(const std::string& text, mode_t mode = 0600) {
        root->write(root->paths.mailbox_ini("101"), "[Email]\n" + text, mode);
        return load_mailbox(root->paths, "101");
    }

    void misc_defaults() {
        for (const char* text :
             {static_cast<const char*>(nullptr), "", "[g_bUseTTS]\nValue =\n[x]\n"}) {
            if (text) misc(text);
            const auto loaded = load_misc(root->paths);
            CPPUNIT_ASSERT(loaded);
            CPPUNIT_ASSERT_EQUAL((root->paths.lib() / "libsmtpimap4.so").string(),
                                 loaded->email_dll_path.string());
            CPPUNIT_ASSERT(loaded->use_email_integration && loaded->send_msg_as_attachment);
            CPPUNIT_ASSERT(!loaded->use_tts && !loaded->trace_everything);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{20}, loaded->sync_pending_timer_s);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{7200}, loaded->retry_timeout_min);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, loaded->seats);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, loaded->connections_a_server);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, loaded->logins_a_second);
            CPPUNIT_ASSERT(loaded->metrics_file.empty());
            CPPUNIT_ASSERT(loaded->transcript_command.empty());
            CPPUNIT_ASSERT_EQUAL(std::int64_t{60}, loaded->transcript_timeout_s);
        }
    }

    void misc_values() {
        misc(
            "[g_bUseEmailIntegration]\nvalue = FALSE\n[g_bEnableSendMsgAsAttachment]\nValue=false\n"
            "[g_nUnifiedMessagingSeats]\nValue = 7\n[g_szMessageWaitingCommand]\nValue = /bin/x "
            "-y\n"
            "[TraceLevelOverride]\nValue = true ; for a day\n[MaxTraceFileSize]\nValue = "
            "5000\nIgnore =\n"
            "[g_szSpeechCommand]\nValue = /opt/voice/speak it\n"
            "[g_szTranscriptCommand]\nValue = /opt/voice/listen\n"
            "[g_nTranscriptTimeoutSec]\nValue = 90\n"
            "[g_szMetricsFile]\nValue = /var/lib/prometheus/node-exporter/vmemail.prom\n"
            "[g_nConnectionsPerServer]\nValue = 300\n[g_nLoginsPerSecond]\nValue = 0\n"
            "[g_nMassDeletionLimit]\nValue=1\n[g_nRepeatStartUpPeriod]\nValue=2\n[g_bUseTTS]"
            "\nValue=True\n");
        const auto loaded = load_misc(root->paths);
        CPPUNIT_ASSERT(loaded);
        CPPUNIT_ASSERT(!loaded->use_email_integration && !loaded->send_msg_as_attachment);
        CPPUNIT_ASSERT(loaded->trace_everything && loaded->use_tts);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, loaded->seats);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5000}, loaded->max_trace_file_size);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, loaded->mass_deletion_limit);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, loaded->repeat_start_up_period_s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{300}, loaded->connections_a_server);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, loaded->logins_a_second);
        CPPUNIT_ASSERT_EQUAL(std::string("/bin/x -y"), loaded->message_waiting_command);
        CPPUNIT_ASSERT_EQUAL(std::string("/opt/voice/speak it"), loaded->speech_command);
        CPPUNIT_ASSERT_EQUAL(std::string("/opt/voice/listen"), loaded->transcript_command);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{90}, loaded->transcript_timeout_s);
        CPPUNIT_ASSERT_EQUAL(std::string("/var/lib/prometheus/node-exporter/vmemail.prom"),
                             loaded->metrics_file.string());
    }

    void misc_ignore() {
        misc(
            "[g_nUnifiedMessagingSeats]\nValue = many\nIgnore = 1\n[g_bUseTTS]\nValue = "
            "True\nIgnore = 2\n");
        const auto loaded = load_misc(root->paths);
        CPPUNIT_ASSERT(loaded);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, loaded->seats);
        CPPUNIT_ASSERT(!loaded->use_tts);
    }

    void misc_errors_name_the_line() {
        const std::string file = root->paths.misc_ini().string();
        misc("; x\n[g_bUseTTS]\nValue = Maybe\n");
        assert_error(
            load_misc(root->paths), ErrorKind::kConfig,
            "read: " + file +
                " line 3: [g_bUseTTS] Value = \"Maybe\" is not valid; allowed: True, False");
        for (const char* path : {"vmemail.prom", "/tmp/vmemail", "/tmp/vmemail.prom.txt"}) {
            misc(std::string("[g_szMetricsFile]\nValue = ") + path + "\n");
            assert_error(load_misc(root->paths), ErrorKind::kConfig, "ends in .prom");
        }
        for (const char* value : {"-1", "1000001", "0.5", "many"}) {
            misc(std::string("[g_nConnectionsPerServer]\nValue = ") + value + "\n");
            assert_error(load_misc(root->paths), ErrorKind::kConfig, "allowed: 0 to 1000000");
            misc(std::string("[g_nLoginsPerSecond]\nValue = ") + value + "\n");
            assert_error(load_misc(root->paths), ErrorKind::kConfig, "allowed: 0 to 1000000");
        }
        misc("[MaxTraceFileSize]\nValue = 1\nIgnore = x\n");
        assert_error(load_misc(root->paths), ErrorKind::kConfig,
                     "line 3: [MaxTraceFileSize] Ignore = \"x\"");
        misc("[NSLTraceModeOn]\nValue = x\n");
        assert_error(load_misc(root->paths), ErrorKind::kConfig, "line 2: [NSLTraceModeOn]");
    }

    void plugin_path_and_kind() {
        misc("[g_szEmailDllPath]\nValue = lib/../lib/libsmtppop3.so\n");
        auto loaded = load_misc(root->paths);
        CPPUNIT_ASSERT_EQUAL((root->paths.root / "lib/libsmtppop3.so").string(),
                             loaded->email_dll_path.string());
        CPPUNIT_ASSERT(transport_kind(*loaded) == TransportKind::kPop3);
        loaded->email_dll_path = "/imap4/libfile.so";
        CPPUNIT_ASSERT(transport_kind(*loaded) == TransportKind::kOther);
        loaded->email_dll_path = "/pop3/LibSmtpImap4.so";
        CPPUNIT_ASSERT(transport_kind(*loaded) == TransportKind::kImap4);
    }

    void mailbox_defaults() {
        const auto loaded = mailbox("");
        CPPUNIT_ASSERT(loaded);
        CPPUNIT_ASSERT(!loaded->integration && loaded->tls_verify &&
                       !loaded->allow_cleartext_password);
        CPPUNIT_ASSERT(loaded->smtp.host.empty() && loaded->smtp.password.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{25}, loaded->smtp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{110}, loaded->pop3.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{143}, loaded->imap4.port);
        CPPUNIT_ASSERT(loaded->smtp.auth == Auth::kNone && loaded->imap4.auth == Auth::kPlain);
        CPPUNIT_ASSERT(loaded->sync_mode == SyncMode::kAllFolders &&
                       loaded->send_mode == SendMode::kVoiceFax);
        CPPUNIT_ASSERT_EQUAL(std::string("en"), loaded->language);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{14}, loaded->deleted_retention_days);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{300}, loaded->network_timeout_s);
    }

    void mailbox_values() {
        root->write(root->paths.root / "ca.pem", "x");
        const auto loaded = mailbox(
            "email integration = yes\nEmail Integration Send Mode = fax\nEmail Integration Sync "
            "Mode = vm folder only\n"
            "Email Name = ann@example.com\nSmtp Server = [::1]\nDomain Name = vm.example.com\nSmtp "
            "Port = 2525\n"
            "Smtp SSL = StartTLS\nSmtp Authentication = cram-md5\nSmtp Account = ann\nSmtp "
            "Password = p#;w d\n"
            "Imap4 Authentication = xoauth2\nImap4 Search Mode = text\nImap4 Delete Mode = "
            "trash\nVoice Format = MP3\n"
            "Fax Format = both\nOutlook Forms = yes\nTime Zone = Europe/Paris\nLanguage = "
            "fr\nTranscript = YES\n"
            "Deleted Retention Days = 3\nTLS CA File = ca.pem\nNetwork Timeout = 5\nColour = "
            "blue\n");
        if (!loaded) CPPUNIT_FAIL(loaded.error().text());
        CPPUNIT_ASSERT(loaded->integration && loaded->outlook_forms && loaded->transcript);
        CPPUNIT_ASSERT(loaded->send_mode == SendMode::kFax &&
                       loaded->sync_mode == SyncMode::kVmFolderOnly);
        CPPUNIT_ASSERT(loaded->sends_fax() && !loaded->sends_voice());
        CPPUNIT_ASSERT_EQUAL(std::string("::1"), loaded->smtp.host);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{2525}, loaded->smtp.port);
        CPPUNIT_ASSERT(loaded->smtp.ssl == Ssl::kStartTls && loaded->smtp.auth == Auth::kCramMd5);
        CPPUNIT_ASSERT_EQUAL(std::string("p#;w d"), loaded->smtp.password.reveal());
        CPPUNIT_ASSERT(loaded->imap4.auth == Auth::kXOAuth2 &&
                       loaded->search_mode == SearchMode::kText);
        CPPUNIT_ASSERT(loaded->delete_mode == DeleteMode::kTrash &&
                       loaded->voice_format == VoiceFormat::kMp3);
        CPPUNIT_ASSERT(loaded->fax_format == FaxFormat::kBoth);
        CPPUNIT_ASSERT_EQUAL(std::string("Europe/Paris"), loaded->time_zone);
        CPPUNIT_ASSERT_EQUAL((root->paths.root / "ca.pem").string(), loaded->tls_ca_file.string());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, loaded->network_timeout_s);
    }

    void ports_follow_ssl() {
        const auto implicit = mailbox("Smtp SSL = Yes\nPop3 SSL = Yes\nImap4 SSL = Yes\n");
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{465}, implicit->smtp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{995}, implicit->pop3.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{993}, implicit->imap4.port);
        const auto upgraded = mailbox(
            "Smtp SSL = STARTTLS\nPop3 SSL = STARTTLS\nImap4 SSL = STARTTLS\nSmtp Port = None\n");
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{587}, upgraded->smtp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{110}, upgraded->pop3.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{143}, upgraded->imap4.port);
    }

    void mailbox_errors_name_the_line() {
        const std::string file = root->paths.mailbox_ini("101").string();
        assert_error(
            mailbox("; c\nsmtp port = 70000\n"), ErrorKind::kConfig,
            "read: " + file + " line 3: Smtp Port = \"70000\" is not valid; allowed: None");
        assert_error(mailbox("Email Name = a@b\nEmail Name = c@d\n"), ErrorKind::kConfig, "line 3");
        assert_error(load_mailbox(root->paths, "102"), ErrorKind::kNoInput,
                     "there is no such mailbox");
        assert_error(load_mailbox(root->paths, "../misc"), ErrorKind::kUsage, "1 to 8 digits");
    }

    void what_belongs_together() {
        assert_error(mailbox("Email Integration = Yes\nEmail Name = a@b\n"), ErrorKind::kConfig,
                     "Email Integration = Yes needs Smtp Server");
        assert_error(mailbox("Email Integration = Yes\nSmtp Server = b\n"), ErrorKind::kConfig,
                     "Email Integration = Yes needs Email Name");
        const std::string base = "Email Integration = Yes\nEmail Name = a@b\nSmtp Server = b\n";
        CPPUNIT_ASSERT(mailbox(base));
        assert_error(mailbox(base + "Smtp SSL = Yes\nSmtp Authentication = Auto\n"),
                     ErrorKind::kConfig, "Smtp Authentication = Auto needs Smtp Account");
        assert_error(
            mailbox(base + "Smtp SSL = Yes\nSmtp Authentication = Auto\nSmtp Account = a\n"),
            ErrorKind::kConfig, "needs Smtp Password");
        const std::string login =
            "Smtp Authentication = Plain\nSmtp Account = a\nSmtp Password = p\n";
        assert_error(mailbox(login), ErrorKind::kConfig, "cannot work with Smtp SSL = No");
        CPPUNIT_ASSERT(mailbox(login + "Allow Cleartext Password = Yes\n"));
        assert_error(mailbox(login + "Smtp SSL = Yes\nTLS Verify = No\n"), ErrorKind::kConfig,
                     "cannot work with TLS Verify = No");
        CPPUNIT_ASSERT(mailbox(login + "Smtp SSL = Yes\n"));
        CPPUNIT_ASSERT(mailbox("Imap4 Server = b\nImap4 Account = a\nImap4 Password = p\n"));
        assert_error(mailbox("TLS CA File = /nonexistent.pem\n"), ErrorKind::kConfig,
                     "TLS CA File = /nonexistent.pem cannot be read");
        assert_error(mailbox("TLS CA File = .\n"), ErrorKind::kConfig, "cannot be read");
    }

    void typed_and_sealed_passwords() {
        const std::string typed(1500, 'p');
        CPPUNIT_ASSERT_EQUAL(typed,
                             mailbox("Smtp Password = " + typed + "\n")->smtp.password.reveal());
        CPPUNIT_ASSERT(mailbox("Smtp Password = None\n")->smtp.password.empty());

        CPPUNIT_ASSERT(create_key(root->paths));
        const std::string odd("\0 ;\n\xFF", 5);
        const std::string sealed =
            *seal(Secret(odd), *load_key(root->paths), {"101", "Imap4 Password"});
        const auto loaded = mailbox("Imap4 Password = " + sealed + " ; by hand\n");
        CPPUNIT_ASSERT(loaded);
        CPPUNIT_ASSERT_EQUAL(odd, loaded->imap4.password.reveal());
        assert_error(mailbox("Smtp Password = " + sealed + "\n"), ErrorKind::kConfig,
                     "sealed with another key");
        ::unlink(root->paths.key_file().c_str());
        assert_error(mailbox("Imap4 Password = " + sealed + "\n"), ErrorKind::kConfig, "key file");
    }

    void a_comment_never_cuts_a_password() {
        for (const char* line : {"Smtp Password = abc ;def\n", "Smtp Password = ;def\n"}) {
            const auto loaded = mailbox(line);
            assert_error(loaded, ErrorKind::kConfig,
                         "line 2: Smtp Password: ' ;' in the line starts a comment");
            CPPUNIT_ASSERT(loaded.error().text().find("def") == std::string::npos);
        }
    }

    void readable_by_others_is_refused() {
        for (const mode_t mode : {mode_t{0640}, mode_t{0604}, mode_t{0660}, mode_t{0602}}) {
            assert_error(mailbox("Pop3 Password = p\n", mode), ErrorKind::kPermission,
                         "chmod 600 ");
            CPPUNIT_ASSERT(mailbox("Pop3 Password =\n", mode));
        }
        assert_error(mailbox("Pop3 Password = p\n", 0644), ErrorKind::kPermission, "mode 0644");
    }

    void sender() {
        MailboxOptions options;
        options.email_name = "ann@example.com";
        CPPUNIT_ASSERT_EQUAL(std::string("voicemail@example.com"), options.sender_address());
        CPPUNIT_ASSERT_EQUAL(std::string("example.com"), options.message_id_domain());
        options.domain = "vm.example.org";
        CPPUNIT_ASSERT_EQUAL(std::string("voicemail@vm.example.org"), options.sender_address());
        options.smtp.account = "ann";
        CPPUNIT_ASSERT_EQUAL(std::string("voicemail@vm.example.org"), options.sender_address());
        options.smtp.account = "unit@isp.net";
        CPPUNIT_ASSERT_EQUAL(std::string("unit@isp.net"), options.sender_address());
        CPPUNIT_ASSERT_EQUAL(std::string("vm.example.org"), options.message_id_domain());
        options.domain.clear();
        CPPUNIT_ASSERT_EQUAL(std::string("isp.net"), options.message_id_domain());
    }

    void numbers_in_order() {
        for (const char* name :
             {"1000.ini", "99.ini", "7.ini", "007.ini", "x.ini", "5.ini.tmp", "123456789.ini"})
            root->write(root->paths.mailboxes() / name, "");
        const std::vector<std::string> expected{"007", "7", "99", "1000"};
        CPPUNIT_ASSERT(expected == *list_mailboxes(root->paths));
        std::filesystem::remove_all(root->paths.mailboxes());
        CPPUNIT_ASSERT(list_mailboxes(root->paths)->empty());
    }

    void seats() {
        for (const char* number : {"101", "102", "20", "103"})
            root->write(root->paths.mailbox_ini(number), "[Email]\nEmail Integration = yes\n");
        root->write(root->paths.mailbox_ini("21"), "[Email]\nEmail Integration = No\n");
        root->write(root->paths.mailbox_ini("22"), "nonsense\n");
        MiscSetup setup;
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, count_seats(root->paths, setup)->in_use.size());
        CPPUNIT_ASSERT(count_seats(root->paths, setup)->refused.empty());
        setup.seats = 2;
        const std::vector<std::string> all{"20", "101", "102", "103"}, beyond{"102", "103"};
        CPPUNIT_ASSERT(all == count_seats(root->paths, setup)->in_use);
        CPPUNIT_ASSERT(beyond == count_seats(root->paths, setup)->refused);
        CPPUNIT_ASSERT((std::set<std::string>{"102", "103"}) == *refused_seats(root->paths, setup));
        setup.seats = 0;
        CPPUNIT_ASSERT(refused_seats(root->paths, setup)->empty());
        CPPUNIT_ASSERT(has_mailbox(root->paths, "22") && !has_mailbox(root->paths, "23"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LoadTest);
