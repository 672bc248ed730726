#include "mime/wording.h"

#include "base/text.h"
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
    CPPUNIT_TEST(transcripts);
    CPPUNIT_TEST(administrators_words);
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
            {"\u200Fann\u200E \u061C1", "ann 1"},
            {"\u05D0\u05DE\u05D0", "\u05D0\u05DE\u05D0"},  // from right to left as it is
            {"\xE2\x80\xA9y", "y"},                        // U+2029
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

    void transcripts() {
        const struct {
            std::string in, out;
        } cases[] = {
            {"Call me back.\n", "Call me back."},
            {"\n\n one\ttwo \r\n\n\n\nthree\n\n", "one two\n\nthree"},
            {std::string("a\0b\x1B[31m", 8), "a b [31m"},
            {"\xFF caf\xE9", "? caf?"},
            {"\u202Eback\u2066", "back"},
            {"[VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]", "(VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]"},
            {"[\u200EVM:1]", "(VM:1]"},
            {" \n\t\r\n", ""},
            {"", ""},
        };
        for (const auto& c : cases) CPPUNIT_ASSERT_EQUAL(c.out, vm::mime::clean_transcript(c.in));
        for (const std::string& word : {std::string("ab "), std::string("é"), std::string("a\n"),
                                        std::string("\xE2\x80\xAE")}) {
            std::string flood;
            while (flood.size() < 1'000'000) flood += word;
            const std::string kept = vm::mime::clean_transcript(flood);
            CPPUNIT_ASSERT(kept.size() <= 8000 && vm::is_utf8(kept));
            CPPUNIT_ASSERT(kept.empty() || kept.ends_with(" …"));
        }
        const std::string exact(8000, 'x');
        CPPUNIT_ASSERT_EQUAL(exact, vm::mime::clean_transcript(exact));
        CPPUNIT_ASSERT_EQUAL(std::string(7996, 'x') + " …",
                             vm::mime::clean_transcript(exact + "x"));
    }

    // Entries may be emptied, and may say more than they do as they come.
    void administrators_words() {
        std::string file(Template::built_in());
        const auto put = [&](const std::string& from, const std::string& to) {
            CPPUNIT_ASSERT_MESSAGE(from, file.find(from) != std::string::npos);
            file.replace(file.find(from), from.size(), to);
        };
        put("subject_voice = Voice message from {caller} ({duration})",
            "subject_voice = Acme {mailbox}: {name}/{number} at {time}");
        put("sender_unknown = Voice Mail", "sender_unknown = Acme {mailbox}");
        put("\nvoice = You have a new voice message in mailbox {mailbox}.", "\nvoice =");
        for (const char* key : {"caller = From: {caller}", "received = Received: {time}",
                                "length_voice = Length: {duration}"})
            put("\n" + std::string(key),
                "\n" + std::string(key).substr(0, std::string(key).find('=') + 1));
        put("attached_voice = The recording is attached.",
            "attached_voice = {caller} spoke for {duration}.");
        const auto wording = Template::parse(file, "xx.ini");
        CPPUNIT_ASSERT_MESSAGE(wording ? "" : wording.error().text(), wording.has_value());
        const Owned<GDateTime> time(g_date_time_new_utc(2026, 11, 22, 10, 30, 0));
        Message message = voice();
        message.caller_number = "5551234";
        const Wording mail = word_mail(*wording, message, time.get(), true, "Call me.\nAnn");
        CPPUNIT_ASSERT_EQUAL(
            std::string("Acme 101: /5551234 at Sunday, 22 November 2026, 10:30 (UTC)"),
            mail.subject);
        CPPUNIT_ASSERT_EQUAL(
            std::string("5551234 spoke for 1 minute 5 seconds.\n\nAutomatic transcript (may "
                        "contain errors):\nCall me.\nAnn\n\n[VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]\n"),
            mail.text);
        message.caller_number.clear();
        CPPUNIT_ASSERT_EQUAL(std::string("Acme 101"),
                             word_mail(*wording, message, time.get(), true).sender);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WordingTest);

}  // namespace
