// Text spoken by a synthesiser, as a recording a telephone can play. The synthesiser runs in the
// sandbox of base/process.h: its text is a stranger's. Any thread; blocks.
#ifndef VM_MEDIA_SPEECH_H
#define VM_MEDIA_SPEECH_H

#include "base/error.h"
#include "media/audio.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vm::media {

struct SpeechOptions {
    // g_szSpeechCommand: the absolute path of a synthesiser, run as `COMMAND LANGUAGE` with the
    // text on its stdin, that writes a WAV with one or two channels to its stdout; "" is espeak-ng.
    std::string command = {};
    std::string language = "en";  // a tag (base/language.h), the mailbox's Language
    std::chrono::seconds time_limit{60};
};

// Speaks `text` (UTF-8; paragraphs are separated by an empty line) into `wav`: 8 kHz, mono, µ-law,
// at most ten minutes, mode 0640, replaced all or nothing. Returns what probe_audio() would.
//
// kConfig: the synthesiser is not there; the error says what to do. kMessage: nothing to speak, too
// long, or what came out is no sound. kUnavailable: it failed, ran out of time, or the disk is
// full.
Result<AudioInfo> synthesize(const SpeechOptions& options, std::string_view text,
                             const std::filesystem::path& wav);

// The names of espeak-ng's voices for a language, the closest first; the last one is "en", which it
// always has. It does not have all of the others.
std::vector<std::string> espeak_voices(std::string_view language);

}  // namespace vm::media

#endif
