#include "media/audio.h"
#include "media/resample.h"
#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using vm::media::Resampler;
using vm::media::write_mp3;
using vm::test::make_wav;
using vm::test::read_all;
using vm::test::TestDirectory;

namespace {

struct Decoded {
    SF_INFO info{};
    std::vector<float> samples;
};

Decoded decode(const std::filesystem::path& path) {
    Decoded out;
    SNDFILE* sound = sf_open(path.c_str(), SFM_READ, &out.info);
    CPPUNIT_ASSERT_MESSAGE(sf_strerror(nullptr), sound != nullptr);
    std::vector<float> block(4096);
    for (sf_count_t n; (n = sf_readf_float(sound, block.data(), 4096)) > 0;)
        out.samples.insert(out.samples.end(), block.begin(), block.begin() + n);
    sf_close(sound);
    return out;
}

// Strength of one frequency in the middle of the signal (Goertzel): its amplitude.
double amplitude(const std::vector<float>& samples, int rate, double hertz) {
    const std::size_t first = samples.size() / 4, last = samples.size() * 3 / 4;
    double real = 0, imaginary = 0;
    for (std::size_t i = first; i < last; ++i) {
        const double angle = 6.283185307179586 * hertz * static_cast<double>(i) / rate;
        real += samples[i] * std::cos(angle);
        imaginary += samples[i] * std::sin(angle);
    }
    return 2 * std::hypot(real, imaginary) / static_cast<double>(last - first);
}

class Mp3Test : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(Mp3Test);
    CPPUNIT_TEST(keeps_tone_length_and_loudness);
    CPPUNIT_TEST(is_constant_bit_rate);
    CPPUNIT_TEST(resampling_does_not_depend_on_block_sizes);
    CPPUNIT_TEST(resampling_removes_what_does_not_fit);
    CPPUNIT_TEST(a_damaged_recording_is_the_messages_fault);
    CPPUNIT_TEST(a_full_disk_is_not);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory dir_;

  public:
    void keeps_tone_length_and_loudness() {
        const struct {
            int subtype, rate, channels;
        } cases[] = {{SF_FORMAT_ULAW, 8000, 1},    {SF_FORMAT_GSM610, 8000, 1},
                     {SF_FORMAT_PCM_16, 16000, 1}, {SF_FORMAT_PCM_16, 11025, 1},
                     {SF_FORMAT_PCM_16, 44100, 2}, {SF_FORMAT_PCM_16, 192000, 1}};
        for (const auto& c : cases) {
            make_wav(dir_ / "in.wav", c.subtype, c.rate, c.channels, 1.6, 1000);
            const auto done = write_mp3(dir_ / "in.wav", dir_ / "out.mp3");
            CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
            const Decoded mp3 = decode(dir_ / "out.mp3");
            CPPUNIT_ASSERT_EQUAL(16000, mp3.info.samplerate);
            CPPUNIT_ASSERT_EQUAL(1, mp3.info.channels);
            // MP3 pads to whole frames of 576 samples and by the codec's delay.
            const auto length = static_cast<double>(mp3.samples.size());
            CPPUNIT_ASSERT_MESSAGE(std::to_string(length),
                                   length >= 1.6 * 16000 - 1 && length < 1.6 * 16000 + 3 * 576);
            CPPUNIT_ASSERT_DOUBLES_EQUAL(0.33, amplitude(mp3.samples, 16000, 1000), 0.05);
        }
    }

    // Every frame header says MPEG-2 layer III, 32 kbit/s, 16 kHz, mono, and the next one follows
    // after the 144 bytes this gives.
    void is_constant_bit_rate() {
        make_wav(dir_ / "in.wav", SF_FORMAT_ULAW, 8000, 1, 3);
        CPPUNIT_ASSERT(write_mp3(dir_ / "in.wav", dir_ / "out.mp3").has_value());
        const std::string mp3 = read_all(dir_ / "out.mp3");
        int frames = 0;
        for (std::size_t at = 0; at + 4 <= mp3.size(); at += 144, ++frames) {
            const auto byte = [&](std::size_t i) {
                return static_cast<unsigned char>(mp3[at + i]);
            };
            CPPUNIT_ASSERT_EQUAL_MESSAGE("sync at frame " + std::to_string(frames), 0xFF,
                                         int{byte(0)});
            CPPUNIT_ASSERT_EQUAL(0xF2, byte(1) & 0xFE);  // MPEG-2, layer III
            CPPUNIT_ASSERT_EQUAL(0x48, byte(2) & 0xFE);  // 32 kbit/s, 16 kHz, no padding
            CPPUNIT_ASSERT_EQUAL(0xC0, byte(3) & 0xC0);  // mono
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, mp3.size() % 144);
        CPPUNIT_ASSERT(frames >= 3 * 16000 / 576);
    }

    void resampling_does_not_depend_on_block_sizes() {
        for (const int rate : {8000, 11025, 44100, 192000}) {
            std::vector<float> in;
            for (int i = 0; i < 5000; ++i) in.push_back(static_cast<float>(std::sin(i * 0.05)));
            std::vector<float> at_once, in_bits;
            Resampler whole(rate, 16000), bits(rate, 16000);
            whole.push(in.data(), in.size(), at_once);
            whole.finish(at_once);
            for (std::size_t i = 0, n = 1; i < in.size(); i += n, n = n % 97 + 1)
                bits.push(in.data() + i, std::min(n, in.size() - i), in_bits);
            bits.finish(in_bits);
            CPPUNIT_ASSERT(at_once == in_bits);
            CPPUNIT_ASSERT_EQUAL((std::size_t{5000} * 16000 + static_cast<std::size_t>(rate) - 1) /
                                     static_cast<std::size_t>(rate),
                                 at_once.size());
        }
    }

    void resampling_removes_what_does_not_fit() {
        std::vector<float> in, out;
        for (int i = 0; i < 48000; ++i)
            in.push_back(static_cast<float>(std::sin(6.283185307 * 11000 * i / 48000.0)));
        Resampler down(48000, 16000);  // 11 kHz would fold to 5 kHz
        down.push(in.data(), in.size(), out);
        down.finish(out);
        CPPUNIT_ASSERT(amplitude(out, 16000, 5000) < 0.003);
        in.clear();
        out.clear();
        for (int i = 0; i < 8000; ++i)
            in.push_back(static_cast<float>(std::sin(6.283185307 * 1000 * i / 8000.0)));
        Resampler up(8000, 16000);  // its image would be at 7 kHz
        up.push(in.data(), in.size(), out);
        up.finish(out);
        CPPUNIT_ASSERT(amplitude(out, 16000, 7000) < 0.003);
        CPPUNIT_ASSERT_DOUBLES_EQUAL(1.0, amplitude(out, 16000, 1000), 0.003);
    }

    void a_damaged_recording_is_the_messages_fault() {
        vm::test::write_all_bytes(dir_ / "bad.wav", "RIFFxxxxWAVEfmt ");
        CPPUNIT_ASSERT(write_mp3(dir_ / "bad.wav", dir_ / "out.mp3").error().kind ==
                       vm::ErrorKind::kMessage);
    }

    // In a child, because the limit on file sizes cannot be taken back.
    void a_full_disk_is_not() {
        make_wav(dir_ / "in.wav", SF_FORMAT_ULAW, 8000, 1, 5);
        const pid_t child = ::fork();
        if (child == 0) {
            ::signal(SIGXFSZ, SIG_IGN);
            const rlimit limit{8000, 8000};
            ::setrlimit(RLIMIT_FSIZE, &limit);
            const auto done = write_mp3(dir_ / "in.wav", dir_ / "out.mp3");
            ::_exit(!done && done.error().kind == vm::ErrorKind::kUnavailable ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Mp3Test);

}  // namespace
