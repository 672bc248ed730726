// vmctl message export: the mail as it would be sent, or the recording itself, into a file.
#include "agent/email_speech.h"
#include "agent/mail.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "base/files.h"
#include "base/identity.h"
#include "config/config.h"
#include "mime/compose.h"
#include "store/store.h"

#include <cstdlib>
#include <iostream>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::app {

namespace fs = std::filesystem;

namespace {

struct ExportOptions {
    std::string id, as, output;
};

// Appends all that `in` holds from its beginning to `out`; `name` is out's, for the error.
Result<std::int64_t> copy_all(int in, int out, const std::string& name) {
    std::int64_t total = 0;
    std::string buffer(128U << 10, '\0');
    for (;;) {
        const ssize_t n = ::pread(in, buffer.data(), buffer.size(), total);
        if (n < 0) return fail_errno(errno, "export to", name);
        if (n == 0) return total;
        VM_TRY(write_all(out, {buffer.data(), static_cast<std::size_t>(n)}, name));
        total += n;
    }
}

// The same of a file of the unit's.
Result<std::int64_t> copy_file(const fs::path& file, int out, const std::string& name) {
    VM_ASSIGN(const UniqueFd in, open_regular(file, "read"));
    return copy_all(in.get(), out, name);
}

Result<std::int64_t> write_to(const Paths& paths, store::Store& store, const MessageRecord& record,
                              const fs::path& media, bool mail, int fd, const std::string& name) {
    if (!mail && record.message.kind == MessageKind::kEmail) {
        // Only the language matters of the mailbox's options: a mistake in them keeps no mail from
        // being heard.
        const auto mailbox = config::load_mailbox(paths, record.message.mailbox);
        VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
        VM_ASSIGN(
            const fs::path speech,
            agent::speech_file(record, media, mailbox ? mailbox->language : "en", misc, paths));
        return copy_file(speech, fd, name);
    }
    if (record.message.kind == MessageKind::kEmail)
        return fail(ErrorKind::kMessage, "export", record.message.id,
                    "it is somebody's mail, which lies in the account",
                    "--as media is the recording of its text");
    if (!mail) return copy_file(media, fd, name);
    VM_ASSIGN(const config::MailboxOptions mailbox,
              config::load_mailbox(paths, record.message.mailbox));
    if (mailbox.email_name.empty())
        return fail(ErrorKind::kConfig, "export", "mailbox " + mailbox.number,
                    "Email Name is not set, so the mail has no recipient",
                    "set it with vmconfig mailbox set " + mailbox.number);
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    mime::initialise();
    VM_ASSIGN(const std::string said, agent::transcript_for(record.message, mailbox, store));
    return agent::write_mail(record, said, media, mailbox, misc, paths,
                             [&](std::string_view block) { return write_all(fd, block, name); });
}

// What is the caller's is opened already; what is the unit's, its owner reads.
Result<std::int64_t> write_as_owner(const Paths& paths, store::Store& store,
                                    const MessageRecord& record, const fs::path& media, bool mail,
                                    int fd, const std::string& name) {
    const AsOwner owner;
    return write_to(paths, store, record, media, mail, fd, name);
}

// To standard output in one go, so that a mail that cannot be composed prints nothing.
Result<std::int64_t> export_to_stdout(const Paths& paths, store::Store& store,
                                      const MessageRecord& record, const fs::path& media,
                                      bool mail) {
    const AsCaller caller;
    std::error_code error;
    const fs::path directory = fs::temp_directory_path(error);
    if (error) {
        const char* const chosen = std::getenv("TMPDIR");
        return fail(ErrorKind::kUnavailable, "export", chosen == nullptr ? "/tmp" : chosen,
                    "there is no such directory for temporary files",
                    "set TMPDIR to one that can be written to");
    }
    VM_ASSIGN(const UniqueFd fd, unnamed_file(directory));
    VM_TRY(write_as_owner(paths, store, record, media, mail, fd.get(), "a temporary file"));
    return copy_all(fd.get(), STDOUT_FILENO, "standard output");
}

// Into a new file that replaces an old one when it is complete.
Result<std::int64_t> export_to_file(const Paths& paths, store::Store& store,
                                    const MessageRecord& record, const fs::path& media, bool mail,
                                    const fs::path& output) {
    const AsCaller caller;
    std::error_code ignored;
    const fs::file_status old = fs::status(output, ignored);
    if (fs::exists(old) && !fs::is_regular_file(old))
        return fail(ErrorKind::kUsage, "--output", output.string(), "it is not a regular file",
                    "- is standard output");
    const fs::path directory = output.has_parent_path() ? output.parent_path() : fs::path(".");
    auto created = TemporaryFile::create(directory, ".tmp");
    if (!created) {
        created.error().object = output.string();
        return fail(created.error());
    }
    const TemporaryFile temporary = std::move(*created);
    VM_ASSIGN(const std::int64_t size,
              write_as_owner(paths, store, record, media, mail, temporary.fd(), output.string()));
    if (::fsync(temporary.fd()) != 0 || ::rename(temporary.path().c_str(), output.c_str()) != 0)
        return fail_errno(errno, "export to", output.string());
    VM_TRY(fsync_directory(directory));
    return size;
}

Result<> export_message(const Paths& paths, const ExportOptions& options, bool json) {
    const bool mail = options.as == "eml", to_stdout = options.output == "-";
    if (to_stdout && json)
        return fail(ErrorKind::kUsage, "export", "--json",
                    "standard output takes the message itself", "give --output a file");
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    VM_ASSIGN(const MessageRecord record, store->get(options.id));
    const fs::path media = store->media_path(record.message);
    if (to_stdout) {
        VM_TRY(export_to_stdout(paths, *store, record, media, mail));
        return {};
    }
    VM_ASSIGN(const std::int64_t size,
              export_to_file(paths, *store, record, media, mail, options.output));
    if (json)
        print_json(std::cout, {{"id", options.id}, {"output", options.output}, {"size", size}});
    return {};
}

}  // namespace

void add_message_export(CLI::App& message, VmctlContext& context) {
    const auto options = std::make_shared<ExportOptions>();
    CLI::App* sub = context.command(
        message, "export",
        "Write the mail as it would be sent, or the recording, fax or spoken e-mail, to a file",
        "vmctl message export 01KAM8Q3V5X6Y7Z8A9B0C1D2E3 --as eml --output /tmp/message.eml",
        [&context, options](const Paths& paths) {
            return export_message(paths, *options, context.json);
        });
    sub->add_option("ID", options->id, "Message id")->required();
    sub->add_option("--as", options->as, "The mail, or the media file")
        ->type_name("eml|media")
        ->required()
        ->check([](const std::string& value) {
            return value == "eml" || value == "media" ? "" : value + " is neither eml nor media";
        });
    sub->add_option("--output", options->output, "File to write, - for standard output")
        ->type_name("F")
        ->required();
}

}  // namespace vm::app
