#include "media/audio.h"
#include "media/open.h"
#include "media/resample.h"
#include "media/sound.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace vm::media {

namespace {

constexpr const char* kOperation = "convert to MP3";
constexpr int kRate = 16000;
constexpr int kBitRate = 32000;
constexpr sf_count_t kBlock = 4096;  // frames read at a time

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
    VM_ASSIGN(const MediaFile input, open_media(wav, kOperation));
    SF_INFO info{};
    OpenedSound in = open_sound(input.fd.get(), SFM_READ, info);
    if (!in.sound || info.channels < 1 || info.samplerate < 1)
        return fail(ErrorKind::kMessage, kOperation, wav.string(),
                    "not a readable WAV file: " + in.problem);

    const UniqueFd output(::open(mp3.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!output) return fail(errno_kind(errno), kOperation, mp3.string(), errno_text(errno));
    OpenedSound out = open_mp3(output.get());
    if (!out.sound)
        return fail(ErrorKind::kConfig, kOperation, mp3.string(),
                    "libsndfile cannot write MP3: " + out.problem, "set Voice Format = wav");

    const auto write = [&](std::vector<float>& samples) {
        // The filter may overshoot a full-scale edge by a little.
        for (float& sample : samples) sample = std::clamp(sample, -1.0F, 1.0F);
        const auto count = static_cast<sf_count_t>(samples.size());
        const bool good = sf_write_float(out.sound.get(), samples.data(), count) == count &&
                          sf_error(out.sound.get()) == SF_ERR_NO_ERROR;
        samples.clear();
        return good;
    };
    Resampler resampler(info.samplerate, kRate);
    std::vector<float> frames(static_cast<std::size_t>(kBlock * info.channels)), mono, resampled;
    std::int64_t total = 0;
    bool good = true;
    for (sf_count_t n; good && (n = sf_readf_float(in.sound.get(), frames.data(), kBlock)) > 0;) {
        mono.clear();
        for (sf_count_t i = 0; i < n; ++i) {
            float sum = 0;
            for (int c = 0; c < info.channels; ++c)
                sum += frames[static_cast<std::size_t>(i * info.channels + c)];
            mono.push_back(sum / static_cast<float>(info.channels));
        }
        resampler.push(mono.data(), mono.size(), resampled);
        total += n;
        good = write(resampled);
    }
    if (total != info.frames && good)
        return fail(ErrorKind::kMessage, kOperation, wav.string(),
                    "the recording cannot be read to its end");
    resampler.finish(resampled);
    good = good && write(resampled);
    out.sound.reset();

    // libsndfile does not report every failed write (none while closing), so the size is compared
    // with what a constant bit rate must give.
    struct stat status {};
    const std::int64_t expected = total * (kBitRate / 8) / info.samplerate;
    if (!good || ::fstat(output.get(), &status) != 0 || status.st_size < expected)
        return fail(ErrorKind::kUnavailable, kOperation, mp3.string(),
                    "the file could not be written in full", "free disk space and try again");
    return {};
}

}  // namespace vm::media
