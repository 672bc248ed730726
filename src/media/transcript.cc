#include "media/transcript.h"

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "media/audio.h"

#include <algorithm>
#include <thread>

namespace vm::media {

namespace {

constexpr std::size_t kTextLimit = 16U << 10;
constexpr std::size_t kOutputLimit = 256U << 10;  // of a program that says more than the text
// Models are mapped as a whole, and some are of several gigabytes.
constexpr auto kMemoryLimit =
    static_cast<std::size_t>(sizeof(void*) > 4 ? 16ULL << 30 : 2ULL << 30);
// The telephone goes first.
constexpr int kNice = 10;

std::string lines_of(std::string_view output) {
    std::string text;
    for (const std::string& line : split(output, '\n')) {
        text += trim(sanitize_line(line, line.size()));
        text += '\n';
    }
    return std::string(trim(utf8_prefix(trim(text), kTextLimit)));
}

// By the clock the program has its time; by the CPU, each of its threads the same.
std::chrono::seconds cpu_limit(std::chrono::milliseconds time) {
    const auto threads = std::max(1U, std::thread::hardware_concurrency());
    return std::chrono::ceil<std::chrono::seconds>(time) * threads;
}

}  // namespace

Result<std::string> transcribe(const TranscriptOptions& options,
                               const std::filesystem::path& recording) {
    VM_ASSIGN(const TemporaryFile work, TemporaryFile::create(options.work_directory, ".wav"));
    const auto deadline = std::chrono::steady_clock::now() + options.time_limit;
    const auto left = [&] {
        return std::chrono::ceil<std::chrono::milliseconds>(deadline -
                                                            std::chrono::steady_clock::now());
    };
    VM_TRY(write_pcm_wav(recording, work.path(), [&] {
        return left() <= std::chrono::milliseconds(0) || (options.cancelled && options.cancelled());
    }));
    const auto time = std::max(left(), std::chrono::milliseconds(1));
    VM_ASSIGN(const UniqueFd input, open_regular(work.path(), "read"));
    auto done = run_sandboxed({options.command, options.language}, input.get(),
                              {.time = time,
                               .cpu = cpu_limit(time),
                               .output_bytes = kOutputLimit,
                               .memory_bytes = kMemoryLimit,
                               .nice = kNice},
                              options.cancelled);
    if (!done && done.error().kind == ErrorKind::kConfig)
        done.error().hint = "correct g_szTranscriptCommand, or leave it blank";
    if (!done) return fail(std::move(done).error());
    if (done->exit_code != 0) {
        const std::string words = sanitize_line(trim(done->diagnostics), 300);
        return fail(ErrorKind::kUnavailable, "transcribe", options.command,
                    "ended with status " + std::to_string(done->exit_code) +
                        (words.empty() ? "" : ": " + words));
    }
    return lines_of(done->output);
}

}  // namespace vm::media
