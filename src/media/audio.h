// Recordings: checked and measured with libsndfile. Any thread; one file a call.
#ifndef VM_MEDIA_AUDIO_H
#define VM_MEDIA_AUDIO_H

#include "base/error.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace vm::media {

struct AudioInfo {
    std::string codec;  // "mulaw", "alaw", "pcm16", "gsm610", …
    int sample_rate = 0;
    int channels = 0;
    std::int64_t duration_ms = 0;
};

// Reads the whole header and checks that the samples it promises are there. Accepts WAV with µ-law,
// A-law, PCM (8, 16, 24, 32 bit) or GSM 6.10; anything else, an empty or a truncated one is
// kMessage with the reason.
Result<AudioInfo> probe_audio(const std::filesystem::path& file);

// Whether a WAV file of this form is played by what people read mail with: G.711, or PCM of 8 or 16
// bit at up to 48 kHz. GSM 6.10 and larger samples are not, by telephones least of all.
bool plays_everywhere(const AudioInfo& audio);
bool is_g711(const AudioInfo& audio);

// Write `wav` as a WAV file of one channel to `out`, block by block: as telephones have it, 8 kHz
// µ-law, and as programs that recognise speech want it, 16 kHz 16 bit PCM. Errors as write_mp3();
// `cancelled`, asked all the time, ends it with kUnavailable.
Result<> write_telephone_wav(const std::filesystem::path& wav, const std::filesystem::path& out);
Result<> write_pcm_wav(const std::filesystem::path& wav, const std::filesystem::path& out,
                       std::function<bool()> cancelled = {});

// Writes `wav` as MP3, 16 kHz mono constant bit rate 32 kbit/s (players in telephones want CBR), to
// `mp3`, block by block. Resamples simply; telephone speech has nothing above 4 kHz. kMessage:
// `wav` is damaged; kConfig: libsndfile cannot write MP3; kUnavailable: no room.
Result<> write_mp3(const std::filesystem::path& wav, const std::filesystem::path& mp3);

}  // namespace vm::media

#endif
