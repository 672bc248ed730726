#include "mime/compose.h"

#include "base/files.h"
#include "media/audio.h"
#include "media/fax.h"
#include "mime/file_part.h"
#include "mime/gobject.h"
#include "mime/header_text.h"
#include "mime/out_stream.h"
#include "mime/wording.h"

#include <gmime/gmime.h>

#include <cerrno>
#include <fcntl.h>
#include <libxml/parser.h>
#include <optional>
#include <sys/stat.h>
#include <vector>

namespace vm::mime {

namespace {

constexpr const char* kOperation = "compose mail";
constexpr const char* kCharset = "utf-8";

// A file that goes along with the mail.
struct Attachment {
    std::filesystem::path path;
    const char* type;
    const char* subtype;
    std::string name;
    std::optional<TemporaryFile> work_file;  // made for this mail; removed with this object
};

// An attachment's file while it is written.
struct Source {
    std::string path;
    UniqueFd fd;
    std::int64_t size;
};

// Gives a header that is there already its final form: GMime writes it as it is, LF as CRLF.
void set_raw(GMimeObject* object, const char* name, const std::string& value) {
    GMimeHeader* header =
        g_mime_header_list_get_header(g_mime_object_get_header_list(object), name);
    g_mime_header_set_raw_value(header, (" " + value + "\n").c_str());
}

std::string encode(std::string_view name, const std::string& text) {
    return encoded_words(text, name.size() + std::string_view(": ").size());
}

void add_header(GMimeObject* object, const char* name, const std::string& value) {
    const bool plain = is_plain_header_text(value);
    g_mime_object_append_header(object, name, plain ? value.c_str() : "", kCharset);
    if (!plain) set_raw(object, name, encode(name, value));
}

Result<Owned<GDateTime>> local_time(const Message& message, const std::string& time_zone) {
    const Owned<GTimeZone> zone(
        g_time_zone_new_identifier(time_zone.empty() ? nullptr : time_zone.c_str()));
    if (!zone)
        return fail(ErrorKind::kConfig, kOperation, "Time Zone",
                    "\"" + time_zone + "\" is not known",
                    "use an IANA name such as Europe/Berlin; tzdata must be installed");
    // Rounded down, also before 1970.
    const std::int64_t seconds = message.received / 1000 - (message.received % 1000 < 0 ? 1 : 0);
    const Owned<GDateTime> utc(g_date_time_new_from_unix_utc(seconds));
    Owned<GDateTime> local(utc ? g_date_time_to_timezone(utc.get(), zone.get()) : nullptr);
    if (!local)
        return fail(ErrorKind::kMessage, kOperation, message.id,
                    "its time of reception is not one between the years 1 and 9999");
    return local;
}

// Whether a recording is one that people can play, and with Outlook's forms one that they take
// (MS-OXOUM 2.2.2.2: G.711, not PCM).
bool goes_as_it_is(const std::filesystem::path& recording, const ComposeOptions& options) {
    const auto audio = media::probe_audio(recording);
    // It was checked when it was stored: what is wrong with it now, a conversion does not mend.
    if (!audio) return true;
    return options.outlook_forms ? media::is_g711(*audio) : media::plays_everywhere(*audio);
}

// The files of the mail, converted where the mailbox wants it. TIFF stands before PDF: what makes a
// fax of a mail for Outlook is that its first attachment is image/tiff.
Result<std::vector<Attachment>> make_attachments(const Message& message,
                                                 const std::filesystem::path& media,
                                                 const ComposeOptions& options,
                                                 const std::string& base) {
    std::vector<Attachment> files;
    const auto convert = [&](auto write, const char* type, const char* subtype,
                             const char* extension) -> Result<> {
        VM_ASSIGN(TemporaryFile work, TemporaryFile::create(options.work_directory, extension));
        VM_TRY(write(media, work.path()));
        const std::filesystem::path path = work.path();
        files.push_back({path, type, subtype, base + extension, std::move(work)});
        return {};
    };
    if (message.kind == MessageKind::kVoice) {
        if (options.voice_format == VoiceFormat::kMp3)
            VM_TRY(convert(media::write_mp3, "audio", "mpeg", ".mp3"));
        else if (!goes_as_it_is(media, options))
            VM_TRY(convert(media::write_telephone_wav, "audio", "wav", ".wav"));
        else
            files.push_back({media, "audio", "wav", base + ".wav", {}});
    } else {
        if (options.fax_format != FaxFormat::kPdf)
            files.push_back({media, "image", "tiff", base + ".tif", {}});
        if (options.fax_format != FaxFormat::kTiff)
            VM_TRY(convert(media::write_pdf, "application", "pdf", ".pdf"));
    }
    return files;
}

Owned<GMimeObject> text_part(const std::string& text) {
    // Not GMimeTextPart, which would choose a charset by itself.
    GMimePart* part = g_mime_part_new_with_type("text", "plain");
    Owned<GMimeObject> object(GMIME_OBJECT(part));
    g_mime_object_set_content_type_parameter(object.get(), "charset", kCharset);
    const Owned<GMimeStream> bytes(g_mime_stream_mem_new_with_buffer(text.data(), text.size()));
    const Owned<GMimeDataWrapper> content(
        g_mime_data_wrapper_new_with_stream(bytes.get(), GMIME_CONTENT_ENCODING_DEFAULT));
    g_mime_part_set_content(part, content.get());
    // Leaves the search token readable, also for a server that searches without decoding.
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    return object;
}

void set_file_name(GMimeObject* part, const std::string& name) {
    g_mime_part_set_filename(GMIME_PART(part), name.c_str());
    const auto force = [](GMimeParamList* list, const char* key) {
        GMimeParam* parameter = g_mime_param_list_get_parameter(list, key);
        g_mime_param_set_charset(parameter, kCharset);
        g_mime_param_set_encoding_method(parameter, GMIME_PARAM_ENCODING_METHOD_RFC2231);
    };
    force(g_mime_content_disposition_get_parameters(g_mime_object_get_content_disposition(part)),
          "filename");
    force(g_mime_content_type_get_parameters(g_mime_object_get_content_type(part)), "name");
}

Result<Source> open_source(const Attachment& file) {
    UniqueFd fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return fail(ErrorKind::kUnavailable, kOperation, file.path.string(), errno_text(errno));
    return Source{file.path.string(), std::move(fd), status.st_size};
}

Owned<GMimeObject> file_part(const Message& message, const Attachment& file, const Source& source) {
    Owned<GMimeObject> object = new_file_part(file.type, file.subtype, source.fd.get());
    g_mime_object_set_disposition(object.get(), GMIME_DISPOSITION_ATTACHMENT);
    set_file_name(object.get(), file.name);
    if (message.kind == MessageKind::kVoice)
        add_header(object.get(), "Content-Duration",
                   std::to_string(whole_seconds(message.duration_ms)));
    return object;
}

void set_addresses(GMimeMessage* mail, const std::string& sender, const ComposeOptions& options) {
    const Owned<InternetAddress> from(
        internet_address_mailbox_new(sender.c_str(), options.sender_address.c_str()));
    internet_address_list_add(g_mime_message_get_from(mail), from.get());
    if (!is_plain_header_text(sender))
        set_raw(GMIME_OBJECT(mail), "From",
                encode("From", sender) + "\n <" + options.sender_address + ">");
    const Owned<InternetAddress> to(
        internet_address_mailbox_new(nullptr, options.recipient_address.c_str()));
    internet_address_list_add(g_mime_message_get_to(mail), to.get());
}

// Exchange's unified messaging headers (MS-OXCMAIL 2.2.3.2.15, MS-OXOUM): with them Outlook shows
// its voice or fax form.
void add_outlook_headers(GMimeObject* mail, const Message& message,
                         const std::vector<Attachment>& files) {
    const bool voice = message.kind == MessageKind::kVoice;
    add_header(mail, "Content-Class", voice ? "voice-ca" : "fax-ca");
    const std::string number = clean_caller(message.caller_number);
    const std::string name = clean_caller(message.caller_name);
    if (!number.empty()) add_header(mail, "X-CallingTelephoneNumber", number);
    if (voice) {
        add_header(mail, "X-VoiceMessageDuration",
                   std::to_string(whole_seconds(message.duration_ms)));
        if (!name.empty()) add_header(mail, "X-VoiceMessageSenderName", name);
        add_header(mail, "X-AttachmentOrder", files.front().name);
    } else {
        add_header(mail, "X-FaxNumberOfPages", std::to_string(message.pages));
    }
}

Owned<GMimeMessage> new_mail(const Message& message, const ComposeOptions& options,
                             const Wording& wording, GDateTime* received) {
    Owned<GMimeMessage> mail(g_mime_message_new(FALSE));
    GMimeObject* headers = GMIME_OBJECT(mail.get());
    set_addresses(mail.get(), wording.sender, options);
    add_header(headers, "Subject", wording.subject);
    g_mime_message_set_date(mail.get(), received);
    g_mime_object_append_header(headers, "Message-ID", "", kCharset);
    set_raw(headers, "Message-ID", "<" + options.message_id + ">");  // never encoded, however long
    add_header(headers, "Message-Context",
               message.kind == MessageKind::kVoice ? "voice-message" : "fax-message");
    add_header(headers, "X-VM-Message-Id", message.id);
    add_header(headers, "X-VM-Mailbox", message.mailbox);
    // RFC 3834: no out-of-office replies to the unit.
    add_header(headers, "Auto-Submitted", "auto-generated");
    if (message.urgent) add_header(headers, "Importance", "High");
    if (message.is_private) add_header(headers, "Sensitivity", "Private");
    return mail;
}

// Whether the file still has the length it had when it was opened. An early end of it is taken for
// its end; half a recording must not go out as a whole one.
bool is_unchanged(const Source& source) {
    struct stat status {};
    return ::fstat(source.fd.get(), &status) == 0 && status.st_size == source.size;
}

Result<std::int64_t> write_out(GMimeObject* mail, const std::vector<Source>& sources,
                               const Writer& writer) {
    Output output{writer};
    const Owned<GMimeStream> out = new_out_stream(output);
    GMimeFormatOptions* format = g_mime_format_options_clone(g_mime_format_options_get_default());
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    const bool written = g_mime_object_write_to_stream(mail, format, out.get()) >= 0 &&
                         g_mime_stream_flush(out.get()) == 0;
    g_mime_format_options_free(format);
    if (!output.state)
        return fail(ErrorKind::kUnavailable, kOperation, "writing it", output.state.error().reason,
                    output.state.error().hint);
    if (!written)
        return fail(ErrorKind::kUnavailable, kOperation,
                    sources.empty() ? "" : sources.front().path, "it cannot be read");
    for (const Source& source : sources)
        if (!is_unchanged(source))
            return fail(ErrorKind::kUnavailable, kOperation, source.path,
                        "it changed while it was read");
    return output.written;
}

Result<std::shared_ptr<const Template>> wording_for(const ComposeOptions& options) {
    if (options.templates)
        return options.templates->get(options.template_directory, options.language);
    VM_ASSIGN(Template wording, Template::load(options.template_directory, options.language));
    return std::make_shared<const Template>(std::move(wording));
}

}  // namespace

void initialise() {
    g_mime_init();
    xmlInitParser();
}

Result<std::int64_t> compose(const Message& message, const std::filesystem::path& media_file,
                             const ComposeOptions& options, const Writer& writer) {
    VM_ASSIGN(const std::shared_ptr<const Template> wording, wording_for(options));
    VM_ASSIGN(const Owned<GDateTime> received, local_time(message, options.time_zone));
    const Wording words =
        word_mail(*wording, message, received.get(), options.attach_media, options.transcript);
    const Owned<GMimeMessage> mail = new_mail(message, options, words, received.get());
    const Owned<GMimeObject> text = text_part(words.text);
    if (!options.attach_media) {
        g_mime_message_set_mime_part(mail.get(), text.get());
        return write_out(GMIME_OBJECT(mail.get()), {}, writer);
    }

    VM_ASSIGN(const std::vector<Attachment> files,
              make_attachments(message, media_file, options, words.file_base));
    if (options.outlook_forms) add_outlook_headers(GMIME_OBJECT(mail.get()), message, files);
    const Owned<GMimeMultipart> parts(g_mime_multipart_new_with_subtype("mixed"));
    // The same message gives the same mail. "=_" can occur neither in quoted-printable nor in
    // base64.
    g_mime_multipart_set_boundary(parts.get(), ("=_vm_" + message.id).c_str());
    g_mime_multipart_add(parts.get(), text.get());
    std::vector<Source> sources;
    for (const Attachment& file : files) {
        VM_ASSIGN(Source source, open_source(file));
        const Owned<GMimeObject> part = file_part(message, file, source);
        g_mime_multipart_add(parts.get(), part.get());
        sources.push_back(std::move(source));
    }
    g_mime_message_set_mime_part(mail.get(), GMIME_OBJECT(parts.get()));
    return write_out(GMIME_OBJECT(mail.get()), sources, writer);
}

Result<std::int64_t> compose(const Message& message, const std::filesystem::path& media_file,
                             const ComposeOptions& options, int out_fd) {
    return compose(message, media_file, options,
                   [&](std::string_view block) { return write_all(out_fd, block, "mail"); });
}

}  // namespace vm::mime
