#include "agent/email_speech.h"

#include "base/files.h"
#include "media/speech.h"
#include "mime/ear_text.h"

#include <chrono>
#include <functional>

namespace vm::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::hours kKept{30 * 24};

// What the recording depends on besides the message, as a part of its name.
std::string variant(const std::string& language, const config::MiscSetup& misc,
                    const std::string& text) {
    const std::size_t hash = std::hash<std::string>{}(misc.speech_command + '\n' + text);
    return language + "." + std::to_string(hash);
}

}  // namespace

Result<fs::path> speech_file(const MessageRecord& record, const fs::path& text_file,
                             const std::string& language, const config::MiscSetup& misc,
                             const Paths& paths) {
    const Message& message = record.message;
    mime::MailText mail;
    if (message.caller_name != message.sender) mail.sender_name = message.caller_name;
    mail.sender_address = message.sender;
    mail.subject = message.subject;
    VM_ASSIGN(mail.text, read_file(text_file));
    mail.truncated = mail.text.size() + 4 >= mime::kMailTextLimit;
    VM_ASSIGN(const mime::Template wording, mime::Template::load(paths.templates(), language));
    const std::string text = mime::speech_text(mail, wording);
    const fs::path directory = paths.speech();
    const fs::path file = directory / (message.id + "." + variant(language, misc, text) + ".wav");
    std::error_code error;
    if (fs::exists(file, error)) return file;
    fs::create_directories(directory, error);
    if (error) return fail_errno(error.value(), "make directory", directory.string());
    VM_TRY(media::synthesize({misc.speech_command, language}, text, file));
    return file;
}

void sweep_speech(const Paths& paths) {
    std::error_code error;
    for (fs::directory_iterator at(paths.speech(), error), end; !error && at != end;
         at.increment(error)) {
        std::error_code ignored;
        const auto written = fs::last_write_time(at->path(), ignored);
        const auto age = fs::file_time_type::clock::now() - written;
        if (!ignored && age > kKept) fs::remove(at->path(), ignored);
    }
}

}  // namespace vm::agent
