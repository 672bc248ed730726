#include "mime/ear_text.h"

#include "../media/samples.h"
#include "base/text.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>

using vm::mime::ear_text;
using vm::mime::Entry;
using vm::mime::kEarLimit;
using vm::mime::MailText;
using vm::mime::speech_text;
using vm::mime::Template;

namespace {

const Template& english() {
    static const Template wording = *Template::load("", "en");
    return wording;
}

std::string ear(const std::string& text) {
    return ear_text(text, english());
}

std::size_t characters(const std::string& text) {
    std::size_t count = 0;
    for (const char c : text)
        if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++count;
    return count;
}

class EarTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EarTextTest);
    CPPUNIT_TEST(quoted_lines);
    CPPUNIT_TEST(who_wrote_what_is_quoted);
    CPPUNIT_TEST(the_mail_below);
    CPPUNIT_TEST(what_is_forwarded_stays);
    CPPUNIT_TEST(signatures);
    CPPUNIT_TEST(separators);
    CPPUNIT_TEST(links);
    CPPUNIT_TEST(addresses_stay);
    CPPUNIT_TEST(long_words);
    CPPUNIT_TEST(broken_lines_are_joined);
    CPPUNIT_TEST(invisible_characters);
    CPPUNIT_TEST(ends_after_a_sentence);
    CPPUNIT_TEST(says_that_there_is_more);
    CPPUNIT_TEST(any_text_is_bounded);
    CPPUNIT_TEST(sender_subject_text);
    CPPUNIT_TEST(the_unit_s_own_words);
    CPPUNIT_TEST_SUITE_END();

    static void assert_ear(const std::string& expected, const std::string& text) {
        CPPUNIT_ASSERT_EQUAL(expected, ear(text));
    }

  public:
    void quoted_lines() {
        assert_ear("Yes.\n\nQuoted text.", "Yes.\n\n> Shall we?\n> At noon?\n");
        assert_ear("Quoted text.\n\nYes.\n\nQuoted text.\n\nNo.",
                   "> Shall we?\n>> Really?\n\n> At noon?\nYes.\n>And then?\nNo.\n");
        assert_ear("Quoted text.", "> all\n> of it\n");
        assert_ear("a > b", "a > b\n");
    }

    void who_wrote_what_is_quoted() {
        for (const char* line :
             {"On Sun, 22 Nov 2026 at 10:00, Ann <ann@example.com> wrote:",
              "On Sun, 22 Nov 2026 at 10:00, Ann Somebody-With-A-Long-Name\n"
              "<ann@example.com> wrote:",
              "On Sunday, Ann\n<ann@example.com>\nwrote:", "Ann wrote:",
              "Am 22.11.2026 um 10:00 schrieb Ann Müller:",
              "Am Sonntag schrieb Ann Müller <ann@example.com>:",
              "El dom, 22 nov 2026 a las 10:00, Ana (<ana@example.com>) escribió:",
              "Le dim. 22 nov. 2026 à 10:00, Anne <anne@example.com> a écrit :",
              "2026年11月22日(日) 10:00 花子 <hanako@example.com>:",
              "2026/11/22 10:00、花子のメール：", "22.11.2026 10:00, Анна пишет:"}) {
            assert_ear("Yes.\n\nQuoted text.",
                       "Yes.\n\n" + std::string(line) + "\n\n> Shall we?\n");
            assert_ear("Yes.\n\nQuoted text.", "Yes.\n" + std::string(line) + "\n> Shall we?\n");
        }
        // No quote follows, or it is no such line.
        assert_ear("Ann wrote:\n\nnothing.", "Ann wrote:\n\nnothing.\n");
        assert_ear("You asked:\n\nQuoted text.", "You asked:\n> Shall we?\n");
    }

    void the_mail_below() {
        for (const char* line :
             {"-----Original Message-----", "----- Original Message -----",
              "-----Ursprüngliche Nachricht-----", "-------- Original-Nachricht --------",
              "-----Mensaje original-----", "-----Message d'origine-----",
              "-----元のメッセージ-----",
              "________________________________\nFrom: Ann <ann@example.com>\nSent: Sunday",
              "Von: Ann\nGesendet: Sonntag, 22. November 2026", "De : Anne\nEnvoyé : dimanche",
              "De: Ana\nEnviado: domingo", "差出人: 花子\n送信日時: 2026年11月22日"})
            assert_ear("Yes.\n\nQuoted text.",
                       "Yes.\n\n" + std::string(line) + "\nShall we?\n\nOn and on.\n");
        assert_ear("From: the heart\n\nit comes.", "From: the heart\nit comes.\n");
    }

    void what_is_forwarded_stays() {
        assert_ear("Look:\n\nForwarded message\n\nThe news.",
                   "Look:\n\n---------- Forwarded message ---------\nThe news.\n");
        assert_ear("Shall we?", "-----Original Message-----\nShall we?\n");
    }

    void signatures() {
        assert_ear("Yes.", "Yes.\n\n-- \nAnn\nAcme Inc.\n");
        assert_ear("Yes.", "Yes.\n--\nAnn");
        assert_ear("Ann\n\n--Bob", "--\nAnn\n--Bob\n");  // not without words before it
    }

    void separators() {
        assert_ear("News\n\nOne\n\nTwo\n\nthree dots... and so on",
                   "==== News ====\n\nOne\n*****\nTwo\n_____________\n-=-=-=-\n- - -\n─────\n"
                   "three dots... and so on");
    }

    void links() {
        assert_ear("See link to example.org.", "See https://www.example.org/a/b?c=d#e.");
        assert_ear("(link to example.org), link to example.com!",
                   "(http://example.org/x_(y), WWW.Example.COM/index.html!");
        assert_ear("Here link to example.org and link to münchen.de",
                   "Here <https://example.org/x> and https://user:pw@münchen.de:8080/");
        // What is said is where it leads.
        assert_ear("link to evil.example", "https://bank.example@evil.example/login");
        assert_ear("link", "http://" + std::string(100, 'x') + ".example/");
        assert_ear("link", "http:///");
    }

    void addresses_stay() {
        assert_ear("Write to ann@example.com or bob@example.com.",
                   "Write to ann@example.com or mailto:bob@example.com.");
    }

    void long_words() {
        assert_ear("a " + std::string(30, 'x') + " b", "a " + std::string(61, 'x') + " b");
        assert_ear(std::string(60, 'x'), std::string(60, 'x'));
        std::string japanese;
        for (int i = 0; i < 100; ++i) japanese += "語";
        assert_ear(japanese, japanese);
    }

    void broken_lines_are_joined() {
        assert_ear(
            "This line was broken because it was too long for the screen, of course.\n\nNext.",
            "This line was broken because it was too long for the screen,\nof course.\nNext.");
        assert_ear("Dear Ann,\n\nmilk\n\neggs\n\nBye", "Dear Ann,\n  milk\neggs\n\nBye\n");
        const std::string wide = "This line is as wide as the screen, so the item that follows is";
        assert_ear(wide + "\n\n- one\n\n- two", wide + "\n- one\n- two");
        std::string japanese;
        for (int i = 0; i < 35; ++i) japanese += "語";
        assert_ear(japanese + "日", japanese + "\n日");
    }

    void invisible_characters() { assert_ear("one two", "o\u00ADne\u00A0\u200B  two\uFEFF"); }

    void ends_after_a_sentence() {
        const std::string more = english().fill(Entry::kSpeechMore);
        CPPUNIT_ASSERT_EQUAL("One two. Three four.\n\n" + more,
                             ear_text("One two. Three four. Five six.", english(), 25));
        CPPUNIT_ASSERT_EQUAL("Version 3.14 of\n\n" + more,
                             ear_text("Version 3.14 of something", english(), 20));
        CPPUNIT_ASSERT_EQUAL("今日は。明日は。\n\n" + more,
                             ear_text("今日は。明日は。明後日は。", english(), 10));
        CPPUNIT_ASSERT_EQUAL(std::string(10, 'x') + "\n\n" + more,
                             ear_text(std::string(50, 'x'), english(), 10));
        CPPUNIT_ASSERT_EQUAL(std::string("Just so."), ear_text("Just so.", english(), 8));
    }

    void says_that_there_is_more() {
        const std::string more = english().fill(Entry::kSpeechMore);
        CPPUNIT_ASSERT_EQUAL("Words\n\n" + more, ear_text("Words", english(), kEarLimit, true));
        CPPUNIT_ASSERT_EQUAL(more, ear_text("", english(), kEarLimit, true));
    }

    void any_text_is_bounded() {
        const auto piece = rc::gen::elementOf(std::vector<std::string>{"> ",
                                                                       "\n",
                                                                       "-- ",
                                                                       "http://",
                                                                       "a.b/",
                                                                       "www.",
                                                                       "====",
                                                                       " ",
                                                                       "wrote:",
                                                                       "On ",
                                                                       "ä",
                                                                       "語",
                                                                       "xxxxxxxxxxxxxxxxxxxxxxxx",
                                                                       "-----Original Message-----",
                                                                       "From: ",
                                                                       "Sent: ",
                                                                       "@",
                                                                       ".",
                                                                       "2026",
                                                                       "<",
                                                                       ">",
                                                                       "{",
                                                                       "}",
                                                                       "1. ",
                                                                       "\u200C"});
        CPPUNIT_ASSERT(rc::check("any pieces of text", [&] {
            std::string text;
            for (const std::string& p : *rc::gen::container<std::vector<std::string>>(piece))
                text += p;
            const auto limit = *rc::gen::inRange<std::size_t>(1, 200);
            const std::string out = ear_text(text, english(), limit);
            RC_ASSERT(vm::is_utf8(out));
            RC_ASSERT(characters(out) <= limit + 2 + english().fill(Entry::kSpeechMore).size());
            RC_ASSERT(out.find("://") == std::string::npos);
            RC_ASSERT(out == vm::trim(out));
        }));
    }

    void sender_subject_text() {
        MailText mail;
        mail.sender_name = "Ann";
        mail.sender_address = "ann@example.com";
        mail.subject = "Lunch";
        mail.text = "At noon?\n";
        CPPUNIT_ASSERT_EQUAL(std::string("Message from Ann.\n\nSubject: Lunch.\n\nAt noon?"),
                             speech_text(mail, english()));
        mail.sender_name.clear();
        mail.subject = "see http://example.org/x {sender}";
        CPPUNIT_ASSERT_EQUAL(std::string("Message from ann@example.com.\n\nSubject: see link to "
                                         "example.org {sender}.\n\nAt noon?"),
                             speech_text(mail, english()));
        CPPUNIT_ASSERT_EQUAL(std::string("Message from an unknown sender.\n\nNo subject.\n\nThe "
                                         "message has no text."),
                             speech_text({}, english()));
    }

    void the_unit_s_own_words() {
        const vm::test::TestDirectory dir;
        std::string german(Template::built_in());
        german.resize(german.find("[speech]"));
        vm::test::write_all_bytes(dir / "tlh.ini",
                                  german +
                                      "[speech]\nsender = Nachricht von {sender}.\n"
                                      "quoted = Zitat.\nsubject_none =\n");
        const Template wording = *Template::load(dir.path(), "tlh");
        MailText mail;
        mail.sender_name = "Ann";
        mail.text = "Ja.\n> Nein?\n";
        // What the file lacks is English.
        CPPUNIT_ASSERT_EQUAL(std::string("Nachricht von Ann.\n\nJa.\n\nZitat."),
                             speech_text(mail, wording));
        mail.subject = "x";
        CPPUNIT_ASSERT_EQUAL(std::string("Nachricht von Ann.\n\nSubject: x.\n\nJa.\n\nZitat."),
                             speech_text(mail, wording));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EarTextTest);

}  // namespace
