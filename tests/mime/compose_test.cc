// Mails of every kind, given to an independent parser (check_mail.py), and what can go wrong.
#include "mime/compose.h"

#include "../media/samples.h"
#include "base/files.h"
#include "base/process.h"
#include "base/spool.h"
#include "mime/template.h"
#include "mime/wording.h"

#include <cppunit/extensions/HelperMacros.h>
#include <nlohmann/json.hpp>
#include <rapidcheck.h>

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using nlohmann::json;
using vm::ErrorKind;
using vm::Message;
using vm::MessageKind;
using vm::UniqueFd;
using vm::mime::compose;
using vm::mime::ComposeOptions;
using vm::mime::FaxFormat;
using vm::mime::VoiceFormat;
using vm::test::make_fax;
using vm::test::make_wav;
using vm::test::read_all;
using vm::test::TestDirectory;

namespace {

constexpr const char* kId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

Message message_of(MessageKind kind) {
    Message message;
    message.id = kId;
    message.mailbox = "101";
    message.kind = kind;
    message.received = 1795343400123;
    message.duration_ms = 1600;
    message.pages = 3;
    return message;
}

ComposeOptions options_for(const TestDirectory& dir) {
    ComposeOptions options;
    options.sender_address = "voicemail@example.com";
    options.recipient_address = "ann@example.org";
    options.message_id = std::string(kId) + "@example.com";
    options.time_zone = "America/Los_Angeles";
    options.work_directory = dir.path();
    return options;
}

// What check_mail.py must find in the mail of message_of() with options_for().
json expectation(MessageKind kind) {
    const bool voice = kind == MessageKind::kVoice;
    json want;
    want["headers"] = {{"Subject", nullptr},
                       {"Message-ID", "<" + std::string(kId) + "@example.com>"},
                       {"Message-Context", voice ? "voice-message" : "fax-message"},
                       {"X-VM-Message-Id", kId},
                       {"X-VM-Mailbox", "101"},
                       {"Auto-Submitted", "auto-generated"}};
    want["from"] = {nullptr, "voicemail@example.com"};
    want["to"] = {"", "ann@example.org"};
    want["date"] = "2026-11-22T02:30:00-08:00";
    want["token"] = "[VM:" + std::string(kId) + "]";
    want["attachments"] = json::array();
    return want;
}

void compose_to(const std::filesystem::path& path, const Message& message,
                const std::filesystem::path& media, const ComposeOptions& options) {
    const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    CPPUNIT_ASSERT(out);
    const auto size = compose(message, media, options, out.get());
    CPPUNIT_ASSERT_MESSAGE(size ? "" : size.error().text(), size.has_value());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::int64_t>(std::filesystem::file_size(path)), *size);
}

// Fails with the checker's words.
void check_mails(const std::filesystem::path& directory) {
    const auto script = std::filesystem::path(__FILE__).parent_path() / "check_mail.py";
    const auto run =
        vm::run_process({"python3", script.string(), directory.string()}, std::chrono::minutes(2));
    CPPUNIT_ASSERT_MESSAGE(run ? "" : run.error().text(), run.has_value());
    CPPUNIT_ASSERT_MESSAGE(run->diagnostics, run->exit_code == 0);
}

ErrorKind refusal(const Message& message, const std::filesystem::path& media,
                  const ComposeOptions& options, int out = -1, std::string* text = nullptr) {
    const UniqueFd null(::open("/dev/null", O_WRONLY));
    const auto size = compose(message, media, options, out < 0 ? null.get() : out);
    CPPUNIT_ASSERT_MESSAGE("composed", !size);
    if (text != nullptr) *text = size.error().text();
    return size.error().kind;
}

class ComposeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ComposeTest);
    CPPUNIT_TEST(every_kind_of_mail);
    CPPUNIT_TEST(recordings_go_out_as_they_are);
    CPPUNIT_TEST(what_is_not_played_everywhere_is_converted);
    CPPUNIT_TEST(transcripts);
    CPPUNIT_TEST(other_languages);
    CPPUNIT_TEST(long_addresses_stay_whole);
    CPPUNIT_TEST(the_same_message_gives_the_same_mail);
    CPPUNIT_TEST(writes_from_where_the_file_stands_and_to_a_pipe);
    CPPUNIT_TEST(memory_and_spool_file_get_the_same_bytes);
    CPPUNIT_TEST(errors_say_who_is_to_blame);
    CPPUNIT_TEST(a_large_recording_is_streamed);
    CPPUNIT_TEST(any_bytes_as_caller);
    CPPUNIT_TEST(printable_callers_survive);
    CPPUNIT_TEST(many_threads);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory mails_, media_, work_;
    int count_ = 0;

    void add(const Message& message, const std::filesystem::path& media,
             const ComposeOptions& options, const json& want) {
        const std::string name = "mail" + std::to_string(++count_);
        compose_to(mails_ / (name + ".eml"), message, media, options);
        vm::test::write_all_bytes(mails_ / (name + ".json"), want.dump());
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, work_.files());
    }

  public:
    void setUp() override { vm::mime::initialise(); }

    // Kind × formats × forms × urgent and private × with and without the media.
    void every_kind_of_mail() {
        make_wav(media_ / "voice.wav", SF_FORMAT_ULAW, 8000, 1, 1.6);
        make_fax(media_ / "fax.tif");
        for (const MessageKind kind : {MessageKind::kVoice, MessageKind::kFax})
            for (const int format : {0, 1, 2})
                for (const bool forms : {false, true})
                    for (const bool marked : {false, true})
                        for (const bool attach : {true, false})
                            one_mail(kind, format, forms, marked, attach);
        check_mails(mails_.path());

        SF_INFO info{};
        SNDFILE* mp3 = sf_open((media_ / "got.mp3").c_str(), SFM_READ, &info);
        CPPUNIT_ASSERT(mp3 != nullptr);
        sf_close(mp3);
        CPPUNIT_ASSERT_EQUAL(16000, info.samplerate);
        CPPUNIT_ASSERT(info.frames >= 25600 && info.frames < 25600 + 3 * 576);
    }

    void one_mail(MessageKind kind, int format, bool forms, bool marked, bool attach) {
        const bool voice = kind == MessageKind::kVoice;
        if (voice && format == 2) return;
        Message message = message_of(kind);
        message.caller_number = "+1 (425) 555-0123";
        message.caller_name = "Ana \"Díaz\", Ñ";
        message.urgent = message.is_private = marked;
        ComposeOptions options = options_for(work_);
        options.voice_format = format == 0 ? VoiceFormat::kWav : VoiceFormat::kMp3;
        options.fax_format = format == 0   ? FaxFormat::kPdf
                             : format == 1 ? FaxFormat::kTiff
                                           : FaxFormat::kBoth;
        options.outlook_forms = forms;
        options.attach_media = attach;

        json want = expectation(kind);
        const std::string caller = message.caller_name + ", " + message.caller_number;
        want["headers"]["Subject"] =
            (marked ? "Urgent: " : "") + (voice ? "Voice message from " + caller + " (2 seconds)"
                                                : "Fax from " + caller + " (3 pages)");
        want["from"][0] = message.caller_name + " (Voice Mail)";
        want["text"] = json::array({voice ? "You have a new voice message in mailbox 101."
                                          : "You have a new fax in mailbox 101."});
        if (marked) {
            want["headers"]["Importance"] = "High";
            want["headers"]["Sensitivity"] = "Private";
            want["text"].push_back("It is marked urgent.");
            want["text"].push_back("It is marked private: please do not forward it.");
        }
        want["text"].push_back("From: " + caller);
        want["text"].push_back("Received: Sunday, 22 November 2026, 02:30 (PST, UTC-08:00)");
        want["text"].push_back(voice ? "Length: 2 seconds" : "Length: 3 pages");
        if (attach)
            want["text"].push_back(voice ? "The recording is attached." : "The fax is attached.");
        else
            want["text"].push_back(
                voice ? "The recording is not attached. Listen to it at the telephone, in mailbox "
                        "101."
                      : "The fax is not attached. It is kept in mailbox 101 of the voice mail.");
        want["text"].push_back(want["token"]);

        const std::string base =
            std::string(voice ? "voice" : "fax") + "-2026-11-22-0230-14255550123";
        json& files = want["attachments"];
        if (attach && voice && format == 0)
            files.push_back({{"type", "audio/wav"},
                             {"filename", base + ".wav"},
                             {"duration", "2"},
                             {"same_as", (media_ / "voice.wav").string()}});
        if (attach && voice && format == 1)
            files.push_back({{"type", "audio/mpeg"},
                             {"filename", base + ".mp3"},
                             {"duration", "2"},
                             {"save_as", (media_ / "got.mp3").string()}});
        if (attach && !voice && format != 0)
            files.push_back({{"type", "image/tiff"},
                             {"filename", base + ".tif"},
                             {"same_as", (media_ / "fax.tif").string()}});
        if (attach && !voice && format != 1)
            files.push_back({{"type", "application/pdf"},
                             {"filename", base + ".pdf"},
                             {"pdf_pages", 3},
                             {"pdf_points", {609.88, 808.16}}});
        if (attach && forms) {
            want["headers"]["Content-Class"] = voice ? "voice-ca" : "fax-ca";
            want["headers"]["X-CallingTelephoneNumber"] = message.caller_number;
            if (voice) {
                want["headers"]["X-VoiceMessageDuration"] = "2";
                want["headers"]["X-VoiceMessageSenderName"] = message.caller_name;
                want["headers"]["X-AttachmentOrder"] = files[0]["filename"];
            } else {
                want["headers"]["X-FaxNumberOfPages"] = "3";
            }
        }
        add(message, media_ / (voice ? "voice.wav" : "fax.tif"), options, want);
    }

    void recordings_go_out_as_they_are() {
        const struct {
            int subtype, rate, channels;
        } cases[] = {{SF_FORMAT_ULAW, 8000, 1},    {SF_FORMAT_ALAW, 8000, 1},
                     {SF_FORMAT_PCM_U8, 8000, 1},  {SF_FORMAT_PCM_16, 8000, 1},
                     {SF_FORMAT_PCM_16, 16000, 1}, {SF_FORMAT_PCM_16, 48000, 2}};
        for (const auto& c : cases) {
            const std::filesystem::path wav = media_ / ("v" + std::to_string(++count_) + ".wav");
            make_wav(wav, c.subtype, c.rate, c.channels, 1.6);
            json want = expectation(MessageKind::kVoice);
            want["headers"]["Subject"] = "Voice message from unknown caller (2 seconds)";
            want["from"][0] = "Voice Mail";
            want["attachments"].push_back({{"type", "audio/wav"},
                                           {"filename", "voice-2026-11-22-0230.wav"},
                                           {"duration", "2"},
                                           {"same_as", wav.string()}});
            add(message_of(MessageKind::kVoice), wav, options_for(work_), want);
        }
        check_mails(mails_.path());
    }

    // (The tone is looked for by a reader of WAV files that is not libsndfile.)
    void what_is_not_played_everywhere_is_converted() {
        const struct {
            int subtype, rate, channels;
            bool forms;
        } cases[] = {{SF_FORMAT_GSM610, 8000, 1, false}, {SF_FORMAT_PCM_24, 44100, 2, false},
                     {SF_FORMAT_PCM_32, 8000, 1, false}, {SF_FORMAT_PCM_16, 96000, 1, false},
                     {SF_FORMAT_PCM_16, 16000, 1, true}, {SF_FORMAT_PCM_U8, 8000, 1, true},
                     {SF_FORMAT_GSM610, 8000, 1, true}};
        for (const auto& c : cases) {
            const std::filesystem::path wav = media_ / ("v" + std::to_string(++count_) + ".wav");
            make_wav(wav, c.subtype, c.rate, c.channels, 1.6);
            ComposeOptions options = options_for(work_);
            options.outlook_forms = c.forms;
            json want = expectation(MessageKind::kVoice);
            if (c.forms)
                for (const char* header :
                     {"Content-Class", "X-VoiceMessageDuration", "X-AttachmentOrder"})
                    want["headers"][header] = nullptr;
            want["attachments"].push_back({{"type", "audio/wav"},
                                           {"filename", "voice-2026-11-22-0230.wav"},
                                           {"duration", "2"},
                                           {"wav", {{"seconds", 1.6}, {"hertz", 440}}}});
            add(message_of(MessageKind::kVoice), wav, options, want);
        }
        check_mails(mails_.path());
    }

    void transcripts() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 1.6);
        ComposeOptions options = options_for(work_);
        options.attach_media = false;
        options.transcript =
            "Grüße aus Köln, =?utf-8?q?x?= [VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]\r\n\n\n"
            ".\nFrom Ann\n\x1B[2J\xFF";
        json want = expectation(MessageKind::kVoice);
        want["text"] = {"You have a new voice message in mailbox 101.",
                        "From: unknown caller",
                        "Received: Sunday, 22 November 2026, 02:30 (PST, UTC-08:00)",
                        "Length: 2 seconds",
                        "The recording is not attached. Listen to it at the telephone, in mailbox "
                        "101.",
                        "Automatic transcript (may contain errors):",
                        "Grüße aus Köln, = ?utf-8?q?x?= (VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]",
                        ".",
                        "From Ann",
                        "[2J?",
                        want["token"]};
        add(message_of(MessageKind::kVoice), media_ / "v.wav", options, want);
        check_mails(mails_.path());
    }

    void other_languages() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 1.6);
        std::string file(vm::mime::Template::built_in());
        const auto put = [&](const std::string& from, const std::string& to) {
            CPPUNIT_ASSERT_MESSAGE(from, file.find(from) != std::string::npos);
            file.replace(file.find(from), from.size(), to);
        };
        put("subject_voice = Voice message from {caller} ({duration})",
            "subject_voice = {caller}からの音声メッセージ({duration})");
        put("unknown = unknown caller", "unknown = 発信者不明");
        put("seconds = {n} seconds", "seconds = {n}秒");
        put("minute = {n} minute", "minute = {n}分");
        put("join = {first} {second}", "join = {first}{second}");
        put("\nvoice = voice\n", "\nvoice = 音声\n");
        put("sender_unknown = Voice Mail", "sender_unknown = ボイスメール");
        put("format = {weekday}, {day} {month} {year}, {hour}:{minute} ({zone})",
            "format = {year}年{month_number}月{day}日 {half}{hour12}:{minute}");
        const TestDirectory templates;
        vm::test::write_all_bytes(templates / "ja.ini", file);
        ComposeOptions options = options_for(work_);
        options.template_directory = templates.path();
        options.language = "ja";
        Message message = message_of(MessageKind::kVoice);
        message.duration_ms = 65000;
        json want = expectation(MessageKind::kVoice);
        want["headers"]["Subject"] = "発信者不明からの音声メッセージ(1分5秒)";
        want["from"][0] = "ボイスメール";
        want["attachments"].push_back({{"type", "audio/wav"},
                                       {"filename", "音声-2026-11-22-0230.wav"},
                                       {"duration", "65"},
                                       {"same_as", (media_ / "v.wav").string()}});
        want["text"] = {"You have a new voice message in mailbox 101.",
                        "From: 発信者不明",
                        "Received: 2026年11月22日 AM2:30",
                        "Length: 1分5秒",
                        "The recording is attached.",
                        want["token"]};
        add(message, media_ / "v.wav", options, want);
        check_mails(mails_.path());
    }

    void long_addresses_stay_whole() {
        std::string domain;
        for (int i = 0; i < 20; ++i) domain += "subdomain" + std::to_string(i) + ".";
        domain += "example.com";
        ComposeOptions options = options_for(work_);
        options.attach_media = false;
        options.message_id = std::string(kId) + "@" + domain;
        options.sender_address = std::string(60, 's') + "@" + domain;
        options.recipient_address = std::string(60, 'r') + "@" + domain;
        Message message = message_of(MessageKind::kVoice);
        for (const char* name : {"Ana", "Díaz"}) {
            message.caller_name = name;
            json want = expectation(MessageKind::kVoice);
            want["headers"]["Message-ID"] = "<" + options.message_id + ">";
            want["from"] = {std::string(name) + " (Voice Mail)", options.sender_address};
            want["to"][1] = options.recipient_address;
            want["long_lines"] = true;
            add(message, "", options, want);
        }
        check_mails(mails_.path());
    }

    void the_same_message_gives_the_same_mail() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.1);
        compose_to(mails_ / "a", message_of(MessageKind::kVoice), media_ / "v.wav",
                   options_for(work_));
        compose_to(mails_ / "b", message_of(MessageKind::kVoice), media_ / "v.wav",
                   options_for(work_));
        CPPUNIT_ASSERT(read_all(mails_ / "a") == read_all(mails_ / "b"));
    }

    void writes_from_where_the_file_stands_and_to_a_pipe() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.1);
        const Message message = message_of(MessageKind::kVoice);
        compose_to(mails_ / "plain", message, media_ / "v.wav", options_for(work_));
        const UniqueFd out(::open((mails_ / "after").c_str(), O_WRONLY | O_CREAT, 0600));
        CPPUNIT_ASSERT_EQUAL(ssize_t{6}, ::write(out.get(), "before", 6));
        const auto size = compose(message, media_ / "v.wav", options_for(work_), out.get());
        CPPUNIT_ASSERT("before" + read_all(mails_ / "plain") == read_all(mails_ / "after"));
        int ends[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends));  // holds 64 KiB, more than this mail
        const UniqueFd reading(ends[0]);
        CPPUNIT_ASSERT(*size == *compose(message, media_ / "v.wav", options_for(work_), ends[1]));
        ::close(ends[1]);
    }

    void memory_and_spool_file_get_the_same_bytes() {
        for (const double seconds : {0.1, 150.0}) {
            make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, seconds);
            const Message message = message_of(MessageKind::kVoice);
            const auto file = mails_ / std::to_string(seconds);
            compose_to(file, message, media_ / "v.wav", options_for(work_));
            vm::Spool spool(work_.path());
            std::string given;
            const auto size =
                compose(message, media_ / "v.wav", options_for(work_), [&](std::string_view block) {
                    given += block;
                    return spool.append(block);
                });
            CPPUNIT_ASSERT(size && *size == spool.size());
            CPPUNIT_ASSERT_EQUAL(seconds > 1, spool.fd() >= 0);
            if (spool.fd() < 0) CPPUNIT_ASSERT(given == spool.memory());
            CPPUNIT_ASSERT(given == read_all(file));
        }
    }

    void errors_say_who_is_to_blame() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.1);
        Message message = message_of(MessageKind::kVoice);
        ComposeOptions options = options_for(work_);
        std::string text;
        CPPUNIT_ASSERT(refusal(message, media_ / "gone.wav", options, -1, &text) ==
                       ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_MESSAGE(text, text.find("gone.wav: No such file") != std::string::npos);
        CPPUNIT_ASSERT(refusal(message, media_.path(), options) == ErrorKind::kUnavailable);
        const UniqueFd full(::open("/dev/full", O_WRONLY));
        CPPUNIT_ASSERT(refusal(message, media_ / "v.wav", options, full.get(), &text) ==
                       ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_MESSAGE(text, text.find("No space left") != std::string::npos);
        options.time_zone = "Mars/Olympus";
        CPPUNIT_ASSERT(refusal(message, media_ / "v.wav", options, -1, &text) ==
                       ErrorKind::kConfig);
        CPPUNIT_ASSERT_MESSAGE(text, text.find("Mars/Olympus") != std::string::npos);
        options = options_for(work_);
        message.received = std::numeric_limits<std::int64_t>::max();
        CPPUNIT_ASSERT(refusal(message, media_ / "v.wav", options) == ErrorKind::kMessage);
        message = message_of(MessageKind::kVoice);
        vm::test::write_all_bytes(work_ / "en.ini", "[text]\n");
        options.template_directory = work_.path();
        CPPUNIT_ASSERT(refusal(message, media_ / "v.wav", options) == ErrorKind::kConfig);
        std::filesystem::remove(work_ / "en.ini");
        options.voice_format = VoiceFormat::kMp3;
        vm::test::write_all_bytes(media_ / "bad.wav", "RIFF");
        CPPUNIT_ASSERT(refusal(message, media_ / "bad.wav", options) == ErrorKind::kMessage);
        message.kind = MessageKind::kFax;
        vm::test::write_all_bytes(media_ / "bad.tif", "II*");
        CPPUNIT_ASSERT(refusal(message, media_ / "bad.tif", options) == ErrorKind::kMessage);
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, work_.files());
        options.work_directory = work_ / "missing";
        make_fax(media_ / "f.tif");
        CPPUNIT_ASSERT(refusal(message, media_ / "f.tif", options) != ErrorKind::kMessage);
    }

    // In a child: the peak of this process may already be higher.
    void a_large_recording_is_streamed() {
        constexpr std::uintmax_t kSize = 50U << 20;
        make_wav(media_ / "small.wav", SF_FORMAT_ULAW, 8000, 1, 0.1);
        std::filesystem::copy_file(media_ / "small.wav", media_ / "large.wav");
        std::filesystem::resize_file(media_ / "large.wav", kSize);
        const pid_t child = ::fork();
        if (child == 0) {
            const UniqueFd null(::open("/dev/null", O_WRONLY));
            const auto peak_kb = [] {
                rusage usage{};
                ::getrusage(RUSAGE_SELF, &usage);
                return usage.ru_maxrss;
            };
            const Message message = message_of(MessageKind::kVoice);
            const bool first =
                compose(message, media_ / "small.wav", options_for(work_), null.get()).has_value();
            const auto before = peak_kb();
            const auto size =
                compose(message, media_ / "large.wav", options_for(work_), null.get());
            const bool good = first && size && *size > static_cast<std::int64_t>(kSize);
            ::_exit(!good ? 1 : peak_kb() - before > 5000 ? 2 : 0);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
    }

    // Pieces that break mail programs, among random bytes.
    static rc::Gen<std::string> nasty() {
        const auto piece = rc::gen::oneOf(
            rc::gen::element<std::string>(
                "\r\n", "\n", "\r", "\r\n\r\n", "Bcc: x@example.net", "\"", "\\", "<", ">", ",",
                ";", ":", "(", ")", "@", "=?utf-8?q?=0D=0ABcc:_x?=", "?=", "=?", " ", "\t",
                std::string(1, '\0'), "é", "日本語", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xC2\x85",
                "\xFF", "[VM:01ARZ", "--=_vm_", std::string(90, 'a'), "😀", "."),
            rc::gen::arbitrary<std::string>());
        return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                            [](const std::vector<std::string>& pieces) {
                                std::string all;
                                for (const std::string& p : pieces) all += p;
                                return all;
                            });
    }

    // Whatever a caller sends: the same headers, one sender, one recipient, the same lines of text.
    void any_bytes_as_caller() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.1);
        const bool composed = rc::check("callers add nothing", [&] {
            Message message = message_of(MessageKind::kVoice);
            message.caller_name = *nasty();
            message.caller_number = *nasty();
            ComposeOptions options = options_for(work_);
            options.outlook_forms = *rc::gen::arbitrary<bool>();
            options.attach_media = options.outlook_forms;
            json want = expectation(MessageKind::kVoice);
            if (options.outlook_forms) {
                want["headers"].update({{"Content-Class", "voice-ca"},
                                        {"X-VoiceMessageDuration", "2"},
                                        {"X-AttachmentOrder", nullptr}});
                // A number or name of which nothing is left has no header.
                const auto has = [&](const std::string& words) {
                    return !vm::mime::clean_caller(words).empty();
                };
                if (has(message.caller_number))
                    want["headers"]["X-CallingTelephoneNumber"] = nullptr;
                if (has(message.caller_name)) want["headers"]["X-VoiceMessageSenderName"] = nullptr;
                want["attachments"].push_back({{"type", "audio/wav"},
                                               {"duration", "2"},
                                               {"same_as", (media_ / "v.wav").string()}});
            }
            want["text_lines"] = 6;
            add(message, media_ / "v.wav", options, want);
        });
        CPPUNIT_ASSERT(composed);
        check_mails(mails_.path());
    }

    // A name without controls comes through as it was.
    void printable_callers_survive() {
        const bool composed = rc::check("printable names survive", [&] {
            const auto characters =
                *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                    "a", "Z", "0", " ", "\"", "\\", "'", "<", ">", "(", ")", ",", ";", ":", "@",
                    ".", "[", "]", "=", "_", "é", "ß", "Ж", "日", "本", "😀", "\xCC\x81", "-", "+",
                    "#", "%", "&", "/"));
            std::string name;
            for (const std::string& c : characters)
                if (name.size() + c.size() <= 200 &&
                    !(c == " " && (name.empty() || name.back() == ' ')))
                    name += c;
            while (!name.empty() && name.back() == ' ') name.pop_back();
            Message message = message_of(MessageKind::kVoice);
            message.caller_name = name;
            ComposeOptions options = options_for(work_);
            options.attach_media = false;
            json want = expectation(MessageKind::kVoice);
            const std::string caller = name.empty() ? "unknown caller" : name;
            want["headers"]["Subject"] = "Voice message from " + caller + " (2 seconds)";
            want["from"][0] = name.empty() ? "Voice Mail" : name + " (Voice Mail)";
            want["text"] = {
                "You have a new voice message in mailbox 101.",
                "From: " + caller,
                "Received: Sunday, 22 November 2026, 02:30 (PST, UTC-08:00)",
                "Length: 2 seconds",
                "The recording is not attached. Listen to it at the telephone, in mailbox 101.",
                want["token"]};
            add(message, "", options, want);
        });
        CPPUNIT_ASSERT(composed);
        check_mails(mails_.path());
    }

    void many_threads() {
        make_wav(media_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.5);
        make_fax(media_ / "f.tif");
        compose_to(mails_ / "plain", message_of(MessageKind::kVoice), media_ / "v.wav",
                   options_for(work_));
        const auto size = static_cast<std::int64_t>(std::filesystem::file_size(mails_ / "plain"));
        std::vector<std::thread> threads;
        std::atomic<int> wrong = 0;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                const UniqueFd null(::open("/dev/null", O_WRONLY));
                ComposeOptions options = options_for(work_);
                for (int i = 0; i < 10; ++i) {
                    const auto voice = compose(message_of(MessageKind::kVoice), media_ / "v.wav",
                                               options, null.get());
                    if (!voice || *voice != size) ++wrong;
                }
                if (!compose(message_of(MessageKind::kFax), media_ / "f.tif", options, null.get()))
                    ++wrong;
                options.voice_format = VoiceFormat::kMp3;
                if (!compose(message_of(MessageKind::kVoice), media_ / "v.wav", options,
                             null.get()))
                    ++wrong;
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, work_.files());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ComposeTest);

}  // namespace
