#include "oauth2/exchange.h"

#include "oauth2_rig.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

namespace vm::testing {

namespace {

using oauth2::Answer;

class ExchangeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ExchangeTest);
    CPPUNIT_TEST(a_form_holds_any_bytes);
    CPPUNIT_TEST(a_request_is_read_as_it_was_written);
    CPPUNIT_TEST(an_answer_is_read_as_it_was_written);
    CPPUNIT_TEST(any_other_text_is_none);
    CPPUNIT_TEST(what_cannot_be_is_refused);
    CPPUNIT_TEST(a_child_that_fails_is_a_server_that_gives_no_answer);
    CPPUNIT_TEST_SUITE_END();

    static Answer full() {
        Answer out;
        out.status = 400;
        out.access_token = Secret("a~.-_+/=0");
        out.refresh_token = Secret(std::string(oauth2::kRefreshTokenLimit, 'r'));
        out.device_code = Secret("d");
        out.token_type = "Bearer";
        out.scope = "https://mail.google.com/ x=y";
        out.user_code = "WDJB-MJHT";
        out.verification_uri = "https://example.com/device?a=b";
        out.error = "slow_down";
        out.error_description = "Grüße; a = b";
        out.expires_in = 1800;
        out.interval = 5;
        return out;
    }

    void a_form_holds_any_bytes() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("a=%00%26%3D%2B%20%C3%A9~&b="),
            oauth2::form({{"a", std::string_view("\0&=+ \xC3\xA9~", 8)}, {"b", ""}}).reveal());
    }

    void a_request_is_read_as_it_was_written() {
        const oauth2::Request request{"https://a/b?c=d", "/x y/ca.pem", Secret("a=b&c=%0A")};
        const auto read = oauth2::parse_request(oauth2::to_text(request));
        CPPUNIT_ASSERT(read && read->url == request.url && read->ca_file == request.ca_file &&
                       read->body == request.body);
        CPPUNIT_ASSERT(!oauth2::parse_request("url=https://a\nbody=a b\n"));
        CPPUNIT_ASSERT(!oauth2::parse_request("body=a\n"));
        CPPUNIT_ASSERT(!oauth2::parse_request(""));
    }

    void an_answer_is_read_as_it_was_written() {
        const Answer answer = full();
        const auto read = oauth2::parse_answer(oauth2::to_text(answer));
        CPPUNIT_ASSERT(read);
        CPPUNIT_ASSERT_EQUAL(answer.status, read->status);
        CPPUNIT_ASSERT(answer.access_token == read->access_token &&
                       answer.refresh_token == read->refresh_token &&
                       answer.device_code == read->device_code);
        CPPUNIT_ASSERT_EQUAL(answer.scope, read->scope);
        CPPUNIT_ASSERT_EQUAL(answer.error_description, read->error_description);
        CPPUNIT_ASSERT_EQUAL(answer.verification_uri, read->verification_uri);
        CPPUNIT_ASSERT(answer.expires_in == read->expires_in && answer.interval == read->interval);
        CPPUNIT_ASSERT_EQUAL(oauth2::to_text(answer), oauth2::to_text(*read));
    }

    void any_other_text_is_none() {
        CPPUNIT_ASSERT(rc::check("any text", [](const std::string& text) {
            (void)oauth2::parse_answer(text);
            (void)oauth2::parse_request(text);
            RC_ASSERT(!oauth2::parse_answer("status=200\n" + text + "x"));
        }));
        const std::string text = oauth2::to_text(full());
        for (std::size_t i = 0; i < text.size(); i += 7)
            if (i > 0 && text[i - 1] != '\n')
                CPPUNIT_ASSERT(!oauth2::parse_answer(text.substr(0, i)));
    }

    void what_cannot_be_is_refused() {
        for (const char* line :
             {"status=200\n", "other=x\n", "access_token=\n", "access_token=a b\n",
              "access_token=a\x7f\n", "expires_in=-1\n", "expires_in=999999999999\n",
              "expires_in=1.5\n", "error=a\x01\n", "error_description=\xff\n",
              "scope=\xE2\x80\xAE"
              "txet\n",
              "\n", "=\n", "status=99\n"})
            CPPUNIT_ASSERT_MESSAGE(line, !oauth2::parse_answer(std::string("status=200\n") + line));
        CPPUNIT_ASSERT(!oauth2::parse_answer(
            "status=200\naccess_token=" + std::string(oauth2::kAccessTokenLimit + 1, 'a') + "\n"));
    }

    void a_child_that_fails_is_a_server_that_gives_no_answer() {
        const TempRoot root;
        const auto program = root.paths.root / "vmoauth2";
        const oauth2::Request request{"https://login.example.net/x", "", Secret("a=the-secret")};
        const auto says = [&](const std::string& script) {
            root.write(program, "#!/bin/sh\n" + script + "\n", 0700);
            return oauth2::post_by(program)(request);
        };
        assert_error(says("echo 'vmoauth2: Connection refused' >&2; exit 69"),
                     ErrorKind::kUnavailable, "OAuth2: login.example.net: Connection refused");
        assert_error(says("exit 3"), ErrorKind::kUnavailable, "vmoauth2 ended with status 3");
        assert_error(says("kill -9 $$"), ErrorKind::kUnavailable, "ended with status 137");
        assert_error(says("echo what"), ErrorKind::kUnavailable, "makes no sense");
        assert_error(says("head -c 1000000 /dev/zero"), ErrorKind::kUnavailable, "wrote more than");
        // It is told on its standard input, and nowhere else.
        CPPUNIT_ASSERT_EQUAL(
            418,
            says("tr '\\0' ' ' < /proc/$$/cmdline > " + (root.paths.root / "seen").string() +
                 "; tr '\\0' ' ' < /proc/$$/environ >> " + (root.paths.root / "seen").string() +
                 "; grep -q '^body=a=the-secret$' && echo status=418")
                .value()
                .status);
        CPPUNIT_ASSERT(root.read(root.paths.root / "seen").find("secret") == std::string::npos);
        assert_error(oauth2::post_by(root.paths.root / "none")(request), ErrorKind::kConfig,
                     "No such file");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ExchangeTest);

}  // namespace

}  // namespace vm::testing
