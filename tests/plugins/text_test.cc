#include "common/text.h"

#include "common/dial.h"
#include "fake_host.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <array>

namespace vm::plug {

namespace {

class PluginTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginTextTest);
    CPPUNIT_TEST(lines);
    CPPUNIT_TEST(fields_are_cut_and_terminated);
    CPPUNIT_TEST(base64);
    CPPUNIT_TEST(redactor);
    CPPUNIT_TEST(redactor_of_what_was_cut_off);
    CPPUNIT_TEST(what_nobody_reads_is_not_traced);
    CPPUNIT_TEST(hosts);
    CPPUNIT_TEST(literal);
    CPPUNIT_TEST_SUITE_END();

    void lines() {
        CPPUNIT_ASSERT_EQUAL(std::string("a  b"), one_line(" a\r\nb\x7F\n"));
        CPPUNIT_ASSERT_EQUAL(std::string(), one_line("\r\n"));
    }

    void fields_are_cut_and_terminated() {
        std::array<char, 4> field{};
        copy_text(field.data(), field.size(), "abcdef");
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), std::string(field.data()));
        copy_text(field.data(), field.size(), "");
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(field.data()));
    }

    void base64() {
        CPPUNIT_ASSERT_EQUAL(std::string("Zm9vYg=="), encode_base64("foob"));  // RFC 4648
        CPPUNIT_ASSERT_EQUAL(std::string(), decode_base64("no base64!"));
        CPPUNIT_ASSERT(rc::check("decode(encode(s)) is s", [](const std::string& s) {
            RC_ASSERT(decode_base64(encode_base64(s)) == s);
        }));
    }

    void redactor() {
        Redactor redactor;
        redactor.add("secret");
        redactor.add("ab");  // too short to look for
        CPPUNIT_ASSERT_EQUAL(std::string("[hidden] ab [hidden][hidden]!"),
                             redactor.hide("secret ab " + encode_base64("secret") + "secret!"));
    }

    // As servers do with what they do not understand.
    void redactor_of_what_was_cut_off() {
        Redactor redactor;
        redactor.add("geheim123");
        const std::string coded = encode_base64("geheim123");
        for (const std::string& echo : {coded, coded.substr(0, 8), std::string("geheim12")})
            CPPUNIT_ASSERT_EQUAL(std::string("bad [hidden]... geheim"),
                                 redactor.hide("bad " + echo + "... geheim"));
    }

    void what_nobody_reads_is_not_traced() {
        vm::testing::FakeHost host;
        const Host session = host.session();
        session.trace("C: ", "NOOP");
        host.reads = false;
        session.trace("C: ", "CAPABILITY");
        host.reads = true;
        session.trace("S: ", "a longer line", 8);
        CPPUNIT_ASSERT_EQUAL(std::string("C: NOOP\nS: a longer...\n"), host.trace());
    }

    void hosts() {
        for (const char* host :
             {"mail.example.com", "localhost", "a_b", "192.0.2.1", "2001:db8::1"})
            CPPUNIT_ASSERT_MESSAGE(host, valid_host(host));
        for (const char* host :
             {"", "a b", "a/b", "a@b", "[::1]", "a:25", "m\xC3\xBCller", "a\r\nb"})
            CPPUNIT_ASSERT_MESSAGE(host, !valid_host(host));
    }

    void literal() {
        const std::string text = address_literal();
        CPPUNIT_ASSERT_MESSAGE(text, text.starts_with("[") && text.ends_with("]"));
        const std::string address = text.substr(1, text.size() - 2);
        CPPUNIT_ASSERT(valid_host(address.starts_with("IPv6:") ? address.substr(5) : address));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginTextTest);

}  // namespace

}  // namespace vm::plug
