// Speech by espeak-ng and by commands that stand for other synthesisers, good and bad.
#include "media/speech.h"

#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <sys/stat.h>

using vm::ErrorKind;
using vm::media::AudioInfo;
using vm::media::espeak_voices;
using vm::media::SpeechOptions;
using vm::media::synthesize;
using vm::test::make_wav;
using vm::test::read_all;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

// Root mean square of a recording, of 1.
double level(const std::filesystem::path& wav) {
    SF_INFO info{};
    SNDFILE* sound = sf_open(wav.c_str(), SFM_READ, &info);
    CPPUNIT_ASSERT(sound != nullptr);
    std::vector<double> samples(static_cast<std::size_t>(info.frames));
    CPPUNIT_ASSERT_EQUAL(info.frames, sf_read_double(sound, samples.data(), info.frames));
    sf_close(sound);
    double sum = 0;
    for (const double sample : samples) sum += sample * sample;
    return std::sqrt(sum / static_cast<double>(samples.size()));
}

class SpeechTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SpeechTest);
    CPPUNIT_TEST(speaks);
    CPPUNIT_TEST(longer_text_takes_longer);
    CPPUNIT_TEST(speaks_languages);
    CPPUNIT_TEST(voices_fall_back);
    CPPUNIT_TEST(text_is_no_command);
    CPPUNIT_TEST(nothing_to_speak);
    CPPUNIT_TEST(another_synthesiser);
    CPPUNIT_TEST(one_that_writes_to_a_pipe);
    CPPUNIT_TEST(is_in_the_sandbox);
    CPPUNIT_TEST(synthesiser_is_missing);
    CPPUNIT_TEST(synthesiser_fails);
    CPPUNIT_TEST(synthesiser_writes_no_sound);
    CPPUNIT_TEST(synthesiser_hangs_or_floods);
    CPPUNIT_TEST(too_long);
    CPPUNIT_TEST(replaces_all_or_nothing);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory dir_;

    AudioInfo good(const SpeechOptions& options, const std::string& text) const {
        const auto done = synthesize(options, text, dir_ / "speech.wav");
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("mulaw"), done->codec);
        CPPUNIT_ASSERT_EQUAL(8000, done->sample_rate);
        CPPUNIT_ASSERT_EQUAL(1, done->channels);
        return *done;
    }

    // The path of a synthesiser that is a shell script.
    std::string command(const std::string& script) const {
        const auto path = dir_ / "synthesiser";
        write_all_bytes(path, "#!/bin/sh\n" + script + "\n");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(path.c_str(), 0755));
        return path.string();
    }

    vm::Error refused(const SpeechOptions& options, ErrorKind kind) const {
        const auto done = synthesize(options, "Hello", dir_ / "speech.wav");
        CPPUNIT_ASSERT(!done.has_value());
        CPPUNIT_ASSERT_MESSAGE(done.error().text(), done.error().kind == kind);
        CPPUNIT_ASSERT(!std::filesystem::exists(dir_ / "speech.wav"));
        return done.error();
    }

    static bool has(const vm::Error& error, const std::string& words) {
        return error.text().find(words) != std::string::npos;
    }

  public:
    void speaks() {
        const AudioInfo info = good({}, "Message from Ann. Shall we meet at noon?");
        CPPUNIT_ASSERT(info.duration_ms > 1000 && info.duration_ms < 10'000);
        CPPUNIT_ASSERT(level(dir_ / "speech.wav") > 0.02);
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat((dir_ / "speech.wav").c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(0640U, status.st_mode & 07777U);
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, dir_.files());
    }

    void longer_text_takes_longer() {
        std::string text;
        for (int i = 0; i < 60; ++i) text += "This is sentence number " + std::to_string(i) + ". ";
        CPPUNIT_ASSERT(good({}, text).duration_ms > 20 * good({}, "This is one.").duration_ms);
        CPPUNIT_ASSERT(good({}, "One.\n\nTwo.").duration_ms > good({}, "One. Two").duration_ms - 1);
    }

    void speaks_languages() {
        for (const char* language : {"de", "es-419", "fr", "pt-BR", "ja", "zh-Hant-TW", "ru", "no"})
            good({.language = language}, "Guten Tag, 日本語, Привет");
        // One that espeak-ng does not have is spoken as English.
        CPPUNIT_ASSERT_EQUAL(good({.language = "en"}, "Hello there").duration_ms,
                             good({.language = "xx-Latn"}, "Hello there").duration_ms);
        CPPUNIT_ASSERT_EQUAL(good({.language = "de"}, "Guten Tag zusammen").duration_ms,
                             good({.language = "de-XX"}, "Guten Tag zusammen").duration_ms);
    }

    void voices_fall_back() {
        using Voices = std::vector<std::string>;
        CPPUNIT_ASSERT((espeak_voices("en") == Voices{"en"}));
        CPPUNIT_ASSERT((espeak_voices("en-US") == Voices{"en-us", "en"}));
        CPPUNIT_ASSERT((espeak_voices("pt-BR") == Voices{"pt-br", "pt", "en"}));
        CPPUNIT_ASSERT(
            (espeak_voices("sr-Latn-RS") == Voices{"sr-latn-rs", "sr-latn", "sr", "en"}));
        CPPUNIT_ASSERT((espeak_voices("zh-Hant-TW") == Voices{"cmn", "en"}));
        CPPUNIT_ASSERT((espeak_voices("zh-HK") == Voices{"yue", "en"}));
        CPPUNIT_ASSERT((espeak_voices("no-NO") == Voices{"nb-no", "nb", "en"}));
        CPPUNIT_ASSERT((espeak_voices("--help") == Voices{"en"}));
        CPPUNIT_ASSERT((espeak_voices("../../x") == Voices{"en"}));
    }

    // Phonemes and commands that espeak-ng would take from the text are spoken as they stand.
    void text_is_no_command() {
        CPPUNIT_ASSERT(good({}, "[[D,Is Iz sVm f@n'EtIk t'Ekst 'InpUt]]").duration_ms >
                       2 * good({}, "one").duration_ms);
        good({}, std::string("a\0b\x01"
                             "40rc\x1B[m <voice name='x'> \xFF &amp;",
                             34));
        good({}, "-v xx");
    }

    void nothing_to_speak() {
        for (const char* text : {"", " \n\n \x01"}) {
            const auto none = synthesize({}, text, dir_ / "speech.wav");
            CPPUNIT_ASSERT(!none && none.error().kind == ErrorKind::kMessage);
        }
    }

    void another_synthesiser() {
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_16, 44100, 2, 1.5);
        const std::string script =
            "test \"$(cat)\" = 'Hello ä' && test $# = 1 && test $1 = de-AT "
            "&& exec cat " +
            (dir_ / "a.wav").string();
        const AudioInfo info = good({.command = command(script), .language = "de-AT"}, "Hello ä");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1500}, info.duration_ms);
        CPPUNIT_ASSERT_DOUBLES_EQUAL(0.33 / std::sqrt(2), level(dir_ / "speech.wav"), 0.01);
        make_wav(dir_ / "a.wav", SF_FORMAT_ULAW, 8000, 1, 1.5);
        good({.command = command("cat " + (dir_ / "a.wav").string())}, "x");
    }

    // It cannot go back and fill in the sizes.
    void one_that_writes_to_a_pipe() {
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_16, 22050, 1, 1.5);
        const std::string whole = read_all(dir_ / "a.wav");
        const std::size_t data = whole.find("data");
        for (const std::string& size :
             {std::string("\xFF\xFF\xFF\xFF"), std::string("\x00\xF0\xFF\x7F", 4)}) {
            std::string streamed = whole;
            streamed.replace(4, 4, size).replace(data + 4, 4, size);
            write_all_bytes(dir_ / "b.wav", streamed);
            CPPUNIT_ASSERT_EQUAL(
                std::int64_t{1500},
                good({.command = command("cat " + (dir_ / "b.wav").string())}, "x").duration_ms);
        }
    }

    void is_in_the_sandbox() {
        const std::string trace = (dir_ / "trace").string();
        (void)refused({.command = command("echo x > " + trace)}, ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(!std::filesystem::exists(trace));
    }

    void synthesiser_is_missing() {
        const vm::Error error = refused({.command = "/no/such/program"}, ErrorKind::kConfig);
        CPPUNIT_ASSERT(has(error, "/no/such/program: No such file") &&
                       has(error, "g_szSpeechCommand"));
        const std::string path = std::getenv("PATH");
        ::setenv("PATH", dir_.path().c_str(), 1);
        const auto none = synthesize({}, "Hello", dir_ / "speech.wav");
        ::setenv("PATH", path.c_str(), 1);
        CPPUNIT_ASSERT(none.error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL(
            std::string("speak: espeak-ng: No such file or directory; apt install espeak-ng, "
                        "or name another in g_szSpeechCommand"),
            none.error().text());
    }

    void synthesiser_fails() {
        const vm::Error error =
            refused({.command = command("echo 'no voice' >&2; exit 3")}, ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(has(error, "synthesiser: ended with status 3: no voice"));
    }

    void synthesiser_writes_no_sound() {
        for (const char* script :
             {"true", "echo hello", "printf RIFFxxxxWAVE", "head -c 100000 /dev/zero"})
            (void)refused({.command = command(script)}, ErrorKind::kMessage);
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_16, 8000, 1, 0);
        (void)refused({.command = command("cat " + (dir_ / "a.wav").string())},
                      ErrorKind::kMessage);
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_16, 8000, 4, 1);
        (void)refused({.command = command("cat " + (dir_ / "a.wav").string())},
                      ErrorKind::kMessage);
    }

    void synthesiser_hangs_or_floods() {
        const std::chrono::seconds second(1);
        CPPUNIT_ASSERT(has(refused({.command = command("sleep 1000"), .time_limit = second},
                                   ErrorKind::kUnavailable),
                           "no end after 1 s"));
        CPPUNIT_ASSERT(has(refused({.command = command("exec cat /dev/zero")}, ErrorKind::kMessage),
                           "wrote more than"));
    }

    void too_long() {
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_U8, 8000, 1, 601);
        CPPUNIT_ASSERT(has(
            refused({.command = command("cat " + (dir_ / "a.wav").string())}, ErrorKind::kMessage),
            "spoke for more than 600 s"));
    }

    void replaces_all_or_nothing() {
        write_all_bytes(dir_ / "speech.wav", "old");
        CPPUNIT_ASSERT(!synthesize({.command = command("exit 1")}, "x", dir_ / "speech.wav"));
        CPPUNIT_ASSERT_EQUAL(std::string("old"), read_all(dir_ / "speech.wav"));
        good({}, "new");
        const auto none = synthesize({}, "x", dir_ / "no" / "speech.wav");
        CPPUNIT_ASSERT(none.error().kind == ErrorKind::kNoInput);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SpeechTest);

}  // namespace
