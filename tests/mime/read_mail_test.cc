// read_mail() on mails of every kind, and vmreadmail, the child that reads the hostile ones.
#include "mime/read_mail.h"

#include "base/clock.h"
#include "base/text.h"
#include "mime/compose.h"
#include "mime/mail_json.h"
#include "mime/mail_reader.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <string>

using vm::ErrorKind;
using vm::mime::kMailTextLimit;
using vm::mime::MailText;
using vm::mime::parse_mail_json;
using vm::mime::read_mail;
using vm::mime::to_json;

namespace {

constexpr std::size_t k10MB = 10'000'000;

std::string repeated(std::string_view what, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += what;
    return out;
}

std::string part(const std::string& type, const std::string& body,
                 const std::string& encoding = "8bit") {
    return "Content-Type: " + type + "\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" +
           body + "\r\n";
}

std::string mail(const std::string& rest) {
    return "From: Ann <ann@example.com>\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n" + rest;
}

std::string multipart(const std::string& subtype, const std::vector<std::string>& parts,
                      const std::string& boundary = "b") {
    std::string out =
        "Content-Type: multipart/" + subtype + "; boundary=\"" + boundary + "\"\r\n\r\n";
    for (const std::string& p : parts) out += "--" + boundary + "\r\n" + p;
    return out + "--" + boundary + "--\r\n";
}

MailText read(const std::string& bytes, bool is_cut = false) {
    const auto text = read_mail(bytes, is_cut);
    CPPUNIT_ASSERT_MESSAGE(text ? "" : text.error().text(), text.has_value());
    return *text;
}

std::string text_of(const std::string& rest) {
    return read(mail(rest)).text;
}

// What is promised of every text, whatever the mail.
bool is_clean(const MailText& mail) {
    const auto clean = [](const std::string& text, bool lines) {
        for (const char c : text)
            if ((static_cast<unsigned char>(c) < 0x20 && !(lines && c == '\n')) || c == 0x7F)
                return false;
        return vm::is_utf8(text);
    };
    return clean(mail.sender_name, false) && clean(mail.sender_address, false) &&
           clean(mail.subject, false) && clean(mail.message_id, false) && clean(mail.text, true) &&
           mail.text.size() <= kMailTextLimit && mail.date >= 0;
}

std::string program() {
    const char* build = std::getenv("VM_BUILD");
    return std::string(build == nullptr ? "build" : build) + "/bin/vmreadmail";
}

// By the child. Its sandbox limits time and memory; it ends as one of these three at the latest.
vm::Result<MailText> in_child(const std::string& bytes, bool is_cut = false) {
    return vm::mime::read_mail_in_child(program(), bytes, is_cut);
}

MailText good_in_child(const std::string& bytes, bool is_cut = false) {
    const auto text = in_child(bytes, is_cut);
    CPPUNIT_ASSERT_MESSAGE(text ? "" : text.error().text(), text.has_value());
    CPPUNIT_ASSERT_EQUAL(std::string("Hello"), text->subject);
    CPPUNIT_ASSERT(is_clean(*text));
    return *text;
}

class ReadMailTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReadMailTest);
    CPPUNIT_TEST(header_fields);
    CPPUNIT_TEST(last_date);
    CPPUNIT_TEST(encoded_header_fields);
    CPPUNIT_TEST(senders_in_odd_forms);
    CPPUNIT_TEST(knows_our_mails);
    CPPUNIT_TEST(charsets);
    CPPUNIT_TEST(charsets_that_are_wrong);
    CPPUNIT_TEST(transfer_encodings);
    CPPUNIT_TEST(prefers_plain_text);
    CPPUNIT_TEST(passes_over_attachments);
    CPPUNIT_TEST(looks_into_an_attached_mail_last);
    CPPUNIT_TEST(control_characters_go);
    CPPUNIT_TEST(tells_what_is_cut);
    CPPUNIT_TEST(no_header_is_no_mail);
    CPPUNIT_TEST(any_bytes_do_no_harm);
    CPPUNIT_TEST(cut_at_any_byte);
    CPPUNIT_TEST(json_comes_back);
    CPPUNIT_TEST(json_is_checked);
    CPPUNIT_TEST(the_child_reads_as_well);
    CPPUNIT_TEST(deep_multiparts);
    CPPUNIT_TEST(deep_attached_mails);
    CPPUNIT_TEST(many_parts);
    CPPUNIT_TEST(long_headers);
    CPPUNIT_TEST(html_bombs);
    CPPUNIT_TEST(long_lines_and_noise);
    CPPUNIT_TEST(a_child_that_cannot_be_started);
    CPPUNIT_TEST(a_child_that_misbehaves);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override { vm::mime::initialise(); }

    void header_fields() {
        const MailText text = read(
            "From: \"Smith, Ann\" <ann@example.com>\nSubject: Lunch\n  at noon\n"
            "Date: Sun, 22 Nov 2026 10:30:29 +0800\nMessage-ID: <a.b@example.com>\n\n"
            "One\nTwo\n");
        CPPUNIT_ASSERT_EQUAL(std::string("Smith, Ann"), text.sender_name);
        CPPUNIT_ASSERT_EQUAL(std::string("ann@example.com"), text.sender_address);
        CPPUNIT_ASSERT_EQUAL(std::string("Lunch at noon"), text.subject);
        CPPUNIT_ASSERT_EQUAL(std::string("2026-11-22T02:30:29.000Z"),
                             vm::format_rfc3339(text.date));
        CPPUNIT_ASSERT_EQUAL(std::string("a.b@example.com"), text.message_id);
        CPPUNIT_ASSERT(!text.is_ours && !text.truncated);
        CPPUNIT_ASSERT_EQUAL(std::string("One\nTwo\n"), text.text);

        const MailText bare = read("Subject: x\nDate: never\n\n");
        CPPUNIT_ASSERT(bare.sender_name.empty() && bare.sender_address.empty());
        CPPUNIT_ASSERT_EQUAL(vm::TimeMs{0}, bare.date);
        CPPUNIT_ASSERT_EQUAL(std::string(), bare.text);
    }

    // What the reader answers has room for four digits of a year.
    void last_date() {
        const auto date = [](const std::string& zone) {
            return read("Date: Fri, 31 Dec 9999 23:59:59 " + zone + "\n\nx\n").date;
        };
        CPPUNIT_ASSERT_EQUAL(std::string("9999-12-31T23:59:59.000Z"),
                             vm::format_rfc3339(date("+0000")));
        CPPUNIT_ASSERT_EQUAL(vm::TimeMs{0}, date("-0001"));
    }

    void encoded_header_fields() {
        const MailText text = read(
            "From: =?ISO-8859-1?Q?J=F6rg_M=FCller?= <j@example.com>\n"
            "Subject: =?utf-8?B?5pel5pys?=\n =?utf-8?B?6Kqe?= "
            "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?= =?no-such?Q?x=20y?=\n\nx\n");
        CPPUNIT_ASSERT_EQUAL(std::string("Jörg Müller"), text.sender_name);
        CPPUNIT_ASSERT(text.subject.starts_with("日本語こんにちは"));
        CPPUNIT_ASSERT(is_clean(text));
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße"), read("Subject: Gr\xC3\xBC\xC3\x9F"
                                                        "e\n\n")
                                                       .subject);
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße"), read("Subject: Gr\xFC\xDF"
                                                        "e\n\n")
                                                       .subject);
        // What an encoded word hides: a line end, a NUL, a turn of the direction.
        const MailText hidden = read("Subject: =?utf-8?Q?a=0D=0ABcc:_x=00y=E2=80=AEz?=\n\n");
        CPPUNIT_ASSERT(is_clean(hidden));
        CPPUNIT_ASSERT(hidden.subject.find('\n') == std::string::npos);
    }

    void senders_in_odd_forms() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("b@example.com"),
            read("From: Team: Bob <b@example.com>, c@example.com;\n\n").sender_address);
        CPPUNIT_ASSERT_EQUAL(std::string("s@example.com"),
                             read("Sender: s@example.com\nSubject: x\n\n").sender_address);
        CPPUNIT_ASSERT(read("From: undisclosed:;\nSubject: x\n\n").sender_address.empty());
        const MailText lengthy =
            read("From: " + repeated("ä ", 100'000) + " <" + repeated("x", 100'000) + "@y>\n\n");
        CPPUNIT_ASSERT(lengthy.sender_name.size() <= 1000 && is_clean(lengthy));
    }

    void knows_our_mails() {
        const std::string id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        CPPUNIT_ASSERT(read(mail("X-VM-Message-Id: " + id + "\r\n\r\nx\r\n")).is_ours);
        CPPUNIT_ASSERT(read(mail("\r\nYou have a new fax.\r\n\r\n[VM:" + id + "]\r\n")).is_ours);
        CPPUNIT_ASSERT(!read(mail("\r\nThanks!\r\n> [VM:" + id + "]\r\n")).is_ours);
        CPPUNIT_ASSERT(!read(mail("\r\n[VM:" + id.substr(1) + "]\r\n")).is_ours);
        CPPUNIT_ASSERT(!read(mail("\r\n[VM:\r\n")).is_ours);
    }

    void charsets() {
        const auto in = [](const std::string& charset, const std::string& body) {
            return text_of(part("text/plain; charset=" + charset, body));
        };
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("utf-8", "Grüße"));
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("\"UTF-8\"", "Grüße"));
        CPPUNIT_ASSERT_EQUAL(std::string("“Grüße” €\n"), in("windows-1252",
                                                            "\x93Gr\xFC\xDF"
                                                            "e\x94 \x80"));
        CPPUNIT_ASSERT_EQUAL(std::string("“x”\n"), in("iso-8859-1", "\x93x\x94"));
        CPPUNIT_ASSERT_EQUAL(std::string("日本語\n"), in("iso-2022-jp", "\x1B$BF|K\\8l\x1B(B"));
        CPPUNIT_ASSERT_EQUAL(std::string("日本語\n"), in("Shift_JIS", "\x93\xFA\x96{\x8C\xEA"));
        CPPUNIT_ASSERT_EQUAL(std::string("Привет\n"), in("koi8-r", "\xF0\xD2\xC9\xD7\xC5\xD4"));
        CPPUNIT_ASSERT_EQUAL(std::string("hé\n"),
                             text_of(part("text/plain; charset=utf-16le", "aADpAA==", "base64")));
        // RFC 2231: a parameter in pieces.
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"),
                             text_of(part("text/plain; charset*0=iso-; charset*1=8859-15",
                                          "Gr\xFC\xDF"
                                          "e")));
    }

    void charsets_that_are_wrong() {
        const auto in = [](const std::string& charset, const std::string& body) {
            return text_of(part("text/plain; charset=" + charset, body));
        };
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("x-no-such", "Grüße"));
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("x-no-such",
                                                        "Gr\xFC\xDF"
                                                        "e"));
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("us-ascii",
                                                        "Gr\xFC\xDF"
                                                        "e"));
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), in("\"\"", "Grüße"));
        CPPUNIT_ASSERT_EQUAL(std::string("a?b ok\n"), in("utf-8",
                                                         "a\xFF"
                                                         "b ok"));
        CPPUNIT_ASSERT(in("iso-2022-jp", "\x1B$BF|K\\\x80\xFF rest").size() > 3);
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\n"), text_of("\r\nGr\xFC\xDF"
                                                             "e\r\n"));
    }

    void transfer_encodings() {
        const auto in = [](const std::string& encoding, const std::string& body) {
            return text_of(part("text/plain; charset=utf-8", body, encoding));
        };
        CPPUNIT_ASSERT_EQUAL(
            std::string("Grüße, a soft break\nand a hard one\n"),
            in("quoted-printable", "Gr=C3=BC=C3=9Fe, a soft =\r\nbreak\r\nand a hard one=0A"));
        CPPUNIT_ASSERT_EQUAL(std::string("100% =ZZ\n"), in("quoted-printable", "100% =ZZ ="));
        CPPUNIT_ASSERT_EQUAL(std::string("Hello\n"), in("base64", "SGVs\r\nbG8="));
        // Broken: foreign characters, no padding, an end in the middle.
        CPPUNIT_ASSERT_EQUAL(std::string("Hello\n"), in("base64", "SG!*Vs\r\n(bG8="));
        CPPUNIT_ASSERT_EQUAL(std::string("Hel\n"), in("base64", "SGVsbG8"));
        CPPUNIT_ASSERT(in("base64", "SGVsbG8gdGhlcm").starts_with("Hello the"));
        CPPUNIT_ASSERT_EQUAL(std::string("plain words\n"), in("x-unknown", "plain words"));
    }

    void prefers_plain_text() {
        const std::string html = part("text/html; charset=utf-8", "<p>rich <b>words</b></p>");
        const std::string plain = part("text/plain; charset=utf-8", "plain words");
        const std::string blank = part("text/plain", " \r\n\t\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("plain words\n"),
                             text_of(multipart("alternative", {html, plain})));
        CPPUNIT_ASSERT_EQUAL(std::string("rich words\n"),
                             text_of(multipart("alternative", {blank, html})));
        CPPUNIT_ASSERT_EQUAL(std::string("rich words\n"),
                             text_of(multipart("mixed", {html, plain})));
        CPPUNIT_ASSERT_EQUAL(
            std::string("plain words\n"),
            text_of(multipart(
                "mixed",
                {multipart("alternative",
                           {multipart("related", {html, part("image/png", "x")}, "r"), plain}, "a"),
                 part("text/plain", "footer")})));
        CPPUNIT_ASSERT_EQUAL(std::string("rich words\n"), text_of(html));
        CPPUNIT_ASSERT_EQUAL(std::string(), text_of(part("application/pdf", "%PDF")));
    }

    void passes_over_attachments() {
        const std::string attached =
            "Content-Disposition: ATTACHMENT; filename=a.txt\r\n" + part("text/plain", "attached");
        CPPUNIT_ASSERT_EQUAL(std::string("body\n"),
                             text_of(multipart("mixed", {attached, part("text/plain", "body")})));
        CPPUNIT_ASSERT_EQUAL(std::string(), text_of(multipart("mixed", {attached})));
    }

    void looks_into_an_attached_mail_last() {
        const std::string attached =
            "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner words\r\n";
        CPPUNIT_ASSERT_EQUAL(
            std::string("own words\n"),
            text_of(multipart("mixed", {attached, part("text/plain", "own words")})));
        CPPUNIT_ASSERT_EQUAL(std::string("inner words\n"), text_of(multipart("mixed", {attached})));
    }

    void control_characters_go() {
        const std::string body(
            "a\0b\x01\x1B[31mc\td\x7F\r\n\xE2\x80\xAE"
            "e\xC2\x85"
            "f\r\n",
            24);
        const MailText text = read(mail(part("text/plain; charset=utf-8", body)));
        CPPUNIT_ASSERT_EQUAL(std::string("ab[31mc d\ne f\n"), text.text);
    }

    void tells_what_is_cut() {
        const std::string whole = mail(multipart(
            "mixed", {part("text/plain", "all of it"), part("audio/wav", "UklGRg==", "base64")}));
        CPPUNIT_ASSERT(!read(whole).truncated);
        const MailText later = read(whole.substr(0, whole.find("UklG")), true);
        CPPUNIT_ASSERT_EQUAL(std::string("all of it\n"), later.text);
        CPPUNIT_ASSERT(!later.truncated);
        const MailText within = read(whole.substr(0, whole.find("of it")), true);
        CPPUNIT_ASSERT_EQUAL(std::string("all\n"), within.text);
        CPPUNIT_ASSERT(within.truncated);
        CPPUNIT_ASSERT(read(mail("\r\nsome words"), true).truncated);
        CPPUNIT_ASSERT(!read(mail("\r\nall words")).truncated);

        const MailText lengthy = read(mail("\r\n" + repeated("päivää ", 200'000)));
        CPPUNIT_ASSERT(lengthy.truncated && is_clean(lengthy));
        CPPUNIT_ASSERT(lengthy.text.size() > kMailTextLimit - 10);
    }

    void no_header_is_no_mail() {
        for (const char* bytes : {"", "\n\n", "\r\n"}) {
            const auto none = read_mail(bytes);
            CPPUNIT_ASSERT(!none && none.error().kind == ErrorKind::kMessage);
            CPPUNIT_ASSERT_EQUAL(std::string("read mail: it has no header"), none.error().text());
        }
    }

    void any_bytes_do_no_harm() {
        const auto piece =
            rc::gen::elementOf(std::vector<std::string>{"From: ",
                                                        "Subject: ",
                                                        "Content-Type: text/html\n",
                                                        "Content-Type: multipart/mixed; ",
                                                        "boundary=b",
                                                        "\n--b\n",
                                                        "\n--b--\n",
                                                        "\n\n",
                                                        "\n",
                                                        "=?utf-8?Q?=F",
                                                        "?=",
                                                        "<p>",
                                                        "</p>",
                                                        "<script>",
                                                        "&#0;",
                                                        "&#x110000;",
                                                        "Content-Transfer-Encoding: base64\n",
                                                        "charset=\"iso-2022-jp\"",
                                                        "\x1B$B",
                                                        "AAAA",
                                                        "[VM:",
                                                        std::string(1, '\0'),
                                                        "\xFF",
                                                        "Content-Type: message/rfc822\n\n",
                                                        "> ",
                                                        "begin 644 x\n",
                                                        "Content-Type: "});
        CPPUNIT_ASSERT(rc::check("any bytes", [&](const std::string& bytes) {
            const auto text = read_mail(bytes);
            RC_ASSERT((!text || is_clean(*text)));
        }));
        CPPUNIT_ASSERT(rc::check("any pieces of mails", [&] {
            std::string bytes = *rc::gen::element<std::string>("", "X: y\n", "X: y\n\n");
            for (const std::string& p : *rc::gen::container<std::vector<std::string>>(piece))
                bytes += p;
            const auto text = read_mail(bytes, *rc::gen::arbitrary<bool>());
            RC_ASSERT((!text || is_clean(*text)));
        }));
    }

    void cut_at_any_byte() {
        const std::string whole = mail(
            multipart("alternative",
                      {part("text/plain; charset=utf-8", "Gr=C3=BC=C3=9Fe", "quoted-printable"),
                       part("text/html; charset=iso-8859-1",
                            "<p>Gr&uuml;\xDF"
                            "e</p>")}));
        for (std::size_t n = 0; n <= whole.size(); ++n) {
            const auto text = read_mail(std::string_view(whole).substr(0, n), true);
            CPPUNIT_ASSERT(!text || is_clean(*text));
            CPPUNIT_ASSERT(text || n < std::string_view("From: Ann <ann@example.com>\r\n").size());
        }
    }

    void json_comes_back() {
        CPPUNIT_ASSERT(rc::check("parse(to_json(m)) is m", [](const std::string& bytes) {
            const auto text = read_mail("Subject: " + bytes);
            if (!text) return;
            const auto back = parse_mail_json(to_json(*text));
            RC_ASSERT(back.has_value());
            RC_ASSERT(*back == *text);
        }));
        const MailText text =
            read("From: \"a \\\"b\\\" ä\" <a@b>\nDate: 1 Jan 2026 00:00:00 +0000\n\n\\\"<>\n");
        CPPUNIT_ASSERT(*parse_mail_json(to_json(text)) == text);
    }

    void json_is_checked() {
        const std::string good = to_json(read(mail("\r\nwords\r\n")));
        CPPUNIT_ASSERT(parse_mail_json(good).has_value());
        const auto refused = [&](const std::string& from, const std::string& to) {
            const std::size_t at = good.find(from);
            CPPUNIT_ASSERT(at != std::string::npos);
            const auto parsed = parse_mail_json(std::string(good).replace(at, from.size(), to));
            CPPUNIT_ASSERT_MESSAGE(to, !parsed && parsed.error().kind == ErrorKind::kMessage);
        };
        refused("\"subject\"", "\"sub\"");
        refused("\"Hello\"", "1");
        refused("\"Hello\"", "\"a\\nb\"");
        refused("\"Hello\"", "\"a\\u0000b\"");
        refused("\"Hello\"", "\"\\u202e\"");
        refused("\"Hello\"", "\"\xFF\"");
        refused("\"Hello\"", "\"" + std::string(1001, 'x') + "\"");
        refused("words", std::string(kMailTextLimit, 'x'));
        refused("null", "\"yesterday\"");
        refused("false", "0");
        refused("}", "");
        for (const std::string& bytes :
             {std::string(), std::string("[]"), good + good, std::string(1'000'000, '[')})
            CPPUNIT_ASSERT(!parse_mail_json(bytes));
    }

    void the_child_reads_as_well() {
        const std::string bytes = mail("Message-ID: <x@y>\r\n" + part("text/plain", "words"));
        CPPUNIT_ASSERT(good_in_child(bytes) == read(bytes));
        CPPUNIT_ASSERT(good_in_child(bytes, true).truncated);
        const auto none = in_child("");
        CPPUNIT_ASSERT(none.error().kind == ErrorKind::kMessage);
        CPPUNIT_ASSERT_EQUAL(std::string("read mail: vmreadmail: read mail: it has no header"),
                             none.error().text());
    }

    // 10 MB each. The child's limits of time and memory are the test: within them it must answer.
    void deep_multiparts() {
        std::string bytes = mail("");
        for (int i = 0; bytes.size() < k10MB; ++i) {
            const std::string name = "b" + std::to_string(i);
            bytes +=
                "Content-Type: multipart/mixed; boundary=" + name + "\r\n\r\n--" + name + "\r\n";
        }
        good_in_child(bytes);
        good_in_child(
            mail(repeated("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", k10MB)));
    }

    void deep_attached_mails() {
        good_in_child(mail(repeated("Content-Type: message/rfc822\r\n\r\n", k10MB)));
    }

    void many_parts() {
        const std::string start =
            mail("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst words\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("first words\n"),
                             good_in_child(start + repeated("--b\r\n\r\n", k10MB)).text);
        CPPUNIT_ASSERT_EQUAL(
            std::string("first words\n"),
            good_in_child(start + repeated("--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n", k10MB))
                .text);
    }

    void long_headers() {
        good_in_child(mail("X-Long: " + repeated("x", k10MB) + "\r\n\r\nx\r\n"));
        good_in_child(mail(repeated("X-Many: x\r\n", k10MB) + "\r\nx\r\n"));
        good_in_child(mail("To: " + repeated("a@b,", k10MB) + "\r\n\r\nx\r\n"));
        good_in_child(mail("References: " + repeated("<a@b> ", k10MB) + "\r\n\r\nx\r\n"));
        good_in_child(
            mail("Content-Type: text/plain" + repeated("; a=b", k10MB) + "\r\n\r\nx\r\n"));
        const auto encoded =
            in_child("From: a@b\r\nSubject:" + repeated(" =?utf-8?Q?x?=", k10MB) + "\r\n\r\n");
        CPPUNIT_ASSERT(encoded && is_clean(*encoded));
    }

    void html_bombs() {
        const auto html = [](std::string_view what) {
            return mail(part("text/html", "start " + repeated(what, k10MB)));
        };
        for (const char* what : {"<div>",
                                 "<b><i>",
                                 "<b></i>",
                                 "<table><tr><td>",
                                 "<p",
                                 "<",
                                 "&",
                                 "&lt;",
                                 "&#",
                                 "<!--",
                                 "<a href=\"",
                                 "<blockquote>",
                                 "</div>",
                                 "<!DOCTYPE html [<!ENTITY a \"b\">]>",
                                 "<br>",
                                 "<p>x</p>",
                                 "<style>",
                                 "<script>x",
                                 "<img alt='x'>",
                                 "<![CDATA["})
            CPPUNIT_ASSERT_MESSAGE(what, good_in_child(html(what)).text.starts_with("start"));
        good_in_child(mail(part("text/html", "<p " + repeated("a=b ", k10MB) + ">x</p>")));
    }

    void long_lines_and_noise() {
        good_in_child(mail("\r\n" + std::string(k10MB, 'x')));
        good_in_child(mail("\r\n" + std::string(k10MB, '\0')));
        good_in_child(mail("\r\n" + std::string(k10MB, '\n')));
        good_in_child(mail(part("text/plain", std::string(k10MB, '\xFF'), "base64")));
        good_in_child(mail(part("text/plain; charset=iso-2022-jp", repeated("\x1B$B", k10MB))));
        good_in_child(mail(part("text/plain; charset=utf-7", repeated("+AA", k10MB))));
        good_in_child(mail(part("text/plain", repeated("=", k10MB), "quoted-printable")));
        good_in_child(mail(part("text/plain", repeated("begin 644 x\nM", k10MB), "x-uuencode")));
    }

    void a_child_that_cannot_be_started() {
        const auto none = vm::mime::read_mail_in_child("/no/such/vmreadmail", "X: y\n\n");
        CPPUNIT_ASSERT(none.error().kind == ErrorKind::kConfig);
    }

    void a_child_that_misbehaves() {
        for (const char* bad : {"/bin/true", "/bin/false", "/bin/cat", "/usr/bin/yes"}) {
            const auto none = vm::mime::read_mail_in_child(bad, "X: y\n\n");
            CPPUNIT_ASSERT_MESSAGE(bad, none.error().kind == ErrorKind::kMessage);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReadMailTest);

}  // namespace
