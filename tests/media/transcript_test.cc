// What is made of a recording for a program that writes down what is said, and of what it writes.
// Commands stand for such programs, good and bad.
#include "media/transcript.h"

#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <sys/stat.h>

using vm::ErrorKind;
using vm::media::transcribe;
using vm::media::TranscriptOptions;
using vm::test::make_wav;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

class TranscriptTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TranscriptTest);
    CPPUNIT_TEST(any_recording_comes_as_pcm);
    CPPUNIT_TEST(text_is_lines);
    CPPUNIT_TEST(failures_say_what_to_do);
    CPPUNIT_TEST(stops_when_told_to);
    CPPUNIT_TEST(the_recordings_conversion_is_part_of_the_time);
    CPPUNIT_TEST(leaves_nothing_behind);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory dir_, work_;

    TranscriptOptions options(const std::string& script) const {
        const auto path = dir_ / "recogniser";
        write_all_bytes(path, "#!/bin/sh\n" + script + "\n");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(path.c_str(), 0755));
        TranscriptOptions options;
        options.command = path.string();
        options.work_directory = work_.path();
        return options;
    }

    std::string said(const TranscriptOptions& options) const {
        const auto text = transcribe(options, dir_ / "v.wav");
        CPPUNIT_ASSERT_MESSAGE(text ? "" : text.error().text(), text.has_value());
        return *text;
    }

    vm::Error refused(const TranscriptOptions& options, ErrorKind kind,
                      const std::string& words) const {
        const auto text = transcribe(options, dir_ / "v.wav");
        CPPUNIT_ASSERT_MESSAGE(text.value_or(""), !text.has_value());
        CPPUNIT_ASSERT_MESSAGE(text.error().text(), text.error().kind == kind);
        CPPUNIT_ASSERT_MESSAGE(text.error().text(),
                               text.error().text().find(words) != std::string::npos);
        return text.error();
    }

  public:
    void setUp() override { make_wav(dir_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 0.5); }

    void any_recording_comes_as_pcm() {
        const struct {
            int subtype, rate, channels;
        } cases[] = {{SF_FORMAT_ULAW, 8000, 1},    {SF_FORMAT_ALAW, 8000, 1},
                     {SF_FORMAT_GSM610, 8000, 1},  {SF_FORMAT_PCM_16, 16000, 1},
                     {SF_FORMAT_PCM_24, 44100, 2}, {SF_FORMAT_PCM_U8, 11025, 1}};
        // Channels, bytes a sample, rate; the length in tenths of a second; zero crossings upwards.
        TranscriptOptions reader = options(
            "exec python3 -c 'import audioop, sys, wave\n"
            "with wave.open(sys.stdin.buffer) as sound:\n"
            "    frames = sound.readframes(sound.getnframes())\n"
            "    print(*sound.getparams()[:3], round(sound.getnframes() / 1600),"
            " round(audioop.cross(frames, 2) / 320))' ");
        for (const auto& c : cases) {
            make_wav(dir_ / "v.wav", c.subtype, c.rate, c.channels, 1.6, 1000);
            CPPUNIT_ASSERT_EQUAL(std::string("1 2 16000 16 10"), said(reader));
        }
    }

    void text_is_lines() {
        const std::pair<const char*, const char*> cases[] = {
            {"echo Hello.", "Hello."},
            {"printf '\\n one\\t\\r\\n\\ntwo \\n\\n'", "one\n\ntwo"},
            {"printf '\\351t\\351\\033[1m\\000x'", "?t? [1m x"},
            {":", ""},
            {"printf ' \\n\\t\\n'", ""},
            {"echo $1 $#", "en 1"},
        };
        for (const auto& [script, text] : cases)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(script, std::string(text), said(options(script)));
        const std::string much = said(options("head -c 200000 /dev/zero | tr '\\000' x"));
        CPPUNIT_ASSERT_EQUAL(std::string(16384, 'x'), much);
    }

    void failures_say_what_to_do() {
        refused(options("echo half; echo no model >&2; exit 2"), ErrorKind::kUnavailable,
                "ended with status 2: no model");
        refused(options("yes"), ErrorKind::kMessage, "wrote more than");
        TranscriptOptions slow = options("exec sleep 1000");
        slow.time_limit = std::chrono::milliseconds(200);
        refused(slow, ErrorKind::kUnavailable, "no end after 1 s");
        TranscriptOptions missing = options("");
        missing.command = (dir_ / "none").string();
        refused(missing, ErrorKind::kConfig, "correct g_szTranscriptCommand, or leave it blank");
        missing.work_directory = dir_ / "nowhere";
        refused(missing, ErrorKind::kNoInput, "nowhere");
        write_all_bytes(dir_ / "v.wav", "RIFF");
        refused(options("echo Hello."), ErrorKind::kMessage, "not a readable WAV file");
    }

    void stops_when_told_to() {
        int asked = 0;
        TranscriptOptions hanging = options("exec sleep 1000");
        hanging.time_limit = std::chrono::hours(1);
        hanging.cancelled = [&] { return ++asked == 3; };
        refused(hanging, ErrorKind::kUnavailable, "stopped before its end");
        CPPUNIT_ASSERT_EQUAL(3, asked);
    }

    // A long one takes its time before the program gets it.
    void the_recordings_conversion_is_part_of_the_time() {
        make_wav(dir_ / "v.wav", SF_FORMAT_ULAW, 8000, 1, 600);
        TranscriptOptions late = options("echo Hello.");
        late.time_limit = std::chrono::milliseconds(0);
        refused(late, ErrorKind::kUnavailable, "it was not ended in time");
        int asked = 0;
        TranscriptOptions stopped = options("echo Hello.");
        stopped.cancelled = [&] { return ++asked == 1; };
        refused(stopped, ErrorKind::kUnavailable, "it was not ended in time");
        CPPUNIT_ASSERT_EQUAL(1, asked);
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, work_.files());
    }

    void leaves_nothing_behind() {
        said(options("echo Hello."));
        refused(options("exit 1"), ErrorKind::kUnavailable, "status 1");
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, work_.files());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TranscriptTest);

}  // namespace
