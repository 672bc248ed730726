// Recordings as WAV files of other forms.
#include "media/audio.h"
#include "media/convert.h"

namespace vm::media {

namespace {

// Phones and browsers play more than telephones record with, but not all that studios do.
constexpr int kMaxPlayedRate = 48000;

Conversion to_wav(const char* operation, int rate, int subtype, int bytes_a_sample,
                  std::function<bool()> cancelled = {}) {
    const auto open = [rate, subtype](int fd) {
        SF_INFO info{};
        info.samplerate = rate;
        info.channels = 1;
        info.format = SF_FORMAT_WAV | subtype;
        return open_sound(fd, SFM_WRITE, info);
    };
    return {operation, rate, std::int64_t{rate} * bytes_a_sample, open, "", std::move(cancelled)};
}

}  // namespace

bool plays_everywhere(const AudioInfo& audio) {
    return audio.sample_rate <= kMaxPlayedRate &&
           (is_g711(audio) || audio.codec == "pcm8" || audio.codec == "pcm16");
}

bool is_g711(const AudioInfo& audio) {
    return audio.codec == "mulaw" || audio.codec == "alaw";
}

Result<> write_telephone_wav(const std::filesystem::path& wav, const std::filesystem::path& out) {
    return convert(wav, out, to_wav("convert to WAV with µ-law", 8000, SF_FORMAT_ULAW, 1));
}

Result<> write_pcm_wav(const std::filesystem::path& wav, const std::filesystem::path& out,
                       std::function<bool()> cancelled) {
    return convert(
        wav, out,
        to_wav("convert to WAV with PCM", 16000, SF_FORMAT_PCM_16, 2, std::move(cancelled)));
}

}  // namespace vm::media
