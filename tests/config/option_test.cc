#include "config/option.h"

#include "base/text.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <set>

using namespace vm;
using namespace vm::config;

namespace {

void assert_rule(const Rule& rule, const std::vector<std::string>& good,
                 const std::vector<std::string>& bad) {
    for (const std::string& text : good)
        CPPUNIT_ASSERT_MESSAGE("refused: " + text, rule.canonical(text).has_value());
    for (const std::string& text : bad)
        CPPUNIT_ASSERT_MESSAGE("accepted: " + text, !rule.canonical(text).has_value());
}

}  // namespace

class OptionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OptionTest);
    CPPUNIT_TEST(rules);
    CPPUNIT_TEST(canonical_spelling);
    CPPUNIT_TEST(not_set);
    CPPUNIT_TEST(tables_are_sound);
    CPPUNIT_TEST(screens_have_the_units_order);
    CPPUNIT_TEST(samples_hold_the_defaults);
    CPPUNIT_TEST(canonical_is_stable);
    CPPUNIT_TEST(nearest);
    CPPUNIT_TEST_SUITE_END();

    void rules() {
        assert_rule(port(), {"1", "25", "65535"},
                    {"0", "65536", "-1", "25x", "2 5", "0x19", "9999999999999999999"});
        assert_rule(host(),
                    {"smtp.example.com", "localhost", "a_b", "10.0.0.1", "::1", "[2001:db8::1]",
                     "xn--bcher-kva.de"},
                    {"a b", "a..b", "-a", "a-", ".a", "a.", "1.2.3", "1.2.3.256", "b\xC3\xBC.de",
                     "host:25", "[10.0.0.1]", "[x]", "a/b", "a\nb", std::string(64, 'a'),
                     "user@host", "fe80::1%eth0"});
        assert_rule(domain_name(), {"example.com", "vm1"},
                    {"10.0.0.1", "a b", "", "[10.0.0.1]", "a\r\nb"});
        assert_rule(mail_address(),
                    {"ann@example.com", "a.b+c@x", "o'neil@x.org", "a@[10.0.0.1]", "a@[IPv6:::1]"},
                    {"ann", "@x", "ann@", "a b@x", "Ann <ann@x>", "ann@x y", "a@b@c", ".a@x",
                     "a..b@x", "\"a b\"@x", "a@x\r\nRCPT TO:<b@x>", "\xC3\xA4@x", "a@[10.0.0]",
                     std::string(65, 'a') + "@x", "a@-x"});
        assert_rule(time_zone(), {"Europe/Paris", "UTC", "America/Argentina/Buenos_Aires"},
                    {"Europe/Atlantis", "../zoneinfo/UTC", "/etc/localtime", "Europe", "tzdata.zi",
                     "europe/paris"});
        assert_rule(
            language_tag(), {"en", "EN", "pt-BR", "es-419", "zh-Hant-TW"},
            {"e", "english", "en_US", "en-", "../x", "1", "12", "en-a.b", "en-a/b", "en--x"});
        assert_rule(printable(5, ""), {"abc", "\xC3\xA9t\xC3\xA9"},
                    {"abcdef", "a\nb", "\xFF", "a\x7F"});
        assert_rule(whole_number(0, 10), {"0", "10", "007"}, {"11", "-1", "", "1.5", " 1"});
        assert_rule(one_of({"No", "Yes"}), {"no", "YES"}, {"", "True", "N"});
    }

    void canonical_spelling() {
        const Option& ssl = *find_option(mailbox_options(), "smtp ssl");
        CPPUNIT_ASSERT_EQUAL(std::string("STARTTLS"), *value_of(ssl, "starttls"));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8::1"), *host().canonical("[2001:db8::1]"));
        CPPUNIT_ASSERT_EQUAL(std::string("7"), *whole_number(0, 9).canonical("007"));
    }

    void not_set() {
        const Option& port_option = *find_option(mailbox_options(), "Smtp Port");
        CPPUNIT_ASSERT_EQUAL(std::string(), *value_of(port_option, "none"));
        CPPUNIT_ASSERT_EQUAL(std::string("None"), *written_form(port_option, "none"));
        CPPUNIT_ASSERT_EQUAL(std::string(), *written_form(port_option, ""));
        const Option& ssl = *find_option(mailbox_options(), "Smtp SSL");
        CPPUNIT_ASSERT_EQUAL(std::string("No"), *value_of(ssl, "None"));
        const Option& sync = *find_option(mailbox_options(), "Email Integration Sync Mode");
        CPPUNIT_ASSERT_EQUAL(std::string("None"), *value_of(sync, "none"));
        CPPUNIT_ASSERT_EQUAL(std::string("All Folders"), *value_of(sync, ""));
    }

    void tables_are_sound() {
        for (const auto& options : {misc_options(Paths("/r")), mailbox_options()}) {
            std::set<std::string> names;
            for (const Option& option : options) {
                CPPUNIT_ASSERT_MESSAGE(option.name, names.insert(to_lower(option.name)).second);
                CPPUNIT_ASSERT_MESSAGE(option.name,
                                       value_of(option, option.default_text).has_value());
                CPPUNIT_ASSERT_MESSAGE(option.name, option.description.ends_with("."));
                CPPUNIT_ASSERT_MESSAGE(option.name, !option.rule.allowed.empty());
            }
        }
    }

    void screens_have_the_units_order() {
        const auto names = [](TransportKind kind) {
            std::vector<std::string> out;
            for (const Option* option : screen_options(kind))
                if (!option->extension) out.push_back(option->name);
            return join(out, "|");
        };
        const std::string smtp =
            "|Email Name|Smtp Server|Domain Name|Smtp Port|Smtp SSL|Smtp Authentication|Smtp "
            "Account|Smtp Password|";
        CPPUNIT_ASSERT_EQUAL("Email Integration|Email Integration Send Mode" + smtp +
                                 "Pop3 Server|Pop3 Port|Pop3 SSL|Pop3 Account|Pop3 Password",
                             names(TransportKind::kPop3));
        CPPUNIT_ASSERT_EQUAL(
            "Email Integration|Email Integration Send Mode|Email Integration Sync Mode" + smtp +
                "Imap4 Server|Imap4 Port|Imap4 SSL|Imap4 Account|Imap4 Password|Imap4 "
                "Authentication|Imap4 Search Mode",
            names(TransportKind::kImap4));
        CPPUNIT_ASSERT_EQUAL(mailbox_options().size(),
                             screen_options(TransportKind::kOther).size());
    }

    void samples_hold_the_defaults() {
        const Paths paths("/usr/local/vm");
        const auto misc = IniDocument::parse(misc_sample(paths), "misc");
        CPPUNIT_ASSERT(misc && check_misc(*misc, misc_options(paths)));
        for (const Option& option : misc_options(paths))
            CPPUNIT_ASSERT_EQUAL(option.default_text, misc->find(option.name, "Value")->value);
        const auto mailbox = IniDocument::parse(mailbox_sample(), "mailbox");
        for (const Option& option : mailbox_options())
            CPPUNIT_ASSERT_EQUAL(option.default_text, mailbox->find("Email", option.name)->value);
        CPPUNIT_ASSERT(interpret_mailbox(*mailbox, "1", paths));
    }

    void canonical_is_stable() {
        CPPUNIT_ASSERT(rc::check("what is written is valid and stays as it is", [] {
            const auto& options = mailbox_options();
            const Option& option = options[*rc::gen::inRange<std::size_t>(0, options.size())];
            const auto text = *rc::gen::oneOf(
                rc::gen::arbitrary<std::string>(),
                rc::gen::element<std::string>("yes", "NONE", "25", "a@b", "::1", "[::1]",
                                              "starttls", "UTC", "en", "0010"));
            const auto written = written_form(option, text);
            if (!written) return;
            RC_ASSERT(written_form(option, *written) == written);
            RC_ASSERT(value_of(option, *written) == value_of(option, text));
        }));
    }

    void nearest() {
        CPPUNIT_ASSERT_EQUAL(std::string("Smtp Port"),
                             nearest_name({"Smtp Server", "Smtp Port"}, "smpt port"));
        CPPUNIT_ASSERT_EQUAL(std::string(), nearest_name({"Smtp Server", "Smtp Port"}, "colour"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OptionTest);
