// The languages that come with the program: complete files, and what their mails say, as an
// independent parser reads it (check_mail.py), against tests/mime/golden/LANGUAGE.json.
#include "../media/samples.h"
#include "base/process.h"
#include "mime/built_in.h"
#include "mime/compose.h"
#include "mime/template.h"

#include <cppunit/extensions/HelperMacros.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <set>
#include <unistd.h>

using nlohmann::json;
using vm::Message;
using vm::MessageKind;
using vm::mime::built_in_wordings;
using vm::mime::Entry;
using vm::mime::Template;
using vm::test::read_all;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

const std::filesystem::path kHere = std::filesystem::path(__FILE__).parent_path();
constexpr const char* kId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

class LanguagesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LanguagesTest);
    CPPUNIT_TEST(each_file_is_in_the_program);
    CPPUNIT_TEST(each_says_everything_in_its_own_words);
    CPPUNIT_TEST(a_file_of_the_unit_is_filled_up_in_its_language);
    CPPUNIT_TEST(their_mails);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory mails_, media_, work_;

  public:
    void setUp() override { vm::mime::initialise(); }

    void each_file_is_in_the_program() {
        std::set<std::string> files, languages;
        for (const auto& entry :
             std::filesystem::directory_iterator(kHere / "../../etc/templates")) {
            const std::string language = entry.path().stem().string();
            files.insert(language);
            const auto* wording = vm::mime::built_in_wording(language);
            CPPUNIT_ASSERT_MESSAGE(language, wording != nullptr);
            CPPUNIT_ASSERT_EQUAL(read_all(entry.path()), std::string(wording->content));
        }
        for (const auto& wording : built_in_wordings())
            languages.insert(std::string(wording.language));
        CPPUNIT_ASSERT(files == languages);
        for (const char* promised : {"en", "de", "es", "ja"})
            CPPUNIT_ASSERT_MESSAGE(promised, languages.contains(promised));
    }

    void each_says_everything_in_its_own_words() {
        const auto english = Template::load("", "en");
        for (const auto& [language, content] : built_in_wordings()) {
            const std::string name(language);
            const auto wording = Template::load("", language);
            CPPUNIT_ASSERT_MESSAGE(wording ? name : wording.error().text(), wording.has_value());
            CPPUNIT_ASSERT_EQUAL(name, Template::language_for("", language));
            CPPUNIT_ASSERT_EQUAL(name, Template::language_for("", name + "-XX"));
            for (const auto& rule : vm::mime::entry_rules()) {
                const std::string entry =
                    name + " [" + std::string(rule.section) + "] " + std::string(rule.key);
                // (A file of its own needs none of the English one's words.)
                CPPUNIT_ASSERT_MESSAGE(
                    entry, content.find("\n" + std::string(rule.key) + " =") != content.npos);
                const std::string words = wording->fill(rule.entry);
                const bool is_sentence = words.find(' ') != std::string::npos &&
                                         (rule.section == "text" || rule.section == "speech");
                if (name != "en" && is_sentence)
                    CPPUNIT_ASSERT_MESSAGE(entry, words != english->fill(rule.entry));
                if (rule.entry != Entry::kTextClosing)
                    CPPUNIT_ASSERT_MESSAGE(
                        entry,
                        !wording->fill(rule.entry, {{"n", "1"}, {"first", "1"}, {"weekday", "1"}})
                             .empty());
            }
        }
    }

    void a_file_of_the_unit_is_filled_up_in_its_language() {
        std::string file = read_all(kHere / "../../etc/templates/de.ini");
        const std::size_t at = file.find("transcript = ");
        file.erase(at, file.find('\n', at) + 1 - at);
        file.resize(file.find("[speech]"));
        const TestDirectory templates;
        write_all_bytes(templates / "de-AT.ini", file);
        const auto wording = Template::load(templates.path(), "de-AT");
        CPPUNIT_ASSERT_MESSAGE(wording ? "" : wording.error().text(), wording.has_value());
        for (const Entry entry : {Entry::kTextTranscript, Entry::kSpeechQuoted})
            CPPUNIT_ASSERT_EQUAL(Template::load("", "de")->fill(entry), wording->fill(entry));
    }

    void their_mails() {
        vm::test::make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 1.6);
        vm::test::make_fax(media_ / "f.tif");
        for (const auto& [language, content] : built_in_wordings()) {
            const std::string name(language);
            json golden = json::parse(read_all(kHere / "golden" / (name + ".json")));
            Message voice;
            voice.caller_name = "Ana Díaz";
            voice.caller_number = "+1 425 555 0123";
            voice.duration_ms = 3725000;
            voice.received = 1795343400123;  // 2026-11-22, winter time
            voice.urgent = voice.is_private = true;
            compose(name, voice, "v.wav", true, golden.at("voice"));
            Message fax;
            fax.kind = MessageKind::kFax;
            fax.pages = 1;
            fax.received = 1782871200000;  // 2026-07-01 02:00 UTC, summer time
            compose(name, fax, "f.tif", true, golden.at("fax"));
            voice = Message();
            voice.duration_ms = 1000;
            voice.received = 1782871200000;
            compose(name, voice, "v.wav", false, golden.at("notice"));
            fax.pages = 12;
            compose(name, fax, "f.tif", false, golden.at("fax notice"));
        }
        const auto run =
            vm::run_process({"python3", (kHere / "check_mail.py").string(), mails_.path().string()},
                            std::chrono::minutes(2));
        CPPUNIT_ASSERT_MESSAGE(run ? "" : run.error().text(), run.has_value());
        CPPUNIT_ASSERT_MESSAGE(run->diagnostics, run->exit_code == 0);
    }

    void compose(const std::string& language, Message message, const std::string& media,
                 bool attach, const json& golden) {
        message.id = kId;
        message.mailbox = "101";
        const bool voice = message.kind == MessageKind::kVoice;
        vm::mime::ComposeOptions options;
        options.sender_address = "voicemail@example.com";
        options.recipient_address = "ann@example.org";
        options.message_id = std::string(kId) + "@example.com";
        options.time_zone = "Europe/Berlin";
        options.language = language;
        options.fax_format = vm::mime::FaxFormat::kTiff;
        options.attach_media = attach;
        options.work_directory = work_.path();
        if (voice && attach) options.transcript = "Hello.\nこんにちは。";
        const std::string name = language + std::to_string(mails_.files());
        const vm::UniqueFd out(
            ::open((mails_ / (name + ".eml")).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        const auto size = vm::mime::compose(message, media_ / media, options, out.get());
        CPPUNIT_ASSERT_MESSAGE(size ? "" : size.error().text(), size.has_value());

        json want;
        want["headers"] = {{"Subject", golden.at("subject")}, {"Message-ID", nullptr},
                           {"Message-Context", nullptr},      {"X-VM-Message-Id", nullptr},
                           {"X-VM-Mailbox", nullptr},         {"Auto-Submitted", nullptr}};
        if (message.urgent) want["headers"]["Importance"] = "High";
        if (message.is_private) want["headers"]["Sensitivity"] = "Private";
        want["from"] = {golden.at("from"), "voicemail@example.com"};
        want["to"] = {"", "ann@example.org"};
        want["date"] = golden.at("date");
        want["text"] = golden.at("text");
        want["token"] = "[VM:" + std::string(kId) + "]";
        want["text"].push_back(want["token"]);
        want["attachments"] = json::array();
        if (attach && voice)
            want["attachments"] = {
                {{"type", "audio/wav"}, {"filename", golden.at("file")}, {"duration", "3725"}}};
        if (attach && !voice)
            want["attachments"] = {{{"type", "image/tiff"}, {"filename", golden.at("file")}}};
        write_all_bytes(mails_ / (name + ".json"), want.dump());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LanguagesTest);

}  // namespace
