#include "agent/control.h"
#include "vmctl_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::app;
using nlohmann::json;

class VmctlQueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(VmctlQueueTest);
    CPPUNIT_TEST(lists_what_waits);
    CPPUNIT_TEST(retries_what_is_named);
    CPPUNIT_TEST(retries_what_waits_for_a_server);
    CPPUNIT_TEST(postpones);
    CPPUNIT_TEST(postpones_until_when);
    CPPUNIT_TEST(gives_up);
    CPPUNIT_TEST(every_change_pokes_the_agent);
    CPPUNIT_TEST(status_of_every_mailbox);
    CPPUNIT_TEST(status_knows_the_agent);
    CPPUNIT_TEST(status_counts);
    CPPUNIT_TEST(status_of_a_mailbox_whose_options_were_deleted);
    CPPUNIT_TEST(status_of_seats);
    CPPUNIT_TEST(status_with_a_broken_misc_setup);
    CPPUNIT_TEST_SUITE_END();

    static void attempt(const VmctlRig& rig, const std::string& id, DeliveryEvent end) {
        const auto store = rig.store();
        CPPUNIT_ASSERT(store->record_intent(id, id + "@x").has_value());
        CPPUNIT_ASSERT(store->record_outcome({id, end, "451 4.7.1 later", 1795314629000}));
    }

    static std::string delivery(const VmctlRig& rig, const std::string& id) {
        return to_string(rig.store()->get(id)->delivery.state);
    }

    void lists_what_waits() {
        const VmctlRig rig;
        CPPUNIT_ASSERT_EQUAL(std::string("The queue is empty.\n"), rig.good({"queue", "list"}).out);
        CPPUNIT_ASSERT(rig.good({"queue", "list", "--json"}).json()["messages"].empty());
        const std::string id = rig.add();
        rig.add("102");  // off
        attempt(rig, id, DeliveryEvent::kDeferral);
        const json messages = rig.good({"queue", "list", "--json"}).json()["messages"];
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, messages.size());
        CPPUNIT_ASSERT_EQUAL(json::parse(R"({"state": "deferred", "attempts": 1,
                                 "next_attempt": "2026-11-22T02:30:29.000Z",
                                 "last_reply": "451 4.7.1 later"})")
                                 .dump(),
                             messages[0]["delivery"].dump());
        CPPUNIT_ASSERT_EQUAL(
            "ID                          MAILBOX  KIND   STATE     ATTEMPTS  NEXT ATTEMPT          "
            "LAST REPLY\n" +
                id +
                "  101      voice  deferred  1         2026-11-22 02:30:29Z  451 4.7.1 later\n\n"
                "no agent runs; `vmemaild` starts it\n",
            rig.good({"queue", "list"}).out);
    }

    void retries_what_is_named() {
        const VmctlRig rig;
        const std::string failed = rig.add(), off = rig.add("102"), sent = rig.add();
        attempt(rig, failed, DeliveryEvent::kFailure);
        attempt(rig, sent, DeliveryEvent::kAccepted);
        CPPUNIT_ASSERT_EQUAL(std::string("2 deliveries are due now.\n"),
                             rig.good({"queue", "retry", failed, off}).out);
        CPPUNIT_ASSERT_EQUAL(std::string("queued"), delivery(rig, failed));
        CPPUNIT_ASSERT_EQUAL(std::string("queued"), delivery(rig, off));
        rig.bad(65, "sent already", {"queue", "retry", sent});
        rig.bad(66, "nonsense", {"queue", "retry", "nonsense"});
        // The good ones are retried, each bad one is told, the first decides the status.
        const VmctlOutput mixed = rig.run({"queue", "retry", "--json", "nonsense", off, sent});
        CPPUNIT_ASSERT_EQUAL(66, mixed.status);
        CPPUNIT_ASSERT_EQUAL(json::array({off}).dump(), mixed.json()["retried"].dump());
        CPPUNIT_ASSERT(mixed.err.find("nonsense") != std::string::npos);
        CPPUNIT_ASSERT(mixed.err.find("sent already") != std::string::npos);
    }

    void retries_what_waits_for_a_server() {
        const VmctlRig rig;
        const std::string deferred = rig.add(), uncertain = rig.add(), failed = rig.add();
        rig.add("102");
        attempt(rig, deferred, DeliveryEvent::kDeferral);
        attempt(rig, uncertain, DeliveryEvent::kReplyLost);
        attempt(rig, failed, DeliveryEvent::kFailure);
        CPPUNIT_ASSERT_EQUAL(json::array({deferred, uncertain}).dump(),
                             rig.good({"queue", "retry", "--json"}).json()["retried"].dump());
        CPPUNIT_ASSERT_EQUAL(std::string("queued"), delivery(rig, deferred));
        CPPUNIT_ASSERT_EQUAL(std::string("uncertain"), delivery(rig, uncertain));
        CPPUNIT_ASSERT_EQUAL(std::string("failed"), delivery(rig, failed));
        rig.good({"message", "delete", uncertain});
        CPPUNIT_ASSERT_EQUAL(std::string("No delivery is deferred or uncertain; what is queued "
                                         "need not wait any more.\n"),
                             rig.good({"queue", "retry"}).out);
    }

    void postpones() {
        const VmctlRig rig;
        const std::string queued = rig.add(), sent = rig.add(), sending = rig.add();
        attempt(rig, sent, DeliveryEvent::kAccepted);
        CPPUNIT_ASSERT(rig.store()->record_intent(sending, "x").has_value());
        CPPUNIT_ASSERT_EQUAL(
            std::string("1 delivery is postponed until 2099-12-31 22:30:00Z.\n"),
            rig.good({"queue", "postpone", queued, "--until", "2099-12-31T23:30:00+01:00"}).out);
        const json message = rig.good({"message", "show", queued, "--json"}).json();
        CPPUNIT_ASSERT(message["delivery"]["state"] == "deferred");
        CPPUNIT_ASSERT(message["delivery"]["next_attempt"] == "2099-12-31T22:30:00.000Z");
        CPPUNIT_ASSERT(message["delivery"]["last_reply"] ==
                       "postponed by a person until 2099-12-31T22:30:00.000Z");
        CPPUNIT_ASSERT(rig.good({"message", "history", queued}).out.find("by a person") !=
                       std::string::npos);
        const VmctlOutput mixed = rig.run({"queue", "postpone", sending, queued, sent, "--until",
                                           "2100-01-01T00:00:00Z", "--json"});
        CPPUNIT_ASSERT_EQUAL(65, mixed.status);
        CPPUNIT_ASSERT_EQUAL(
            json({{"postponed", {queued}}, {"until", "2100-01-01T00:00:00.000Z"}}).dump(),
            mixed.json().dump());
        CPPUNIT_ASSERT(mixed.err.find("being sent right now") != std::string::npos);
        CPPUNIT_ASSERT(mixed.err.find("sent already") != std::string::npos);
        rig.good({"queue", "retry", queued});
        CPPUNIT_ASSERT_EQUAL(std::string("queued"), delivery(rig, queued));
    }

    void postpones_until_when() {
        const VmctlRig rig;
        const std::string id = rig.add();
        const auto minutes = [&] {
            const Delivery now = rig.store()->get(id)->delivery;
            return (now.next_attempt - system_clock().now() + 30'000) / 60'000;
        };
        for (const auto& [duration, expected] :
             {std::pair("90m", 90), std::pair("2h", 120), std::pair("3d", 4320)}) {
            rig.good({"queue", "postpone", id, "--for", duration});
            CPPUNIT_ASSERT_EQUAL(std::int64_t{expected}, std::int64_t{minutes()});
        }
        for (const char* bad : {"", "h", "2", "0h", "-1h", "2 h", "1h30m", "2s", "2H", "99999d",
                                "9223372036854775807d"})
            rig.bad(64, "--for", {"queue", "postpone", id, std::string("--for=") + bad});
        rig.bad(64, "in the past", {"queue", "postpone", id, "--until", "2020-01-01T00:00:00Z"});
        rig.bad(64, "RFC 3339", {"queue", "postpone", id, "--until", "tomorrow"});
        rig.bad(64, "until when", {"queue", "postpone", id});
        rig.bad(64, "--until",
                {"queue", "postpone", id, "--for", "2h", "--until", "2099-01-01T00:00:00Z"});
        rig.bad(64, "ID", {"queue", "postpone", "--for", "2h"});
        rig.bad(66, "nonsense", {"queue", "postpone", "nonsense", "--for", "2h"});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4320}, std::int64_t{minutes()});
    }

    void gives_up() {
        const VmctlRig rig;
        const std::string uncertain = rig.add(), queued = rig.add(), off = rig.add("102");
        attempt(rig, uncertain, DeliveryEvent::kReplyLost);
        CPPUNIT_ASSERT_EQUAL(
            std::string("2 deliveries are given up.\n"),
            rig.good({"queue", "give-up", uncertain, queued, "--reason", "moved away"}).out);
        CPPUNIT_ASSERT_EQUAL(std::string("failed"), delivery(rig, uncertain));
        CPPUNIT_ASSERT_EQUAL(std::string("failed"), delivery(rig, queued));
        const auto reply = [&](const std::string& id) {
            return rig.good({"message", "history", id, "--json"}).json()["history"].back()["reply"];
        };
        CPPUNIT_ASSERT(reply(queued) == "given up by a person: moved away");
        CPPUNIT_ASSERT(reply(uncertain) == "given up by a person; it may have arrived: moved away");
        rig.bad(65, "failed already", {"queue", "give-up", queued});
        rig.bad(65, "is off", {"queue", "give-up", off});
        rig.bad(64, "ID", {"queue", "give-up"});
        rig.bad(66, "nonsense", {"queue", "give-up", "nonsense"});
        rig.good({"queue", "retry", queued});
        CPPUNIT_ASSERT_EQUAL(json({{"given_up", {queued}}}).dump(),
                             rig.good({"queue", "give-up", queued, "--json"}).json().dump());
    }

    void every_change_pokes_the_agent() {
        const VmctlRig rig;
        const auto socket = agent::open_control_socket(rig.paths);
        CPPUNIT_ASSERT(socket.has_value());
        const auto poked = [&](bool retry = false) {
            const auto pokes = agent::read_pokes(socket->get());
            return pokes.size() == 1 && pokes[0].mailbox == "101" &&
                   (pokes[0].request == agent::Request::kRetry) == retry;
        };
        const std::string id = rig.add();
        CPPUNIT_ASSERT(poked());
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{"message", "mark", id, "--read"},
                                                   {"message", "move", id, "--folder", "x"},
                                                   {"message", "delete", id},
                                                   {"message", "restore", id},
                                                   {"queue", "retry", id},
                                                   {"queue", "postpone", id, "--for", "1h"},
                                                   {"queue", "give-up", id}}) {
            rig.good(command);
            CPPUNIT_ASSERT_MESSAGE(command[1], poked(command[1] == "retry"));
        }
        rig.good({"message", "list"});
        rig.good({"message", "show", id});
        CPPUNIT_ASSERT(agent::read_pokes(socket->get()).empty());
    }

    static json status(const VmctlRig& rig) { return rig.good({"status", "--json"}).json(); }

    static json of_mailbox(const VmctlRig& rig, const std::string& number) {
        const json all = status(rig);
        for (const json& mailbox : all["mailboxes"])
            if (mailbox["mailbox"] == number) return mailbox;
        CPPUNIT_FAIL("no mailbox " + number);
        return {};
    }

    void status_of_every_mailbox() {
        const VmctlRig rig;
        rig.mailbox("103", "Email Integration = Yes\nSmtp Port = many\n");
        rig.mailbox("99", "Email Integration = No\n");
        const json mailboxes = status(rig)["mailboxes"];
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, mailboxes.size());
        CPPUNIT_ASSERT(mailboxes[0]["mailbox"] == "99");
        CPPUNIT_ASSERT_EQUAL(
            json::parse(R"({"mailbox": "101", "state": "ok", "reason": "", "new": 0, "old": 0,
                "queued": 0, "sending": 0, "sent": 0, "deferred": 0, "failed": 0, "uncertain": 0,
                "linked": 0, "idle": false, "condstore": false, "qresync": false,
                "last_sync": null})")
                .dump(),
            mailboxes[1].dump());
        CPPUNIT_ASSERT(mailboxes[2]["state"] == "off");
        CPPUNIT_ASSERT(mailboxes[2]["reason"] == "Email Integration is No");
        CPPUNIT_ASSERT(mailboxes[3]["state"] == "error");
        CPPUNIT_ASSERT(mailboxes[3]["reason"].get<std::string>().find("Smtp Port") !=
                       std::string::npos);
        const std::string text = rig.good({"status"}).out;
        CPPUNIT_ASSERT_MESSAGE(text, text.find("102      off    0 ") != std::string::npos);
    }

    void status_knows_the_agent() {
        const VmctlRig rig;
        CPPUNIT_ASSERT(status(rig)["agent"]["running"] == false);
        const int lock = ::open(rig.paths.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct flock whole {};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        CPPUNIT_ASSERT(lock >= 0 && ::fcntl(lock, F_OFD_SETLK, &whole) == 0);
        CPPUNIT_ASSERT(status(rig)["agent"]["running"] == true);
        ::close(lock);

        CPPUNIT_ASSERT(rig.store()->set_status({"101", "error", "no route to host"}));
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["reason"] == "no route to host");
        // "off" is what the options say, not what they said when the agent last looked.
        CPPUNIT_ASSERT(rig.store()->set_status({"101", "off", "Email Integration is No"}));
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["state"] == "ok");
        CPPUNIT_ASSERT(rig.store()->set_status({"102", "ok", ""}));
        CPPUNIT_ASSERT(of_mailbox(rig, "102")["state"] == "off");
    }

    void status_counts() {
        const VmctlRig rig;
        std::vector<std::string> ids;
        for (int i = 0; i < 5; ++i) ids.push_back(rig.add());
        attempt(rig, ids[0], DeliveryEvent::kDeferral);
        attempt(rig, ids[1], DeliveryEvent::kFailure);
        attempt(rig, ids[2], DeliveryEvent::kAccepted);
        attempt(rig, ids[3], DeliveryEvent::kReplyLost);
        rig.good({"message", "mark", ids[0], "--read"});
        const json mailbox = of_mailbox(rig, "101");
        CPPUNIT_ASSERT(mailbox["new"] == 4 && mailbox["old"] == 1);
        for (const char* name : {"queued", "deferred", "failed", "sent", "uncertain"})
            CPPUNIT_ASSERT_MESSAGE(name, mailbox[name] == 1);
        const std::string text = rig.good({"status"}).out;
        CPPUNIT_ASSERT_MESSAGE(
            text, text.find("1 delivery has failed: `vmctl queue list`") != std::string::npos);
    }

    void status_of_a_mailbox_whose_options_were_deleted() {
        for (const auto end :
             {DeliveryEvent::kFailure, DeliveryEvent::kReplyLost, DeliveryEvent::kDeferral}) {
            const VmctlRig rig;
            attempt(rig, rig.add(), end);
            std::filesystem::remove(rig.paths.mailbox_ini("101"));
            const json mailbox = of_mailbox(rig, "101");
            CPPUNIT_ASSERT(mailbox["state"] == "error");
            CPPUNIT_ASSERT(mailbox["reason"].get<std::string>().find("were deleted") !=
                           std::string::npos);
        }
        const VmctlRig rig;
        const std::string id = rig.add();
        CPPUNIT_ASSERT(rig.store()->record_intent(id, id + "@x").has_value());
        std::filesystem::remove(rig.paths.mailbox_ini("101"));
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["sending"] == 1);
    }

    void status_of_seats() {
        const VmctlRig rig;
        rig.mailbox("103",
                    "Email Integration = Yes\nEmail Name = bob@example.com\n"
                    "Smtp Server = localhost\n");
        std::ofstream(rig.paths.misc_ini())
            << "[g_nUnifiedMessagingSeats]\nValue = 1\nIgnore = 0\n";
        const json all = status(rig);
        CPPUNIT_ASSERT(all["seats"]["limit"] == 1);
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["state"] == "ok");
        CPPUNIT_ASSERT(of_mailbox(rig, "103")["state"] == "error");
        CPPUNIT_ASSERT(of_mailbox(rig, "103")["reason"] ==
                       "no seat: g_nUnifiedMessagingSeats allows 1 mailbox; raise it, or set "
                       "Email Integration = No elsewhere");
        CPPUNIT_ASSERT(rig.good({"status"}).out.find("of 1 in use") != std::string::npos);
    }

    void status_with_a_broken_misc_setup() {
        const VmctlRig rig;
        std::ofstream(rig.paths.misc_ini())
            << "[g_bUseEmailIntegration]\nValue = False\nIgnore = 0\n";
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["reason"] == "g_bUseEmailIntegration is False");
        std::ofstream(rig.paths.misc_ini()) << "[MaxTraceFileSize]\nValue = big\nIgnore = 0\n";
        const json all = status(rig);
        CPPUNIT_ASSERT(all["agent"]["reason"].get<std::string>().find("MaxTraceFileSize") !=
                       std::string::npos);
        CPPUNIT_ASSERT(of_mailbox(rig, "101")["state"] == "ok");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(VmctlQueueTest);

}  // namespace
