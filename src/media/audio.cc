#include "media/audio.h"

#include "media/open.h"
#include "media/sound.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace vm::media {

namespace {

constexpr const char* kOperation = "check recording";
constexpr const char* kWanted = "convert it to WAV with µ-law, A-law, PCM or GSM 6.10";

// A recording has a handful of chunks; a file made to keep the reader busy has millions.
constexpr int kMaxChunks = 1000;
// What telephones and studios record with. Beyond it durations and conversions make no sense.
constexpr int kMinRate = 4000, kMaxRate = 192000;

bool read_at(int fd, std::int64_t offset, void* out, std::size_t size) {
    return ::pread(fd, out, size, offset) == static_cast<ssize_t>(size);
}

std::uint32_t little_endian(const unsigned char* p) {
    return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
           static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

// What is wrong with the RIFF structure, nullopt when nothing is. libsndfile quietly shortens a
// recording to what is there; a message that lost its end must be noticed, so the promised lengths
// are compared here. It also keeps libsndfile's readers of other formats away from foreign files.
std::optional<std::string> riff_problem(const MediaFile& file) {
    std::array<unsigned char, 12> head{};
    const int fd = file.fd.get();
    if (!read_at(fd, 0, head.data(), head.size()) || std::memcmp(head.data(), "RIFF", 4) != 0 ||
        std::memcmp(head.data() + 8, "WAVE", 4) != 0)
        return "not a WAV file: it does not begin with RIFF and WAVE";
    std::int64_t at = 12;
    bool data_seen = false;
    for (int chunks = 0; at + 8 <= file.size; ++chunks) {
        if (chunks == kMaxChunks)
            return "damaged WAV file: more than " + std::to_string(kMaxChunks) + " chunks";
        std::array<unsigned char, 8> chunk{};
        if (!read_at(fd, at, chunk.data(), chunk.size()))
            return "cannot be read: " + errno_text(errno);
        const std::int64_t length = little_endian(chunk.data() + 4);
        const std::int64_t there = file.size - at - 8;
        const bool data = std::memcmp(chunk.data(), "data", 4) == 0;
        if (data && !data_seen) {
            data_seen = true;
            if (length == 0) return "the recording is empty: no samples";
            if (length > there)
                return "truncated: the header promises " + std::to_string(length) +
                       " bytes of sound, the file has " + std::to_string(there);
        } else if (length > there) {
            // Bytes after the sound that are no chunk do no harm; before it they hide the sound.
            if (data_seen) return std::nullopt;
            return "truncated: a chunk before the sound promises " + std::to_string(length) +
                   " bytes, the file has " + std::to_string(there);
        }
        at += 8 + length + (length & 1);
    }
    if (!data_seen) return "truncated: the WAV file has no sound data";
    return std::nullopt;
}

// "" for what is not accepted.
const char* codec_name(int format) {
    switch (format & SF_FORMAT_SUBMASK) {
        case SF_FORMAT_ULAW:
            return "mulaw";
        case SF_FORMAT_ALAW:
            return "alaw";
        case SF_FORMAT_PCM_U8:
            return "pcm8";
        case SF_FORMAT_PCM_16:
            return "pcm16";
        case SF_FORMAT_PCM_24:
            return "pcm24";
        case SF_FORMAT_PCM_32:
            return "pcm32";
        case SF_FORMAT_GSM610:
            return "gsm610";
        default:
            return "";
    }
}

// libsndfile's name of a format, "IMA ADPCM".
std::string format_name(int format) {
    SF_FORMAT_INFO info{};
    info.format = format & SF_FORMAT_SUBMASK;
    if (sf_command(nullptr, SFC_GET_FORMAT_INFO, &info, sizeof info) != 0 || info.name == nullptr)
        return "an unknown codec";
    return info.name;
}

}  // namespace

Result<AudioInfo> probe_audio(const std::filesystem::path& path) {
    const auto refuse = [&](std::string reason, std::string hint = {}) {
        return fail(ErrorKind::kMessage, kOperation, path.string(), std::move(reason),
                    std::move(hint));
    };
    VM_ASSIGN(const MediaFile file, open_media(path, kOperation));
    if (auto problem = riff_problem(file)) return refuse(*problem);

    SF_INFO info{};
    const OpenedSound opened = open_sound(file.fd.get(), SFM_READ, info);
    if (!opened.sound) return refuse("not a readable WAV file: " + opened.problem, kWanted);
    AudioInfo audio;
    audio.codec = codec_name(info.format);
    if (audio.codec.empty())
        return refuse("WAV with " + format_name(info.format) + " is not accepted", kWanted);
    if (info.frames <= 0) return refuse("the recording is empty: no samples");
    if (info.samplerate < kMinRate || info.samplerate > kMaxRate)
        return refuse("sample rate " + std::to_string(info.samplerate) + " Hz; allowed: " +
                      std::to_string(kMinRate) + " to " + std::to_string(kMaxRate));
    if (info.channels != 1 && info.channels != 2)
        return refuse(std::to_string(info.channels) + " channels; allowed: 1 or 2");
    audio.sample_rate = info.samplerate;
    audio.channels = info.channels;
    // frames < 2^32 because the chunk is, so this cannot overflow.
    audio.duration_ms = (info.frames * 1000 + info.samplerate - 1) / info.samplerate;
    return audio;
}

}  // namespace vm::media
