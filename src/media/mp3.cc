#include "media/audio.h"
#include "media/mono.h"
#include "media/open.h"
#include "media/sound.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::media {

namespace {

constexpr const char* kOperation = "convert to MP3";
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
    VM_ASSIGN(const MediaFile input, open_media(wav, kOperation));
    SF_INFO info{};
    OpenedSound in = open_sound(input.fd.get(), SFM_READ, info);
    if (!in.sound || info.channels < 1 || info.samplerate < 1)
        return fail(ErrorKind::kMessage, kOperation, wav.string(),
                    "not a readable WAV file: " + in.problem);

    const UniqueFd output(::open(mp3.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!output) return fail_errno(errno, kOperation, mp3.string());
    OpenedSound out = open_mp3(output.get());
    if (!out.sound)
        return fail(ErrorKind::kConfig, kOperation, mp3.string(),
                    "libsndfile cannot write MP3: " + out.problem, "set Voice Format = wav");

    const auto total = copy_as_mono(in.sound.get(), info, out.sound.get(), kRate);
    if (total && *total != info.frames)
        return fail(ErrorKind::kMessage, kOperation, wav.string(),
                    "the recording cannot be read to its end");
    out.sound.reset();

    // libsndfile does not report every failed write (none while closing), so the size is compared
    // with what a constant bit rate must give.
    struct stat status {};
    const std::int64_t expected = info.frames * (kBitRate / 8) / info.samplerate;
    if (!total || ::fstat(output.get(), &status) != 0 || status.st_size < expected)
        return fail(ErrorKind::kUnavailable, kOperation, mp3.string(),
                    "the file could not be written in full", "free disk space and try again");
    return {};
}

}  // namespace vm::media
