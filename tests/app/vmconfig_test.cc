// The built vmconfig as a child: arguments, standard streams, exit statuses.
#include "base/files.h"
#include "config/config.h"
#include "config/misc_options.h"

#include <cppunit/extensions/HelperMacros.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vm;
namespace fs = std::filesystem;

namespace {

struct Outcome {
    int status = -1;
    std::string out, err;
};

void assert_contains(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE(text + " lacks: " + part, text.find(part) != std::string::npos);
}

}  // namespace

class VmconfigTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(VmconfigTest);
    CPPUNIT_TEST(init_says_what_it_did);
    CPPUNIT_TEST(misc_table_and_json);
    CPPUNIT_TEST(misc_get_set_ignore);
    CPPUNIT_TEST(mailbox_life);
    CPPUNIT_TEST(show_follows_the_plugin);
    CPPUNIT_TEST(passwords_come_by_stdin_and_never_out);
    CPPUNIT_TEST(list_shows_problems);
    CPPUNIT_TEST(usage_errors);
    CPPUNIT_TEST(refusals_are_one_line);
    CPPUNIT_TEST(keys_are_the_tables);
    CPPUNIT_TEST(a_full_disk_is_reported);
    CPPUNIT_TEST_SUITE_END();

    fs::path directory;

  public:
    void setUp() override {
        std::string name = (fs::temp_directory_path() / "vmconfig.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        directory = name;
    }
    void tearDown() override { fs::remove_all(directory); }

  private:
    fs::path root() const { return directory / "root"; }
    std::string file(const fs::path& path) const { return read_file(path).value_or(""); }
    std::string mailbox_file() const { return file(root() / "etc/mailboxes/101.ini"); }

    // Runs vmconfig of this build with --root; standard output goes to `out` if given.
    Outcome run(std::vector<std::string> arguments, const std::string& input = {},
                std::string out = {}) const {
        const fs::path program =
            fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/vmconfig";
        const std::string in = directory / "in", err = directory / "err";
        const bool keep_out = out.empty();
        if (keep_out) out = directory / "out";
        CPPUNIT_ASSERT(write_file_atomic(in, input, 0600));
        arguments.insert(arguments.begin(), {program.string(), "--root", root().string()});
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);

        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                         0600);
        posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                         0600);
        pid_t pid = -1;
        const int problem = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(program.string(), 0, problem);
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(pid, ::waitpid(pid, &status, 0));
        CPPUNIT_ASSERT(WIFEXITED(status));
        return {WEXITSTATUS(status), keep_out ? file(out) : "", file(err)};
    }

    // Runs and expects success without a word on stderr.
    std::string good(const std::vector<std::string>& arguments,
                     const std::string& input = {}) const {
        const Outcome outcome = run(arguments, input);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(outcome.err, 0, outcome.status);
        CPPUNIT_ASSERT_EQUAL(std::string(), outcome.err);
        return outcome.out;
    }

    // Runs and expects one line on stderr and nothing on stdout.
    void bad(int status, const std::string& part, const std::vector<std::string>& arguments) const {
        const Outcome outcome = run(arguments);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(outcome.err, status, outcome.status);
        CPPUNIT_ASSERT_EQUAL(std::string(), outcome.out);
        CPPUNIT_ASSERT(outcome.err.starts_with("vmconfig: "));
        CPPUNIT_ASSERT_EQUAL(outcome.err.size() - 1, outcome.err.find('\n'));
        assert_contains(outcome.err, part);
    }

    void init_says_what_it_did() {
        assert_contains(good({"init"}), "created  " + (root() / "etc/misc.ini").string() + "\n");
        const std::string again = good({"init"});
        CPPUNIT_ASSERT(again.find("created") == std::string::npos);
        assert_contains(again, "everything existed; nothing was changed\n");
    }

    void misc_table_and_json() {
        good({"init"});
        const std::string table = good({"misc", "list"});
        CPPUNIT_ASSERT(table.starts_with("Option "));
        assert_contains(table, "\ng_bUseTTS                     False");
        const auto json = nlohmann::json::parse(good({"misc", "list", "--json"}));
        CPPUNIT_ASSERT_EQUAL(config::misc_options(Paths(root())).size(), json["options"].size());
        CPPUNIT_ASSERT_EQUAL(std::string("MaxTraceFileSize"),
                             json["options"][0]["option"].get<std::string>());
        CPPUNIT_ASSERT_EQUAL(std::string("100000"), json["options"][0]["value"].get<std::string>());
        CPPUNIT_ASSERT_EQUAL(0, json["options"][0]["ignore"].get<int>());
    }

    void misc_get_set_ignore() {
        good({"init"});
        CPPUNIT_ASSERT_EQUAL(std::string("20\n"),
                             good({"misc", "get", "g_bImap4SyncPendingTimer"}));
        good({"misc", "set", "g_bImap4SyncPendingTimer", "30"});
        CPPUNIT_ASSERT_EQUAL(std::string("30\n"),
                             good({"misc", "get", "g_bImap4SyncPendingTimer"}));
        good({"misc", "ignore", "g_bImap4SyncPendingTimer", "1"});
        assert_contains(run({"misc", "get", "g_bImap4SyncPendingTimer"}).err, "is ignored");
        good({"misc", "set", "g_szMessageWaitingCommand", ""});
        assert_contains(
            run({"misc", "set", "g_szEmailDllPath", "lib/none.so"}).err,
            "warning: the agent will refuse this plugin: " + (root() / "lib/none.so").string());
    }

    void mailbox_life() {
        good({"init"});
        good({"mailbox", "create", "101"});
        good({"mailbox", "set", "101", "Email Name=ann@example.com", "Smtp Server=smtp.example.com",
              "Email Integration=yes"});
        const auto shown = nlohmann::json::parse(good({"mailbox", "show", "101", "--json"}));
        CPPUNIT_ASSERT_EQUAL(std::string("Yes"),
                             shown["options"]["Email Integration"].get<std::string>());
        CPPUNIT_ASSERT_EQUAL(std::string("None"), shown["options"]["Smtp Port"].get<std::string>());
        CPPUNIT_ASSERT_EQUAL(std::string("(blank)"),
                             shown["options"]["Smtp Password"].get<std::string>());
        const auto listed = nlohmann::json::parse(good({"mailbox", "list", "--json"}));
        CPPUNIT_ASSERT_EQUAL(std::string("101"),
                             listed["mailboxes"][0]["mailbox"].get<std::string>());
        CPPUNIT_ASSERT(listed["mailboxes"][0]["email_integration"].get<bool>());
        CPPUNIT_ASSERT(listed["mailboxes"][0]["problem"].is_null());
        good({"mailbox", "delete", "101"});
        CPPUNIT_ASSERT(
            nlohmann::json::parse(good({"mailbox", "list", "--json"}))["mailboxes"].empty());
    }

    void show_follows_the_plugin() {
        good({"init"});
        good({"mailbox", "create", "101"});
        const std::string imap4 = good({"mailbox", "show", "101"});
        assert_contains(imap4, "\nImap4 Search Mode            Header\n");
        CPPUNIT_ASSERT(imap4.find("Pop3") == std::string::npos);
        run({"misc", "set", "g_szEmailDllPath", "lib/libsmtppop3.so"});
        const std::string pop3 = good({"mailbox", "show", "101"});
        assert_contains(pop3, "\nPop3 Password                (blank)\n");
        CPPUNIT_ASSERT(pop3.find("Imap4") == std::string::npos);
        CPPUNIT_ASSERT(pop3.find("Sync Mode") == std::string::npos);
    }

    void passwords_come_by_stdin_and_never_out() {
        good({"init"});
        good({"mailbox", "create", "101"});
        good({"mailbox", "set", "101", "Smtp Password=-", "Pop3 Password=-"},
             "s3cret ;\r\nother\nrest");
        for (const auto& command : {std::vector<std::string>{"mailbox", "show", "101"},
                                    {"mailbox", "show", "101", "--json"},
                                    {"mailbox", "list"}}) {
            const Outcome outcome = run(command);
            CPPUNIT_ASSERT((outcome.out + outcome.err).find("s3cret") == std::string::npos);
            CPPUNIT_ASSERT((outcome.out + outcome.err).find("sealed:") == std::string::npos);
        }
        assert_contains(good({"mailbox", "show", "101"}), "Smtp Password                (set)");
        const auto loaded = config::load_mailbox(Paths(root()), "101");
        CPPUNIT_ASSERT_EQUAL(std::string("s3cret ;"), loaded->smtp.password.reveal());
        CPPUNIT_ASSERT_EQUAL(std::string("other"), loaded->pop3.password.reveal());
        CPPUNIT_ASSERT(mailbox_file().find("s3cret") == std::string::npos);
        bad(66, "there is no line for Smtp Password", {"mailbox", "set", "101", "Smtp Password=-"});
        // What only may be a password is not repeated.
        const Outcome stray = run({"mailbox", "set", "101", "s3cret"});
        CPPUNIT_ASSERT_EQUAL(64, stray.status);
        CPPUNIT_ASSERT(stray.err.find("s3cret") == std::string::npos);
    }

    void list_shows_problems() {
        good({"init"});
        for (const char* number : {"101", "102"}) {
            good({"mailbox", "create", number});
            good({"mailbox", "set", number, "Email Integration=Yes", "Email Name=a@b",
                  "Smtp Server=c"});
        }
        CPPUNIT_ASSERT_EQUAL(0, run({"misc", "set", "g_nUnifiedMessagingSeats", "1"}).status);
        assert_contains(good({"mailbox", "list"}), "no seat: g_nUnifiedMessagingSeats is 1");
        good({"mailbox", "set", "101", "Smtp Password=x"});
        ::chmod((root() / "etc/mailboxes/101.ini").c_str(), 0604);
        assert_contains(good({"mailbox", "list"}), "mode 0604");
        bad(77, "chmod 600", {"mailbox", "show", "101"});
    }

    void usage_errors() {
        bad(64, "see vmconfig --help", {});
        bad(64, "see vmconfig misc --help", {"misc"});
        bad(64, "'gte' is no command of misc; see vmconfig misc --help", {"misc", "gte"});
        bad(64, "see vmconfig misc get --help", {"misc", "get"});
        bad(64, "see vmconfig misc ignore --help", {"misc", "ignore", "g_bUseTTS", "2"});
        bad(64, "see vmconfig mailbox set --help", {"mailbox", "set", "101"});
        bad(64, "see vmconfig --help", {"--nonsense"});
        CPPUNIT_ASSERT_EQUAL(0, run({"--help"}).status);
        assert_contains(run({"--version"}).out, "vmconfig 0.");
    }

    void refusals_are_one_line() {
        bad(66, "vmconfig init", {"mailbox", "create", "101"});
        good({"init"});
        good({"mailbox", "create", "101"});
        const std::string before = mailbox_file();
        bad(78, "Smtp Port: \"0\" is not valid; allowed: None",
            {"mailbox", "set", "101", "Smtp Port=0"});
        bad(78, "control character", {"mailbox", "set", "101", "Smtp Account=a\nb"});
        bad(64, "did you mean Smtp Port?", {"mailbox", "set", "101", "Smtp Prot=25"});
        bad(66, "there is no such mailbox", {"mailbox", "set", "102", "Smtp Port=25"});
        bad(64, "did you mean g_bUseTTS?", {"misc", "get", "g_bUseTT"});
        CPPUNIT_ASSERT_EQUAL(before, mailbox_file());
    }

    void keys_are_the_tables() {
        const std::string misc = good({"keys", "misc"});
        assert_contains(misc, "g_bUseTTS\tFalse\tTrue, False\n");
        assert_contains(misc,
                        "g_szEmailDllPath\t" + (root() / "lib/libsmtpimap4.so").string() + "\t");
        assert_contains(good({"keys", "mailbox"}), "Smtp SSL\tNo\tNo, Yes, STARTTLS\n");
        CPPUNIT_ASSERT_EQUAL(config::misc_sample(Paths(root())),
                             good({"keys", "misc", "--sample"}));
    }

    void a_full_disk_is_reported() {
        good({"init"});
        const Outcome outcome = run({"misc", "list"}, {}, "/dev/full");
        CPPUNIT_ASSERT_EQUAL(69, outcome.status);
        assert_contains(outcome.err, "standard output");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(VmconfigTest);
