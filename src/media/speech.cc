#include "media/speech.h"

#include "base/files.h"
#include "base/language.h"
#include "base/process.h"
#include "base/text.h"
#include "media/mono.h"
#include "media/sound.h"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

namespace vm::media {

namespace {

constexpr const char* kOperation = "speak";
constexpr const char* kProgram = "espeak-ng";
constexpr int kRate = 8000;
constexpr int kLongestSeconds = 600;
constexpr mode_t kMode = 0640;
// Ten minutes of the largest that synthesisers write: 48 kHz, 16 bit, one channel.
constexpr std::size_t kSoundLimit = std::size_t{kLongestSeconds} * 48000 * 2 + 65536;
constexpr std::size_t kMemoryLimit = 2ULL << 30;  // others than espeak-ng load models

tl::unexpected<Error> refuse(ErrorKind kind, const std::string& object, std::string reason,
                             std::string hint = {}) {
    return fail(kind, kOperation, object, std::move(reason), std::move(hint));
}

// Without what a synthesiser takes for commands: control characters, and espeak-ng's "[[", behind
// which it expects phonemes.
std::string plain_text(std::string_view text) {
    std::string out;
    for (const std::string& line : split(text, '\n')) {
        for (const char c : sanitize_line(line, line.size())) {
            if (c == '[' && out.ends_with('[')) out += ' ';
            out += c;
        }
        out += '\n';
    }
    return out;
}

std::string words_of(const SandboxOutput& done) {
    const std::string words = sanitize_line(trim(done.diagnostics), 300);
    return "ended with status " + std::to_string(done.exit_code) +
           (words.empty() ? "" : ": " + words);
}

Result<SandboxOutput> run(const std::vector<std::string>& argv, std::string_view text,
                          const SpeechOptions& options) {
    auto done = run_sandboxed(argv, text,
                              {.time = options.time_limit,
                               .cpu = options.time_limit,
                               .output_bytes = kSoundLimit,
                               .memory_bytes = kMemoryLimit});
    if (!done && done.error().kind == ErrorKind::kConfig) {
        if (options.command.empty())
            return refuse(ErrorKind::kConfig, kProgram, done.error().reason,
                          "apt install espeak-ng, or name another in g_szSpeechCommand");
        return refuse(ErrorKind::kConfig, options.command, done.error().reason,
                      "correct g_szSpeechCommand, or leave it blank for espeak-ng");
    }
    return done;
}

// The sound as the synthesiser writes it.
Result<std::string> speak(const SpeechOptions& options, std::string_view text) {
    if (!options.command.empty()) {
        VM_ASSIGN(SandboxOutput done, run({options.command, options.language}, text, options));
        if (done.exit_code != 0)
            return refuse(ErrorKind::kUnavailable, options.command, words_of(done));
        return std::move(done.output);
    }
    // It says that it does not have a voice by ending with 1 and no sound.
    const std::vector<std::string> voices = espeak_voices(options.language);
    for (const std::string& voice : voices) {
        VM_ASSIGN(SandboxOutput done,
                  run({kProgram, "-v", voice, "-b", "1", "--stdin", "--stdout"}, text, options));
        if (done.exit_code == 0) return std::move(done.output);
        if (&voice == &voices.back() || done.exit_code != 1 || !done.output.empty())
            return refuse(ErrorKind::kUnavailable, kProgram, words_of(done));
    }
    return std::string();
}

Result<UniqueFd> file_in_memory(const std::string& object, std::string_view content) {
    UniqueFd file(::memfd_create("speech", MFD_CLOEXEC));
    if (!file) return refuse(ErrorKind::kUnavailable, object, errno_text(errno));
    VM_TRY(write_all(file.get(), content, object));
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return refuse(ErrorKind::kUnavailable, object, errno_text(errno));
    return file;
}

Result<std::string> content_of(int fd, const std::string& object) {
    const off_t size = ::lseek(fd, 0, SEEK_END);
    std::string content(static_cast<std::size_t>(std::max<off_t>(size, 0)), '\0');
    if (size < 0 || ::pread(fd, content.data(), content.size(), 0) != size)
        return refuse(ErrorKind::kUnavailable, object, "it cannot be read back");
    return content;
}

// A synthesiser that writes to a pipe cannot know the sizes the header has; libsndfile reads what
// is there.
Result<std::string> as_telephone_wav(const std::string& program, std::string_view sound) {
    if (sound.size() < 12 || sound.substr(0, 4) != "RIFF" || sound.substr(8, 4) != "WAVE")
        return refuse(ErrorKind::kMessage, program, "what it wrote is no WAV file");
    VM_ASSIGN(const UniqueFd source, file_in_memory(program, sound));
    SF_INFO info{};
    const OpenedSound in = open_sound(source.get(), SFM_READ, info);
    if (!in.sound)
        return refuse(ErrorKind::kMessage, program,
                      "what it wrote is no readable WAV file: " + in.problem);
    if (info.frames <= 0) return refuse(ErrorKind::kMessage, program, "it spoke nothing");
    if (info.samplerate < 4000 || info.samplerate > 192000 || info.channels < 1 ||
        info.channels > 2)
        return refuse(ErrorKind::kMessage, program,
                      "it wrote " + std::to_string(info.channels) + " channels of " +
                          std::to_string(info.samplerate) +
                          " Hz; allowed: 1 or 2, of 4000 to 192000 Hz");
    if (info.frames / info.samplerate >= kLongestSeconds)
        return refuse(ErrorKind::kMessage, program,
                      "it spoke for more than " + std::to_string(kLongestSeconds) + " s");

    VM_ASSIGN(const UniqueFd target, file_in_memory(program, {}));
    SF_INFO telephone{};
    telephone.samplerate = kRate;
    telephone.channels = 1;
    telephone.format = SF_FORMAT_WAV | SF_FORMAT_ULAW;
    OpenedSound out = open_sound(target.get(), SFM_WRITE, telephone);
    if (!out.sound ||
        !copy_as_mono(in.sound.get(), info, out.sound.get(), kRate, [] { return false; }))
        return refuse(ErrorKind::kUnavailable, program,
                      "its sound cannot be converted: " + out.problem);
    out.sound.reset();  // completes the header
    return content_of(target.get(), program);
}

}  // namespace

std::vector<std::string> espeak_voices(std::string_view language) {
    std::vector<std::string> voices;
    std::string tag = is_language_tag(language) ? to_lower(language) : "en";
    const std::vector<std::string> parts = split(tag, '-');
    const auto has = [&](const char* part) {
        return std::find(parts.begin(), parts.end(), part) != parts.end();
    };
    if (parts.front() == "zh") {
        voices.emplace_back(has("hk") || has("mo") || has("yue") ? "yue" : "cmn");
    } else {
        if (parts.front() == "no") tag.replace(0, 2, "nb");
        for (; !tag.empty(); tag.resize(tag.find('-') == std::string::npos ? 0 : tag.rfind('-')))
            voices.push_back(tag);
    }
    if (voices.back() != "en") voices.emplace_back("en");
    return voices;
}

Result<AudioInfo> synthesize(const SpeechOptions& options, std::string_view text,
                             const std::filesystem::path& wav) {
    const std::string words = plain_text(text);
    if (trim(words).empty())
        return refuse(ErrorKind::kMessage, wav.string(), "there is nothing to speak");
    VM_ASSIGN(const std::string sound, speak(options, words));
    const std::string program = options.command.empty() ? kProgram : options.command;
    VM_ASSIGN(const std::string recording, as_telephone_wav(program, sound));
    VM_TRY(write_file_atomic(wav, recording, kMode));
    return probe_audio(wav);
}

}  // namespace vm::media
