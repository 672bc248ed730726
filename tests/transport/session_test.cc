// What a plugin answers is checked before anybody sees it.
#include "../base/temporary_directory.h"
#include "base/files.h"
#include "base/trace.h"
#include "transport/account.h"
#include "transport/plugin.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vm::transport {

namespace {

class SessionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionTest);
    CPPUNIT_TEST(success);
    CPPUNIT_TEST(senseless_reports_are_nobody_knows);
    CPPUNIT_TEST(what_pushes_cost_is_summed);
    CPPUNIT_TEST(logging_in);
    CPPUNIT_TEST(text_is_made_harmless);
    CPPUNIT_TEST(status_of_another_class_is_dropped);
    CPPUNIT_TEST(message_is_read_and_rewound);
    CPPUNIT_TEST(message_shorter_than_said);
    CPPUNIT_TEST(message_in_memory);
    CPPUNIT_TEST(empty_message_and_nul);
    CPPUNIT_TEST(open_fails);
    CPPUNIT_TEST(account_answers);
    CPPUNIT_TEST(a_part_that_fails_teaches_nothing);
    CPPUNIT_TEST(trace_has_the_sessions_name);
    CPPUNIT_TEST(crash_stays_in_its_process);
    CPPUNIT_TEST_SUITE_END();

    std::optional<vm::testing::TemporaryDirectory> directory_;
    UniqueFd mail_;

  public:
    void setUp() override {
        directory_.emplace();
        mail_ = std::move(*unnamed_file(directory_->path()));
        CPPUNIT_ASSERT(write_all(mail_.get(), std::string(100, 'x'), "mail").has_value());
    }
    void tearDown() override {
        mail_.reset();
        directory_.reset();
    }

  private:
    static std::filesystem::path path_of(const std::string& name) {
        const char* build = std::getenv("VM_BUILD");
        return std::filesystem::path(build == nullptr ? "build" : build) / "test" /
               ("lib" + name + ".so");
    }
    static Plugin plugin(const std::string& name = "liar") {
        auto out = Plugin::load(path_of(name));
        if (!out) CPPUNIT_FAIL(out.error().text());
        return *out;
    }
    static SessionOptions options() {
        SessionOptions out;
        out.name = "101";
        out.smtp.host = "mail.example.com";
        out.smtp.tls = Tls::kStartTls;
        return out;
    }
    static Session session() {
        auto out = plugin().open(options());
        if (!out) CPPUNIT_FAIL(out.error().text());
        return std::move(*out);
    }
    OutgoingMessage message(const std::string& order) {
        return {.sender = "",
                .recipient = order,
                .fd = mail_.get(),
                .size = 100,
                .eight_bit = false,
                .memory = {}};
    }
    PushReport push(const std::string& order) { return session().push(message(order)); }

    void success() {
        const PushReport report = push("");
        CPPUNIT_ASSERT(classify(report).event == DeliveryEvent::kAccepted);
        CPPUNIT_ASSERT_EQUAL(std::string("mail.example.com:587"), report.server);
        CPPUNIT_ASSERT_EQUAL(std::string("250 taken"), report.text);
    }

    void senseless_reports_are_nobody_knows() {
        for (const char* order : {"throw", "nothing", "step", "cause", "code", "unterminated",
                                  "status", "success too early", "cancelled behind the dot"}) {
            const PushReport report = push(order);
            CPPUNIT_ASSERT_MESSAGE(order, report.cause == PushCause::kPlugin);
            CPPUNIT_ASSERT_MESSAGE(order, classify(report).event == DeliveryEvent::kReplyLost);
            CPPUNIT_ASSERT_MESSAGE(order, !report.text.empty());
        }
    }

    void what_pushes_cost_is_summed() {
        Session pushing = session();
        for (const char* order : {"cheap", "dear", "cheap", "cause"}) pushing.push(message(order));
        const Traffic traffic = pushing.take_traffic();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, traffic.connections);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, traffic.bytes_sent);  // (no push sends so much)
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{60}, traffic.bytes_received);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{9}, traffic.round_trips);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, pushing.take_traffic().bytes_sent);
    }

    void logging_in() {
        const auto log_in = [](std::uint16_t port, const std::string& name = "liar") {
            SessionOptions with_port = options();
            with_port.smtp.port = port;
            auto out = plugin(name).open(with_port);
            if (!out) CPPUNIT_FAIL(out.error().text());
            return out->log_in();
        };
        CPPUNIT_ASSERT(!log_in(587));
        for (const int port : {1, 2, 3}) {
            const auto senseless = log_in(static_cast<std::uint16_t>(port));
            CPPUNIT_ASSERT(senseless && senseless->cause == PushCause::kPlugin);
            CPPUNIT_ASSERT(!senseless->text.empty());
        }
        const auto refused = log_in(4);
        CPPUNIT_ASSERT(refused && refused->step == PushStep::kAuth && refused->code == 535);
        CPPUNIT_ASSERT_EQUAL(std::string("535 no never"), refused->text);
        // One that is not able to is no success.
        const auto unable = log_in(587, "scripted");
        CPPUNIT_ASSERT(unable && unable->cause == PushCause::kPlugin);
    }

    void text_is_made_harmless() {
        CPPUNIT_ASSERT_EQUAL(std::string("250 a  b [31m?"), push("control").text);
    }
    void status_of_another_class_is_dropped() {
        CPPUNIT_ASSERT_EQUAL(std::string(), push("wrong status").enhanced);
    }

    void message_is_read_and_rewound() {
        CPPUNIT_ASSERT_EQUAL(std::string("100 100 "), push("read").text);
    }
    void message_shorter_than_said() {
        OutgoingMessage shorter = message("read");
        shorter.size = 101;
        CPPUNIT_ASSERT_EQUAL(std::string("-1 -1 "), session().push(shorter).text);
        shorter.fd = -1;
        CPPUNIT_ASSERT_EQUAL(std::string("-1 -1 "), session().push(shorter).text);
    }
    void message_in_memory() {
        const std::string mail(100, 'x');
        OutgoingMessage one = message("read");
        one.fd = -1;
        one.memory = mail;
        CPPUNIT_ASSERT_EQUAL(std::string("100 100 "), session().push(one).text);
        one.size = 101;
        CPPUNIT_ASSERT_EQUAL(std::string("-1 -1 "), session().push(one).text);
        one.size = 99;
        CPPUNIT_ASSERT_EQUAL(std::string("99 99 "), session().push(one).text);
    }
    void empty_message_and_nul() {
        OutgoingMessage bad = message("");
        bad.size = 0;
        CPPUNIT_ASSERT(session().push(bad).cause == PushCause::kConfig);
        bad = message(std::string("a\0b", 3));
        CPPUNIT_ASSERT(session().push(bad).cause == PushCause::kConfig);
    }

    void open_fails() {
        for (const auto& [order, reason] :
             {std::pair{"no", "not this one"}, std::pair{"throw", "threw an exception"},
              std::pair{"unterminated", "gave no reason"}}) {
            SessionOptions refused = options();
            refused.smtp.host = order;
            const auto session = plugin().open(refused);
            CPPUNIT_ASSERT_MESSAGE(order, !session);
            CPPUNIT_ASSERT(session.error().kind == ErrorKind::kConfig);
            CPPUNIT_ASSERT_MESSAGE(session.error().text(),
                                   session.error().text().find(reason) != std::string::npos);
        }
        SessionOptions nul = options();
        nul.smtp.password = Secret(std::string("a\0b", 3));
        CPPUNIT_ASSERT(!plugin().open(nul));
    }

    void account_answers() {
        Session asked = session();
        const auto found = asked.find("some id");
        CPPUNIT_ASSERT(found && found->supported && found->found);
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), found->link.folder);
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{7}, found->link.uid);
        for (const char* order : {"throw", "failed", "status", "found", "folder"}) {
            const auto answer = asked.find(order);
            CPPUNIT_ASSERT_MESSAGE(order, !answer);
            CPPUNIT_ASSERT(answer.error().kind == ErrorKind::kRetryLater);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("find: failed: server is on fire"),
                             asked.find("failed").error().text());
    }

    // A look in two parts, of which the second tells of UIDs that nobody asked about.
    void a_part_that_fails_teaches_nothing() {
        using std::string_literals::operator""s;
        Plugin hostile = plugin("hostile");
        SessionOptions both = options();
        both.account = both.smtp;
        auto account = AccountSession::open(hostile, both);
        CPPUNIT_ASSERT(account.has_value());
        // (tests/plugins/fixtures/hostile.cc; numbers are of the machine, little-endian.)
        const std::string good = "\0\0\0\0\0\0\0\0"s;
        const std::string answers =
            "\x01"s                          // one thing is told:
            "\0\0\x01\0\0\0"s                // flags of the first UID
            "\x07\x14\0\0\0"s                // UIDVALIDITY, UIDNEXT
            "\0\0\0\0\0\0\0\0\x0A\0\0\0"s +  // go on from UID 10
            good +
            "\x03"s                               // three things:
            "\x03\xFF\x0B\0\0\0\0\0\0\0\x01X\0"s  // a new mail
            "\0\xFF\x4D\0\0\0\x01\0\0\0"s         // flags of another UID
            "\x01\xFF\x4E\0\0\0"s                 // another is gone
            "\x07\x14\0\0\0"s
            "\0\0\0\0\0\0\0\0\0\0\0\0"s +
            good;
        void* library = ::dlopen(path_of("hostile").c_str(), RTLD_NOW | RTLD_NOLOAD);
        CPPUNIT_ASSERT(library != nullptr);
        reinterpret_cast<void (*)(const char*, std::size_t)>(::dlsym(library, "hostile_input"))(
            answers.data(), answers.size());
        FolderLook look;
        look.since = {"INBOX", 7, 10, 1};
        look.uids = {3, 5};
        const auto news = account->look(look);
        CPPUNIT_ASSERT(news.has_value());
        CPPUNIT_ASSERT(news->failure.has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, news->flags.size());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{3}, news->flags.front().first);
        CPPUNIT_ASSERT(news->gone.empty() && news->found.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{10}, news->state.uid_next);
        ::dlclose(library);
    }

    void trace_has_the_sessions_name() {
        const auto file = directory_->path() / "trace";
        CPPUNIT_ASSERT(trace_open(file, 1 << 20, false).has_value());
        trace_everything(true);
        bool stop = false;
        SessionOptions named = options();
        named.cancelled = [&] { return stop; };
        Session session = std::move(*plugin().open(named));
        CPPUNIT_ASSERT_EQUAL(std::string("250 taken"), session.push(message("trace")).text);
        stop = true;
        CPPUNIT_ASSERT_EQUAL(std::string("250 cancelled"), session.push(message("trace")).text);
        const auto text = read_file(file);
        CPPUNIT_ASSERT(text && text->find("101 C: NOOP") != std::string::npos);
    }

    void crash_stays_in_its_process() {
        Session crashing = std::move(*plugin("crash_push").open(options()));
        const pid_t child = ::fork();
        if (child == 0) {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_CORE, &none);
            std::signal(SIGSEGV, SIG_DFL);
            crashing.push(message(""));
            ::_exit(0);
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionTest);

}  // namespace

}  // namespace vm::transport
