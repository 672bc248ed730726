#include "agent/mail.h"

#include "base/text.h"
#include "mime/template.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace vm::agent {

std::string message_id_for(const Message& message, const config::MailboxOptions& mailbox) {
    return message.id + "@" + mailbox.message_id_domain();
}

Result<std::vector<std::string>> mail_warnings(const config::MailboxOptions& mailbox,
                                               const config::MiscSetup& misc, const Paths& paths) {
    VM_TRY(mime::Template::load(paths.templates(), mailbox.language));
    std::vector<std::string> warnings;
    const std::string used = mime::Template::language_for(paths.templates(), mailbox.language);
    const auto primary = [](std::string_view tag) { return tag.substr(0, tag.find('-')); };
    if (!iequals(primary(used), primary(mailbox.language)))
        warnings.push_back("Language = " + mailbox.language +
                           " has no wording, so its mails are in English; write " +
                           (paths.templates() / (mailbox.language + ".ini")).string() +
                           ", see vm-templates.ini(5)");
    if (mailbox.transcript && misc.transcript_command.empty())
        warnings.emplace_back(
            "Transcript = Yes, but there is no program that makes one; name it in "
            "g_szTranscriptCommand");
    else if (mailbox.transcript &&
             ::faccessat(AT_FDCWD, misc.transcript_command.c_str(), X_OK, AT_EACCESS) != 0)
        warnings.push_back("Transcript = Yes, but g_szTranscriptCommand = " +
                           misc.transcript_command + " cannot be run: " + errno_text(errno));
    return warnings;
}

Result<std::string> transcript_for(const Message& message, const config::MailboxOptions& mailbox,
                                   store::Store& store) {
    if (!mailbox.transcript || message.kind != MessageKind::kVoice || message.is_private)
        return std::string();
    VM_ASSIGN(Transcript transcript, store.transcript(message.id));
    return std::move(transcript.text);
}

Result<std::int64_t> write_mail(const MessageRecord& record, const std::string& transcript,
                                const std::filesystem::path& media_file,
                                const config::MailboxOptions& mailbox,
                                const config::MiscSetup& misc, const Paths& paths,
                                const mime::Writer& writer, mime::TemplateCache* templates) {
    // What was measured at `add` is what is sent, or nothing is.
    std::error_code problem, ignored;
    const auto size = std::filesystem::file_size(media_file, problem);
    if (problem && std::filesystem::exists(media_file, ignored))
        return fail(ErrorKind::kMessage, "compose", media_file.string(),
                    "the stored file is no file any more",
                    "restore it from a backup, then `vmctl queue retry " + record.message.id + "`");
    if (!problem && static_cast<std::int64_t>(size) != record.message.size)
        return fail(ErrorKind::kMessage, "compose", media_file.string(),
                    "the stored file is damaged: it has " + std::to_string(size) + " bytes, " +
                        std::to_string(record.message.size) + " were stored",
                    "restore it from a backup, then `vmctl queue retry " + record.message.id + "`");
    mime::ComposeOptions options;
    options.sender_address = mailbox.sender_address();
    options.recipient_address = mailbox.email_name;
    options.message_id = record.delivery.message_id.empty()
                             ? message_id_for(record.message, mailbox)
                             : record.delivery.message_id;
    options.time_zone = mailbox.time_zone;
    options.language = mailbox.language;
    options.transcript = transcript;
    options.voice_format = mailbox.voice_format == config::VoiceFormat::kMp3
                               ? mime::VoiceFormat::kMp3
                               : mime::VoiceFormat::kWav;
    switch (mailbox.fax_format) {
        case config::FaxFormat::kPdf:
            options.fax_format = mime::FaxFormat::kPdf;
            break;
        case config::FaxFormat::kTiff:
            options.fax_format = mime::FaxFormat::kTiff;
            break;
        case config::FaxFormat::kBoth:
            options.fax_format = mime::FaxFormat::kBoth;
            break;
    }
    options.outlook_forms = mailbox.outlook_forms;
    options.attach_media = misc.send_msg_as_attachment;
    options.template_directory = paths.templates();
    options.templates = templates;
    options.work_directory = paths.spool();
    return mime::compose(record.message, media_file, options, writer);
}

}  // namespace vm::agent
