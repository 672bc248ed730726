// Folder synchronisation against a scripted server: what is asked, what is believed, and what is
// done without each extension.
#include "imap_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <tuple>

namespace vm::testing {

namespace {

using Folders = std::map<std::string, vm_folder>;
using Results = std::map<std::size_t, vm_change_result>;

const std::string kState = " (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 4)\r\n";

class ImapSyncTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ImapSyncTest);
    CPPUNIT_TEST(folders_of_the_scope);
    CPPUNIT_TEST(folders_in_one_round_trip);
    CPPUNIT_TEST(folders_along_with_a_look);
    CPPUNIT_TEST(folders_without_list_status);
    CPPUNIT_TEST(counts_stand_in_for_mod_sequences);
    CPPUNIT_TEST(folders_by_namespace);
    CPPUNIT_TEST(incomplete_lists_fail);
    CPPUNIT_TEST(one_folder_is_created);
    CPPUNIT_TEST(look_with_qresync);
    CPPUNIT_TEST(look_with_condstore);
    CPPUNIT_TEST(contradictions_are_not_believed);
    CPPUNIT_TEST(look_with_neither);
    CPPUNIT_TEST(look_after_a_new_uidvalidity);
    CPPUNIT_TEST(look_stops_before_what_is_hidden);
    CPPUNIT_TEST(nothing_is_gone_without_proof);
    CPPUNIT_TEST(look_for_many_new_ones);
    CPPUNIT_TEST(a_search_that_fails_is_no_answer);
    CPPUNIT_TEST(look_goes_on_where_it_stopped);
    CPPUNIT_TEST(look_by_text);
    CPPUNIT_TEST(others_mails_too);
    CPPUNIT_TEST(fetches_the_beginning);
    CPPUNIT_TEST(flags_are_set);
    CPPUNIT_TEST(what_was_shown_is_there);
    CPPUNIT_TEST(only_the_right_message_is_moved);
    CPPUNIT_TEST(nothing_is_filed_out_of_scope);
    CPPUNIT_TEST(a_missing_target_is_created);
    CPPUNIT_TEST(moves_without_move);
    CPPUNIT_TEST(what_was_copied_is_not_copied_again);
    CPPUNIT_TEST(what_cannot_leave_its_folder_is_told);
    CPPUNIT_TEST(expunges_by_uid_alone);
    CPPUNIT_TEST(other_uidvalidity_fails);
    CPPUNIT_TEST(recovers_from_the_trash);
    CPPUNIT_TEST(recovers_to_where_mail_can_be);
    CPPUNIT_TEST(finds_in_every_folder);
    CPPUNIT_TEST(not_found_needs_every_folder);
    CPPUNIT_TEST(no_injection);
    CPPUNIT_TEST(says_no_without_server);
    CPPUNIT_TEST_SUITE_END();

    // ---- folders ----
    void folders_of_the_scope() {
        ImapScript script;
        std::string list;
        for (const char* line :
             {"() \"/\" INBOX", "(\\Sent) \"/\" Posta", "() \"/\" Sent", "() \"/\" Papierkorb",
              "() \"/\" Papierkorb/old", "() \"/\" Entw&APw-rfe", "(\\Junk) \"/\" b",
              "(\\All) \"/\" All", "(\\Noselect) \"/\" parent", "(\\NonExistent) \"/\" gone",
              "() \"/\" \"a \\\"q\\\" \\\\ &- &APw-\"", "() \"/\" \"bad&name\"",
              "() \"/\" work/Drafts"})
            list += std::string("* LIST ") + line + "\r\n";
        for (const char* name : {"INBOX", "Posta", "Sent", "Papierkorb", "b", "All",
                                 "\"a \\\"q\\\" \\\\ &- &APw-\"", "work/Drafts"})
            list += std::string("* STATUS ") + name + kState;
        script.answer("LIST \"\" \"*\"", list);
        ImapRig rig(script);
        Folders got;
        assert_ok(rig.folders(got));
        // The server says which is for sent mail: then "Sent" is anybody's.
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, got.size());
        for (const char* name : {"INBOX", "Sent", "a \"q\" \\ & ü", "work/Drafts"}) {
            CPPUNIT_ASSERT_MESSAGE(name, got.count(name) == 1);
            CPPUNIT_ASSERT_EQUAL(3u, got[name].uidvalidity);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, got[name].modseq);
        }
    }

    void folders_in_one_round_trip() {
        ImapRig rig((ImapScript()));
        Folders got;
        LookTold told;
        assert_ok(rig.folders(got));
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
        CPPUNIT_ASSERT(!rig.session().connected());
        assert_ok(rig.look({.uids = {}, .modseq = 9}, told));
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
        CPPUNIT_ASSERT_EQUAL(5u, got["INBOX"].uid_next);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("NOOP").size());
    }

    static plug::AccountEnding folders_behind(ImapRig& rig, Folders& out) {
        return rig.folders(out, VM_SCOPE_ALL, nullptr, false, true);
    }

    void folders_along_with_a_look() {
        enum class Then { kFolders, kAnyFolders, kLookAndFolders, kRefused, kNothingGone };
        for (const auto& [then, lists] :
             {std::pair{Then::kFolders, 1}, std::pair{Then::kAnyFolders, 2},
              std::pair{Then::kLookAndFolders, 2}, std::pair{Then::kRefused, 2},
              std::pair{Then::kNothingGone, 1}}) {
            const std::string which = "case " + std::to_string(static_cast<int>(then));
            ImapScript script;
            script
                .answer("SELECT",
                        selected(then == Then::kNothingGone ? "" : "* VANISHED (EARLIER) 3\r\n"))
                .answer("UID SEARCH", "* SEARCH 1 2\r\n");
            if (then == Then::kRefused) script.answer("LIST \"\" \"*\"", "@ NO not now\r\n", 1);
            ImapRig rig(script);
            Folders got;
            LookTold told;
            assert_ok(rig.look({.uids = {1, 2, 3}, .then_folders = true}, told));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(which, then != Then::kNothingGone, told.gone.size() == 1);
            if (then == Then::kLookAndFolders) assert_ok(rig.look({{1, 2}}, told));
            assert_ok(then == Then::kAnyFolders ? rig.folders(got) : folders_behind(rig, got));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(which, 5u, got["INBOX"].uid_next);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(which, then == Then::kFolders ? 0u : 1u,
                                         rig.session().counters().round_trips);
            if (then == Then::kFolders) {  // it is given once
                assert_ok(folders_behind(rig, got));
                CPPUNIT_ASSERT_EQUAL(1u, rig.session().counters().round_trips);
            }
            CPPUNIT_ASSERT_EQUAL_MESSAGE(which,
                                         static_cast<std::size_t>(lists) + (then == Then::kFolders),
                                         rig.commands("LIST \"\" \"*\"").size());
        }
    }

    void folders_without_list_status() {
        ImapScript script = ImapScript()
                                .without("LIST-STATUS")
                                .without("CONDSTORE")
                                .without("QRESYNC")
                                .without("UNSELECT");
        script.answer("LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" a\r\n")
            .answer("STATUS \"a\"", "* STATUS \"a\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n");
        ImapRig rig(script);
        Folders got;
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, got.size());
        CPPUNIT_ASSERT_EQUAL(2u, got["a"].uid_next);
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(2u, rig.session().counters().round_trips);
        CPPUNIT_ASSERT_EQUAL(std::string("STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY)"),
                             rig.commands("STATUS \"a\"").front());
    }

    // Without QRESYNC an expunge may leave UIDNEXT and mod-sequence as they are.
    void counts_stand_in_for_mod_sequences() {
        const auto status = [](const char* messages) {
            return std::string("* STATUS INBOX (MESSAGES ") + messages +
                   " UIDNEXT 5 UIDVALIDITY 7 HIGHESTMODSEQ 9)\r\n";
        };
        ImapScript script = ImapScript().without("QRESYNC").without("LIST-STATUS");
        script.answer("ENABLE", "* ENABLED CONDSTORE\r\n")
            .answer("LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n")
            .answer("STATUS", status("4"), 2)
            .answer("STATUS", status("3"))
            .answer("UID SEARCH UID 1", "@ NO [INUSE] later\r\n", 1)
            .answer("UID SEARCH UID 1", "* SEARCH 1\r\n");
        ImapRig rig(script);
        LookTold told;
        const auto modseq = [&] {
            Folders got;
            assert_ok(rig.folders(got));
            return got["INBOX"].modseq;
        };
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, modseq());  // never looked at
        assert_failed(rig.look({{1}}, told), VM_CAUSE_REPLY, "INUSE");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, modseq());
        assert_ok(rig.look({{1}}, told));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, modseq());  // 3 now
        ImapRig same(ImapScript().without("QRESYNC").answer("ENABLE", "* ENABLED CONDSTORE\r\n"));
        Folders got;
        assert_ok(same.look({{}}, told));
        assert_ok(same.folders(got));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{9}, got["INBOX"].modseq);
    }

    void folders_by_namespace() {
        ImapScript script;
        script.answer("NAMESPACE", "* NAMESPACE ((\"INBOX.\" \".\")) ((\"INBOX.~\" \".\")) NIL\r\n")
            .answer("LIST \"\" INBOX", "* LIST () \".\" INBOX\r\n* STATUS INBOX" + kState)
            .answer("LIST \"\" \"INBOX.*\"",
                    "* LIST () \".\" INBOX.a.b\r\n* STATUS INBOX.a.b" + kState +
                        "* LIST () \".\" INBOX.~bob.x\r\n* LIST () \".\" INBOX.Trash\r\n");
        ImapRig rig(script);
        Folders got;
        assert_ok(rig.folders(got));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, got.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, got.count("a/b"));

        ImapScript bare = ImapScript().without("NAMESPACE").without("SPECIAL-USE");
        bare.answer("LIST \"\" \"\"", "* LIST (\\Noselect) \".\" \"\"\r\n")
            .answer("LIST \"\" \"*\"", "* LIST () \".\" INBOX\r\n* STATUS INBOX" + kState +
                                           "* LIST () \".\" a.b\r\n* STATUS a.b" + kState);
        ImapRig other(bare);
        got.clear();
        assert_ok(other.folders(got));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, got.count("a/b"));
    }

    void incomplete_lists_fail() {
        const std::string inbox = "* LIST () \"/\" INBOX\r\n* STATUS INBOX" + kState;
        const auto folders = [](const ImapScript& script, Folders& got) {
            return ImapRig(script).folders(got);
        };
        Folders got;
        // No permission: it is there all the same, and its state is not known.
        assert_ok(folders(ImapScript()
                              .answer("LIST \"\" \"*\"", inbox + "* LIST () \"/\" a\r\n")
                              .answer("LIST \"\" \"a\"", "* LIST () \"/\" a\r\n")
                              .answer("STATUS \"a\"", "@ NO [NOPERM] no\r\n"),
                          got));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, got.size());
        CPPUNIT_ASSERT_EQUAL(0u, got["a"].uidvalidity);
        // Gone meanwhile.
        got.clear();
        assert_ok(folders(ImapScript()
                              .answer("LIST \"\" \"*\"", inbox + "* LIST () \"/\" a\r\n")
                              .answer("STATUS \"a\"", "@ NO [NONEXISTENT] no\r\n"),
                          got));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, got.size());
        assert_failed(folders(ImapScript().answer("LIST \"\" \"*\"", "@ OK done\r\n"), got),
                      VM_CAUSE_PROTOCOL, "INBOX");
        assert_failed(folders(ImapScript().answer("LIST \"\" \"*\"", inbox + "@ NO busy\r\n"), got),
                      VM_CAUSE_REPLY, "LIST: NO busy");
        assert_failed(folders(ImapScript().answer("LIST \"\" \"*\"", inbox + "* LIST (\r\n"), got),
                      VM_CAUSE_PROTOCOL, "not a valid IMAP response");
    }

    void one_folder_is_created() {
        ImapScript script;
        script.answer("STATUS \"Voice &- &APw-\"", "@ NO [NONEXISTENT] no\r\n", 1)
            .answer("STATUS \"Voice &- &APw-\"", "* STATUS \"Voice &- &APw-\"" + kState);
        for (const bool read_only : {true, false}) {
            ImapRig rig(script);
            Folders got;
            assert_ok(rig.folders(got, VM_SCOPE_FOLDER, "Voice & ü", read_only));
            CPPUNIT_ASSERT_EQUAL(std::size_t{read_only ? 0u : 1u}, got.count("Voice & ü"));
            const auto commands = rig.commands();
            for (const char* command :
                 {"CREATE \"Voice &- &APw-\"", "SUBSCRIBE \"Voice &- &APw-\""})
                CPPUNIT_ASSERT_EQUAL(
                    std::ptrdiff_t{read_only ? 0 : 1},
                    std::count(commands.begin(), commands.end(), std::string(command)));
        }
    }

    // ---- look ----
    static std::string selected(const std::string& more, const std::string& uidvalidity = "7",
                                const std::string& uid_next = "5") {
        return "* 4 EXISTS\r\n* OK [UIDVALIDITY " + uidvalidity + "] x\r\n* OK [UIDNEXT " +
               uid_next + "] x\r\n* OK [HIGHESTMODSEQ 12] x\r\n" + more +
               "@ OK [READ-WRITE] done\r\n";
    }

    void look_with_qresync() {
        ImapScript script;
        script
            .answer("SELECT", selected("* VANISHED (EARLIER) 2:3,40:4294967295\r\n"
                                       "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))\r\n"
                                       "* 2 FETCH (UID 4 FLAGS () MODSEQ (10))\r\n",
                                       "7", "6"))
            .answer("UID SEARCH UID 2:3", "* SEARCH 3\r\n")
            .answer("UID FETCH 5 ", fetched(5, header_of(kId), "\\Flagged"));
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({{1, 2, 3}}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.flags.size());
        CPPUNIT_ASSERT_EQUAL(VM_FLAG_SEEN, told.flags[1]);
        // 3 the server still has.
        CPPUNIT_ASSERT(told.gone == std::vector<std::uint32_t>{2});
        CPPUNIT_ASSERT_EQUAL(kId, told.found[5]);
        CPPUNIT_ASSERT_EQUAL(6u, told.result.uid_next);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{12}, told.result.modseq);
        CPPUNIT_ASSERT_EQUAL(std::string("SELECT \"INBOX\" (QRESYNC (7 8 1:3))"),
                             rig.commands("SELECT").front());
    }

    void look_with_condstore() {
        ImapScript script = ImapScript().without("QRESYNC");
        script.answer("ENABLE", "* ENABLED CONDSTORE\r\n")
            .answer("SELECT", selected(""))
            .answer(
                "UID FETCH 1:3 (FLAGS) (CHANGEDSINCE 8)",
                "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))\r\n* 9 FETCH (UID 4 FLAGS ())\r\n")
            .answer("UID SEARCH UID 1:3", "* SEARCH 1 3\r\n")
            .answer("UID SEARCH UID 1,3", "* SEARCH 1 3\r\n");
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({{1, 2, 3}}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.flags.size());
        CPPUNIT_ASSERT(told.gone == std::vector<std::uint32_t>{2});
        // The same mod-sequence: no flags to ask for.
        LookTold same;
        assert_ok(rig.look({.uids = {1, 3}, .modseq = 12}, same));
        CPPUNIT_ASSERT(same.gone.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("UID FETCH 2 (FLAGS)").size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rig.commands("UID FETCH").size());
    }

    // A search that names nothing, of a server that shows the messages all the same.
    void contradictions_are_not_believed() {
        const std::string all = "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n";
        for (const bool condstore : {false, true}) {
            ImapScript script = ImapScript().without("QRESYNC");
            if (!condstore) script = script.without("CONDSTORE");
            script.answer("ENABLE", "* ENABLED CONDSTORE\r\n")
                .answer("SELECT", selected(""))
                .answer("UID FETCH 1:2 (FLAGS) (CHANGEDSINCE 8)", "")
                .answer("UID FETCH 1:2 (FLAGS)", all)
                .answer("UID SEARCH UID 1:2", "* SEARCH\r\n");
            ImapRig rig(script);
            LookTold told;
            assert_failed(rig.look({{1, 2}}, told), VM_CAUSE_PROTOCOL, "which UID FETCH shows");
            CPPUNIT_ASSERT(told.gone.empty());
        }
    }

    void look_with_neither() {
        ImapScript script = ImapScript().without("QRESYNC").without("CONDSTORE").without("ENABLE");
        script.answer("SELECT", "* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 5] x\r\n")
            .answer("UID FETCH 1:3 (FLAGS)",
                    "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n"
                    "* 2 FETCH (UID 3 FLAGS (\\Deleted))\r\n")
            .answer("UID SEARCH UID 1:3", "* SEARCH 3 1\r\n");
        for (const bool every : {false, true}) {
            ImapRig rig(script);
            LookTold told;
            assert_ok(rig.look({.uids = {1, 2, 3}, .every = every}, told));
            CPPUNIT_ASSERT_EQUAL(VM_FLAG_DELETED, told.flags[3]);
            CPPUNIT_ASSERT(told.gone == std::vector<std::uint32_t>{2});
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, told.result.modseq);
        }
    }

    void look_after_a_new_uidvalidity() {
        ImapScript script;
        script.answer("SELECT", selected("* VANISHED (EARLIER) 1:3\r\n", "8"))
            .answer("UID FETCH 1:4 ", fetched(2, header_of(kId)))
            .answer("UID SEARCH UID 1:4", "* SEARCH 2\r\n");
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({{1, 2, 3}}, told));
        CPPUNIT_ASSERT(told.gone.empty() && told.flags.empty());
        CPPUNIT_ASSERT_EQUAL(kId, told.found[2]);
        CPPUNIT_ASSERT_EQUAL(8u, told.result.uidvalidity);
        CPPUNIT_ASSERT_EQUAL(5u, told.result.uid_next);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("UID SEARCH").size());
    }

    // UID 3 is there, and the server shows nothing of it: it is looked at again next time.
    void look_stops_before_what_is_hidden() {
        ImapScript script;
        script.answer("SELECT", selected("", "8"))
            .answer("UID FETCH 1:4 ", fetched(2, header_of(kId)))
            .answer("UID SEARCH UID 1:4", "* SEARCH 2 3\r\n");
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({}, told));
        CPPUNIT_ASSERT_EQUAL(kId, told.found[2]);
        CPPUNIT_ASSERT_EQUAL(3u, told.result.uid_next);
    }

    void nothing_is_gone_without_proof() {
        const std::string gone = selected("* VANISHED (EARLIER) 1:3\r\n");
        for (const char* answer :
             {"@ NO no\r\n", "@ BAD what\r\n", "@ OK done\r\n", "* SEARCH x\r\n", "* SEARC\r\n",
              "* ESEARCH (TAG \"v9\") UID ALL 1:3\r\n", "* BYE\r\n",
              "* SEARCH\r\nwrong OK done\r\n"}) {
            ImapScript script;
            script.answer("SELECT", gone).answer("UID SEARCH", answer);
            ImapRig rig(script);
            LookTold told;
            const auto end = rig.look({{1, 2, 3}}, told);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, int{VM_FAILED}, int{end.status});
            CPPUNIT_ASSERT_MESSAGE(answer, told.gone.empty());
        }
    }

    void look_for_many_new_ones() {
        for (const bool searches : {true, false}) {
            ImapScript script;
            script.answer("SELECT", selected("", "7", "5000"))
                .answer("UID SEARCH UID 5:4999 HEADER X-VM-Message-Id \"\"",
                        searches ? "* SEARCH 70 4999 9000\r\n" : "@ BAD no such key\r\n")
                .answer("UID SEARCH UID 5:4999", "* SEARCH 70 71 4999\r\n")
                .answer("UID FETCH", fetched(70, header_of(kId)) +
                                         fetched(71, "Message-ID: <x@y>\r\n\r\n") +
                                         fetched(4999, "X-VM-Message-Id: none\r\n\r\n") +
                                         fetched(9000, header_of(kOtherId)));
            ImapRig rig(script);
            LookTold told;
            assert_ok(rig.look({{}}, told));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.found.size());
            CPPUNIT_ASSERT_EQUAL(kId, told.found[70]);
            CPPUNIT_ASSERT(
                rig.commands("UID FETCH")
                    .front()
                    .starts_with(searches ? "UID FETCH 70,4999 " : "UID FETCH 70:71,4999 "));
        }
    }

    // That the server could search one folder says nothing of a search that it did not do.
    void a_search_that_fails_is_no_answer() {
        for (const char* answer : {"@ NO [INUSE] later\r\n", "@ OK done\r\n", "@ BAD what\r\n"}) {
            ImapScript script;
            script.answer("SELECT", selected("", "7", "5000"))
                .answer("UID SEARCH UID 5:4999 HEADER", "* SEARCH 70\r\n", 1)
                .answer("UID SEARCH UID 5:4999 HEADER", answer)
                .answer("UID SEARCH UID 4900:4999", "* SEARCH 4999\r\n")
                .answer("UID SEARCH UID 5:4999", "* SEARCH 70 71 4999\r\n")
                .answer("UID FETCH", fetched(70, header_of(kId)) +
                                         fetched(71, header_of(kOtherId)) +
                                         fetched(4999, "Message-ID: <x@y>\r\n\r\n"));
            ImapRig rig(script);
            LookTold trusted, told;
            assert_ok(rig.look({{}}, trusted));
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, trusted.found.size());
            assert_ok(rig.look({.uids = {}, .folder = "a"}, told));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, kOtherId, told.found[71]);
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, [&] {
                const auto all = rig.commands("UID SEARCH UID 5:4999");
                return std::count(all.begin(), all.end(), "UID SEARCH UID 5:4999");
            }());
        }
    }

    // Of messages that all have to be looked at, a call looks at so many.
    void look_goes_on_where_it_stopped() {
        std::string all, rest;
        for (int uid = 5; uid < 1505; ++uid) (uid < 1005 ? all : rest) += " " + std::to_string(uid);
        ImapScript script;
        script.answer("SELECT", selected("", "7", "1505"))
            .answer("UID SEARCH UID 5:1504 TEXT", "* SEARCH\r\n")
            .answer("UID SEARCH UID 5:1504", "* SEARCH" + all + rest + "\r\n")
            .answer("UID SEARCH UID 1005:1504 TEXT", "* SEARCH\r\n")
            .answer("UID SEARCH UID 1005:1504", "* SEARCH" + rest + "\r\n");
        script.instead = [](Peer& peer, const std::string& tag, const std::string& command) {
            if (!command.starts_with("UID FETCH")) return false;
            const int first = std::stoi(command.substr(10));
            const int last = std::stoi(command.substr(command.find(':') + 1));
            std::string out;
            for (int uid = first; uid <= last; ++uid)
                out += fetched(static_cast<std::uint32_t>(uid),
                               uid == 1500 ? header_of(kId) : "Message-ID: <x@y>\r\n\r\n");
            peer.say(out + tag + " OK done\r\n");
            return true;
        };
        ImapRig rig(script, true);
        LookTold told;
        assert_ok(rig.look({{}}, told));
        CPPUNIT_ASSERT(told.found.empty());
        CPPUNIT_ASSERT_EQUAL(1505u, told.result.uid_next);
        CPPUNIT_ASSERT_EQUAL(1005u, told.result.go_on);
        assert_ok(rig.look({.uids = {}, .uid_next = 1005}, told));
        CPPUNIT_ASSERT_EQUAL(kId, told.found[1500]);
        CPPUNIT_ASSERT_EQUAL(0u, told.result.go_on);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("SELECT").size());
    }

    void look_by_text() {
        const std::string text = "hello\r\n[VM:" + kId + "]\r\n";
        const auto mail = [&](std::uint32_t uid, const std::string& header) {
            return "* 1 FETCH (UID " + std::to_string(uid) + " FLAGS () BODY[HEADER.FIELDS (X)] {" +
                   std::to_string(header.size()) + "}\r\n" + header + " BODY[1]<0> {" +
                   std::to_string(text.size()) + "}\r\n" + text + ")\r\n";
        };
        ImapScript script;
        script.answer("SELECT", selected("", "7", "8"))
            .answer("UID SEARCH UID 5:7", "* SEARCH 5 6\r\n")
            .answer("UID FETCH 5:7 ",
                    mail(5, "Message-ID: <a@b>\r\n\r\n") +
                        mail(6, "Message-ID: <c@d>\r\nReferences: <a@b>\r\n\r\n"));
        ImapRig rig(script, true);
        LookTold told;
        assert_ok(rig.look({{}}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.found.size());
        CPPUNIT_ASSERT_EQUAL(kId, told.found[5]);
    }

    // Whoever wants to know of other mails, too, is told of all: no search for ours is made.
    void others_mails_too() {
        ImapScript script;
        script.answer("SELECT", selected("", "7", "5000"))
            .answer("UID SEARCH UID 5:4999", "* SEARCH 70 71\r\n")
            .answer("UID FETCH",
                    fetched(70, header_of(kId)) + fetched(71, "Message-ID: <x@y>\r\n\r\n"));
        ImapRig rig(script);
        LookTold told;
        assert_ok(rig.look({.uids = {}, .others = true}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, told.found.size());
        CPPUNIT_ASSERT_EQUAL(kId, told.found[70]);
        CPPUNIT_ASSERT_EQUAL(std::string(), told.found[71]);
        const auto searches = rig.commands("UID SEARCH");
        CPPUNIT_ASSERT(searches == std::vector<std::string>{"UID SEARCH UID 5:4999"});
    }

    void fetches_the_beginning() {
        const std::string header = "Subject: x\r\n\r\n", text = "a\r\nb";
        const auto parts = [&](const std::string& head) {
            return "* 3 FETCH (UID 9 FLAGS (\\Flagged) BODY[HEADER]<0> {" +
                   std::to_string(head.size()) + "}\r\n" + head + " BODY[TEXT]<0> {" +
                   std::to_string(text.size()) + "}\r\n" + text + ")\r\n";
        };
        ImapScript script;
        script.answer("UID FETCH 9 ", "* 2 FETCH (UID 8 FLAGS ())\r\n" + parts(header), 1)
            .answer("UID FETCH 9 ", parts("Subject: x"), 1)
            .answer("UID FETCH 10 ", "");
        ImapRig rig(script);
        std::uint32_t flags = 0;
        std::string bytes;
        int calls = 0;
        const auto fetch = [&](std::uint32_t uidvalidity, std::uint32_t uid, std::uint32_t size) {
            assert_ok(rig.session().fetch("INBOX", uidvalidity, uid, size,
                                          [&](std::uint32_t told, const std::string& data) {
                                              flags = told;
                                              bytes = data;
                                              ++calls;
                                          }));
        };
        fetch(7, 9, 1000);
        CPPUNIT_ASSERT_EQUAL(header + text, bytes);
        CPPUNIT_ASSERT_EQUAL(VM_FLAG_FLAGGED, flags);
        fetch(7, 9, 16);
        CPPUNIT_ASSERT_EQUAL(std::string("Subject: x\r\n\r\na\r"), bytes);
        fetch(7, 10, 1000);  // not there
        fetch(8, 9, 1000);   // another UIDVALIDITY
        CPPUNIT_ASSERT_EQUAL(2, calls);
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "UID FETCH 9 (UID FLAGS BODY.PEEK[HEADER]<0.1000> BODY.PEEK[TEXT]<0.1000>)"),
            rig.commands("UID FETCH").front());
    }

    // ---- apply ----
    static int outcome(Results& results, std::size_t index) { return results.at(index).outcome; }

    void flags_are_set() {
        ImapScript script;
        script.answer("UID STORE 3 ", "@ NO [CANNOT] not here\r\n")
            .answer("UID SEARCH UID 1:3,9", "* SEARCH 1 2 3\r\n");
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_FLAGS, 2, VM_FLAG_SEEN},
                             {VM_CHANGE_FLAGS, 1, VM_FLAG_SEEN},
                             {VM_CHANGE_FLAGS, 3, VM_FLAG_FLAGGED, VM_FLAG_SEEN | VM_FLAG_DELETED},
                             {VM_CHANGE_FLAGS, 9, VM_FLAG_SEEN}},
                            results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 1));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, outcome(results, 2));
        CPPUNIT_ASSERT_EQUAL(std::string("NO [CANNOT] not here"), std::string(results[2].text));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MISSING}, outcome(results, 3));
        const auto stores = rig.commands("UID STORE");
        CPPUNIT_ASSERT_EQUAL(std::string("UID STORE 1:2,9 +FLAGS.SILENT (\\Seen)"), stores.at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("UID STORE 3 +FLAGS.SILENT (\\Flagged)"), stores.at(1));
        CPPUNIT_ASSERT_EQUAL(std::string("UID STORE 3 -FLAGS.SILENT (\\Seen \\Deleted)"),
                             stores.at(2));
    }

    static ImapScript with_mails(const ImapScript& script) {
        ImapScript out = script;
        out.answer("UID FETCH", fetched(1, header_of(kId)) + fetched(2, header_of(kOtherId)) +
                                    fetched(3, "Message-ID: <same@unit>\r\n\r\n"))
            .answer("UID SEARCH UID", "* SEARCH 1 2 3\r\n");
        return out;
    }

    // A search that is behind is no reason to call a message missing that a FETCH has just shown.
    void what_was_shown_is_there() {
        ImapScript script;
        script.answer("UID FETCH", fetched(1, header_of(kId)))
            .answer("UID SEARCH UID", "* SEARCH\r\n")
            .answer("UID MOVE", "* OK [COPYUID 77 1 11] x\r\n");
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a"}}, results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
    }

    void nothing_is_filed_out_of_scope() {
        ImapScript script = with_mails(ImapScript().without("SPECIAL-USE"));
        script.answer("LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" Trash\r\n");
        ImapRig rig(script);
        Results results;
        // (Another name for a trash folder will be one as soon as it is there.)
        assert_ok(rig.apply({{VM_CHANGE_TRASH, 1},
                             {VM_CHANGE_MOVE, 1, 0, 0, "Trash"},
                             {VM_CHANGE_MOVE, 1, 0, 0, "Papierkorb"},
                             {VM_CHANGE_MOVE, 1, 0, 0, "Trash/old"}},
                            results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
        for (const std::size_t i : {1u, 2u, 3u})
            CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_CANNOT}, outcome(results, i));
        CPPUNIT_ASSERT(rig.commands("CREATE").empty());
    }

    void only_the_right_message_is_moved() {
        ImapScript script = with_mails(ImapScript());
        script.answer("UID MOVE", "* OK [COPYUID 77 1,3 11:12] x\r\n* VANISHED 1,3\r\n");
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a/ü"},
                             {VM_CHANGE_MOVE, 2, 0, 0, "a/ü"},
                             {VM_CHANGE_MOVE, 3, 0, 0, "a/ü", kId, "same@unit"},
                             {VM_CHANGE_MOVE, 4, 0, 0, "a/ü"},
                             {VM_CHANGE_MOVE, 3, 0, 0, "a/ü", kId, "other@unit"}},
                            results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
        CPPUNIT_ASSERT_EQUAL(11u, results[0].uid);
        CPPUNIT_ASSERT_EQUAL(77u, results[0].uidvalidity);
        CPPUNIT_ASSERT_EQUAL(std::string("a/ü"), std::string(results[0].folder));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, outcome(results, 1));
        CPPUNIT_ASSERT_EQUAL(12u, results[2].uid);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MISSING}, outcome(results, 3));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, outcome(results, 4));
        CPPUNIT_ASSERT_EQUAL(std::string("UID MOVE 1,3 \"a/&APw-\""),
                             rig.commands("UID MOVE").front());
    }

    void a_missing_target_is_created() {
        for (const char* code : {"[TRYCREATE] ", ""}) {
            ImapScript script = with_mails(ImapScript());
            script.answer("UID MOVE", std::string("@ NO ") + code + "no such\r\n", 1)
                .answer("UID MOVE", "@ OK [COPYUID 77 1 11] done\r\n");
            ImapRig rig(script);
            Results results;
            assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a"}}, results));
            CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
            CPPUNIT_ASSERT_EQUAL(11u, results[0].uid);
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("CREATE \"a\"").size());
        }
        // A target that is there refuses for another reason; it is asked once.
        ImapScript script = with_mails(ImapScript());
        script.answer("UID MOVE", "@ NO [OVERQUOTA] full\r\n")
            .answer("LIST \"\" \"a\"", "* LIST () \"/\" a\r\n");
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a"}}, results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, outcome(results, 0));
        CPPUNIT_ASSERT_EQUAL(std::string("NO [OVERQUOTA] full"), std::string(results[0].text));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("UID MOVE").size());
    }

    void moves_without_move() {
        for (const bool uidplus : {true, false}) {
            ImapScript script = with_mails(ImapScript().without("MOVE"));
            if (!uidplus) script = script.without("UIDPLUS");
            script.answer("UID COPY",
                          uidplus ? "@ OK [COPYUID 77 1 11] done\r\n" : "@ OK done\r\n");
            ImapRig rig(script);
            Results results;
            assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a"}}, results));
            CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
            CPPUNIT_ASSERT_EQUAL(uidplus ? 11u : 0u, results[0].uid);
            const auto commands = rig.commands();
            const auto has = [&](const char* command) {
                return std::count(commands.begin(), commands.end(), std::string(command));
            };
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, has("UID STORE 1 +FLAGS.SILENT (\\Deleted)"));
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{uidplus ? 1 : 0}, has("UID EXPUNGE 1"));
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, has("EXPUNGE") + has("CLOSE"));
        }
    }

    // The connection was lost behind the COPY: of what is in the target by now only the rest is
    // done.
    void what_was_copied_is_not_copied_again() {
        for (const bool arrived : {true, false}) {
            for (const vm_change_kind kind : {VM_CHANGE_MOVE, VM_CHANGE_TRASH}) {
                ImapScript first = ImapScript().without("MOVE");
                first.answer("UID FETCH 9", fetched(9, header_of(kId)));
                ImapScript script = with_mails(first);
                script.answer("LIST \"\" \"*\"",
                              "* LIST () \"/\" INBOX\r\n* LIST (\\Trash) "
                              "\"/\" Trash\r\n* LIST () \"/\" a\r\n");
                script.answer("LIST \"\" \"a\"", "* LIST () \"/\" a\r\n");
                script.answer("LIST \"\" \"Trash\"", "* LIST () \"/\" Trash\r\n");
                script.answer("UID SEARCH UNDELETED HEADER",
                              arrived ? "* SEARCH 9\r\n" : "* SEARCH\r\n");
                script.answer("UID COPY", "@ OK [COPYUID 77 1 11] done\r\n");
                ImapRig rig(script);
                Results results;
                assert_ok(rig.apply({{kind, 1, 0, 0, "a", kId, "", true}}, results));
                CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
                CPPUNIT_ASSERT_EQUAL(arrived ? 9u : 11u, results[0].uid);
                CPPUNIT_ASSERT_EQUAL(std::size_t{arrived ? 0u : 1u},
                                     rig.commands("UID COPY").size());
                CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("UID EXPUNGE 1").size());
                const auto all = rig.commands();
                const auto at = [&](const std::string& command) {
                    return std::find(all.rbegin(), all.rend(), command);
                };
                CPPUNIT_ASSERT(at("SELECT \"INBOX\"") <
                               at(kind == VM_CHANGE_MOVE ? "SELECT \"a\"" : "SELECT \"Trash\""));
            }
        }
        // With MOVE there is no such moment.
        ImapRig rig(with_mails(ImapScript()));
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_MOVE, 1, 0, 0, "a", kId, "", true}}, results));
        CPPUNIT_ASSERT(rig.commands("UID SEARCH UNDELETED").empty());
    }

    void what_cannot_leave_its_folder_is_told() {
        struct Case {
            vm_change_kind kind;
            const char* refused;
            vm_change_outcome expected;
        };
        for (const auto& [kind, refused, expected] :
             {Case{VM_CHANGE_MOVE, "UID STORE", VM_CHANGE_REFUSED},
              Case{VM_CHANGE_TRASH, "UID STORE", VM_CHANGE_REFUSED},
              Case{VM_CHANGE_EXPUNGE, "UID STORE", VM_CHANGE_REFUSED},
              Case{VM_CHANGE_MOVE, "UID EXPUNGE", VM_CHANGE_DONE},
              Case{VM_CHANGE_TRASH, "UID EXPUNGE", VM_CHANGE_MARKED},
              Case{VM_CHANGE_EXPUNGE, "UID EXPUNGE", VM_CHANGE_MARKED}}) {
            ImapScript script = with_mails(ImapScript().without("MOVE"));
            script.answer("UID COPY", "@ OK [COPYUID 77 1 11] done\r\n");
            script.answer("LIST \"\" \"a\"", "* LIST () \"/\" a\r\n");
            script.answer("LIST \"\" \"Trash\"", "* LIST () \"/\" Trash\r\n");
            script.answer(refused, "@ NO [NOPERM] not yours\r\n");
            ImapRig rig(script);
            Results results;
            assert_ok(rig.apply({{kind, 1, 0, 0, "a"}}, results));
            const std::string which = std::to_string(kind) + " " + refused;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(which, int{expected}, outcome(results, 0));
            if (expected != VM_CHANGE_DONE)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(which, std::string("NO [NOPERM] not yours"),
                                             std::string(results[0].text));
        }
        // Into the trash, and no command to take it away here.
        ImapScript script = with_mails(ImapScript().without("MOVE").without("UIDPLUS"));
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_EXPUNGE, 1}}, results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MARKED}, outcome(results, 0));
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(results[0].text));
    }

    void expunges_by_uid_alone() {
        ImapScript script = with_mails(ImapScript());
        script.answer("UID EXPUNGE", "* VANISHED 1\r\n");
        ImapRig rig(script);
        Results results;
        assert_ok(rig.apply({{VM_CHANGE_EXPUNGE, 1}, {VM_CHANGE_EXPUNGE, 2}}, results));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, outcome(results, 0));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, outcome(results, 1));
        CPPUNIT_ASSERT_EQUAL(std::string("UID EXPUNGE 1"), rig.commands("UID EXPUNGE").at(0));

        // Where the server can only remove all that are marked: into the trash, made if need be.
        ImapScript plain = with_mails(ImapScript().without("UIDPLUS"));
        ImapRig other(plain);
        assert_ok(other.apply({{VM_CHANGE_EXPUNGE, 1}}, results));
        CPPUNIT_ASSERT_EQUAL(std::string("Trash"), std::string(results[0].folder));
        const auto commands = other.commands();
        CPPUNIT_ASSERT(std::count(commands.begin(), commands.end(), "CREATE \"Trash\"") == 1);
        CPPUNIT_ASSERT(std::count(commands.begin(), commands.end(), "UID MOVE 1 \"Trash\"") == 1);
    }

    void other_uidvalidity_fails() {
        ImapRig rig(with_mails(ImapScript()));
        Results results;
        assert_failed(rig.apply({{VM_CHANGE_EXPUNGE, 1}}, results, 8), VM_CAUSE_REPLY,
                      "UIDVALIDITY is 7, not 8");
        CPPUNIT_ASSERT(results.empty());
        CPPUNIT_ASSERT(rig.commands("UID").empty());
    }

    // ---- one message ----
    static ImapScript with_folders() {
        ImapScript script;
        script.answer("LIST \"\" \"*\"",
                      "* LIST () \"/\" a\r\n* LIST (\\All) \"/\" all\r\n* LIST () \"/\" INBOX\r\n"
                      "* LIST (\\Trash) \"/\" bin\r\n* LIST () \"/\" Junk\r\n"
                      "* LIST () \"/\" \"raw&name\"\r\n* LIST (\\Noselect) \"/\" top\r\n");
        return script;
    }

    void recovers_from_the_trash() {
        ImapScript script = with_folders();
        script.answer("UID SEARCH HEADER X-VM-Message-Id \"" + kId + "\"", "* SEARCH 4 6\r\n")
            .answer("UID FETCH 4,6", fetched(4, header_of(kOtherId)) + fetched(6, header_of(kId)))
            .answer("UID MOVE 6 \"INBOX\"", "* OK [COPYUID 7 6 50] x\r\n");
        ImapRig rig(script);
        vm_change_result result{};
        assert_ok(rig.session().recover(kId, "", "INBOX", result));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, int{result.outcome});
        CPPUNIT_ASSERT_EQUAL(50u, result.uid);
        assert_ok(rig.session().recover(kOtherId, "", "INBOX", result));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MISSING}, int{result.outcome});
        const auto commands = rig.commands();
        CPPUNIT_ASSERT(std::count(commands.begin(), commands.end(), "SELECT \"bin\"") == 2);
        CPPUNIT_ASSERT(std::count(commands.begin(), commands.end(),
                                  "UID STORE 6 -FLAGS.SILENT (\\Deleted)") == 1);
    }

    void recovers_to_where_mail_can_be() {
        for (const auto& [to, create, expected] :
             {std::tuple{"bin", "", VM_CHANGE_CANNOT}, std::tuple{"Junk", "", VM_CHANGE_CANNOT},
              std::tuple{"x", "@ NO [CANNOT] no such name\r\n", VM_CHANGE_CANNOT},
              std::tuple{"x", "@ NO [SERVERBUG] oops\r\n", VM_CHANGE_REFUSED}}) {
            ImapScript script = with_folders();
            script.answer("UID SEARCH", "* SEARCH 6\r\n")
                .answer("UID FETCH", fetched(6, header_of(kId)))
                .answer("UID MOVE", "@ NO [TRYCREATE] no such\r\n")
                .answer("CREATE", create);
            ImapRig rig(script);
            vm_change_result result{};
            assert_ok(rig.session().recover(kId, "", to, result));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(to, int{expected}, int{result.outcome});
        }
    }

    void finds_in_every_folder() {
        ImapScript script = with_folders();
        int searched = 0;
        script.instead = [&](Peer& peer, const std::string& tag, const std::string& command) {
            if (!command.starts_with("UID SEARCH")) return false;
            // The fourth folder has it, and the first something like it; each is searched twice.
            ++searched;
            peer.say((searched == 1 || searched == 7 ? "* SEARCH 9\r\n" : "* SEARCH\r\n") + tag +
                     " OK x\r\n");
            return true;
        };
        script.answer("UID FETCH 9", fetched(9, header_of(kOtherId)), 1)
            .answer("UID FETCH 9", fetched(9, header_of(kId)));
        ImapRig rig(script);
        plug::FoundMessage found;
        assert_ok(rig.session().find(kId, found));
        CPPUNIT_ASSERT(found.found);
        CPPUNIT_ASSERT_EQUAL(9u, found.uid);
        CPPUNIT_ASSERT_EQUAL(7u, found.uidvalidity);
        CPPUNIT_ASSERT_EQUAL(std::string("Junk"), found.folder);
        const std::vector<std::string> expected{"EXAMINE \"INBOX\"",    "EXAMINE \"a\"",
                                                "EXAMINE \"bin\"",      "EXAMINE \"Junk\"",
                                                "EXAMINE \"raw&name\"", "EXAMINE \"all\""};
        CPPUNIT_ASSERT(expected == rig.commands("EXAMINE"));
    }

    void not_found_needs_every_folder() {
        plug::FoundMessage found;
        ImapRig all(with_folders());
        assert_ok(all.session().find(kId, found));
        CPPUNIT_ASSERT(!found.found);

        ImapRig gone(with_folders().answer("EXAMINE \"Junk\"", "@ NO [NONEXISTENT] x\r\n"));
        assert_ok(gone.session().find(kId, found));

        ImapScript closed = with_folders();
        closed.answer("EXAMINE \"Junk\"", "@ NO [NOPERM] x\r\n")
            .answer("LIST \"\" \"Junk\"", "* LIST () \"/\" Junk\r\n");
        assert_failed(ImapRig(closed).session().find(kId, found), VM_CAUSE_REPLY, "EXAMINE Junk");

        assert_failed(
            ImapRig(with_folders().answer("UID SEARCH", "@ NO x\r\n")).session().find(kId, found),
            VM_CAUSE_REPLY, "UID SEARCH in INBOX");
        assert_failed(
            ImapRig(with_folders().answer("UID SEARCH", "@ OK x\r\n")).session().find(kId, found),
            VM_CAUSE_PROTOCOL, "without a result");
        // It names one and does not show it.
        assert_failed(ImapRig(with_folders().answer("UID SEARCH", "* SEARCH 3\r\n"))
                          .session()
                          .find(kId, found),
                      VM_CAUSE_PROTOCOL, "messages are missing");
    }

    void no_injection() {
        const std::string evil = "x\r\nv9 DELETE INBOX";
        ImapRig rig((ImapScript()));
        Folders got;
        LookTold told;
        Results results;
        plug::FoundMessage found;
        vm_change_result result{};
        int fd = -1;
        bool changed = false;
        assert_failed(rig.folders(got, VM_SCOPE_FOLDER, evil.c_str()), VM_CAUSE_CONFIG, "x");
        assert_failed(rig.look({.uids = {}, .folder = evil.c_str()}, told), VM_CAUSE_CONFIG, "x");
        assert_failed(rig.session().find(evil, found), VM_CAUSE_CONFIG, "no message id");
        assert_failed(rig.session().recover(evil, "", "a", result), VM_CAUSE_CONFIG,
                      "no message id");
        assert_failed(rig.session().recover(kId, "", evil, result), VM_CAUSE_CONFIG, "x");
        assert_failed(rig.session().park(evil, fd, changed), VM_CAUSE_CONFIG, "x");
        ImapRig mover(with_mails(ImapScript()));
        assert_failed(mover.apply({{VM_CHANGE_MOVE, 1, 0, 0, evil}}, results), VM_CAUSE_CONFIG,
                      "x");
        for (ImapRig* one : {&rig, &mover})
            for (const std::string& command : one->commands())
                CPPUNIT_ASSERT(!command.starts_with("DELETE"));
    }

    void says_no_without_server() {
        plug::imap::ImapSession session({}, FakeHost().session());
        plug::FoundMessage found;
        const auto end = session.find(kId, found);
        assert_failed(end, VM_CAUSE_CONFIG, "no IMAP4 server is set");
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_NONE}, int{end.ending.step});
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ImapSyncTest);

}  // namespace

}  // namespace vm::testing
