// What goes with the login in one flight, and what happens where a server has none of it.
#include "imap_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <memory>

namespace vm::testing {

namespace {

using Commands = std::vector<std::string>;
using Folders = std::map<std::string, vm_folder>;

const std::string kEnable = "ENABLE CONDSTORE QRESYNC";
const std::string kIdentify = "ID (\"name\" \"vmemail\")";
const std::string kStatus = "STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)";

ImapScript willing() {
    ImapScript script;
    script.greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR ENABLE ID AUTH=PLAIN] ready\r\n";
    script.answer("AUTHENTICATE", "@ OK [CAPABILITY " + script.capability_inside + "] in\r\n");
    return script;
}

// Without the login, which has the password.
Commands behind_login(Commands commands) {
    CPPUNIT_ASSERT(!commands.empty());
    CPPUNIT_ASSERT_EQUAL(std::string("AUTHENTICATE PLAIN "), commands.front().substr(0, 19));
    commands.erase(commands.begin());
    return commands;
}

void assert_inbox(const Folders& told) {
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.size());
    const vm_folder& inbox = told.at("INBOX");
    CPPUNIT_ASSERT_EQUAL(7U, inbox.uidvalidity);
    CPPUNIT_ASSERT_EQUAL(5U, inbox.uid_next);
    CPPUNIT_ASSERT_EQUAL(4U, inbox.messages);
}

// INBOX was looked at, and whether more came together with the login.
struct Looked {
    explicit Looked(ImapScript script) {
        script.instead = [this](Peer& peer, const std::string&, const std::string& command) {
            if (command.starts_with("AUTHENTICATE")) together = peer.has_more();
            return false;
        };
        rig = std::make_unique<ImapRig>(script);
        assert_ok(rig->folders(told, VM_SCOPE_INBOX));
        assert_inbox(told);
    }
    std::atomic<bool> together = false;
    Folders told;
    std::unique_ptr<ImapRig> rig;
};

class ImapOpeningTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ImapOpeningTest);
    CPPUNIT_TEST(one_flight);
    CPPUNIT_TEST(state_is_asked_for_again);
    CPPUNIT_TEST(all_folders);
    CPPUNIT_TEST(nothing_where_enable_is_not_known);
    CPPUNIT_TEST(no_condstore);
    CPPUNIT_TEST(no_qresync);
    CPPUNIT_TEST(no_namespace);
    CPPUNIT_TEST(refused_login);
    CPPUNIT_TEST(connection_is_closed_behind_the_login);
    CPPUNIT_TEST(much_is_said_before_that);
    CPPUNIT_TEST(what_came_with_the_login_is_dropped);
    CPPUNIT_TEST(login_is_done_twice);
    CPPUNIT_TEST(no_opening_for_cyrus);
    CPPUNIT_TEST(words_that_are_no_answer);
    CPPUNIT_TEST_SUITE_END();

    void one_flight() {
        ImapScript script = willing();
        const Looked looked(script);
        ImapRig& rig = *looked.rig;
        const Folders& told = looked.told;
        CPPUNIT_ASSERT(told.at("INBOX").modseq == 9);
        // TCP, the greeting is said unasked, the flight.
        CPPUNIT_ASSERT_EQUAL(2U, rig.session().counters().round_trips);
        CPPUNIT_ASSERT_EQUAL(VM_FEATURE_IDLE | VM_FEATURE_CONDSTORE | VM_FEATURE_QRESYNC |
                                 VM_FEATURE_MOVE | VM_FEATURE_UIDPLUS,
                             rig.session().features());
        CPPUNIT_ASSERT(behind_login(rig.commands()) ==
                       Commands({kEnable, "NAMESPACE", kIdentify, kStatus, "LOGOUT"}));
        CPPUNIT_ASSERT(looked.together);
        const std::string trace = rig.trace();
        CPPUNIT_ASSERT_MESSAGE(trace, trace.find("C: v4 " + kStatus) != std::string::npos);
    }

    // What the login brought is as of the login.
    void state_is_asked_for_again() {
        ImapRig rig(willing());
        Folders told;
        assert_ok(rig.folders(told, VM_SCOPE_INBOX));
        assert_ok(rig.folders(told, VM_SCOPE_INBOX));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rig.commands("STATUS").size());
    }

    void all_folders() {
        ImapRig rig(willing());
        Folders told;
        assert_ok(rig.folders(told, VM_SCOPE_ALL));
        assert_inbox(told);
        const Commands commands = behind_login(rig.commands());
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, commands.size());
        CPPUNIT_ASSERT_EQUAL(kIdentify, commands.at(2));
        CPPUNIT_ASSERT(commands.at(3).starts_with("LIST \"\" \"*\""));
    }

    void nothing_where_enable_is_not_known() {
        ImapScript script = willing();
        script.greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
        const Looked looked(script);
        ImapRig& rig = *looked.rig;
        CPPUNIT_ASSERT(rig.commands().at(1) == "ENABLE QRESYNC");
        CPPUNIT_ASSERT(!looked.together);
    }

    void no_condstore() {
        ImapScript script = willing();
        script.answers.front().text = "@ OK [CAPABILITY IMAP4rev1 ENABLE NAMESPACE] in\r\n";
        script.answer("ENABLE", "* ENABLED\r\n");
        script.answer("STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)",
                      "* STATUS INBOX (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7)\r\n");
        // (Some say a number that they do not keep.)
        for (const bool refuses : {false, true}) {
            if (refuses)
                script.answers.insert(script.answers.begin(),
                                      {kStatus, "@ BAD what is HIGHESTMODSEQ?\r\n"});
            ImapRig rig(script);
            Folders told;
            assert_ok(rig.folders(told, VM_SCOPE_INBOX));
            assert_inbox(told);
            CPPUNIT_ASSERT(told.at("INBOX").modseq == 0);
            CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, rig.session().features());
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        }
    }

    // Its mod-sequence tells of no expunge: a number of mails that was not looked at makes it
    // unknown.
    void no_qresync() {
        ImapScript script = willing();
        script.answers.front().text =
            "@ OK [CAPABILITY " + ImapScript{}.without("QRESYNC").capability_inside + "] in\r\n";
        // (Some enable what they do not announce.)
        for (const char* enabled : {"CONDSTORE", "CONDSTORE QRESYNC"}) {
            script.answers.insert(script.answers.begin(),
                                  {"ENABLE", std::string("* ENABLED ") + enabled + "\r\n"});
            ImapRig rig(script);
            Folders told;
            assert_ok(rig.folders(told, VM_SCOPE_INBOX));
            assert_inbox(told);
            CPPUNIT_ASSERT(told.at("INBOX").modseq == 0);
            CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, rig.session().features() & VM_FEATURE_QRESYNC);
        }
    }

    void no_namespace() {
        ImapScript script = willing();
        script.answers.front().text =
            "@ OK [CAPABILITY " + ImapScript{}.without("NAMESPACE").capability_inside + "] in\r\n";
        script.answer("NAMESPACE", "@ BAD what is that?\r\n");
        script.answer("LIST \"\" \"\"", "* LIST (\\Noselect) \".\" \"\"\r\n");
        script.answer("STATUS \"a.b\"", "* STATUS a.b (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7)\r\n");
        ImapRig rig(script);
        Folders told;
        assert_ok(rig.folders(told, VM_SCOPE_FOLDER, "a/b"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.count("a/b"));
        CPPUNIT_ASSERT_EQUAL(1, rig.connections());
    }

    void refused_login() {
        ImapScript script = willing();
        script.answers.front().text = "@ NO [AUTHENTICATIONFAILED] wrong password\r\n";
        script.answer("", "@ BAD log in first\r\n");
        ImapRig rig(script);
        Folders told;
        const auto end = rig.folders(told, VM_SCOPE_INBOX);
        assert_failed(end, VM_CAUSE_REPLY, "wrong password");
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{end.ending.step});
        CPPUNIT_ASSERT_EQUAL(1, rig.connections());
    }

    // By something on the way that hands on the connection and not what it had read of it.
    void deaf_behind_login(const std::function<void(Peer&)>& then, std::chrono::seconds patience) {
        ImapScript deaf = willing();
        deaf.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (!command.starts_with("AUTHENTICATE")) return false;
            peer.say(tag + " OK in\r\n");
            then(peer);
            return true;
        };
        ScriptedServer server({deaf, willing()});
        FakeHost host;
        plug::AccountOptions options = account_options(server.port());
        options.reply_timeout = patience;
        for (const int connections : {2, 3}) {  // and it is remembered
            plug::imap::ImapSession session(options, host.session());
            Folders told;
            assert_ok(session.folders({sizeof(vm_scope), VM_SCOPE_INBOX, 0, 0, nullptr},
                                      [&](const vm_folder& one) { told[one.name] = one; }));
            assert_inbox(told);
            CPPUNIT_ASSERT_EQUAL(connections, server.connections());
        }
        const std::string trace = host.trace();
        CPPUNIT_ASSERT_MESSAGE(
            trace, trace.find("does not go on with what came with the login") != std::string::npos);
    }
    void connection_is_closed_behind_the_login() {
        deaf_behind_login([](Peer& peer) { peer.reset(); }, std::chrono::seconds(20));
    }
    // What one connection said does not count against the next.
    void much_is_said_before_that() {
        std::string news;
        for (int i = 5000; i > 0; --i) news += "* " + std::to_string(i) + " EXPUNGE\r\n";
        deaf_behind_login(
            [&](Peer& peer) {
                peer.say(news);
                peer.reset();
            },
            std::chrono::seconds(20));
    }
    void what_came_with_the_login_is_dropped() {
        deaf_behind_login([](Peer& peer) { peer.wait_until_closed(); }, std::chrono::seconds(2));
    }

    // As Cyrus IMAP 3.6 does where it does not say its name.
    void login_is_done_twice() {
        ImapScript script = willing();
        std::string login;
        script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (command.starts_with("AUTHENTICATE")) login = peer.has_more() ? tag : "";
            if (command.starts_with("ENABLE") && !login.empty())
                peer.say(login + " BAD Already authenticated\r\n");
            return false;
        };
        ImapRig rig(script);
        Folders told;
        assert_ok(rig.folders(told, VM_SCOPE_INBOX));
        assert_inbox(told);
        CPPUNIT_ASSERT_EQUAL(2, rig.connections());
    }

    void no_opening_for_cyrus() {
        ImapScript script = willing();
        script.greeting.insert(script.greeting.find("ready"), "heaven.af.mil Cyrus IMAP 3.6.1 ");
        const Looked looked(script);
        ImapRig& rig = *looked.rig;
        CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        CPPUNIT_ASSERT(!looked.together);
    }

    void words_that_are_no_answer() {
        ImapScript script = willing();
        script.answer("NAMESPACE", "v99 OK what you did not ask\r\n@ OK done\r\n");
        ImapRig rig(script);
        Folders told;
        assert_failed(rig.folders(told, VM_SCOPE_INBOX), VM_CAUSE_PROTOCOL, "was not sent");
        CPPUNIT_ASSERT_EQUAL(2, rig.connections());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ImapOpeningTest);

}  // namespace

}  // namespace vm::testing
