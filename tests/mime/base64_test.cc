#include "mime/base64.h"

#include <cppunit/extensions/HelperMacros.h>
#include <glib.h>
#include <rapidcheck.h>

#include <memory>
#include <string>

using vm::mime::append_base64_lines;
using vm::mime::kBase64LineBytes;

namespace {

std::string lines_of(const std::string& bytes) {
    std::string out;
    append_base64_lines(bytes, out);
    return out;
}

class Base64Test : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(Base64Test);
    CPPUNIT_TEST(examples_of_rfc_4648);
    CPPUNIT_TEST(lines);
    CPPUNIT_TEST(decodes_to_what_was_encoded);
    CPPUNIT_TEST(whole_lines_join);
    CPPUNIT_TEST_SUITE_END();

    void examples_of_rfc_4648() {
        const std::pair<const char*, const char*> cases[] = {
            {"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
            {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
        for (const auto& [bytes, text] : cases)
            CPPUNIT_ASSERT_EQUAL(std::string(text) + "\r\n", lines_of(bytes));
        CPPUNIT_ASSERT_EQUAL(std::string("+/+/\r\n"), lines_of("\xfb\xff\xbf"));
    }

    void lines() {
        CPPUNIT_ASSERT_EQUAL(std::string(), lines_of(""));
        const std::string full(kBase64LineBytes, '\0');
        CPPUNIT_ASSERT_EQUAL(std::string(76, 'A') + "\r\n", lines_of(full));
        CPPUNIT_ASSERT_EQUAL(std::string(76, 'A') + "\r\nAA==\r\n", lines_of(full + '\0'));
    }

    void decodes_to_what_was_encoded() {
        const bool held = rc::check([](const std::string& bytes) {
            gsize size = 0;
            const std::unique_ptr<guchar, decltype(&g_free)> decoded(
                g_base64_decode(lines_of(bytes).c_str(), &size), g_free);
            RC_ASSERT(bytes == std::string(reinterpret_cast<const char*>(decoded.get()), size));
        });
        CPPUNIT_ASSERT(held);
    }

    void whole_lines_join() {
        const bool held = rc::check([](const std::string& some) {
            const std::string head(kBase64LineBytes * 3, 'x');
            RC_ASSERT(lines_of(head + some) == lines_of(head) + lines_of(some));
        });
        CPPUNIT_ASSERT(held);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Base64Test);

}  // namespace
