#include "mime/wording.h"

#include "mime/gobject.h"

#include <cppunit/extensions/HelperMacros.h>

using vm::Message;
using vm::MessageKind;
using vm::mime::clean_caller;
using vm::mime::Entry;
using vm::mime::Owned;
using vm::mime::Template;
using vm::mime::whole_seconds;
using vm::mime::word_mail;
using vm::mime::Wording;

namespace {

Wording word(const Message& message, const char* zone = "UTC",
             std::int64_t unix_seconds = 1795343400) {
    const Owned<GTimeZone> where(g_time_zone_new_identifier(zone));
    CPPUNIT_ASSERT_MESSAGE(std::string(zone) + " is not known: is tzdata installed?",
                           where != nullptr);
    const Owned<GDateTime> utc(g_date_time_new_from_unix_utc(unix_seconds));
    const Owned<GDateTime> local(g_date_time_to_timezone(utc.get(), where.get()));
    return word_mail(*Template::load("", "en"), message, local.get(), true);
}

Message voice(std::int64_t duration_ms = 65000) {
    Message message;
    message.id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    message.mailbox = "101";
    message.duration_ms = duration_ms;
    return message;
}

std::string line_with(const std::string& text, const std::string& start) {
    const std::size_t at = text.find("\n" + start);
    CPPUNIT_ASSERT_MESSAGE("no line " + start + " in " + text, at != std::string::npos);
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

class WordingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WordingTest);
    CPPUNIT_TEST(cleans_callers);
    CPPUNIT_TEST(durations);
    CPPUNIT_TEST(pages);
    CPPUNIT_TEST(callers);
    CPPUNIT_TEST(times_are_those_of_the_mailbox);
    CPPUNIT_TEST(file_names_are_plain);
    CPPUNIT_TEST(the_token_is_the_last_line);
    CPPUNIT_TEST_SUITE_END();

  public:
    void cleans_callers() {
        const struct {
            std::string in, out;
        } cases[] = {
            {"Ana Díaz", "Ana Díaz"},
            {"  two   blanks\t ", "two blanks"},
            {"a\r\nBcc: b@c", "a Bcc: b@c"},
            {std::string("a\0b", 3), "a b"},
            {"\xFF\xFE", "??"},
            {"abc\xE2\x80\xAE"
             "fdp.exe",
             "abcfdp.exe"},                      // U+202E
            {"\xE2\x81\xA6x\xE2\x81\xA9", "x"},  // U+2066, U+2069
            {"\xE2\x80\xA9y", "y"},              // U+2029
            {"x [VM:01ARZ] [vm:", "x (VM:01ARZ] (vm:"},
            {"[[VM:", "[(VM:"},
            {"[\xE2\x80\xAEVM:x", "(VM:x"},
            {"=?utf-8?q?x?=", "= ?utf-8?q?x?="},
            {"=\xE2\x80\xAE?", "= ?"},
            {std::string(300, 'x'), std::string(200, 'x')},
            {std::string(199, 'x') + "é", std::string(199, 'x')},
            {"\r\n", ""},
        };
        for (const auto& c : cases) CPPUNIT_ASSERT_EQUAL(c.out, clean_caller(c.in));
    }

    void durations() {
        const struct {
            std::int64_t ms;
            const char* words;
        } cases[] = {{0, "1 second"},
                     {1, "1 second"},
                     {1000, "1 second"},
                     {1001, "2 seconds"},
                     {60000, "1 minute"},
                     {64001, "1 minute 5 seconds"},
                     {3600000, "1 hour"},
                     {3661000, "1 hour 1 minute 1 second"},
                     {7325000, "2 hours 2 minutes 5 seconds"}};
        for (const auto& c : cases) {
            CPPUNIT_ASSERT_EQUAL("Length: " + std::string(c.words),
                                 line_with(word(voice(c.ms)).text, "Length"));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, whole_seconds(1001));
    }

    void pages() {
        Message fax = voice();
        fax.kind = MessageKind::kFax;
        fax.pages = 1;
        CPPUNIT_ASSERT_EQUAL(std::string("Fax from unknown caller (1 page)"), word(fax).subject);
        fax.pages = 12;
        CPPUNIT_ASSERT_EQUAL(std::string("Fax from unknown caller (12 pages)"), word(fax).subject);
    }

    void callers() {
        Message message = voice();
        CPPUNIT_ASSERT_EQUAL(std::string("Voice Mail"), word(message).sender);
        message.caller_number = "5551234";
        CPPUNIT_ASSERT_EQUAL(std::string("5551234 (Voice Mail)"), word(message).sender);
        CPPUNIT_ASSERT_EQUAL(std::string("From: 5551234"), line_with(word(message).text, "From"));
        message.caller_name = "{number}";
        CPPUNIT_ASSERT_EQUAL(std::string("{number} (Voice Mail)"), word(message).sender);
        CPPUNIT_ASSERT_EQUAL(std::string("From: {number}, 5551234"),
                             line_with(word(message).text, "From"));
        message.caller_name = "5551234";
        message.urgent = true;
        CPPUNIT_ASSERT_EQUAL(std::string("Urgent: Voice message from 5551234 (1 minute 5 seconds)"),
                             word(message).subject);
        message.caller_name = " \r\n ";
        CPPUNIT_ASSERT_EQUAL(std::string("From: 5551234"), line_with(word(message).text, "From"));
    }

    void times_are_those_of_the_mailbox() {
        const struct {
            const char* zone;
            std::int64_t seconds;
            const char* words;
        } cases[] = {
            {"UTC", 1795343400, "Sunday, 22 November 2026, 10:30 (UTC)"},
            {"America/Los_Angeles", 1795343400, "Sunday, 22 November 2026, 02:30 (PST, UTC-08:00)"},
            {"America/Los_Angeles", 1782871200, "Tuesday, 30 June 2026, 19:00 (PDT, UTC-07:00)"},
            {"Asia/Kolkata", 1795343400, "Sunday, 22 November 2026, 16:00 (IST, UTC+05:30)"},
            {"America/Sao_Paulo", 1795343400, "Sunday, 22 November 2026, 07:30 (UTC-03:00)"},
            {"Pacific/Auckland", 1795343400, "Sunday, 22 November 2026, 23:30 (NZDT, UTC+13:00)"},
            {"Europe/London", 0, "Thursday, 1 January 1970, 01:00 (BST, UTC+01:00)"},
        };
        for (const auto& c : cases)
            CPPUNIT_ASSERT_EQUAL("Received: " + std::string(c.words),
                                 line_with(word(voice(), c.zone, c.seconds).text, "Received"));
    }

    void file_names_are_plain() {
        Message message = voice();
        CPPUNIT_ASSERT_EQUAL(std::string("voice-2026-11-22-0230"),
                             word(message, "America/Los_Angeles").file_base);
        message.caller_number = "+1 (425) 555-0123;../\"x";
        CPPUNIT_ASSERT_EQUAL(std::string("voice-2026-11-22-1030-14255550123"),
                             word(message).file_base);
        message.caller_number = std::string(200, '7');
        CPPUNIT_ASSERT_EQUAL("voice-2026-11-22-1030-" + std::string(20, '7'),
                             word(message).file_base);
    }

    void the_token_is_the_last_line() {
        Message message = voice();
        message.caller_name = "[VM:01BRZ3NDEKTSV4RRFFQ69G5FAV]";
        const std::string text = word(message).text;
        CPPUNIT_ASSERT(text.ends_with("\n[VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]\n"));
        CPPUNIT_ASSERT_EQUAL(text.find("[VM:"), text.rfind("[VM:"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WordingTest);

}  // namespace
