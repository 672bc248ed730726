// What every transport plugin promises, asked of the real ones through src/transport, as the agent
// uses them.
#include "../base/temporary_directory.h"
#include "base/files.h"
#include "fake_host.h"
#include "scripted_server.h"
#include "test_message.h"
#include "transport/plugin.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <optional>
#include <thread>

namespace vm::testing {

namespace {

using transport::Plugin;
using transport::Session;
using transport::SessionOptions;

class ContractTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ContractTest);
    CPPUNIT_TEST(pushes_and_keeps_the_connection);
    CPPUNIT_TEST(reports_a_refusal_in_the_servers_words);
    CPPUNIT_TEST(reports_where_it_was_lost);
    CPPUNIT_TEST(logs_in_without_a_message);
    CPPUNIT_TEST(says_why_it_cannot_log_in);
    CPPUNIT_TEST(authenticates_over_verified_tls);
    CPPUNIT_TEST(refuses_senseless_options);
    CPPUNIT_TEST(account_side_says_no_well_formed);
    CPPUNIT_TEST(tables_are_whole);
    CPPUNIT_TEST(speaks_of_its_abi);
    CPPUNIT_TEST(writes_no_more_than_the_hosts_struct);
    CPPUNIT_TEST(sessions_are_independent);
    CPPUNIT_TEST_SUITE_END();

    std::optional<TemporaryDirectory> directory_;
    UniqueFd mail_;
    const std::string text_ = "Subject: x\r\n\r\n" + std::string(100'000, 'x') + "\r\n.\r\nend\r\n";

  public:
    void setUp() override {
        directory_.emplace();
        mail_ = std::move(*unnamed_file(directory_->path()));
        CPPUNIT_ASSERT(write_all(mail_.get(), text_, "mail").has_value());
    }
    void tearDown() override {
        mail_.reset();
        directory_.reset();
    }

  private:
    static std::filesystem::path file_of(const char* name) {
        const char* build = std::getenv("VM_BUILD");
        return std::filesystem::path(build == nullptr ? "build" : build) / "lib" / name;
    }

    template <class Check>
    void for_each_plugin(Check check) {
        for (const char* name : {"libsmtpimap4.so", "libsmtppop3.so"}) {
            const auto plugin = Plugin::load(file_of(name));
            if (!plugin) CPPUNIT_FAIL(plugin.error().text());
            check(*plugin);
        }
    }

    static SessionOptions options_for(const ScriptedServer& server) {
        SessionOptions options;
        options.name = "101";
        options.smtp.host = "127.0.0.1";
        options.smtp.port = server.port();
        options.domain = "unit.example.com";
        return options;
    }
    static Session open(const Plugin& plugin, const SessionOptions& options) {
        auto session = plugin.open(options);
        if (!session) CPPUNIT_FAIL(session.error().text());
        return std::move(*session);
    }
    transport::OutgoingMessage message() {
        return {.sender = "voicemail@example.com",
                .recipient = "ann@example.com",
                .fd = mail_.get(),
                .size = static_cast<std::int64_t>(text_.size()),
                .eight_bit = false,
                .memory = {}};
    }

    // A struct of which the host knows the first `size` bytes only.
    template <class Struct>
    class OldStruct {
      public:
        explicit OldStruct(std::size_t size) : size_(size) {
            std::memset(&struct_, kUntouched, sizeof struct_);
            struct_.struct_size = static_cast<std::uint32_t>(size);
        }
        Struct* get() { return &struct_; }
        // Whether the rest is as it was, and the size.
        bool kept() const {
            const auto* bytes = reinterpret_cast<const unsigned char*>(&struct_);
            return struct_.struct_size == size_ &&
                   std::all_of(bytes + size_, bytes + sizeof struct_,
                               [](unsigned char byte) { return byte == kUntouched; });
        }

      private:
        static constexpr unsigned char kUntouched = 0xAA;
        std::size_t size_;
        Struct struct_;
    };

    void pushes_and_keeps_the_connection() {
        for_each_plugin([&](const Plugin& plugin) {
            std::vector<std::string> mails;
            SmtpScript script;
            script.on_data = [&](const std::string& data) { mails.push_back(data); };
            ScriptedServer server(script);
            {
                Session session = open(plugin, options_for(server));
                for (int i = 0; i < 3; ++i) {
                    const PushReport report = session.push(message());
                    CPPUNIT_ASSERT_MESSAGE(describe(report),
                                           classify(report).event == DeliveryEvent::kAccepted);
                    CPPUNIT_ASSERT_EQUAL(i == 0, session.last_push().connected);
                    if (i > 0)
                        CPPUNIT_ASSERT_EQUAL(std::uint32_t{2}, session.last_push().round_trips);
                }
            }
            server.stop();
            CPPUNIT_ASSERT_EQUAL(1, server.connections());
            CPPUNIT_ASSERT_EQUAL(std::size_t{3}, mails.size());
            for (const std::string& mail : mails)
                CPPUNIT_ASSERT_EQUAL(text_.size() + 1, mail.size());  // one dot stuffed
            CPPUNIT_ASSERT_EQUAL(std::string("EHLO unit.example.com"), server.lines().front());
            CPPUNIT_ASSERT_EQUAL(std::string("QUIT"), server.lines().back());
        });
    }

    void reports_a_refusal_in_the_servers_words() {
        for_each_plugin([&](const Plugin& plugin) {
            SmtpScript script;
            script.rcpt = "550 5.1.1 no such user here\r\n";
            ScriptedServer server(script);
            const PushReport report = open(plugin, options_for(server)).push(message());
            CPPUNIT_ASSERT_EQUAL(std::string("RCPT: 550 5.1.1 no such user here"),
                                 describe(report));
            CPPUNIT_ASSERT_EQUAL("127.0.0.1:" + std::to_string(server.port()), report.server);
            CPPUNIT_ASSERT(classify(report).event == DeliveryEvent::kFailure);
        });
    }

    void reports_where_it_was_lost() {
        for_each_plugin([&](const Plugin& plugin) {
            for (const auto& [where, event] : {std::pair{"MAIL", DeliveryEvent::kDeferral},
                                               std::pair{"dot", DeliveryEvent::kReplyLost}}) {
                SmtpScript script;
                script.instead = [where = std::string(where)](Peer&, const std::string& step) {
                    if (step == where) throw Peer::Gone{};
                    return false;
                };
                ScriptedServer server(script);
                const PushReport report = open(plugin, options_for(server)).push(message());
                CPPUNIT_ASSERT_MESSAGE(describe(report), report.cause == PushCause::kLost);
                CPPUNIT_ASSERT_MESSAGE(describe(report), classify(report).event == event);
            }
        });
    }

    void authenticates_over_verified_tls() {
        for_each_plugin([&](const Plugin& plugin) {
            TestCa ca;
            SmtpScript script;
            script.ehlo = "250-h\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n";
            script.tls = ca.server("IP:127.0.0.1");
            ScriptedServer server(script);
            SessionOptions options = options_for(server);
            options.smtp.tls = transport::Tls::kStartTls;
            options.smtp.auth = transport::Auth::kAuto;
            options.smtp.user = "ann";
            options.smtp.password = Secret("s3cret s3cret");
            options.ca_file = ca.file();
            const PushReport report = open(plugin, options).push(message());
            CPPUNIT_ASSERT_MESSAGE(describe(report),
                                   classify(report).event == DeliveryEvent::kAccepted);
        });
    }

    void refuses_senseless_options() {
        for_each_plugin([&](const Plugin& plugin) {
            using Spoil = void (*)(SessionOptions&);
            for (const Spoil spoil : {
                     Spoil([](SessionOptions& o) { o.smtp.host = "a b"; }),
                     Spoil([](SessionOptions& o) { o.smtp.host = "a/b?c"; }),
                     Spoil([](SessionOptions& o) { o.domain = "a\r\nMAIL"; }),
                     Spoil([](SessionOptions& o) { o.domain = "[127.0.0.1"; }),
                     Spoil([](SessionOptions& o) { o.smtp.auth = transport::Auth::kPlain; }),
                     Spoil([](SessionOptions& o) {
                         o.smtp.auth = transport::Auth::kPlain;
                         o.smtp.user = "ann";
                     }),
                     Spoil([](SessionOptions& o) {
                         o.smtp.auth = transport::Auth::kPlain;
                         o.smtp.user = "ann\r\n";
                         o.smtp.password = Secret("x");
                     }),
                     Spoil([](SessionOptions& o) {
                         o.smtp.auth = transport::Auth::kPlain;
                         o.smtp.user = "ann";
                         o.smtp.password = Secret("x\r\nRSET");
                     }),
                     Spoil([](SessionOptions& o) {
                         o.smtp.auth = transport::Auth::kXOAuth2;
                         o.smtp.user = "ann";
                         o.smtp.password = Secret("token\x01host=evil");
                     }),
                 }) {
                SessionOptions options;
                options.smtp.host = "mail.example.com";
                spoil(options);
                const auto session = plugin.open(options);
                CPPUNIT_ASSERT(!session);
                CPPUNIT_ASSERT(session.error().kind == ErrorKind::kConfig);
                CPPUNIT_ASSERT(!session.error().reason.empty());
                CPPUNIT_ASSERT(session.error().reason.find("evil") == std::string::npos);
            }
        });
    }

    // What a plugin does not do is said so; what it does fails for want of a server.
    void account_side_says_no_well_formed() {
        for_each_plugin([&](const Plugin& plugin) {
            SessionOptions options;
            options.smtp.host = "mail.example.com";
            Session session = open(plugin, options);
            const auto found = session.find("01J9ZK3V5TA8Q4W8M8Z9N1B2C3");
            const bool imap = plugin.name() == "smtpimap4";
            CPPUNIT_ASSERT_EQUAL(
                std::string(imap ? "no IMAP4 server is set" : "no POP3 server is set"),
                found.error().reason);
        });
    }

    // The entry of a library of its own: it is called once in a library's life.
    vm_transport_entry_fn entry_of_copy(const Plugin& plugin) const {
        const auto copy = directory_->path() / plugin.path().filename();
        std::filesystem::copy_file(plugin.path(), copy);
        void* handle = ::dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        CPPUNIT_ASSERT(handle != nullptr);
        return reinterpret_cast<vm_transport_entry_fn>(::dlsym(handle, VM_TRANSPORT_ENTRY));
    }

    // A table says what it can do, and has the functions for it.
    void tables_are_whole() {
        static FakeHost host;  // for the life of the process
        for_each_plugin([&](const Plugin& plugin) {
            const auto entry = entry_of_copy(plugin);
            const vm_transport& table = *entry(host.table());
            const bool imap = plugin.name() == "smtpimap4";
            CPPUNIT_ASSERT_EQUAL(VM_CAN_SEARCH | (imap ? VM_CAN_SYNC : VM_CAN_VISIT),
                                 table.capabilities);
            CPPUNIT_ASSERT_EQUAL(!imap, table.visit != nullptr);
            const bool any = table.folders || table.look || table.apply || table.recover ||
                             table.fetch || table.park || table.peek;
            const bool all = table.folders && table.look && table.apply && table.recover &&
                             table.fetch && table.park && table.peek;
            CPPUNIT_ASSERT_EQUAL(imap, any);
            CPPUNIT_ASSERT_EQUAL(imap, all);
        });
    }

    void logs_in_without_a_message() {
        for_each_plugin([&](const Plugin& plugin) {
            ScriptedServer server{SmtpScript{}};
            {
                Session session = open(plugin, options_for(server));
                CPPUNIT_ASSERT(!session.log_in());
                CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, session.take_traffic().connections);
                const PushReport report = session.push(message());
                CPPUNIT_ASSERT(classify(report).event == DeliveryEvent::kAccepted);
                CPPUNIT_ASSERT(!session.last_push().connected);
                // It is asked about the server as it is now, not about what was.
                CPPUNIT_ASSERT(!session.log_in());
                CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, session.take_traffic().connections);
            }
            server.stop();
            CPPUNIT_ASSERT_EQUAL(2, server.connections());
        });
    }

    void says_why_it_cannot_log_in() {
        for_each_plugin([&](const Plugin& plugin) {
            SmtpScript script;
            script.ehlo = "250-h\r\n250 AUTH PLAIN\r\n";
            script.auth = "535 5.7.8 not with that\r\n";
            ScriptedServer server(script);
            SessionOptions options = options_for(server);
            options.smtp.auth = transport::Auth::kPlain;
            options.smtp.user = "driver";
            options.smtp.password = Secret("chariots");
            const auto held_back = open(plugin, options).log_in();
            CPPUNIT_ASSERT(held_back && held_back->cause == PushCause::kConfig);
            options.allow_cleartext_password = true;
            const auto refused = open(plugin, options).log_in();
            CPPUNIT_ASSERT(refused && refused->step == PushStep::kAuth && refused->code == 535);
            CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.8 not with that"), refused->text);
            server.stop();
            const auto down = open(plugin, options).log_in();
            CPPUNIT_ASSERT(down && down->cause == PushCause::kRefused);
        });
    }

    void speaks_of_its_abi() {
        for_each_plugin([&](const Plugin& plugin) {
            CPPUNIT_ASSERT_EQUAL("lib" + plugin.name() + ".so", plugin.path().filename().string());
            CPPUNIT_ASSERT(!plugin.description().empty());
        });
    }

    // Fields are added at the end: a plugin that is newer than its host fills what the host has.
    void writes_no_more_than_the_hosts_struct() {
        static FakeHost host;  // for the life of the process
        for_each_plugin([&](const Plugin& plugin) {
            const auto entry = entry_of_copy(plugin);
            const vm_transport& table = *entry(host.table());
            vm_options options{};
            options.struct_size = sizeof options;
            options.smtp.struct_size = options.account.struct_size = sizeof options.smtp;
            vm_session* session = table.open(&options, nullptr, 0);
            CPPUNIT_ASSERT(session != nullptr);

            const TestMessage mail;
            OldStruct<vm_push_report> report(offsetof(vm_push_report, bytes_sent));
            table.push(session, &*mail, report.get());
            CPPUNIT_ASSERT(report.kept());
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{report.get()->cause});
            CPPUNIT_ASSERT_EQUAL(std::string("no SMTP server is set"),
                                 std::string(report.get()->text));
            OldStruct<vm_push_report> login(offsetof(vm_push_report, bytes_sent));
            CPPUNIT_ASSERT_EQUAL(int{VM_FAILED}, table.log_in(session, login.get()));
            CPPUNIT_ASSERT(login.kept());
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{login.get()->cause});
            OldStruct<vm_find_result> result(offsetof(vm_find_result, error));
            CPPUNIT_ASSERT_EQUAL(int{VM_FAILED},
                                 table.find(session, "01J9ZK3V5TA8Q4W8M8Z9N1B2C3", result.get()));
            CPPUNIT_ASSERT(result.kept());
            OldStruct<vm_account_report> account(offsetof(vm_account_report, bytes_sent));
            const vm_scope scope{sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr};
            const vm_drop drop{};
            const vm_drop_sink sink{};
            CPPUNIT_ASSERT_EQUAL(
                int{VM_FAILED},
                table.folders != nullptr
                    ? table.folders(session, &scope, nullptr, nullptr, account.get())
                    : table.visit(session, &drop, &sink, account.get()));
            CPPUNIT_ASSERT(account.kept());
            CPPUNIT_ASSERT_EQUAL(int{VM_CAUSE_CONFIG}, int{account.get()->cause});
            table.close(session);
        });
    }

    void sessions_are_independent() {
        for_each_plugin([&](const Plugin& plugin) {
            constexpr int kThreads = 4;
            std::vector<std::unique_ptr<ScriptedServer>> servers;
            for (int i = 0; i < kThreads; ++i)
                servers.push_back(std::make_unique<ScriptedServer>(SmtpScript{}));
            std::atomic<int> sent = 0;
            std::vector<std::thread> threads;
            for (int i = 0; i < kThreads; ++i)
                threads.emplace_back([&, i] {
                    auto session = plugin.open(options_for(*servers[static_cast<std::size_t>(i)]));
                    for (int k = 0; session && k < 10; ++k)
                        if (classify(session->push(message())).event == DeliveryEvent::kAccepted)
                            ++sent;
                });
            for (std::thread& thread : threads) thread.join();
            CPPUNIT_ASSERT_EQUAL(kThreads * 10, sent.load());
        });
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ContractTest);

}  // namespace

}  // namespace vm::testing
