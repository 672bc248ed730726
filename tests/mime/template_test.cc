#include "mime/template.h"

#include "../media/samples.h"
#include "mime/template_cache.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

using vm::ErrorKind;
using vm::mime::Entry;
using vm::mime::entry_rules;
using vm::mime::Template;
using vm::mime::TemplateCache;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

// The built-in file with `from` replaced by `to`.
std::string changed(const std::string& from, const std::string& to) {
    std::string text(Template::built_in());
    const std::size_t at = text.find(from);
    CPPUNIT_ASSERT_MESSAGE("not in the template: " + from, at != std::string::npos);
    return text.replace(at, from.size(), to);
}

class TemplateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TemplateTest);
    CPPUNIT_TEST(the_built_in_one_is_valid);
    CPPUNIT_TEST(rules_stand_in_the_order_of_the_enum);
    CPPUNIT_TEST(fills_in_once);
    CPPUNIT_TEST(errors_name_file_line_and_entry);
    CPPUNIT_TEST(long_entries_continue);
    CPPUNIT_TEST(a_file_of_the_unit_wins);
    CPPUNIT_TEST(what_is_kept_is_what_would_be_read);
    CPPUNIT_TEST(unknown_languages_are_english);
    CPPUNIT_TEST(a_regional_language_falls_back);
    CPPUNIT_TEST(a_language_is_never_a_path);
    CPPUNIT_TEST(the_manual_page_has_every_entry);
    CPPUNIT_TEST_SUITE_END();

    static void assert_refused(const std::string& content, const std::string& where,
                               const std::string& what) {
        const auto wording = Template::parse(content, "xx.ini");
        CPPUNIT_ASSERT_MESSAGE("accepted; expected: " + what, !wording);
        const vm::Error& error = wording.error();
        CPPUNIT_ASSERT(error.kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL(where, error.object);
        CPPUNIT_ASSERT_MESSAGE(error.text(), error.reason.find(what) != std::string::npos);
    }

  public:
    void the_built_in_one_is_valid() {
        const auto wording = Template::load("", "en");
        CPPUNIT_ASSERT_MESSAGE(wording ? "" : wording.error().text(), wording.has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("Voice Mail"), wording->fill(Entry::kSenderUnknown));
        CPPUNIT_ASSERT_EQUAL(std::string("Sunday"), wording->word(Entry::kWeekdays, 6));
        CPPUNIT_ASSERT_EQUAL(std::string("December"), wording->word(Entry::kMonths, 11));
    }

    void rules_stand_in_the_order_of_the_enum() {
        for (std::size_t i = 0; i < entry_rules().size(); ++i)
            CPPUNIT_ASSERT_EQUAL(i, static_cast<std::size_t>(entry_rules()[i].entry));
    }

    void fills_in_once() {
        const auto wording = Template::load("", "en");
        CPPUNIT_ASSERT_EQUAL(std::string("From: {mailbox}{caller}"),
                             wording->fill(Entry::kTextCaller, {{"caller", "{mailbox}{caller}"}}));
    }

    void errors_name_file_line_and_entry() {
        const std::string built_in(Template::built_in());
        const auto line_of = [&](const std::string& text) {
            const auto end = built_in.begin() + static_cast<std::ptrdiff_t>(built_in.find(text));
            return "xx.ini line " + std::to_string(std::count(built_in.begin(), end, '\n') + 1);
        };
        const std::string caller = "caller = From: {caller}";
        assert_refused(
            changed(caller, "caller = From: {sender}"), line_of(caller),
            "[text] caller has the unknown placeholder {sender}; allowed: {caller} {name}");
        assert_refused(changed(caller, "caller = From: {caller"), line_of(caller),
                       "without its partner");
        assert_refused(changed(caller, "caller = From: caller}"), line_of(caller),
                       "without its partner");
        assert_refused(changed(caller, "caller = From: {{caller}}"), line_of(caller),
                       "without its partner");
        assert_refused(changed(caller, "caller = {}"), line_of(caller), "unknown placeholder {}");
        const std::string unknown = "unknown = unknown caller";
        assert_refused(changed(unknown, "unknown ="), line_of(unknown),
                       "[caller] unknown is empty");
        assert_refused(changed(caller, "caller = \xFF"), line_of(caller),
                       "[text] caller is not UTF-8");
        assert_refused(changed(caller, "From: {caller}"), line_of(caller),
                       "unknown entry [text] From");
        assert_refused(changed(caller, "just words"), line_of(caller), "neither a [section]");
        assert_refused(changed(caller, "called = From: {caller}"), line_of(caller),
                       "unknown entry [text] called");
        assert_refused(
            changed(caller, caller + "\n" + caller),
            "xx.ini line " +
                line_of(caller)
                    .substr(line_of(caller).rfind(' ') + 1)
                    .replace(
                        0, std::string::npos,
                        std::to_string(
                            std::stoi(line_of(caller).substr(line_of(caller).rfind(' '))) + 1)),
            "[text] caller is there twice");
        assert_refused(changed(caller, "caller = " + std::string(200, 'x')), line_of(caller),
                       "longer than");
        assert_refused(changed(caller, ""), "xx.ini", "entry [text] caller is missing");
        assert_refused(changed("Monday, ", ""), line_of("weekdays = "), "has 6 words; needed: 7");
        assert_refused(changed("Monday, ", ", "), line_of("weekdays = "), "has 7 words; needed: 7");
        assert_refused("", "xx.ini", "is missing");
        assert_refused(std::string("\0\1\2", 3), "xx.ini line 1", "NUL");
    }

    void long_entries_continue() {
        const std::string file =
            changed("closing =", "closing = Please call\r\n  the office\n\t{mailbox}.");
        const auto wording = Template::parse(file, "xx.ini");
        CPPUNIT_ASSERT_MESSAGE(wording ? "" : wording.error().text(), wording.has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("Please call the office 7."),
                             wording->fill(Entry::kTextClosing, {{"mailbox", "7"}}));
    }

    void a_file_of_the_unit_wins() {
        const TestDirectory dir;
        write_all_bytes(dir / "en.ini",
                        changed("sender_unknown = Voice Mail", "sender_unknown = Acme"));
        write_all_bytes(dir / "pt-BR.ini",
                        changed("sender_unknown = Voice Mail", "sender_unknown = Correio de voz"));
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"),
                             Template::load(dir.path(), "en")->fill(Entry::kSenderUnknown));
        CPPUNIT_ASSERT_EQUAL(std::string("Correio de voz"),
                             Template::load(dir.path(), "pt-BR")->fill(Entry::kSenderUnknown));
        write_all_bytes(dir / "de.ini", "nonsense");
        const auto broken = Template::load(dir.path(), "de");
        CPPUNIT_ASSERT(!broken && broken.error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL((dir / "de.ini").string() + " line 1", broken.error().object);
        write_all_bytes(dir / "fr.ini", std::string(100000, ';'));
        CPPUNIT_ASSERT(Template::load(dir.path(), "fr").error().kind == ErrorKind::kConfig);
    }

    void what_is_kept_is_what_would_be_read() {
        const TestDirectory dir;
        const auto templates = dir / "templates";
        TemplateCache cache;
        const auto used = [&](const char* language) {
            const auto wording = cache.get(templates, language);
            return wording ? (*wording)->fill(Entry::kSenderUnknown) : wording.error().object;
        };
        const auto write = [&](const char* file, const std::string& sender) {
            write_all_bytes(templates / file,
                            changed("sender_unknown = Voice Mail", "sender_unknown = " + sender));
        };
        CPPUNIT_ASSERT_EQUAL(std::string("Voice Mail"), used("tlh"));
        CPPUNIT_ASSERT(*cache.get(templates, "tlh") == *cache.get(templates, "tlh"));
        std::filesystem::create_directory(templates);
        write("en.ini", "Acme");
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"), used("tlh"));
        write("tlh.ini", "Anrufbeantworter");
        CPPUNIT_ASSERT_EQUAL(std::string("Anrufbeantworter"), used("tlh"));
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"), used("en"));
        // Kept as soon as the next change is sure to show.
        std::this_thread::sleep_for(std::chrono::milliseconds(2100));
        CPPUNIT_ASSERT_EQUAL(std::string("Anrufbeantworter"), used("tlh"));
        CPPUNIT_ASSERT(*cache.get(templates, "tlh") == *cache.get(templates, "tlh"));
        write("tlh.ini", "Sprachpost");
        CPPUNIT_ASSERT_EQUAL(std::string("Sprachpost"), used("tlh"));
        write_all_bytes(templates / "tlh.ini", "nonsense");
        CPPUNIT_ASSERT_EQUAL((templates / "tlh.ini").string() + " line 1", used("tlh"));
        std::filesystem::remove(templates / "tlh.ini");
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"), used("tlh"));
    }

    void unknown_languages_are_english() {
        const TestDirectory dir;
        CPPUNIT_ASSERT_EQUAL(std::string("Voice Mail"),
                             Template::load(dir.path(), "tlh")->fill(Entry::kSenderUnknown));
        write_all_bytes(dir / "en.ini",
                        changed("sender_unknown = Voice Mail", "sender_unknown = Acme"));
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"),
                             Template::load(dir.path(), "tlh")->fill(Entry::kSenderUnknown));
        CPPUNIT_ASSERT_EQUAL(std::string("Acme"),
                             Template::load(dir.path(), "")->fill(Entry::kSenderUnknown));
    }

    void a_regional_language_falls_back() {
        const TestDirectory dir;
        const auto write = [&](const std::string& file) {
            write_all_bytes(dir / file,
                            changed("sender_unknown = Voice Mail", "sender_unknown = " + file));
        };
        const auto used = [&](const char* language) {
            return Template::load(dir.path(), language)->fill(Entry::kSenderUnknown);
        };
        for (const char* file : {"es.ini", "es-419.ini", "zh-Hant.ini", "de-CH-1996.ini", "en.ini"})
            write(file);
        const std::pair<const char*, const char*> cases[] = {{"es-419", "es-419.ini"},
                                                             {"es-MX", "es.ini"},
                                                             {"ES", "es.ini"},
                                                             {"zh-Hant-TW", "zh-Hant.ini"},
                                                             {"zh-hant", "zh-Hant.ini"},
                                                             {"zh-Hans", "en.ini"},
                                                             {"de-ch-1996", "de-CH-1996.ini"},
                                                             {"tlh-CH", "en.ini"},
                                                             {"EN", "en.ini"},
                                                             {"en-GB", "en.ini"}};
        for (const auto& [language, file] : cases)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(language, std::string(file), used(language));
        write("EN-gb.ini");
        CPPUNIT_ASSERT_EQUAL(std::string("EN-gb.ini"), used("en-GB"));
        // What is built in of a language wins over another language's file.
        CPPUNIT_ASSERT_EQUAL(std::string("Voicemail"), used("de-CH"));
        CPPUNIT_ASSERT_EQUAL(std::string("de"), Template::language_for(dir.path(), "de-CH"));
        CPPUNIT_ASSERT_EQUAL(std::string("zh-Hant"), Template::language_for(dir.path(), "zh-hant"));
        CPPUNIT_ASSERT_EQUAL(std::string("en"), Template::language_for(dir.path(), "tlh"));
        // A wrong file is not passed over for a more general one.
        write_all_bytes(dir / "es-MX.ini", "nonsense");
        CPPUNIT_ASSERT(Template::load(dir.path(), "es-MX").error().kind == ErrorKind::kConfig);
    }

    void a_language_is_never_a_path() {
        const TestDirectory dir;
        std::filesystem::create_directory(dir / "templates");
        write_all_bytes(dir / "xx.ini",
                        changed("sender_unknown = Voice Mail", "sender_unknown = Outside"));
        for (const char* language :
             {"../xx", "/xx", "xx/../../xx", "x", "xx-", "xx/..-xx", "xx.ini", "xxxx"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                language, std::string("Voice Mail"),
                Template::load(dir / "templates", language)->fill(Entry::kSenderUnknown));
    }

    void the_manual_page_has_every_entry() {
        const auto page =
            std::filesystem::path(__FILE__).parent_path() / "../../man/vm-templates.ini.5";
        const std::string text = vm::test::read_all(page);
        for (const auto& rule : entry_rules()) {
            CPPUNIT_ASSERT_MESSAGE(
                std::string(rule.section),
                text.find(".Ss [" + std::string(rule.section) + "]") != std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(
                std::string(rule.key),
                text.find(".It Cm " + std::string(rule.key) + "\n") != std::string::npos ||
                    text.find(".It Cm " + std::string(rule.key) + " ") != std::string::npos ||
                    text.find(" Cm " + std::string(rule.key) + "\n") != std::string::npos);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TemplateTest);

}  // namespace
