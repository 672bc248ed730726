#include "config/ini_document.h"

#include "base/text.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

using namespace vm;
using vm::config::IniDocument;

namespace {

IniDocument parsed(const std::string& text) {
    auto document = IniDocument::parse(text, "f.ini");
    if (!document) CPPUNIT_FAIL(document.error().text());
    return std::move(*document);
}

std::string error_of(const std::string& text) {
    const auto document = IniDocument::parse(text, "f.ini");
    return document ? "accepted" : document.error().text();
}

std::string value(const IniDocument& document, const char* section, const char* key) {
    const auto* entry = document.find(section, key);
    return entry ? entry->value : "(missing)";
}

void assert_contains(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE(text + " lacks: " + part, text.find(part) != std::string::npos);
}

}  // namespace

class IniDocumentTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IniDocumentTest);
    CPPUNIT_TEST(reads_values);
    CPPUNIT_TEST(names_are_case_insensitive);
    CPPUNIT_TEST(indented_keys_are_keys_of_their_own);
    CPPUNIT_TEST(long_lines_are_read_whole);
    CPPUNIT_TEST(refuses_what_would_be_lost);
    CPPUNIT_TEST(set_changes_one_line);
    CPPUNIT_TEST(set_keeps_form_of_the_line);
    CPPUNIT_TEST(set_adds_key_and_section);
    CPPUNIT_TEST(set_refuses_what_would_read_back_differently);
    CPPUNIT_TEST(text_is_kept_byte_for_byte);
    CPPUNIT_TEST(any_value_reads_back_or_is_refused);
    CPPUNIT_TEST(edits_keep_all_other_lines);
    CPPUNIT_TEST(any_bytes_parse_or_fail_in_words);
    CPPUNIT_TEST_SUITE_END();

    void reads_values() {
        const auto document = parsed(
            "\xEF\xBB\xBF; top\n[A]\nk = v w ; comment\nc: colon\nhash = a#b # c\nempty =\n"
            "semi = a;b\n\n[B] ; text\nk=2\n");
        CPPUNIT_ASSERT_EQUAL(std::string("v w"), value(document, "A", "k"));
        CPPUNIT_ASSERT_EQUAL(std::string("colon"), value(document, "A", "c"));
        CPPUNIT_ASSERT_EQUAL(std::string("a#b # c"), value(document, "A", "hash"));
        CPPUNIT_ASSERT_EQUAL(std::string(), value(document, "A", "empty"));
        CPPUNIT_ASSERT_EQUAL(std::string("a;b"), value(document, "A", "semi"));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), value(document, "B", "k"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{10}, document.find("B", "k")->line);
        CPPUNIT_ASSERT(document.find("A", "k")->commented);
        CPPUNIT_ASSERT(!document.find("A", "semi")->commented);
    }

    void names_are_case_insensitive() {
        const auto document = parsed("[Email]\nSmtp Server = a\n");
        CPPUNIT_ASSERT_EQUAL(std::string("a"), value(document, "EMAIL", "smtp server"));
        assert_contains(error_of("[Email]\nSmtp Port = 1\n[EMAIL]\nSMTP port = 2\n"),
                        "f.ini line 4: [EMAIL] SMTP port was given on line 2 already");
    }

    // inih alone would take the second key as a continuation of the first one's value.
    void indented_keys_are_keys_of_their_own() {
        const auto document = parsed("[A]\n  k = 1\n\tl = 2\n   ; note\n  m = 3\n");
        CPPUNIT_ASSERT_EQUAL(std::string("1"), value(document, "A", "k"));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), value(document, "A", "l"));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), value(document, "A", "m"));
        assert_contains(error_of("[A]\nk = 1\n   continued\n"), "f.ini line 3: no '='");
    }

    void long_lines_are_read_whole() {
        for (const std::size_t length :
             {150U, 193U, 194U, 195U, 196U, 197U, 198U, 199U, 200U, 500U, 20000U}) {
            std::string text;
            while (text.size() < length) text += "ab;#= ["[text.size() % 7];
            text.resize(length - 1);
            text += 'x';
            const auto document = parsed("[A]\nk = " + text + "\nl = 2\n");
            CPPUNIT_ASSERT_EQUAL(text, value(document, "A", "k"));
            CPPUNIT_ASSERT_EQUAL(std::string("2"), value(document, "A", "l"));
        }
        // Wherever a long value is cut into pieces, no piece begins or ends with what inih drops.
        for (std::size_t shift = 0; shift < 8; ++shift)
            for (const char* pattern : {"a;", "a#", "a b", "a;;#", "a ="}) {
                std::string text(shift, 'x');
                while (text.size() < 700) text += pattern;
                text += 'x';
                const auto document = parsed("[A]\nk = " + text + "\n");
                CPPUNIT_ASSERT_EQUAL(text, value(document, "A", "k"));
            }
        const auto commented =
            parsed("[A]\nk = " + std::string(300, 'a') + " ; " + std::string(300, 'b') + "\n; " +
                   std::string(1000, 'c') + "\nl = 2\n");
        CPPUNIT_ASSERT_EQUAL(std::string(300, 'a'), value(commented, "A", "k"));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), value(commented, "A", "l"));
        assert_contains(error_of("[A]\nk = a" + std::string(400, ' ') + "b\n"),
                        "f.ini line 2: the line is too long");
        assert_contains(error_of("[A]\n" + std::string(400, 'k') + " = b\n"),
                        "f.ini line 2: the line is too long");
    }

    void refuses_what_would_be_lost() {
        assert_contains(error_of("[A]\nnonsense\n"), "f.ini line 2: no '='");
        assert_contains(error_of("[A]\nk ; = 2\n"), "f.ini line 2: no '='");
        assert_contains(error_of("[A]\n= 2\n"), "f.ini line 2: no key");
        assert_contains(error_of("\nk = 1\n[A]\n"),
                        "f.ini line 2: a key before the first [section]");
        assert_contains(error_of("[A\nk = 1\n"), "f.ini line 1: a section name without ']'");
        assert_contains(error_of("[A ; x]\n"), "f.ini line 1: the section name");
        assert_contains(error_of("[]\n"), "f.ini line 1: the section name");
        assert_contains(error_of("[A] k = 1\n"), "f.ini line 1: text behind the section name");
        assert_contains(error_of("[" + std::string(50, 'a') + "]\n"), "longer than 49 bytes");
        assert_contains(error_of("[A]\nk = 1\nK = 2\n"),
                        "f.ini line 3: [A] K was given on line 2 already");
        assert_contains(error_of(std::string("[A]\nk = \0\n", 9)), "f.ini line 2: a NUL byte");
    }

    void set_changes_one_line() {
        const std::string before =
            "; c\r\n[a]\r\nValue = 1 ; one\r\nIgnore=0\r\n\r\n[b]\r\nValue = 2";
        auto document = parsed(before);
        CPPUNIT_ASSERT(document.set("A", "VALUE", "x y"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("; c\r\n[a]\r\nValue = x y ; one\r\nIgnore=0\r\n\r\n[b]\r\nValue = 2"),
            document.text());
        CPPUNIT_ASSERT(document.set("b", "Value", "3"));
        CPPUNIT_ASSERT(document.set("a", "Value", "1"));
        CPPUNIT_ASSERT(document.set("b", "Value", "2"));
        CPPUNIT_ASSERT_EQUAL(before, document.text());
    }

    void set_keeps_form_of_the_line() {
        struct Case {
            const char *line, *value, *expected;
        };
        for (const Case& c : {Case{"k=1", "2", "k=2"},
                              {"k =", "2", "k = 2"},
                              {"k=", "2", "k=2"},
                              {"k = ", "2", "k = 2"},
                              {"k = ; c", "2", "k = 2 ; c"},
                              {"k =\t; c", "2", "k =\t2 ; c"},
                              {"  k : 1  ", "2", "  k : 2  "},
                              {"k = 1", "", "k = "},
                              {"k = a=b", "c=d", "k = c=d"}}) {
            auto document = parsed("[s]\n" + std::string(c.line) + "\n");
            CPPUNIT_ASSERT(document.set("s", "k", c.value));
            CPPUNIT_ASSERT_EQUAL("[s]\n" + std::string(c.expected) + "\n", document.text());
        }
    }

    void set_adds_key_and_section() {
        auto document = parsed("[a]\nk = 1\n; tail\n\n[b]\n");
        CPPUNIT_ASSERT(document.set("a", "l", "2"));
        CPPUNIT_ASSERT(document.set("b", "m", "3"));
        CPPUNIT_ASSERT(document.set("c", "n", "4"));
        CPPUNIT_ASSERT_EQUAL(std::string("[a]\nk = 1\nl = 2\n; tail\n\n[b]\nm = 3\n\n[c]\nn = 4\n"),
                             document.text());
        auto empty = parsed("");
        CPPUNIT_ASSERT(empty.set("a", "k", "1"));
        CPPUNIT_ASSERT_EQUAL(std::string("[a]\nk = 1\n"), empty.text());
        auto unended = parsed("[a]\nk = 1");
        CPPUNIT_ASSERT(unended.set("a", "l", "2"));
        CPPUNIT_ASSERT_EQUAL(std::string("[a]\nk = 1\nl = 2\n"), unended.text());
    }

    void set_refuses_what_would_read_back_differently() {
        const std::string before = "[a]\nk = 1\n";
        auto document = parsed(before);
        for (const char* bad : {"a\nb", "a\rb", " a", "a ", "a ;b", ";a", "a\tb"}) {
            const auto done = document.set("a", "k", bad);
            CPPUNIT_ASSERT(!done);
            CPPUNIT_ASSERT(done.error().kind == ErrorKind::kConfig);
            assert_contains(done.error().text(), "an INI file cannot hold this value");
        }
        CPPUNIT_ASSERT(!document.set("a", "b=c", "1"));
        CPPUNIT_ASSERT(!document.set("a", "[x", "1"));
        CPPUNIT_ASSERT(!document.set("a", "", "1"));
        CPPUNIT_ASSERT(!document.set("x]", "k", "1"));
        CPPUNIT_ASSERT(!document.set("a", "k", "a" + std::string(400, ' ') + "b"));
        CPPUNIT_ASSERT_EQUAL(before, document.text());
    }

    void text_is_kept_byte_for_byte() {
        for (const char* text :
             {"", "\n", "\xEF\xBB\xBF[a]\n", "[a]\r\nk=\xFF\xFE\r\n\r\n  ", "# x\n[a]\nk = 1"})
            CPPUNIT_ASSERT_EQUAL(std::string(text), parsed(text).text());
    }

    void any_value_reads_back_or_is_refused() {
        CPPUNIT_ASSERT(rc::check("a value reads back identical or is refused", [] {
            const auto pieces =
                *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                    "a", ";", "#", " ", "=", "[", "]", ":", "\"", "\xC3\xA9", "\t",
                    std::string(180, 'y'), std::string(90, ';'), "\n", "\\"));
            const std::string text = join(pieces, "");
            auto document = parsed("[s]\nk = 1 ; c\nl = 2\n");
            if (document.set("s", "k", text)) {
                RC_ASSERT(value(parsed(document.text()), "s", "k") == text);
                RC_ASSERT(value(parsed(document.text()), "s", "l") == "2");
                RC_ASSERT(!config::why_not_representable(text));
            } else {
                RC_ASSERT(document.text() == "[s]\nk = 1 ; c\nl = 2\n");
            }
        }));
    }

    void edits_keep_all_other_lines() {
        CPPUNIT_ASSERT(rc::check("random edits keep all other lines", [] {
            // Sections s0..s2 with keys k0..k3, comments and blank lines in between, each key once.
            std::string text;
            for (int s = 0; s < 3; ++s) {
                text += *rc::gen::element<std::string>("", "; c\n", "\n", "# d = 1\n");
                text += "[s" + std::to_string(s) + "]" +
                        *rc::gen::element<std::string>("\n", " ; x\n", "\r\n");
                for (int k = 0; k < 4; ++k) {
                    if (*rc::gen::inRange(0, 3) == 0) continue;
                    text += *rc::gen::element<std::string>("", "  ", "; c\n", "\n", "\t") + "k" +
                            std::to_string(k) + *rc::gen::element<std::string>(" = ", "=", ": ") +
                            *rc::gen::element<std::string>("", "v", "a b", "x;y") +
                            *rc::gen::element<std::string>("\n", " ; c\n", "  \r\n");
                }
            }
            const std::string section = "s" + std::to_string(*rc::gen::inRange(0, 4));
            const std::string key = "k" + std::to_string(*rc::gen::inRange(0, 5));
            auto document = parsed(text);
            const auto* old = document.find(section, key);
            const std::size_t line = old ? old->line : 0;
            RC_ASSERT(document.set(section, key, "new value").has_value());

            auto before = split(text, '\n'), after = split(document.text(), '\n');
            if (line != 0) {
                RC_ASSERT(before.size() == after.size());
                before.erase(before.begin() + static_cast<std::ptrdiff_t>(line) - 1);
                after.erase(after.begin() + static_cast<std::ptrdiff_t>(line) - 1);
                RC_ASSERT(before == after);
            } else {
                std::size_t at = 0;  // every old line is there, in order
                for (const std::string& wanted : before) {
                    while (at < after.size() && after[at] != wanted) ++at;
                    RC_ASSERT(at++ < after.size());
                }
                RC_ASSERT(after.size() - before.size() <= 3U);
            }
        }));
    }

    void any_bytes_parse_or_fail_in_words() {
        CPPUNIT_ASSERT(rc::check("any text is parsed or refused with a line", [] {
            const auto pieces = *rc::gen::container<std::vector<std::string>>(
                rc::gen::oneOf(rc::gen::element<std::string>("[a]\n", "k = v\n", "k", "=", ";", "#",
                                                             " ", "\n", "\r\n", "[", "]", ":", "\t",
                                                             "\xEF\xBB\xBF", std::string(210, 'z')),
                               rc::gen::arbitrary<std::string>()));
            const std::string text = "[a]\n" + join(pieces, "");
            const auto document = IniDocument::parse(text, "f.ini");
            if (document)
                RC_ASSERT(document->text() == text);
            else
                RC_ASSERT(document.error().object.starts_with("f.ini line "));
        }));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(IniDocumentTest);
