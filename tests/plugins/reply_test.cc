#include "common/reply.h"

#include "common/smtp_handshake.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace vm::plug {

namespace {

using State = ReplyParser::State;

State feed(ReplyParser& parser, const std::vector<std::string>& lines) {
    State state = State::kMore;
    for (const std::string& line : lines) state = parser.feed(line);
    return state;
}

class ReplyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReplyTest);
    CPPUNIT_TEST(one_line_reply);
    CPPUNIT_TEST(several_lines_become_one_text);
    CPPUNIT_TEST(garbage);
    CPPUNIT_TEST(enhanced_only_when_its_class_fits);
    CPPUNIT_TEST(endless_reply_is_garbage);
    CPPUNIT_TEST(parser_starts_afresh);
    CPPUNIT_TEST(any_text_survives_as_one_line);
    CPPUNIT_TEST(capabilities);
    CPPUNIT_TEST_SUITE_END();

    void one_line_reply() {
        ReplyParser parser;
        CPPUNIT_ASSERT(parser.feed("550 5.1.1 no such user") == State::kComplete);
        CPPUNIT_ASSERT_EQUAL(550, parser.reply().code);
        CPPUNIT_ASSERT_EQUAL(5, parser.reply().group());
        CPPUNIT_ASSERT_EQUAL(std::string("5.1.1"), parser.reply().enhanced);
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.1.1 no such user"), parser.reply().text());
        CPPUNIT_ASSERT(parser.feed("250") == State::kComplete);
        CPPUNIT_ASSERT_EQUAL(std::string("250"), parser.reply().text());
        CPPUNIT_ASSERT(parser.feed("250 ") == State::kComplete);
    }

    void several_lines_become_one_text() {
        ReplyParser parser;
        CPPUNIT_ASSERT(feed(parser, {"550-5.7.1 Your message", "550-5.7.1  was refused;",
                                     "550 5.7.1 see\thttps://x.example"}) == State::kComplete);
        CPPUNIT_ASSERT_EQUAL(
            std::string("550 5.7.1 Your message was refused; see https://x.example"),
            parser.reply().text());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, parser.reply().lines.size());
    }

    void garbage() {
        for (const char* line :
             {"", "2", "25", "25O ok", "abc", "2500", "250_ok", "150 ok", "650 ok", " 250 ok",
              "HTTP/1.1 400 Bad Request", "-50 ok", "+OK ready"}) {
            ReplyParser parser;
            CPPUNIT_ASSERT_MESSAGE(line, parser.feed(line) == State::kGarbage);
        }
        ReplyParser parser;
        CPPUNIT_ASSERT(feed(parser, {"250-a", "251 b"}) == State::kGarbage);
        CPPUNIT_ASSERT(feed(parser, {"250-a", "ok"}) == State::kGarbage);
    }

    void enhanced_only_when_its_class_fits() {
        CPPUNIT_ASSERT_EQUAL(std::string("4.7.1"), enhanced_status("4.7.1 later", 451));
        CPPUNIT_ASSERT_EQUAL(std::string("5.123.456"), enhanced_status("5.123.456", 550));
        for (const char* text : {"5.7.1 x", "4.7 x", "4.7.1.2 x", "4.7.x", "4.1234.1", "4..1", "",
                                 "4", "4.7.1x", "44.7.1"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(), enhanced_status(text, 451));
    }

    void endless_reply_is_garbage() {
        ReplyParser parser;
        State state = State::kMore;
        std::size_t lines = 0;
        while ((state = parser.feed("250-more")) == State::kMore) ++lines;
        CPPUNIT_ASSERT(state == State::kGarbage);
        CPPUNIT_ASSERT_EQUAL(kMaxReplyLines, lines);
    }

    void parser_starts_afresh() {
        ReplyParser parser;
        feed(parser, {"250-5.0.0 a", "garbage"});
        CPPUNIT_ASSERT(parser.feed("354 go") == State::kComplete);
        CPPUNIT_ASSERT_EQUAL(std::string("354 go"), parser.reply().text());
        CPPUNIT_ASSERT(parser.reply().enhanced.empty());
    }

    void any_text_survives_as_one_line() {
        CPPUNIT_ASSERT(rc::check("reply text is one line", [](const std::string& words) {
            ReplyParser parser;
            RC_ASSERT(parser.feed("550 " + words) == State::kComplete);
            const std::string text = parser.reply().text();
            RC_ASSERT(text.starts_with("550"));
            for (const char c : text) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
        }));
    }

    void capabilities() {
        const Capabilities all =
            parse_capabilities({"PIPELINING.example.com", "Pipelining", "size 1000", "8BITMIME",
                                "AUTH=LOGIN", "AUTH PLAIN login XOAUTH2", "STARTTLS", ""});
        CPPUNIT_ASSERT(all.pipelining && all.eight_bit_mime && all.size);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000}, all.size_limit);
        CPPUNIT_ASSERT((all.auth == std::vector<std::string>{"LOGIN", "PLAIN", "XOAUTH2"}));
        // The first line is a name, whatever it says.
        CPPUNIT_ASSERT(!parse_capabilities({"PIPELINING"}).pipelining);
        for (const char* size : {"SIZE", "SIZE 0", "SIZE many"}) {
            const Capabilities some = parse_capabilities({"h", size});
            CPPUNIT_ASSERT(some.size);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, some.size_limit);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReplyTest);

}  // namespace

}  // namespace vm::plug
