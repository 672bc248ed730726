#include "base/text.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>

namespace {

using namespace vm;

class TextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TextTest);
    CPPUNIT_TEST(trims_all_kinds_of_space);
    CPPUNIT_TEST(compares_without_case_in_ascii_only);
    CPPUNIT_TEST(split_and_join_are_inverse);
    CPPUNIT_TEST(parses_whole_numbers_only);
    CPPUNIT_TEST(every_number_comes_back);
    CPPUNIT_TEST(knows_utf8);
    CPPUNIT_TEST(neutralises_controls_and_foreign_bytes);
    CPPUNIT_TEST(cuts_on_a_character_boundary);
    CPPUNIT_TEST(any_bytes_become_one_printable_line);
    CPPUNIT_TEST(takes_out_what_turns_text_around);
    CPPUNIT_TEST(mailbox_numbers);
    CPPUNIT_TEST(hashes);
    CPPUNIT_TEST_SUITE_END();

    void trims_all_kinds_of_space() {
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), std::string(trim(" \t\r\na b\v\f ")));
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(trim(" \n ")));
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(trim("")));
    }

    void compares_without_case_in_ascii_only() {
        CPPUNIT_ASSERT(iequals("Smtp Server", "SMTP sERVER"));
        CPPUNIT_ASSERT(!iequals("Smtp", "Smtp "));
        CPPUNIT_ASSERT(!iequals("\xC3\xA4", "\xC3\x84"));  // ä and Ä stay different
        CPPUNIT_ASSERT_EQUAL(std::string("starttls \xC3\x84"), to_lower("StartTLS \xC3\x84"));
    }

    void split_and_join_are_inverse() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, split("", ',').size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, split(",,", ',').size());
        CPPUNIT_ASSERT(rc::check("join(split(s)) is s", [](const std::string& s) {
            RC_ASSERT(join(split(s, ','), ",") == s);
        }));
    }

    void parses_whole_numbers_only() {
        CPPUNIT_ASSERT(parse_int("-12") == -12);
        CPPUNIT_ASSERT(parse_int("007") == 7);
        for (const char* bad :
             {"", " 1", "1 ", "+1", "0x10", "1.0", "-", "--1", "9223372036854775808", "1\n"})
            CPPUNIT_ASSERT_MESSAGE(bad, !parse_int(bad));
    }

    void every_number_comes_back() {
        CPPUNIT_ASSERT(rc::check("parse_int(to_string(n)) is n", [](std::int64_t n) {
            RC_ASSERT(parse_int(std::to_string(n)) == n);
        }));
    }

    void knows_utf8() {
        for (const char* good : {"", "abc", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x93\x9E",
                                 "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"})
            CPPUNIT_ASSERT_MESSAGE(good, is_utf8(good));
        for (const char* bad :
             {"\x80", "\xC3", "\xC0\x80" /* overlong */, "\xE0\x80\x80",
              "\xED\xA0\x80" /* surrogate */, "\xF4\x90\x80\x80" /* above U+10FFFF */,
              "\xF0\x80\x80\x80", "\xFF", "a\xE2\x82"})
            CPPUNIT_ASSERT(!is_utf8(bad));
    }

    void neutralises_controls_and_foreign_bytes() {
        CPPUNIT_ASSERT_EQUAL(std::string("a  Bcc: x"), sanitize_line("a\r\nBcc: x"));
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), sanitize_line(std::string_view("a\0b", 3)));
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), sanitize_line("a\x7F"
                                                               "b"));
        CPPUNIT_ASSERT_EQUAL(std::string("a?b"), sanitize_line("a\xFF"
                                                               "b"));
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), sanitize_line("a\xC2\x85"
                                                               "b"));  // NEL
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), sanitize_line("a\xE2\x80\xA8"
                                                               "b"));  // LINE SEPARATOR
        CPPUNIT_ASSERT_EQUAL(std::string("J\xC3\xB6rg \xF0\x9F\x93\x9E"),
                             sanitize_line("J\xC3\xB6rg \xF0\x9F\x93\x9E"));
    }

    void cuts_on_a_character_boundary() {
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), sanitize_line("ab\xE2\x82\xAC", 4));
        CPPUNIT_ASSERT_EQUAL(std::string("ab\xE2\x82\xAC"), sanitize_line("ab\xE2\x82\xAC", 5));
    }

    void any_bytes_become_one_printable_line() {
        CPPUNIT_ASSERT(rc::check("sanitize_line", [](const std::string& bytes, std::uint8_t limit) {
            const std::string line = sanitize_line(bytes, limit);
            RC_ASSERT(line.size() <= limit);
            RC_ASSERT(is_utf8(line));
            for (const char c : line) {
                const auto byte = static_cast<unsigned char>(c);
                RC_ASSERT(byte >= 0x20 && byte != 0x7F);
            }
            RC_ASSERT(sanitize_line(line, limit) == line);
        }));
    }

    void takes_out_what_turns_text_around() {
        CPPUNIT_ASSERT_EQUAL(std::string("exe.ann"),
                             without_direction_controls("\u202Eexe\u202C.\u2066ann\u2069"));
        CPPUNIT_ASSERT_EQUAL(std::string("5551234"),
                             without_direction_controls("\u061C555\u200E12\u200F34\u200F"));
        for (const char* kept : {"", "\u200D\u2010\u061B\u061D\u202F\u2029\u2065\u206A\u05D0",
                                 "\xE2\x80", "\xE2", "\xD8"})
            CPPUNIT_ASSERT_EQUAL(std::string(kept), without_direction_controls(kept));
    }

    void mailbox_numbers() {
        for (const char* good : {"1", "101", "00000000", "12345678"})
            CPPUNIT_ASSERT_MESSAGE(good, is_mailbox_number(good));
        for (const char* bad :
             {"", "123456789", "-1", "10a", "../1", "1.", " 1", "1\n", "\xD9\xA1"})
            CPPUNIT_ASSERT_MESSAGE(bad, !is_mailbox_number(bad));
    }

    // The algorithm's own test values.
    void hashes() {
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0xcbf29ce484222325}, fnv1a(""));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0x85944171f73967e8}, fnv1a("foobar"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TextTest);

}  // namespace
