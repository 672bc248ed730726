// What a mail says: the template filled in for one message. Pure; any thread.
//
// Promise: every line of the result is one printable line of UTF-8, and what the caller controls is
// bounded, cannot turn the direction of writing, and cannot look like a search token.
#ifndef VM_MIME_WORDING_H
#define VM_MIME_WORDING_H

#include "core/message.h"
#include "mime/template.h"

#include <glib.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace vm::mime {

// A caller's name or number as it may appear in a mail: one line without control characters and
// without those that change the direction of writing, blanks trimmed and single, at most 200 bytes;
// "[VM:" becomes "(VM:", so that a caller cannot answer a search for another message, and "=?"
// becomes "= ?", so that nothing passes for an encoded word (RFC 2047).
std::string clean_caller(std::string_view text);

// What a program has written down of a recording, as it may appear in a mail: lines as
// clean_caller() leaves them, single blank lines between them, none around them, at most 8,000
// bytes; a longer one ends with "…".
std::string clean_transcript(std::string_view text);

// Whole seconds, rounded up: never shorter than the recording, and at least 1. The value of
// Content-Duration (RFC 3803), of X-VoiceMessageDuration and of the wording.
std::int64_t whole_seconds(std::int64_t duration_ms);

struct Wording {
    std::string sender;  // display name
    std::string subject;
    std::string text;  // lines ended by LF, the last one is the search token [VM:ID]
    std::string
        file_base;  // name of attached files without extension: voice-2026-11-22-0930-5551234
};

// `received` is the message's time in the time zone of the mailbox; `attached`: the media goes
// along; `transcript`: what was said, "" when it is not known.
Wording word_mail(const Template& wording, const Message& message, GDateTime* received,
                  bool attached, std::string_view transcript = {});

}  // namespace vm::mime

#endif
