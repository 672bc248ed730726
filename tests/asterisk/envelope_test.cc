#include "asterisk/envelope.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace {

using namespace vm::asterisk;

// As leave_voicemail() writes it.
const std::string kWritten =
    ";\n; Message Information file\n;\n[message]\norigmailbox=101\ncontext=from-trunk\nexten=s\n"
    "rdnis=unknown\npriority=2\ncallerchan=PJSIP/trunk-00000042\ncallerid=\"Ann Lee\" <4711>\n"
    "origdate=Tue Nov 14 10:13:20 PM UTC 2023\norigtime=1700000000\ncategory=\n"
    "msg_id=1700000000-0000002a\nflag=Urgent\nduration=12\n";

std::string without(std::string text, const std::string& line) {
    const std::size_t at = text.find(line);
    CPPUNIT_ASSERT(at != std::string::npos);
    return text.erase(at, text.find('\n', at) + 1 - at);
}

class EnvelopeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EnvelopeTest);
    CPPUNIT_TEST(as_asterisk_writes_it);
    CPPUNIT_TEST(as_asterisk_writes_it_anew);
    CPPUNIT_TEST(the_old_name_stays);
    CPPUNIT_TEST(callers);
    CPPUNIT_TEST(what_is_none);
    CPPUNIT_TEST(names_that_are_none);
    CPPUNIT_TEST(the_first_value_counts);
    CPPUNIT_TEST_SUITE_END();

    static Envelope good(const std::string& text) {
        const auto out = parse_envelope(text);
        CPPUNIT_ASSERT(out.has_value());
        return *out;
    }

    void as_asterisk_writes_it() {
        const Envelope e = good(kWritten);
        CPPUNIT_ASSERT_EQUAL(std::string("1700000000-0000002a"), e.msg_id);
        CPPUNIT_ASSERT_EQUAL(std::string("Ann Lee"), e.caller_name);
        CPPUNIT_ASSERT_EQUAL(std::string("4711"), e.caller_number);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1700000000}, e.origtime);
        CPPUNIT_ASSERT(e.urgent);
        CPPUNIT_ASSERT(!good(without(kWritten, "flag=")).urgent);
    }

    // ast_config_text_file_save(), after it has given the message a name.
    void as_asterisk_writes_it_anew() {
        std::string text = ";!\n;! Automatically generated configuration file\n;!\n" +
                           without(kWritten, "msg_id=") + "msg_id = 1800000000-00000001\n";
        for (std::size_t at = 0; (at = text.find('=', at)) != std::string::npos; at += 3)
            if (text[at - 1] != ' ') text.replace(at, 1, " = ");
        text.replace(text.find("Ann Lee"), 7, "Ann\\; Lee");
        text.replace(text.find("flag = "), 7, "flag => ");
        const Envelope e = good(text);
        CPPUNIT_ASSERT_EQUAL(std::string("1800000000-00000001"), e.msg_id);
        CPPUNIT_ASSERT_EQUAL(std::string("Ann; Lee"), e.caller_name);
        CPPUNIT_ASSERT(e.urgent);
    }

    void the_old_name_stays() {
        const Envelope before = good(without(kWritten, "msg_id="));
        CPPUNIT_ASSERT_EQUAL(std::string(), before.msg_id);
        CPPUNIT_ASSERT_EQUAL(before.old_name, good(kWritten).old_name);
        CPPUNIT_ASSERT_EQUAL(before.old_name, good(without(kWritten, "duration=")).old_name);
        for (const char* differs : {"callerchan=", "callerid="})
            CPPUNIT_ASSERT(before.old_name != good(without(kWritten, differs)).old_name);
    }

    void callers() {
        const struct {
            const char *text, *name, *number;
        } cases[] = {
            {"\"Ann Lee\" <4711>", "Ann Lee", "4711"},
            {"Ann <+49 30 1>", "Ann", "+49 30 1"},
            {"4711", "", "4711"},
            {"Ann Lee", "Ann Lee", ""},
            {"Unknown", "", ""},
            {"\"Unknown\" <Unknown>", "", ""},
            {"\"\" <4711>", "", "4711"},
            {"<4711>", "", "4711"},
            {"\"A <b> c\" <4711>", "A <b> c", "4711"},
            {"> <", "> <", ""},
            {"\"", "\"", ""},
            {"", "", ""},
            {"a\tb\x01 <1\x7f>", "a b", "1"},
        };
        for (const auto& c : cases) {
            const Caller found = parse_caller(c.text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(c.text, std::string(c.name), found.name);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(c.text, std::string(c.number), found.number);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{200},
                             parse_caller("\"" + std::string(5000, 'x') + "\" <1>").name.size());
    }

    void what_is_none() {
        for (const std::string& bad :
             {std::string(), std::string("[message]\n"), std::string("msg_id=1-1\norigtime=1\n"),
              std::string("[messages\nmsg_id=1-1\n"), std::string("[message]\norigtime=0\n"),
              std::string("[message]\norigtime=-5\nmsg_id=\n"),
              kWritten + std::string(kEnvelopeLimit, 'x')})
            CPPUNIT_ASSERT_MESSAGE(bad.substr(0, 40), !parse_envelope(bad));
        // One that is not written to its end yet has no name; it is read under Asterisk's lock.
        CPPUNIT_ASSERT(!parse_envelope(kWritten.substr(0, kWritten.find("origdate"))));
    }

    void names_that_are_none() {
        for (const char* bad : {"../../x", "a b", "x/y", "\xc3\xa9", "-\x01"}) {
            const Envelope e = good("[message]\norigtime=5\nmsg_id=" + std::string(bad) + "\n");
            CPPUNIT_ASSERT_EQUAL(std::string(), e.msg_id);
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string(),
            good("[message]\norigtime=5\nmsg_id=" + std::string(61, '1') + "\n").msg_id);
        CPPUNIT_ASSERT_EQUAL(
            std::int64_t{0},
            good("[message]\nmsg_id=1-1\norigtime=99999999999999999999\n").origtime);
    }

    void the_first_value_counts() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("1-1"),
            good("[general]\nmsg_id=0-0\n[message]\nmsg_id=1-1\nmsg_id=2-2\n").msg_id);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EnvelopeTest);

}  // namespace
