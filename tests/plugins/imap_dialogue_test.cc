// The IMAP dialogue where it goes wrong: logging in, hostile and broken servers, lost connections,
// IDLE.
#include "common/account_session.h"
#include "common/push_session.h"
#include "imap_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <poll.h>

namespace vm::testing {

namespace {

using Folders = std::map<std::string, vm_folder>;

class ImapDialogueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ImapDialogueTest);
    CPPUNIT_TEST(logs_in);
    CPPUNIT_TEST(falls_back_to_the_login_command);
    CPPUNIT_TEST(greetings_that_end_it);
    CPPUNIT_TEST(refused_login_keeps_the_words);
    CPPUNIT_TEST(no_way_to_log_in);
    CPPUNIT_TEST(refused_token);
    CPPUNIT_TEST(no_initial_response_where_none_is_known);
    CPPUNIT_TEST(no_password_over_an_open_connection);
    CPPUNIT_TEST(starttls_or_nothing);
    CPPUNIT_TEST(opportunistic_tls);
    CPPUNIT_TEST(hostile_lines_anywhere);
    CPPUNIT_TEST(no_half_of_a_secret_stays);
    CPPUNIT_TEST(a_dialogue_that_breaks_is_not_believed);
    CPPUNIT_TEST(tagged_answers_in_any_order);
    CPPUNIT_TEST(dead_connections_are_replaced_once);
    CPPUNIT_TEST(cancelled_and_timed_out);
    CPPUNIT_TEST(parks_and_peeks);
    CPPUNIT_TEST(park_sees_what_came_before_the_plus);
    CPPUNIT_TEST(park_sees_what_came_with_the_plus);
    CPPUNIT_TEST(parking_again_asks);
    CPPUNIT_TEST(asks_without_waiting);
    CPPUNIT_TEST(asked_and_not_waited_for);
    CPPUNIT_TEST(asks_what_is_lost);
    CPPUNIT_TEST(asks_what_does_not_idle_any_more);
    CPPUNIT_TEST(asks_who_talks);
    CPPUNIT_TEST(parked_again_on_a_new_connection);
    CPPUNIT_TEST(park_refused);
    CPPUNIT_TEST(park_without_idle);
    CPPUNIT_TEST(park_and_bye);
    CPPUNIT_TEST(park_compares_with_what_was_told);
    CPPUNIT_TEST(notify_for_all_folders);
    CPPUNIT_TEST(next_function_ends_idle);
    CPPUNIT_TEST(through_the_abi);
    CPPUNIT_TEST_SUITE_END();

    static plug::AccountEnding folders(ImapRig& rig) {
        Folders got;
        return rig.folders(got);
    }
    static plug::AccountEnding folders(const ImapScript& script) {
        ImapRig rig(script);
        return folders(rig);
    }

    // ---- logging in ----
    void logs_in() {
        ImapRig rig((ImapScript()));
        assert_ok(folders(rig));
        CPPUNIT_ASSERT(rig.session().connected());
        CPPUNIT_ASSERT_EQUAL(VM_FEATURE_IDLE | VM_FEATURE_CONDSTORE | VM_FEATURE_QRESYNC |
                                 VM_FEATURE_MOVE | VM_FEATURE_UIDPLUS,
                             rig.session().features());
        const std::string trace = rig.trace();
        CPPUNIT_ASSERT_MESSAGE(trace,
                               trace.find("AUTHENTICATE PLAIN [hidden]") != std::string::npos);
        const auto commands = rig.commands();
        CPPUNIT_ASSERT_EQUAL(std::string("ID (\"name\" \"vmemail\")"), commands.at(5));
        CPPUNIT_ASSERT_EQUAL(std::string("LOGOUT"), commands.back());
    }

    static plug::AccountEnding with_options(const ScriptedServer& server, FakeHost& host,
                                            const std::function<void(plug::AccountOptions&)>& set) {
        plug::AccountOptions options = account_options(server.port());
        options.auth = VM_AUTH_AUTO;
        set(options);
        plug::imap::ImapSession session(std::move(options), host.session());
        return session.folders({sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr},
                               [](const vm_folder&) {});
    }

    void falls_back_to_the_login_command() {
        ImapScript script;
        script.capability = "IMAP4rev1";
        ScriptedServer server(script);
        FakeHost host;
        assert_ok(with_options(server, host, [](plug::AccountOptions&) {}));
        CPPUNIT_ASSERT_EQUAL(3, server.connections());  // the quick way, SASL, LOGIN
        const std::string trace = host.trace();
        CPPUNIT_ASSERT_MESSAGE(trace, trace.find(" LOGIN [hidden]") != std::string::npos);
        CPPUNIT_ASSERT(trace.find("chariots") == std::string::npos);
    }

    void greetings_that_end_it() {
        for (const auto& [greeting, cause, text] : {
                 std::tuple{"* PREAUTH driver\r\n", VM_CAUSE_PROTOCOL, "logged in already"},
                 std::tuple{"* BYE overloaded\r\n", VM_CAUSE_REPLY, "BYE overloaded"},
                 std::tuple{"220 smtp\r\n", VM_CAUSE_PROTOCOL, "not a valid IMAP greeting"},
                 std::tuple{"* BYE [ALERT]\r\n", VM_CAUSE_REPLY, "BYE [ALERT]"},
             }) {
            ImapScript script;
            script.greeting = greeting;
            const auto end = folders(script);
            assert_failed(end, cause, text);
            CPPUNIT_ASSERT_EQUAL(int{VM_STEP_GREETING}, int{end.ending.step});
        }
        ImapScript script;
        script.greeting = "* OK [ALERT]\r\n";
        assert_ok(folders(script));
    }

    void refused_login_keeps_the_words() {
        for (const char* words :
             {"NO [AUTHENTICATIONFAILED] wrong: chariots of fire", "BAD [ALERT] not like this"}) {
            ImapRig rig(ImapScript().answer("AUTHENTICATE", std::string("@ ") + words + "\r\n"));
            const auto end = folders(rig);
            assert_failed(end, VM_CAUSE_REPLY, std::string(words).substr(0, 12));
            CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{end.ending.step});
            CPPUNIT_ASSERT(rig.trace().find("chariots") == std::string::npos);
        }
    }

    void no_way_to_log_in() {
        ImapScript script;
        script.capability = "IMAP4rev1 LOGINDISABLED AUTH=GSSAPI";
        ScriptedServer server(script);
        FakeHost host;
        const auto end = with_options(server, host, [](plug::AccountOptions&) {});
        assert_failed(end, VM_CAUSE_CONFIG, "the server offers GSSAPI");
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{end.ending.step});
    }

    void refused_token() {
        ImapScript script;
        script.capability = "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN";
        script.answer("AUTHENTICATE XOAUTH2",
                      "+ " + plug::encode_base64("{\"status\":\"401\"}") + "\r\n");
        ScriptedServer server(script);
        FakeHost host;
        const auto end = with_options(
            server, host, [](plug::AccountOptions& options) { options.auth = VM_AUTH_XOAUTH2; });
        assert_failed(end, VM_CAUSE_REPLY, "refused the token: {\"status\":\"401\"}");
        CPPUNIT_ASSERT(host.trace().find(plug::encode_base64("{\"status\"").substr(0, 8)) ==
                       std::string::npos);
    }

    // RFC 4959: where the server does not say SASL-IR, it asks first.
    void no_initial_response_where_none_is_known() {
        for (const bool known : {false, true}) {
            ImapScript script;
            if (!known) script.capability = "IMAP4rev1 AUTH=PLAIN";
            std::string said, last_tag;
            script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
                if (command.starts_with("AUTHENTICATE")) {
                    said = command;
                    peer.say(known ? tag + " OK in\r\n" : "+ \r\n");
                } else if (command.empty() && !known) {  // what was asked for
                    peer.say("* CAPABILITY IMAP4rev1\r\n" + last_tag + " OK in\r\n");
                } else {
                    return false;
                }
                last_tag = tag;
                return true;
            };
            ScriptedServer server(script);
            FakeHost host;
            const auto end = with_options(server, host, [](plug::AccountOptions&) {});
            assert_ok(end);
            CPPUNIT_ASSERT_EQUAL(known, said.size() > std::string("AUTHENTICATE PLAIN").size());
        }
    }

    void no_password_over_an_open_connection() {
        ScriptedServer server((ImapScript()));
        FakeHost host;
        const auto end = with_options(server, host, [](plug::AccountOptions& options) {
            options.allow_cleartext_password = false;
        });
        assert_failed(end, VM_CAUSE_CONFIG, "certificate is not checked");
        CPPUNIT_ASSERT_EQUAL(0, server.connections());
    }

    void starttls_or_nothing() {
        TestCa ca;
        ImapScript script;
        const auto with_tls = [&](plug::AccountOptions& options) {
            options.tls = VM_TLS_STARTTLS;
            options.ca_file = ca.file();
            options.allow_cleartext_password = false;
        };
        FakeHost host;
        {
            ScriptedServer server(script);
            assert_failed(with_options(server, host, with_tls), VM_CAUSE_TLS, "does not offer it");
        }
        script.capability = "IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN";
        script.tls = ca.server("IP:127.0.0.1");
        ScriptedServer server(script);
        assert_ok(with_options(server, host, with_tls));
        script.tls = ca.server("DNS:elsewhere.example");
        ScriptedServer other(script);
        assert_failed(with_options(other, host, with_tls), VM_CAUSE_TLS, "certificate");
    }

    // STARTTLS that does not work is done without, where nothing is to be checked anyway.
    void opportunistic_tls() {
        ImapScript broken;
        broken.capability = "IMAP4rev1 STARTTLS AUTH=PLAIN";
        broken.instead = [](Peer& peer, const std::string& tag, const std::string& command) {
            if (command != "STARTTLS") return false;
            peer.say(tag + " OK go\r\n");
            throw Peer::Gone{};
        };
        ImapRig rig({broken, ImapScript()});
        assert_ok(folders(rig));
        CPPUNIT_ASSERT_EQUAL(2, rig.connections());
    }

    // ---- hostile servers ----

    // In every answer, before and behind what belongs there: ignored, or the end of the dialogue,
    // and never more.
    void hostile_lines_anywhere() {
        for (const std::string& line :
             {std::string("* OK [ALERT]"), std::string("* OK [PERMANENTFLAGS (%)] x"),
              std::string("* OK [BADCHARSET (A)] x\r\n* NO [BADCHARSET (A)] x"),
              std::string("* NAMESPACE ((\"\" \"\")) NIL NIL"),
              "* 1 FETCH (BODYSTRUCTURE " + std::string(20'000, '(') + ")",
              std::string("* 1 EXPUNGE"), std::string("* ESEARCH UID ALL 1"),
              std::string("* 5 FETCH (EMAILID (x) FLAGS (a))"), std::string("* JMAPACCESS \"x\""),
              std::string("* BAD [PARSE]"), std::string("* NO")}) {
            for (const char* where : {"ENABLE", "NAMESPACE", "ID", "LIST", "SELECT", "UID FETCH",
                                      "UID SEARCH", "AUTHENTICATE"}) {
                ImapScript script;
                script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
                    if (command.starts_with(where)) peer.say(line + "\r\n");
                    return false;
                };
                ImapRig rig(script);
                LookTold told;
                folders(rig);
                rig.look({.uids = {1, 2}, .every = true}, told);
                CPPUNIT_ASSERT(told.flags.empty() && told.found.empty());
            }
        }
        for (const char* tagged : {"@ NO [PARSE]\r\n", "@ NO\r\n", "@ BAD [ALERT]\r\n"})
            for (const char* where : {"LIST", "SELECT", "UID SEARCH", "ENABLE", "ID"}) {
                ImapRig rig(ImapScript().answer(where, tagged));
                LookTold told;
                folders(rig);
                rig.look({.uids = {1, 2}, .every = true}, told);
                CPPUNIT_ASSERT(told.flags.empty());
                CPPUNIT_ASSERT(told.gone.empty() || std::string(where) != "UID SEARCH");
            }
        // OK without text is OK.
        assert_ok(folders(
            ImapScript().answer("NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n@ OK\r\n")));
    }

    // A server repeats the password where its line is shortened for report and trace.
    void no_half_of_a_secret_stays() {
        const auto check = [](const ImapScript& script) {
            ImapRig rig(script);
            const std::string words = rig.session().hide(folders(rig).ending.text);
            const std::string all = words + "\n" + rig.trace();
            CPPUNIT_ASSERT_MESSAGE(all, all.find("chari") == std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(all, all.find("xxx") != std::string::npos);
        };
        for (const std::size_t cut : {std::size_t{80}, std::size_t{1000}})
            for (std::size_t before = cut - 40; before < cut; before += 3) {
                const std::string line = std::string(before, 'x') + "chariots of fire and more\r\n";
                ImapScript script;
                script.greeting = line;
                check(script);
                check(ImapScript().answer("LIST", "v1" + line));
                check(ImapScript().answer("LIST", "* OK " + line));
            }
    }

    void a_dialogue_that_breaks_is_not_believed() {
        const std::string half = "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n";
        using Break = std::function<void(Peer&, const std::string&)>;
        const std::vector<std::pair<Break, vm_cause>> breaks = {
            {[&](Peer& peer, const std::string& tag) { peer.say(half + tag + " NO no\r\n"); },
             VM_CAUSE_REPLY},
            {[&](Peer& peer, const std::string& tag) { peer.say(half + tag + " BAD no\r\n"); },
             VM_CAUSE_REPLY},
            {[&](Peer& peer, const std::string&) { peer.say(half + "* BYE [ALERT]\r\n"); },
             VM_CAUSE_REPLY},
            {[&](Peer& peer, const std::string&) {
                 peer.say(half + "* 1 FETCH (UID 2 BODY[1] {500}\r\nabc");
                 throw Peer::Gone{};
             },
             VM_CAUSE_LOST},
            {[&](Peer& peer, const std::string&) {
                 peer.say(half);
                 peer.reset();
             },
             VM_CAUSE_LOST},
            {[&](Peer& peer, const std::string&) { peer.say(half + "v999 OK done\r\n"); },
             VM_CAUSE_PROTOCOL},
            {[&](Peer& peer, const std::string&) { peer.say(half + "+ more\r\n"); },
             VM_CAUSE_PROTOCOL},
            {[&](Peer& peer, const std::string&) {
                 peer.say("* 1 FETCH (UID 1 FLAGS (\\Seen)\r\n");
             },
             VM_CAUSE_PROTOCOL},
            {[&](Peer& peer, const std::string&) {
                 peer.say(half + "* 1 FETCH (UID 2 BODY[1] {4294967295}\r\n");
             },
             VM_CAUSE_PROTOCOL},
            {[&](Peer& peer, const std::string&) {
                 for (;;) peer.say(std::string(100'000, 'x'));
             },
             VM_CAUSE_PROTOCOL},
            {[&](Peer& peer, const std::string&) {
                 const std::string large = "* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[1] {500000}\r\n" +
                                           std::string(500'000, 'x') + ")\r\n";
                 for (;;) peer.say(large);
             },
             VM_CAUSE_PROTOCOL},
        };
        for (std::size_t i = 0; i < breaks.size(); ++i) {
            ImapScript script;
            script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
                if (!command.starts_with("UID FETCH")) return false;
                breaks[i].first(peer, tag);
                return true;
            };
            ImapRig rig(script);
            LookTold told;
            const auto end = rig.look({.uids = {1, 2}, .every = true}, told);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(i), int{VM_FAILED}, int{end.status});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{breaks[i].second},
                                         int{end.ending.cause});
            CPPUNIT_ASSERT_EQUAL(int{VM_STEP_ACCOUNT}, int{end.ending.step});
            CPPUNIT_ASSERT(told.flags.empty() && told.gone.empty());
        }
    }

    // As Dovecot does: the tagged answer waits until the next command was executed.
    void tagged_answers_in_any_order() {
        ImapScript script;
        std::string late;
        script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (command.starts_with("UID FETCH 1:2 (FLAGS)")) {
                peer.say("* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n");
                late = tag;
                return true;
            }
            if (command.starts_with("UID SEARCH")) {
                peer.say("* SEARCH 1\r\n" + tag + " OK x\r\n" + late + " OK x\r\n");
                return true;
            }
            return false;
        };
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({.uids = {1, 2}, .every = true}, told));
        CPPUNIT_ASSERT_EQUAL(VM_FLAG_SEEN, told.flags.at(1));
        CPPUNIT_ASSERT(told.gone == std::vector<std::uint32_t>{2});
    }

    void dead_connections_are_replaced_once() {
        const auto dying = [](const char* words) {
            return [words](Peer& peer) {
                ImapScript script;
                int lists = 0;
                script.instead = [&](Peer& one, const std::string&, const std::string& command) {
                    if (!command.starts_with("LIST \"\" \"*\"") || ++lists < 2) return false;
                    one.say(words);
                    throw Peer::Gone{};
                };
                script(peer);
            };
        };
        for (const char* words : {"", "* BYE idle for too long\r\n"}) {
            ImapRig rig({dying(words), ImapScript()});
            assert_ok(folders(rig));
            CPPUNIT_ASSERT(rig.session().connected());
            assert_ok(folders(rig));
            CPPUNIT_ASSERT(rig.session().connected());
            CPPUNIT_ASSERT_EQUAL(2, rig.connections());
        }
        // A new one that dies as well is no kept one.
        ImapScript dead;
        dead.instead = [](Peer&, const std::string&, const std::string& command) -> bool {
            if (command.starts_with("LIST")) throw Peer::Gone{};
            return false;
        };
        ImapRig rig({dying(""), dead});
        assert_ok(folders(rig));
        assert_failed(folders(rig), VM_CAUSE_LOST, "closed the connection");
        CPPUNIT_ASSERT_EQUAL(2, rig.connections());
    }

    void cancelled_and_timed_out() {
        ImapScript silent;
        silent.instead = [](Peer&, const std::string&, const std::string& command) {
            return command.starts_with("LIST \"\" \"*\"");
        };
        ScriptedServer server(silent);
        FakeHost host;
        assert_failed(with_options(server, host,
                                   [](plug::AccountOptions& options) {
                                       options.reply_timeout = std::chrono::milliseconds(300);
                                   }),
                      VM_CAUSE_TIMEOUT, "no answer in time");
        ScriptedServer other(silent);
        FakeHost stopping;
        stopping.cancelled = [&] {
            return stopping.trace().find("LIST \"\" \"*\"") != std::string::npos;
        };
        assert_failed(with_options(other, stopping, [](plug::AccountOptions&) {}),
                      VM_CAUSE_CANCELLED, "stopped");
    }

    // ---- waiting ----

    // Looks and parks; the server says `more` when it has gone idle.
    static bool readable(int fd, int ms) {
        pollfd entry{fd, POLLIN, 0};
        return ::poll(&entry, 1, ms) == 1;
    }

    struct Parked {
        plug::AccountEnding end;
        int fd = -1;
        bool changed = false;
    };
    static Parked park(ImapRig& rig) {
        Parked out;
        LookTold told;
        assert_ok(rig.look({.uids = {}, .modseq = 9}, told));
        out.end = rig.session().park("INBOX", out.fd, out.changed);
        return out;
    }

    void parks_and_peeks() {
        // Each LF on the wire of the test lets the server say the next line.
        std::vector<std::string> lines{"* OK Still here\r\n", "* 5 EXI", "STS\r\n"};
        std::atomic<std::size_t> allowed = 0;
        ImapScript script;
        script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (command != "IDLE") return false;
            peer.say("+ idling\r\n");
            for (std::size_t i = 0; i < lines.size(); ++i) {
                while (allowed <= i) std::this_thread::yield();
                peer.say(lines[i]);
            }
            peer.read_line();
            peer.say(tag + " OK x\r\n");
            return true;
        };
        ImapRig rig(script);
        const Parked parked = park(rig);
        assert_ok(parked.end);
        CPPUNIT_ASSERT(!parked.changed);
        CPPUNIT_ASSERT(!readable(parked.fd, 0));
        bool changed = false;
        for (const bool expected : {false, false, true}) {
            ++allowed;
            CPPUNIT_ASSERT(readable(parked.fd, 10'000));
            assert_ok(rig.session().peek(changed));
            CPPUNIT_ASSERT_EQUAL(expected, changed);
            CPPUNIT_ASSERT(!readable(parked.fd, 0));
        }
    }

    void park_sees_what_came_before_the_plus() {
        for (const auto& [line, expected] :
             {std::pair{"* 5 EXISTS\r\n", true}, std::pair{"* 1 EXPUNGE\r\n", true},
              std::pair{"* VANISHED 3\r\n", true}, std::pair{"* 2 FETCH (FLAGS ())\r\n", true},
              std::pair{"* 1 RECENT\r\n", true}, std::pair{"* STATUS x (MESSAGES 1)\r\n", true},
              std::pair{"* 4 EXISTS\r\n", false}, std::pair{"* OK Still here\r\n", false},
              std::pair{"* 1 EXPUNGE\r\n* 4 EXISTS\r\n", true}}) {
            ImapRig rig(ImapScript().answer("IDLE", std::string(line) + "+ idling\r\n"));
            const Parked parked = park(rig);
            assert_ok(parked.end);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, expected, parked.changed);
        }
    }

    void park_sees_what_came_with_the_plus() {
        ImapRig rig(ImapScript().answer("IDLE", "+ idling\r\n* 5 EXISTS\r\n"));
        const Parked parked = park(rig);
        assert_ok(parked.end);
        CPPUNIT_ASSERT(parked.changed);
    }

    void parking_again_asks() {
        for (const bool news : {false, true}) {
            ImapRig rig(ImapScript().answer("NOOP", news ? "* 5 EXISTS\r\n" : ""));
            Parked parked = park(rig);
            assert_ok(parked.end);
            assert_ok(rig.session().park("INBOX", parked.fd, parked.changed));
            CPPUNIT_ASSERT_EQUAL(news, parked.changed);
            CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("NOOP").size());
        }
    }

    struct Answer {
        plug::AccountEnding end;
        bool waits = false, changed = false;
    };
    static Answer ask(ImapRig& rig) {
        Answer out;
        out.end = rig.session().ask(out.waits, out.changed);
        return out;
    }
    // Until it is complete.
    static Answer answer(ImapRig& rig, int fd) {
        for (;;) {
            CPPUNIT_ASSERT(readable(fd, 10'000));
            const Answer out = ask(rig);
            if (!out.waits) return out;
        }
    }

    void asks_without_waiting() {
        for (const bool news : {false, true}) {
            std::atomic<bool> may_answer = false;
            ImapScript script;
            script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
                if (command != "NOOP") return false;
                while (!may_answer) std::this_thread::yield();
                if (news) peer.say("* 5 EXISTS\r\n");
                return false;
            };
            ImapRig rig(script);
            const Parked parked = park(rig);
            assert_ok(parked.end);
            for (int i = 0; i < 2; ++i) {
                may_answer = false;
                Answer out = ask(rig);
                assert_ok(out.end);
                CPPUNIT_ASSERT(out.waits && !out.changed);
                CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
                out = ask(rig);  // (DONE may have been answered.)
                assert_ok(out.end);
                CPPUNIT_ASSERT(out.waits && !out.changed);
                may_answer = true;
                out = answer(rig, parked.fd);
                assert_ok(out.end);
                CPPUNIT_ASSERT_EQUAL(news, out.changed);
                if (news) break;
                // It waits as before.
                bool changed = true;
                assert_ok(rig.session().peek(changed));
                CPPUNIT_ASSERT(!changed);
            }
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
            CPPUNIT_ASSERT_EQUAL(std::size_t{news ? 1U : 2U}, rig.commands("NOOP").size());
        }
    }

    // What is run meanwhile reads the answer first.
    void asked_and_not_waited_for() {
        for (const bool parks : {true, false}) {
            ImapRig rig(ImapScript().answer("NOOP", "* 5 EXISTS\r\n"));
            Parked parked = park(rig);
            assert_ok(parked.end);
            CPPUNIT_ASSERT(ask(rig).waits);
            if (!parks) {
                assert_ok(folders(rig));
            } else {
                assert_ok(rig.session().park("INBOX", parked.fd, parked.changed));
                CPPUNIT_ASSERT(parked.changed);
            }
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        }
    }

    void asks_what_is_lost() {
        const char* const lines[] = {"* BYE restarting\r\n", "+ what\r\n", "x OK\r\n", ""};
        for (const char* line : lines) {
            ImapScript script;
            script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
                if (command != "NOOP") return false;
                peer.say(line);
                throw Peer::Gone{};
            };
            ImapRig rig(script);
            const Parked parked = park(rig);
            assert_ok(parked.end);
            CPPUNIT_ASSERT(ask(rig).waits);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, int{VM_FAILED},
                                         int{answer(rig, parked.fd).end.status});
            assert_failed(ask(rig).end, VM_CAUSE_LOST, "no connection");
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        }
        ImapRig rig{ImapScript()};
        assert_failed(ask(rig).end, VM_CAUSE_LOST, "no connection");
        assert_ok(folders(rig));
        assert_failed(ask(rig).end, VM_CAUSE_LOST, "not parked");
    }

    // And the connection is in order.
    static void assert_asking_is_news(ImapRig& rig) {
        const Parked parked = park(rig);
        assert_ok(parked.end);
        CPPUNIT_ASSERT(ask(rig).waits);
        const Answer out = answer(rig, parked.fd);
        assert_ok(out.end);
        CPPUNIT_ASSERT(out.changed);
        assert_ok(folders(rig));
    }

    void asks_what_does_not_idle_any_more() {
        std::atomic<bool> first = true;
        ImapScript script;
        script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (command != "IDLE" || first.exchange(false)) return false;
            peer.say(tag + " NO not now\r\n");
            return true;
        };
        ImapRig rig(script);
        assert_asking_is_news(rig);
    }

    // Who never comes to the point holds nobody up, and what is left of it may lie in no socket,
    // which would wake nobody: it is for a thread of its own.
    void asks_who_talks() {
        for (const int lines : {150, 1000}) {
            std::string talk;
            for (int i = 0; i < lines; ++i) talk += "* OK Still here\r\n";
            ImapRig rig(ImapScript().answer("NOOP", talk));
            assert_asking_is_news(rig);
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        }
    }

    // The first was closed while it waited. Without mod-sequences nobody can tell what has happened
    // meanwhile.
    void parked_again_on_a_new_connection() {
        for (const bool condstore : {true, false}) {
            std::atomic<bool> first = true;
            ImapScript script;
            script.instead = [&](Peer& peer, const std::string&, const std::string& command) {
                if (command != "IDLE" || !first.exchange(false)) return false;
                peer.say("+ idling\r\n");
                peer.read_line();
                throw Peer::Gone{};
            };
            if (!condstore)
                script.answer("SELECT",
                              "* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 5] x\r\n");
            ImapRig rig(script);
            Parked parked = park(rig);
            assert_ok(parked.end);
            assert_ok(rig.session().park("INBOX", parked.fd, parked.changed));
            CPPUNIT_ASSERT(rig.session().connected());
            CPPUNIT_ASSERT_EQUAL(!condstore, parked.changed);
            CPPUNIT_ASSERT_EQUAL(2, rig.connections());
        }
    }

    void park_refused() {
        for (const char* answer : {"@ NO not now\r\n", "@ BAD what\r\n", "@ OK over\r\n"}) {
            ImapRig rig(ImapScript().answer("IDLE", answer));
            CPPUNIT_ASSERT_EQUAL(int{VM_NOT_SUPPORTED}, int{park(rig).end.status});
            assert_ok(folders(rig));
            CPPUNIT_ASSERT_EQUAL(1, rig.connections());
        }
    }

    void park_without_idle() {
        ImapRig rig(ImapScript().without("IDLE"));
        CPPUNIT_ASSERT_EQUAL(int{VM_NOT_SUPPORTED}, int{park(rig).end.status});
        CPPUNIT_ASSERT_EQUAL(0u, rig.session().features() & VM_FEATURE_IDLE);
        CPPUNIT_ASSERT(rig.commands("IDLE").empty());
    }

    void park_and_bye() {
        ImapRig rig(ImapScript().answer("IDLE", "+ idling\r\n* BYE restarting\r\n"));
        assert_failed(park(rig).end, VM_CAUSE_REPLY, "BYE restarting");
        bool changed = false;
        assert_failed(rig.session().peek(changed), VM_CAUSE_LOST, "no connection");

        ImapScript closing;
        closing.instead = [](Peer& peer, const std::string&, const std::string& command) -> bool {
            if (command != "IDLE") return false;
            peer.say("+ idling\r\n");
            throw Peer::Gone{};
        };
        ImapRig other(closing);
        Parked parked = park(other);
        // It may be seen at once or when the descriptor says so.
        if (parked.end.status == VM_OK) {
            CPPUNIT_ASSERT(readable(parked.fd, 10'000));
            parked.end = other.session().peek(changed);
        }
        assert_failed(parked.end, VM_CAUSE_LOST, "closed the connection");
    }

    void park_compares_with_what_was_told() {
        for (const char* next : {"5", "6"}) {
            ImapScript script;
            script.answer("SELECT",
                          std::string("* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT ") +
                              next + "] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n");
            ImapRig rig(script);
            assert_ok(folders(rig));  // 4 messages, UIDNEXT 5, modseq 9
            int fd = -1;
            bool changed = false;
            assert_ok(rig.session().park("INBOX", fd, changed));
            CPPUNIT_ASSERT_EQUAL(std::string(next) == "6", changed);
        }
    }

    void notify_for_all_folders() {
        for (const bool refused : {false, true}) {
            ImapScript script;
            script.capability_inside += " NOTIFY";
            script.answer("NOTIFY", refused ? "@ BAD [BADEVENT] no\r\n" : "@ OK done\r\n");
            ImapRig rig(script);
            assert_ok(folders(rig));
            int fd = -1;
            bool changed = false;
            assert_ok(rig.session().park("INBOX", fd, changed));
            CPPUNIT_ASSERT_EQUAL(refused ? 0u : VM_FEATURE_NOTIFY,
                                 rig.session().features() & VM_FEATURE_NOTIFY);
            assert_ok(rig.session().park("INBOX", fd, changed));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("NOTIFY").size());
        }
        ImapScript script;
        script.capability_inside += " NOTIFY";
        ImapRig rig(script);
        Folders got;
        assert_ok(rig.folders(got, VM_SCOPE_INBOX));
        int fd = -1;
        bool changed = false;
        assert_ok(rig.session().park("INBOX", fd, changed));
        CPPUNIT_ASSERT(rig.commands("NOTIFY").empty());
    }

    void next_function_ends_idle() {
        ImapRig rig((ImapScript()));
        assert_ok(park(rig).end);
        Folders got;
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, got.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("DONE").size());
    }

    // ---- the C interface ----
    void through_the_abi() {
        ScriptedServer server((ImapScript()));
        FakeHost host;
        CPPUNIT_ASSERT(plug::use_host(host.table()));
        const std::string password = "chariots of fire";
        vm_options options{};
        options.struct_size = sizeof options;
        options.smtp.struct_size = options.account.struct_size = sizeof(vm_endpoint);
        options.account.host = "127.0.0.1";
        options.account.port = server.port();
        options.account.auth = VM_AUTH_NONE;  // an account is logged in to all the same
        options.account.user = "driver";
        options.account.password = password.c_str();
        options.allow_cleartext_password = 1;
        char error[100];
        vm_session* session = plug::open_session(
            &options, {plug::imap::make_imap_account, 143, 993}, error, sizeof error);
        CPPUNIT_ASSERT(session != nullptr);
        const vm_scope scope{sizeof(vm_scope), VM_SCOPE_ALL, 0, 0, nullptr};
        vm_account_report report{};
        report.struct_size = sizeof report;
        int folders = 0;
        CPPUNIT_ASSERT_EQUAL(
            int{VM_OK},
            plug::list_folders(
                session, &scope, &folders,
                [](void* count, const vm_folder*) { ++*static_cast<int*>(count); }, &report));
        CPPUNIT_ASSERT_EQUAL(1, folders);
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(report.text));
        CPPUNIT_ASSERT(report.connected == 1 && report.bytes_sent > 0 && report.bytes_received > 0);
        vm_find_result found{};
        found.struct_size = sizeof found;
        CPPUNIT_ASSERT_EQUAL(int{VM_OK}, plug::find_message(session, kId.c_str(), &found));
        CPPUNIT_ASSERT_EQUAL(0, int{found.found});
        const vm_drop drop{};
        const vm_drop_sink sink{};
        CPPUNIT_ASSERT_EQUAL(int{VM_NOT_SUPPORTED},
                             plug::visit_drop(session, &drop, &sink, &report));
        plug::close_session(session);
        const std::string trace = host.trace();
        CPPUNIT_ASSERT(trace.find(password) == std::string::npos);
        CPPUNIT_ASSERT(trace.find(plug::encode_base64(std::string(1, '\0') + "driver" +
                                                      std::string(1, '\0') + password)) ==
                       std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ImapDialogueTest);

}  // namespace

}  // namespace vm::testing
