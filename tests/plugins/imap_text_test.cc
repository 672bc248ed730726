// IMAP's texts: names, sets of UIDs, responses; no connection.
#include "smtpimap4/folder_names.h"
#include "smtpimap4/framer.h"
#include "smtpimap4/identity.h"
#include "smtpimap4/mutf7.h"
#include "smtpimap4/parser.h"
#include "smtpimap4/syntax.h"
#include "vm_transport.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <stdexcept>

namespace vm::testing {

namespace {

using namespace plug::imap;  // NOLINT(google-build-using-namespace)

class ImapTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ImapTextTest);
    CPPUNIT_TEST(modified_utf7);
    CPPUNIT_TEST(modified_utf7_has_one_form);
    CPPUNIT_TEST(any_text_survives_modified_utf7);
    CPPUNIT_TEST(folder_names);
    CPPUNIT_TEST(usual_names);
    CPPUNIT_TEST(quotes);
    CPPUNIT_TEST(uid_sets);
    CPPUNIT_TEST(uid_ranges);
    CPPUNIT_TEST(frames_a_line);
    CPPUNIT_TEST(frames_have_limits);
    CPPUNIT_TEST(reads_fetch);
    CPPUNIT_TEST(reads_the_others);
    CPPUNIT_TEST(survives_what_is_hostile);
    CPPUNIT_TEST(any_line_is_survived);
    CPPUNIT_TEST(identity_by_header);
    CPPUNIT_TEST(identity_by_text);
    CPPUNIT_TEST_SUITE_END();

    template <class Data>
    static Data parsed(const std::string& line) {
        Parser parser;
        const Response response = parser.parse(line);
        CPPUNIT_ASSERT_MESSAGE(line, std::holds_alternative<Data>(response));
        return std::get<Data>(response);
    }

    // ---- names ----
    void modified_utf7() {
        for (const auto& [utf8, name] : {
                 std::pair{"INBOX", "INBOX"},
                 std::pair{"a&b", "a&-b"},
                 std::pair{"Entwürfe", "Entw&APw-rfe"},
                 std::pair{"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
                 std::pair{"\xF0\x9F\x93\xA0", "&2D3c4A-"},
             }) {
            CPPUNIT_ASSERT_EQUAL(std::string(name), encode_mutf7(utf8).value());
            CPPUNIT_ASSERT_EQUAL(std::string(utf8), decode_mutf7(name).value());
        }
    }
    void modified_utf7_has_one_form() {
        for (const char* bad : {"&", "a&b", "&AGE-", "&APw", "Entw\xC3\xBCrfe", "&2D0-", "&3AA-",
                                "&APw-&APw-", "&AP=-", "&APx-"})
            CPPUNIT_ASSERT_MESSAGE(bad, !decode_mutf7(bad));
        for (const char* bad : {"\xC3", "\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"})
            CPPUNIT_ASSERT_MESSAGE(bad, !encode_mutf7(bad));
    }
    void any_text_survives_modified_utf7() {
        CPPUNIT_ASSERT(rc::check("mutf7", [](const std::vector<std::uint16_t>& units) {
            std::string utf8;
            for (const std::uint16_t unit : units) {
                const unsigned code = unit % 0xD800;
                if (code < 0x80) {
                    utf8 += static_cast<char>(code);
                } else if (code < 0x800) {
                    utf8 += {static_cast<char>(0xC0 | code >> 6),
                             static_cast<char>(0x80 | (code & 0x3F))};
                } else {
                    utf8 += {static_cast<char>(0xE0 | code >> 12),
                             static_cast<char>(0x80 | (code >> 6 & 0x3F)),
                             static_cast<char>(0x80 | (code & 0x3F))};
                }
            }
            RC_ASSERT(decode_mutf7(encode_mutf7(utf8).value()).value() == utf8);
        }));
    }

    void folder_names() {
        const FolderNames slash("", '/'), dot("INBOX.", '.'), flat("", '\0');
        const auto both = [](const FolderNames& names, const char* server, const char* host) {
            CPPUNIT_ASSERT_EQUAL(std::string(host), names.from_server(server).value());
            CPPUNIT_ASSERT_EQUAL(std::string(server), names.to_server(host).value());
        };
        both(slash, "INBOX", "INBOX");
        both(slash, "a b/Entw&APw-rfe", "a b/Entwürfe");
        both(slash, "q\"uo\\te", "q\"uo\\te");
        both(slash, "a.b", "a.b");
        both(dot, "INBOX", "INBOX");
        both(dot, "INBOX.Sent.2026", "Sent/2026");
        both(dot, "INBOX.a/b",
             "a\xE2\x88\x95"
             "b");
        both(flat, "a/b",
             "a\xE2\x88\x95"
             "b");
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX"), slash.from_server("inbox").value());
        for (const char* not_given :
             {"Other.x", "INBOX.", "INBOX.a&b", "INBOX.&AAo-", "INBOX.&IhU-"})
            CPPUNIT_ASSERT_MESSAGE(not_given, !dot.from_server(not_given));
        for (const char* none : {"", "a\r\nb", "a\x01", "\xFF"})
            CPPUNIT_ASSERT_MESSAGE(none, !slash.to_server(none));
    }

    void usual_names() {
        CPPUNIT_ASSERT_EQUAL(VM_USE_TRASH, use_of_name("deleted ITEMS"));
        CPPUNIT_ASSERT_EQUAL(VM_USE_DRAFTS, use_of_name("ENTWÜRFE"));
        CPPUNIT_ASSERT_EQUAL(VM_USE_SENT, use_of_name("Gesendet"));
        CPPUNIT_ASSERT_EQUAL(VM_USE_JUNK, use_of_name("Junk E-mail"));
        CPPUNIT_ASSERT_EQUAL(0u, use_of_name("Trash can"));
        CPPUNIT_ASSERT_EQUAL(VM_USE_VIRTUAL, use_of_attribute("ALL"));
    }

    // ---- pieces of commands ----
    void quotes() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"("a \"b\" \\c")"), quoted(R"(a "b" \c)"));
        for (const char* bad : {"a\rb", "a\nb"})
            CPPUNIT_ASSERT_THROW(quoted(bad), std::invalid_argument);
        CPPUNIT_ASSERT_THROW(quoted(std::string_view("\0", 1)), std::invalid_argument);
    }
    void uid_sets() {
        CPPUNIT_ASSERT_EQUAL(std::string("1:3,7,9:10"), uid_set({1, 2, 3, 7, 9, 10}));
        CPPUNIT_ASSERT_EQUAL(std::string("5"), uid_set({5, 5}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, chunks({1, 2, 3, 4, 5}, 2).size());
    }
    void uid_ranges() {
        const UidRanges ranges = parse_uid_ranges("1:4294967295,9:7").value();
        CPPUNIT_ASSERT(ranges.contains(4'000'000'000u));
        CPPUNIT_ASSERT_EQUAL(8u, parse_uid_ranges("20,9:7").value().at(2).value());
        CPPUNIT_ASSERT(!parse_uid_ranges("5:6").value().at(2));
        CPPUNIT_ASSERT(parse_uid_ranges("9:7,5,1:3,2:6,5").value().among({2, 4, 7, 8, 10}) ==
                       (std::vector<std::uint32_t>{2, 4, 7, 8}));
        CPPUNIT_ASSERT(parse_uid_ranges("5:6").value().only_of({4, 5, 6}));
        CPPUNIT_ASSERT(!parse_uid_ranges("5:7").value().only_of({4, 5, 6}));
        for (const char* bad : {"", "1,", "*", "1:*", "-1", "4294967296", "1:2:3", "a"})
            CPPUNIT_ASSERT_MESSAGE(bad, !parse_uid_ranges(bad));
    }

    // ---- lines ----
    void frames_a_line() {
        const std::string line = "* 1 FETCH (BODY[1] {7}\r\na\r\nb{3} X {1+}\r\n))\n";
        for (std::size_t step = 1; step < line.size(); ++step) {
            Framer framer;
            const std::string all = line + "* next";
            std::size_t have = 0;
            Framer::State state = Framer::State::kMore;
            while (state == Framer::State::kMore && have < all.size()) {
                have = std::min(all.size(), have + step);
                state = framer.look(std::string_view(all).substr(0, have));
            }
            CPPUNIT_ASSERT(state == Framer::State::kComplete);
            CPPUNIT_ASSERT_EQUAL(std::string("* 1 FETCH (BODY[1] {7} X {1+})"), framer.shown(all));
            CPPUNIT_ASSERT_EQUAL(line.size(), framer.take());
        }
    }
    void frames_have_limits() {
        Framer endless;
        CPPUNIT_ASSERT(endless.look(std::string(kMaxText, 'x')) == Framer::State::kMore);
        CPPUNIT_ASSERT(endless.look(std::string(kMaxText + 1, 'x')) == Framer::State::kTooLong);
        Framer huge;
        CPPUNIT_ASSERT(huge.look("* 1 FETCH (BODY[] {4294967295}\r\n") == Framer::State::kTooLong);
        Framer many;
        std::string line = "* LIST";
        for (int i = 0; i < 3; ++i) line += " {500000}\r\n" + std::string(500'000, 'x');
        CPPUNIT_ASSERT(many.look(line) == Framer::State::kTooLong);
    }

    void reads_fetch() {
        const auto data = parsed<FetchData>(
            "* 12 FETCH (FLAGS (\\seen $Junk [Gmail] \\Deleted \\*) MODSEQ (624140003) UID 5 "
            "X-NEW (a (b \"c)\" {2}\r\n)))) BODY[HEADER.FIELDS (\"X-VM-MESSAGE-ID\")] {3}\r\na\r\n "
            "BODY[1]<0> \"x\\\"y\" BODY[2] {1}\r\nz)");
        CPPUNIT_ASSERT_EQUAL(5u, data.uid);
        CPPUNIT_ASSERT_EQUAL(VM_FLAG_SEEN | VM_FLAG_DELETED, data.flags.value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, data.sections.size());
        CPPUNIT_ASSERT_EQUAL(std::string("a\r\n"), *data.section("HEADER.FIELDS"));
        CPPUNIT_ASSERT_EQUAL(std::string("x\"y"), *data.section("1"));
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             *parsed<FetchData>("* 1 FETCH (BODY[1] NIL)").section("1"));
        CPPUNIT_ASSERT(!parsed<FetchData>("* 1 FETCH (RFC822.SIZE 5)").sections.size());
        for (const char* bad :
             {"* 1 FETCH", "* 1 FETCH (UID)", "* 1 FETCH (UID 0)", "* 1 FETCH (UID 4294967296)",
              "* 1 FETCH (UID 5", "* 1 FETCH (UID 5))", "* 1 FETCH (FLAGS)",
              "* 1 FETCH (BODY[1] {5}\r\nabc)", "* 1 FETCH (X", "* 99999999999 FETCH (UID 5)"})
            parsed<Malformed>(bad);
    }

    void reads_the_others() {
        const auto list = parsed<ListData>(
            "* LIST (\\HasNoChildren \\Sent) \"\\\\\" {4}\r\na\"\\b (\"CHILDINFO\" "
            "(\"SUBSCRIBED\"))");
        CPPUNIT_ASSERT_EQUAL('\\', list.delimiter);
        CPPUNIT_ASSERT_EQUAL(std::string("a\"\\b"), list.name);
        CPPUNIT_ASSERT_EQUAL(std::string("SENT"), list.attributes.back());
        CPPUNIT_ASSERT_EQUAL('\0', parsed<ListData>("* LIST () NIL [Gmail]/All").delimiter);
        CPPUNIT_ASSERT_EQUAL(std::string("[Gmail]/All"),
                             parsed<ListData>("* LIST () \"\" [Gmail]/All").name);
        const auto status = parsed<StatusData>(
            "* STATUS \"a b\" (MESSAGES 1 SIZE 77 UIDNEXT 2 MAILBOXID (F1) HIGHESTMODSEQ "
            "123456789012) ");
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), status.name);
        CPPUNIT_ASSERT_EQUAL(2u, status.uid_next.value());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{123456789012}, status.modseq);
        CPPUNIT_ASSERT(!status.uidvalidity);
        CPPUNIT_ASSERT(parsed<SearchData>("* SEARCH").uids.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2},
                             parsed<SearchData>("* SEARCH 2 5 (MODSEQ 9)").uids.size());
        CPPUNIT_ASSERT(parsed<VanishedData>("* VANISHED (EARLIER) 1:3,9").uids.contains(2));
        CPPUNIT_ASSERT_EQUAL(4u, parsed<ExistsData>("* 4 EXISTS").messages);
        const auto spaces = parsed<NamespaceData>(
            "* NAMESPACE ((\"INBOX.\" \".\" \"X\" (\"y\"))) ((\"~\" \"\") (\"#\" \"/\")) NIL");
        CPPUNIT_ASSERT_EQUAL(std::string("INBOX."), spaces.personal.at(0).prefix);
        CPPUNIT_ASSERT_EQUAL('\0', spaces.foreign.at(0).delimiter);
        CPPUNIT_ASSERT_EQUAL(std::string("#"), spaces.foreign.at(1).prefix);
        const auto refused = parsed<Condition>("v1 NO [TRYCREATE x y] no such box");
        CPPUNIT_ASSERT(refused.status == Status::kNo && refused.code == "TRYCREATE");
        CPPUNIT_ASSERT_EQUAL(std::string("x y"), refused.arguments);
        parsed<Continuation>("+ idling");
        parsed<Unknown>("* ESEARCH (TAG \"v1\") UID ALL 1:3");
        parsed<Unknown>("* FLAGS (\\Seen)");
        parsed<Unknown>("* JMAPACCESS");
        for (const char* bad :
             {"* SEARCH 1 x", "* SEARCH 0", "* STATUS INBOX", "* LIST () \"ab\" x",
              "* VANISHED 1:*", "* NAMESPACE ((\"\"", "nonsense", "v1", " OK", "v1 BYE x",
              "* STATUS a (MESSAGES 4294967296)"})
            parsed<Malformed>(bad);
    }

    // Lines that bring the library down when it gets them; here they are ignored, or no response.
    void survives_what_is_hostile() {
        Parser parser;
        for (const std::string& line :
             {std::string("* OK [ALERT]"), std::string("v1 NO [PARSE]"),
              std::string("* OK [PERMANENTFLAGS (%)] x"), std::string("* OK [BADCHARSET (A)] x"),
              std::string("* OK [BADCHARSET (A)] [BADCHARSET (B)] x"),
              std::string("* NAMESPACE ((\"\" \"\")) NIL NIL"),
              "* 1 FETCH (BODYSTRUCTURE " + std::string(100'000, '(') + std::string(100'000, ')') +
                  ")",
              "* 1 FETCH (FLAGS " + std::string(100'000, '(') + ")",
              "* LIST (" + std::string(100'000, '(') + ") NIL x",
              "* STATUS x (" + std::string(100'000, '(') + ")", std::string("*"), std::string("* "),
              std::string("* OK"), std::string("v1 OK"), std::string("* 1"), std::string("+"),
              std::string("* 1 FETCH (BODY[") + '\0' + "] {1}\r\nx)", std::string()})
            parser.parse(line);
        // And what follows is read as ever.
        CPPUNIT_ASSERT(std::get<FetchData>(parser.parse("* 1 FETCH (UID 5)")).uid == 5);
        CPPUNIT_ASSERT(std::holds_alternative<Condition>(parser.parse("* OK [ALERT]")));
    }

    // Pieces of grammar in any order.
    void any_line_is_survived() {
        CPPUNIT_ASSERT(rc::check("any line", [](const std::vector<unsigned char>& bytes) {
            static const std::vector<std::string> kPieces = {
                "* ",        "1 ",      "FETCH ",     "(",
                ")",         "UID 5",   " ",          "FLAGS (",
                "\\Seen",    "BODY[1]", "{2}\r\n",    "xx",
                "\"",        "\\",      "LIST ",      "NIL",
                "STATUS ",   "INBOX ",  "MESSAGES 1", "SEARCH",
                "VANISHED ", "1:3",     ",",          "NAMESPACE ",
                "OK ",       "[ALERT]", "[PARSE] ",   "BODY[HEADER.FIELDS (X)] ",
                "EXISTS",    "\xFF",    "%",          "*"};
            std::string line;
            for (const unsigned char byte : bytes) line += kPieces[byte % kPieces.size()];
            Parser parser;
            parser.parse("* " + line);
            parser.parse("* 1 FETCH (" + line + ")");
            parser.parse("* LIST (" + line);
            RC_ASSERT(std::get<SearchData>(parser.parse("* SEARCH 3")).uids.at(0) == 3);
        }));
    }

    // ---- whose mail it is ----
    static plug::Identity identity(const std::string& header, const std::string& text,
                                   bool by_text) {
        FetchData message;
        message.sections = {{"HEADER.FIELDS", header}, {"1", text}};
        return identify(message, by_text);
    }
    void identity_by_header() {
        const std::string id = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";
        const plug::Identity mine =
            identity("message-id:\r\n <a@b>\r\nX-VM-Message-ID: \t" + id + " \r\n\r\n", "", false);
        CPPUNIT_ASSERT_EQUAL(id, mine.id);
        CPPUNIT_ASSERT_EQUAL(std::string("a@b"), mine.message_id);
        // What cannot be compared or searched for is none.
        for (const std::string& bad : {std::string("a\xe9") + "b@x", std::string("a b@x"),
                                       std::string("\xc3\xa9@x"), std::string(999, 'x')})
            CPPUNIT_ASSERT_EQUAL(std::string(),
                                 identity("Message-ID: <" + bad + ">\r\n", "", false).message_id);
        for (const std::string& header :
             {"X-VM-Message-Id: " + id + "\r\nX-VM-Message-Id: " + id + "\r\n",
              "X-VM-Message-Id: x" + id + "\r\n", "X-VM-Message-Id: " + id.substr(1) + "\r\n",
              std::string("X-VM-Message-Id: 81J9ZK3V5TA8Q4W8M8Z9N1B2C3\r\n"),
              "X-VM-Message-Id2: " + id + "\r\n", "Subject: a\r\n X-VM-Message-Id: " + id + "\r\n",
              std::string()})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(header, std::string(), identity(header, "", true).id);
    }
    void identity_by_text() {
        const std::string id = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";
        const std::string header = "Message-ID: <a@b>\r\n\r\n", token = "[VM:" + id + "]";
        for (const std::string& text :
             {"hello\r\n" + token + "\r\n", token + " again " + token,
              std::string("[VM:01J9ZK3V5TA8Q=\r\n4W8M8Z9N1B2C3]"), "=5BVM:" + id + "=5D",
              std::string("aGVsbG8NCg0KW1ZNOjAxSjlaSzNWNVRBOFE0\r\nVzhNOFo5TjFCMkMzXQ0K\r\n")}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, id, identity(header, text, true).id);
            CPPUNIT_ASSERT_EQUAL(std::string(), identity(header, text, false).id);
            CPPUNIT_ASSERT_EQUAL(std::string(),
                                 identity("In-Reply-To: <x>\r\n" + header, text, true).id);
            CPPUNIT_ASSERT_EQUAL(std::string(),
                                 identity("References: <x>\r\n" + header, text, true).id);
        }
        for (const std::string& text : {"[VM:" + id, "(VM:" + id + "]", "[VM:" + id.substr(1) + "]",
                                        token + "[VM:01J9ZK3V5TA8Q4W8M8Z9N1B2C4]"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(), identity(header, text, true).id);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ImapTextTest);

}  // namespace

}  // namespace vm::testing
