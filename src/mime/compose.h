// A message of the unit as an RFC 5322 mail, by GMime, streamed to a writer. INTERFACE "On the
// wire".
//
// Promise: the result is CRLF throughout, 7 bit clean, defect-free MIME; nothing a caller controls
// (number, name) can add a header, a recipient or a line; the same input gives the same Message-ID.
// Memory does not grow with the recording. Any thread.
#ifndef VM_MIME_COMPOSE_H
#define VM_MIME_COMPOSE_H

#include "base/error.h"
#include "core/message.h"
#include "mime/template_cache.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace vm::mime {

enum class VoiceFormat { kWav, kMp3 };
enum class FaxFormat { kPdf, kTiff, kBoth };

struct ComposeOptions {
    std::string sender_address;     // ASCII addr-spec, validated by config
    std::string recipient_address;  // likewise
    std::string message_id;         // without <>
    std::string time_zone;          // IANA name, "" = machine's
    std::string language = "en";
    VoiceFormat voice_format = VoiceFormat::kWav;
    FaxFormat fax_format = FaxFormat::kPdf;
    bool outlook_forms = false;
    bool attach_media = true;     // g_bEnableSendMsgAsAttachment
    std::string transcript = {};  // what is said in a recording, for the text; "": not known
    // ROOT/etc/templates: LANGUAGE.ini there wins over the built-in wording.
    std::filesystem::path template_directory;
    // Where the wording is kept between mails; null: it is read for each.
    TemplateCache* templates = nullptr;
    std::filesystem::path work_directory;  // for conversions (mp3, pdf)
};

// Takes the mail, one block of about 64 KiB after the other; an error ends it.
using Writer = std::function<Result<>(std::string_view block)>;

// Gives the mail to `writer`. `media_file` is the full path of the recording or fax. Returns the
// mail's size in bytes. Errors: kMessage (media is damaged), kConfig (template, tiff2pdf missing),
// kUnavailable (disk; whatever the writer's error is).
Result<std::int64_t> compose(const Message& message, const std::filesystem::path& media_file,
                             const ComposeOptions& options, const Writer& writer);
// The same, written to `out_fd` (at its current position).
Result<std::int64_t> compose(const Message& message, const std::filesystem::path& media_file,
                             const ComposeOptions& options, int out_fd);

// Once per process, before threads (GMime, GLib, libxml2).
void initialise();

}  // namespace vm::mime

#endif
