#include "media/audio.h"
#include "media/convert.h"

namespace vm::media {

namespace {

constexpr int kRate = 16000;
constexpr int kBitRate = 32000;

// libsndfile takes the bit rate of MPEG-2 as a level: 0 is 160 kbit/s, 1 is 8.
constexpr double kCompressionLevel = 1.0 - (kBitRate / 1000.0 - 8.0) / (160.0 - 8.0);

OpenedSound open_mp3(int fd) {
    SF_INFO info{};
    info.samplerate = kRate;
    info.channels = 1;
    info.format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
    OpenedSound out = open_sound(fd, SFM_WRITE, info);
    if (!out.sound) return out;
    // The answer to setting the mode is always "no" in libsndfile 1.2.0; asking for it is reliable.
    int mode = SF_BITRATE_MODE_CONSTANT;
    double level = kCompressionLevel;
    sf_command(out.sound.get(), SFC_SET_BITRATE_MODE, &mode, sizeof mode);
    if (sf_command(out.sound.get(), SFC_GET_BITRATE_MODE, nullptr, 0) != SF_BITRATE_MODE_CONSTANT ||
        sf_command(out.sound.get(), SFC_SET_COMPRESSION_LEVEL, &level, sizeof level) != SF_TRUE) {
        out.sound.reset();
        out.problem = "no constant bit rate";
    }
    return out;
}

}  // namespace

Result<> write_mp3(const std::filesystem::path& wav, const std::filesystem::path& mp3) {
    return convert(wav, mp3,
                   {"convert to MP3", kRate, kBitRate / 8, open_mp3, "set Voice Format = wav"});
}

}  // namespace vm::media
