#include "media/audio.h"

#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <cstring>
#include <sys/stat.h>
#include <thread>

using vm::ErrorKind;
using vm::media::probe_audio;
using vm::test::make_wav;
using vm::test::read_all;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

void put32(std::string& bytes, std::size_t at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i)
        bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
}

class AudioTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AudioTest);
    CPPUNIT_TEST(accepts_every_telephone_codec);
    CPPUNIT_TEST(rounds_the_duration_up);
    CPPUNIT_TEST(refuses_what_is_no_recording);
    CPPUNIT_TEST(refuses_other_codecs_by_name);
    CPPUNIT_TEST(notices_every_truncation);
    CPPUNIT_TEST(ignores_what_follows_the_sound);
    CPPUNIT_TEST(bounds_hostile_headers);
    CPPUNIT_TEST(never_blocks_on_a_fifo);
    CPPUNIT_TEST(survives_any_bytes);
    CPPUNIT_TEST(many_threads);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory dir_;

    vm::Error refusal(const std::string& bytes) {
        write_all_bytes(dir_ / "x.wav", bytes);
        const auto info = probe_audio(dir_ / "x.wav");
        CPPUNIT_ASSERT_MESSAGE("accepted", !info);
        return info.error();
    }
    void assert_refused(const std::string& bytes, const std::string& reason) {
        const vm::Error error = refusal(bytes);
        CPPUNIT_ASSERT_EQUAL(std::string(vm::to_string(ErrorKind::kMessage)),
                             std::string(vm::to_string(error.kind)));
        CPPUNIT_ASSERT_MESSAGE(error.text(), error.reason.find(reason) != std::string::npos);
    }
    std::string mulaw_second() {
        make_wav(dir_ / "s.wav", SF_FORMAT_ULAW, 8000, 1, 1.0);
        return read_all(dir_ / "s.wav");
    }

  public:
    void accepts_every_telephone_codec() {
        const struct {
            int subtype;
            const char* codec;
            int rate, channels;
        } cases[] = {{SF_FORMAT_ULAW, "mulaw", 8000, 1},    {SF_FORMAT_ALAW, "alaw", 8000, 1},
                     {SF_FORMAT_PCM_16, "pcm16", 8000, 1},  {SF_FORMAT_PCM_16, "pcm16", 44100, 2},
                     {SF_FORMAT_PCM_U8, "pcm8", 11025, 1},  {SF_FORMAT_PCM_24, "pcm24", 16000, 1},
                     {SF_FORMAT_PCM_32, "pcm32", 16000, 1}, {SF_FORMAT_GSM610, "gsm610", 8000, 1}};
        for (const auto& c : cases) {
            make_wav(dir_ / "a.wav", c.subtype, c.rate, c.channels, 1.6);
            const auto info = probe_audio(dir_ / "a.wav");
            CPPUNIT_ASSERT_MESSAGE(info ? "" : info.error().text(), info.has_value());
            CPPUNIT_ASSERT_EQUAL(std::string(c.codec), info->codec);
            CPPUNIT_ASSERT_EQUAL(c.rate, info->sample_rate);
            CPPUNIT_ASSERT_EQUAL(c.channels, info->channels);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1600}, info->duration_ms);
        }
        make_wav(dir_ / "a.wav", SF_FORMAT_PCM_16, 8000, 1, 0.5, 440, SF_FORMAT_WAVEX);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{500}, probe_audio(dir_ / "a.wav")->duration_ms);
    }

    void rounds_the_duration_up() {
        make_wav(dir_ / "one.wav", SF_FORMAT_ULAW, 8000, 1, 1.0 / 8000);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, probe_audio(dir_ / "one.wav")->duration_ms);
    }

    void refuses_what_is_no_recording() {
        assert_refused("", "empty");
        assert_refused("RIFF", "not a WAV file");
        assert_refused("%PDF-1.4 something else", "not a WAV file");
        assert_refused(std::string("RIFX") + mulaw_second().substr(4), "not a WAV file");
        make_wav(dir_ / "none.wav", SF_FORMAT_ULAW, 8000, 1, 0);
        assert_refused(read_all(dir_ / "none.wav"), "empty");
        CPPUNIT_ASSERT(probe_audio(dir_ / "absent.wav").error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT(probe_audio(dir_.path()).error().reason == "it is not a regular file");
    }

    void refuses_other_codecs_by_name() {
        make_wav(dir_ / "f.wav", SF_FORMAT_FLOAT, 8000, 1, 0.1);
        assert_refused(read_all(dir_ / "f.wav"), "32 bit float");
        make_wav(dir_ / "i.wav", SF_FORMAT_IMA_ADPCM, 8000, 1, 0.1);
        assert_refused(read_all(dir_ / "i.wav"), "IMA ADPCM");
    }

    // Wherever the file is cut, it is refused: a message must not lose its end unnoticed.
    void notices_every_truncation() {
        for (const int subtype : {SF_FORMAT_ULAW, SF_FORMAT_PCM_16, SF_FORMAT_GSM610}) {
            make_wav(dir_ / "t.wav", subtype, 8000, 1, 0.2);
            const std::string whole = read_all(dir_ / "t.wav");
            for (std::size_t length = 0; length < whole.size(); length += 13)
                refusal(whole.substr(0, length));
            refusal(whole.substr(0, whole.size() - 2));
        }
        std::string long_claim = mulaw_second();
        put32(long_claim, long_claim.find("data") + 4, 0xFFFFFFFF);
        assert_refused(long_claim, "promises 4294967295 bytes of sound, the file has 8000");
    }

    void ignores_what_follows_the_sound() {
        write_all_bytes(dir_ / "tail.wav",
                        mulaw_second() + "some trailing bytes that are no chunk");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, probe_audio(dir_ / "tail.wav")->duration_ms);
    }

    void bounds_hostile_headers() {
        std::string wav = mulaw_second();
        const std::size_t format = wav.find("fmt ");
        std::string changed = wav;
        put32(changed, format + 12, 4000000000U);
        refusal(changed);
        changed = wav;
        put32(changed, format + 12, 1);
        assert_refused(changed, "sample rate 1 Hz");
        changed = wav;
        changed[format + 10] = '\x7F';  // channels
        refusal(changed);
        changed = wav;
        put32(changed, format + 4, 0xFFFFFFF0);
        assert_refused(changed, "truncated");
        std::string chunks = "RIFF\xFF\xFF\xFF\x7FWAVE";
        for (int i = 0; i < 2000; ++i) chunks.append("junk\0\0\0\0", 8);
        assert_refused(chunks, "more than 1000 chunks");
    }

    void never_blocks_on_a_fifo() {
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo((dir_ / "fifo").c_str(), 0600));
        CPPUNIT_ASSERT(probe_audio(dir_ / "fifo").error().reason == "it is not a regular file");
    }

    // No crash, and what is accepted has a duration.
    void survives_any_bytes() {
        const std::string wav = mulaw_second().substr(0, 600);
        CPPUNIT_ASSERT(rc::check("damaged WAV headers", [&] {
            std::string bytes = wav;
            put32(bytes, bytes.find("data") + 4,
                  static_cast<std::uint32_t>(bytes.size() - bytes.find("data") - 8));
            const auto edits = *rc::gen::container<std::vector<std::pair<std::size_t, char>>>(
                rc::gen::pair(rc::gen::inRange<std::size_t>(8, 64), rc::gen::arbitrary<char>()));
            for (const auto& [at, value] : edits) bytes[at] = value;
            write_all_bytes(dir_ / "p.wav", bytes);
            const auto info = probe_audio(dir_ / "p.wav");
            if (info)
                RC_ASSERT(info->duration_ms > 0 && info->sample_rate > 0 && !info->codec.empty());
            if (!info) RC_ASSERT(info.error().kind == ErrorKind::kMessage);
        }));
    }

    void many_threads() {
        make_wav(dir_ / "m.wav", SF_FORMAT_GSM610, 8000, 1, 1.6);
        write_all_bytes(dir_ / "bad.wav", read_all(dir_ / "m.wav").substr(0, 40));
        std::vector<std::thread> threads;
        std::atomic<int> wrong = 0;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i) {
                    if (!probe_audio(dir_ / "m.wav")) ++wrong;
                    if (probe_audio(dir_ / "bad.wav")) ++wrong;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AudioTest);

}  // namespace
