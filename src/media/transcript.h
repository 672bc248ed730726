// What is said in a recording, written down by a program. It runs in the sandbox of base/process.h:
// what it is made to listen to is a stranger's. Any thread; blocks.
#ifndef VM_MEDIA_TRANSCRIPT_H
#define VM_MEDIA_TRANSCRIPT_H

#include "base/error.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

namespace vm::media {

struct TranscriptOptions {
    // g_szTranscriptCommand: the absolute path of a program, run as `COMMAND LANGUAGE` with the
    // recording on its stdin, a WAV file of one channel with 16 bit PCM at 16 kHz, which it may
    // seek in, or open as /dev/stdin; it writes the text (UTF-8) to its stdout.
    std::string command;
    std::string language = "en";  // a tag (base/language.h), the mailbox's Language
    std::chrono::milliseconds time_limit{60'000};  // of it all
    std::function<bool()> cancelled = {};          // asked meanwhile: whether to give up
    std::filesystem::path work_directory;          // for the recording in that form
};

// The text: UTF-8 of at most 16 KiB, trimmed, without control characters but LF; "" when nothing
// was understood.
//
// kConfig: the program is not there; the error says what to do. kMessage: the recording is damaged,
// or the program wrote too much. kUnavailable: it failed, ran out of time, was told to stop, or the
// disk is full.
Result<std::string> transcribe(const TranscriptOptions& options,
                               const std::filesystem::path& recording);

}  // namespace vm::media

#endif
