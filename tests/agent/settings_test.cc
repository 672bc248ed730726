#include "agent/settings.h"

#include "agent/control.h"
#include "agent/store_threads.h"
#include "config/seal.h"
#include "oauth2/token_file.h"
#include "unit_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <sys/stat.h>
#include <thread>

namespace vm::agent {

namespace {

bool all(const std::string&) {
    return true;
}

class SettingsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SettingsTest);
    CPPUNIT_TEST(unchanged_files_are_not_read_again);
    CPPUNIT_TEST(edit_is_taken_up);
    CPPUNIT_TEST(invalid_edit_leaves_the_last_good_in_force);
    CPPUNIT_TEST(invalid_misc_leaves_the_last_good_in_force);
    CPPUNIT_TEST(trouble_outside_the_file_ends_without_an_edit);
    CPPUNIT_TEST(an_edit_keeps_the_others_objects);
    CPPUNIT_TEST(removed_mailbox_goes);
    CPPUNIT_TEST(what_comes_to_a_directory_that_was_at_rest_is_noticed);
    CPPUNIT_TEST(one_mailbox_is_looked_at_alone);
    CPPUNIT_TEST(seats_beyond_the_limit_are_marked);
    CPPUNIT_TEST(chmod_is_an_edit);
    CPPUNIT_TEST(granted_anew_is_an_edit_and_renewed_is_none);
    CPPUNIT_TEST(pokes_arrive_and_garbage_does_not);
    CPPUNIT_TEST(every_job_runs_once);
    CPPUNIT_TEST_SUITE_END();

    testing::UnitRoot root_;
    std::int64_t now_ = 1000;

  public:
    void setUp() override {
        root_.misc();
        root_.mailbox("101", "reply-dot-250");
    }

  private:
    void unchanged_files_are_not_read_again() {
        SettingsReader reader(root_.paths, all);
        CPPUNIT_ASSERT(reader.refresh(now_));
        const auto first = reader.current();
        CPPUNIT_ASSERT(!reader.refresh(now_));
        CPPUNIT_ASSERT(first == reader.current());
        CPPUNIT_ASSERT(first->mailboxes.at("101").options->integration);
    }

    void granted_anew_is_an_edit_and_renewed_is_none() {
        root_.mailbox("101", "a",
                      "OAuth2 Provider = Google\nOAuth2 Client ID = id\nSmtp SSL = Yes\n"
                      "Smtp Authentication = XOAuth2\nSmtp Account = a\n");
        root_.mailbox("102", "b");
        CPPUNIT_ASSERT(config::create_key(root_.paths));
        SettingsReader reader(root_.paths, all);
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.refresh(now_));
        const auto before = reader.current();
        const oauth2::Client client = oauth2::client_of(*before->mailboxes.at("101").options);
        oauth2::Grant grant = oauth2::new_grant(client, 1'800'000'000'000);
        CPPUNIT_ASSERT(oauth2::write_grant(root_.paths, "101", grant));
        CPPUNIT_ASSERT(reader.refresh(now_));
        const auto after = reader.current();
        CPPUNIT_ASSERT(before->mailboxes.at("101").options != after->mailboxes.at("101").options);
        CPPUNIT_ASSERT(before->mailboxes.at("102").options == after->mailboxes.at("102").options);
        oauth2::Tokens tokens;
        tokens.access = Secret("at");
        oauth2::put_tokens(grant, std::move(tokens), 1'800'000'000'001);
        CPPUNIT_ASSERT(oauth2::write_grant(root_.paths, "101", grant));
        CPPUNIT_ASSERT(!reader.refresh(now_));
        grant.granted += 1;
        CPPUNIT_ASSERT(oauth2::write_grant(root_.paths, "101", grant));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(oauth2::remove_grant(root_.paths, "101"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.refresh(now_));
    }

    void edit_is_taken_up() {
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        root_.mailbox("101", "changed");
        root_.mailbox("102", "new");
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT_EQUAL(std::string("changed@example.com"),
                             reader.current()->mailboxes.at("101").options->email_name);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, reader.current()->mailboxes.size());
    }

    void invalid_edit_leaves_the_last_good_in_force() {
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        root_.mailbox("101", "other", "Smtp Port = many\n");
        CPPUNIT_ASSERT(reader.refresh(now_));
        const auto& mailbox = reader.current()->mailboxes.at("101");
        CPPUNIT_ASSERT_EQUAL(std::string("reply-dot-250@example.com"), mailbox.options->email_name);
        CPPUNIT_ASSERT(mailbox.problem.find("Smtp Port") != std::string::npos);
        CPPUNIT_ASSERT(mailbox.problem.find("101.ini") != std::string::npos);
        root_.mailbox("101", "mended");
        reader.refresh(now_);
        CPPUNIT_ASSERT(reader.current()->mailboxes.at("101").problem.empty());
    }

    void invalid_misc_leaves_the_last_good_in_force() {
        root_.misc("[g_nRetryDeliveryTimeoutMin]\nValue = 5\nIgnore = 0\n");
        SettingsReader reader(root_.paths, {});
        CPPUNIT_ASSERT(reader.refresh(now_));
        root_.misc("[g_nRetryDeliveryTimeoutMin]\nValue = soon\nIgnore = 0\n");
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, reader.current()->misc->retry_timeout_min);
        CPPUNIT_ASSERT(reader.current()->misc_problem.find("g_nRetryDeliveryTimeoutMin") !=
                       std::string::npos);
    }

    // A certificate that is installed, or mounted, after the agent was started.
    void trouble_outside_the_file_ends_without_an_edit() {
        const auto ca = root_.paths.root / "late.pem";
        root_.mailbox("101", "a", "TLS CA File = " + ca.string() + "\n");
        SettingsReader reader(root_.paths, all);
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.current()->mailboxes.at("101").problem.empty());
        now_ += 600'000;
        CPPUNIT_ASSERT(!reader.refresh(now_));  // the same trouble again is no news
        root_.write(ca, "");
        CPPUNIT_ASSERT(!reader.refresh(now_));  // not yet time
        now_ += 600'000;
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT_EQUAL(std::string(), reader.current()->mailboxes.at("101").problem);
        CPPUNIT_ASSERT(reader.current()->mailboxes.at("101").options);
    }

    void an_edit_keeps_the_others_objects() {
        root_.mailbox("102", "b");
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        const auto before = reader.current();
        root_.mailbox("101", "c");
        CPPUNIT_ASSERT(reader.refresh(now_));
        const auto after = reader.current();
        CPPUNIT_ASSERT(before->mailboxes.at("101").options != after->mailboxes.at("101").options);
        CPPUNIT_ASSERT(before->mailboxes.at("102").options == after->mailboxes.at("102").options);
        CPPUNIT_ASSERT(before->misc == after->misc);
    }

    void removed_mailbox_goes() {
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        std::filesystem::remove(root_.paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(reader.current()->mailboxes.empty());
    }

    void what_comes_to_a_directory_that_was_at_rest_is_noticed() {
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        std::this_thread::sleep_for(std::chrono::milliseconds(2100));
        CPPUNIT_ASSERT(!reader.refresh(now_));
        root_.mailbox("102", "new");
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, reader.current()->mailboxes.size());
        std::filesystem::remove(root_.paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reader.current()->mailboxes.size());
        // An edit in place leaves the directory as it is.
        std::ofstream(root_.paths.mailbox_ini("102"), std::ios::app) << "Smtp Port = many\n";
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.current()->mailboxes.at("102").problem.empty());
        CPPUNIT_ASSERT(!reader.refresh(now_));
    }

    void one_mailbox_is_looked_at_alone() {
        const auto mine = [](const std::string& number) { return number == "102"; };
        SettingsReader reader(root_.paths, mine, "102");
        reader.refresh(now_);
        CPPUNIT_ASSERT(reader.current()->mailboxes.empty());
        root_.mailbox("102", "new");
        CPPUNIT_ASSERT(reader.refresh(now_));
        root_.mailbox("101", "other");
        CPPUNIT_ASSERT(!reader.refresh(now_));
        CPPUNIT_ASSERT(reader.current()->mailboxes.at("102").seat);
        // But who has a seat depends on all.
        root_.misc("[g_nUnifiedMessagingSeats]\nValue = 1\nIgnore = 0\n");
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.current()->mailboxes.at("102").seat);
        std::filesystem::remove(root_.paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(reader.current()->mailboxes.at("102").seat);
        std::filesystem::remove(root_.paths.mailbox_ini("102"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(reader.current()->mailboxes.empty());
    }

    void seats_beyond_the_limit_are_marked() {
        root_.misc("[g_nUnifiedMessagingSeats]\nValue = 1\nIgnore = 0\n");
        root_.mailbox("102", "second");
        // A worker that serves 102 alone counts all the same.
        SettingsReader reader(root_.paths,
                              [](const std::string& number) { return number == "102"; });
        reader.refresh(now_);
        CPPUNIT_ASSERT(!reader.current()->mailboxes.at("102").seat);
        std::filesystem::remove(root_.paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(reader.current()->mailboxes.at("102").seat);
    }

    void chmod_is_an_edit() {
        root_.mailbox(
            "101", "a",
            "Smtp Password = x\nSmtp Account = a\nSmtp SSL = Yes\nSmtp Authentication = Plain\n");
        SettingsReader reader(root_.paths, all);
        reader.refresh(now_);
        CPPUNIT_ASSERT_EQUAL(std::string(), reader.current()->mailboxes.at("101").problem);
        ::chmod(root_.paths.mailbox_ini("101").c_str(), 0644);
        CPPUNIT_ASSERT(reader.refresh(now_));
        CPPUNIT_ASSERT(!reader.current()->mailboxes.at("101").problem.empty());
    }

    void pokes_arrive_and_garbage_does_not() {
        poke(root_.paths, "101");  // no agent: nothing happens
        auto socket = open_control_socket(root_.paths);
        CPPUNIT_ASSERT(socket.has_value());
        poke(root_.paths, "101");
        poke(root_.paths, "../etc");
        poke(root_.paths, "102", Request::kRetry);
        const auto pokes = read_pokes(socket->get());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, pokes.size());
        CPPUNIT_ASSERT_EQUAL(std::string("101"), pokes[0].mailbox);
        CPPUNIT_ASSERT_EQUAL(std::string("102"), pokes[1].mailbox);
        CPPUNIT_ASSERT(pokes[0].request == Request::kNothing &&
                       pokes[1].request == Request::kRetry);
        CPPUNIT_ASSERT(read_pokes(socket->get()).empty());
    }

    void every_job_runs_once() {
        std::atomic<int> ran{0}, with_store{0};
        {
            StoreThreads threads(
                store::Store::for_threads(root_.paths, store::share_writer(root_.paths)), 3);
            for (int i = 0; i < 50; ++i)
                threads.submit([&](Result<store::Store*> store) {
                    ++ran;
                    if (store && *store != nullptr) ++with_store;
                });
        }
        CPPUNIT_ASSERT_EQUAL(50, ran.load());
        CPPUNIT_ASSERT_EQUAL(50, with_store.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SettingsTest);

}  // namespace

}  // namespace vm::agent
