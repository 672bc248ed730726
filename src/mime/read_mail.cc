#include "mime/read_mail.h"

#include "base/ids.h"
#include "base/text.h"
#include "mime/gobject.h"
#include "mime/html_text.h"

#include <gmime/gmime.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace vm::mime {

namespace {

// Of a part that is decoded: HTML is much longer than its text.
constexpr std::size_t kDecodedLimit = 2U << 20;
// Of parts that are looked at for text.
constexpr std::size_t kCandidateLimit = 64;

// 9999-12-31T23:59:59.999Z: RFC 3339 knows no later one, and a zone may lead there.
constexpr TimeMs kLatestDate = 253'402'300'799'999;

struct FreeOptions {
    void operator()(GMimeParserOptions* options) const { g_mime_parser_options_free(options); }
};
using ParserOptions = std::unique_ptr<GMimeParserOptions, FreeOptions>;

ParserOptions parser_options() {
    ParserOptions options(g_mime_parser_options_new());
    // Header fields in 8 bits and no charset.
    std::array<const char*, 3> charsets{"utf-8", "windows-1252", nullptr};
    g_mime_parser_options_set_fallback_charsets(options.get(), charsets.data());
    return options;
}

// ---- header ------------------------------------------------------------------------------------

std::string one_line(const char* text) {
    if (text == nullptr) return {};
    std::string line = sanitize_line(text, 4 * kMailFieldLimit);
    line = without_direction_controls(line);
    line.erase(
        std::unique(line.begin(), line.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
        line.end());
    return std::string(trim(sanitize_line(trim(line), kMailFieldLimit)));
}

// The first mailbox of an address list, also when it stands in a group (RFC 6854).
InternetAddressMailbox* first_mailbox(InternetAddressList* list) {
    for (int i = 0; list != nullptr && i < internet_address_list_length(list); ++i) {
        InternetAddress* address = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(address)) return INTERNET_ADDRESS_MAILBOX(address);
        InternetAddressList* members =
            internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
        for (int k = 0; members != nullptr && k < internet_address_list_length(members); ++k) {
            InternetAddress* member = internet_address_list_get_address(members, k);
            if (INTERNET_ADDRESS_IS_MAILBOX(member)) return INTERNET_ADDRESS_MAILBOX(member);
        }
    }
    return nullptr;
}

void read_sender(GMimeMessage* mail, MailText& out) {
    InternetAddressMailbox* sender = first_mailbox(g_mime_message_get_from(mail));
    if (sender == nullptr) sender = first_mailbox(g_mime_message_get_sender(mail));
    if (sender == nullptr) return;
    out.sender_name = one_line(internet_address_get_name(INTERNET_ADDRESS(sender)));
    out.sender_address = one_line(internet_address_mailbox_get_addr(sender));
}

void read_header(GMimeMessage* mail, MailText& out) {
    read_sender(mail, out);
    out.subject = one_line(g_mime_message_get_subject(mail));
    out.message_id = one_line(g_mime_message_get_message_id(mail));
    // GMime keeps the date.
    if (GDateTime* date = g_mime_message_get_date(mail); date != nullptr)
        if (const TimeMs time = g_date_time_to_unix(date) * 1000; time > 0 && time <= kLatestDate)
            out.date = time;
    out.is_ours = g_mime_object_get_header(GMIME_OBJECT(mail), "X-VM-Message-Id") != nullptr;
}

// ---- which part --------------------------------------------------------------------------------

struct Candidates {
    std::vector<GMimePart*> parts;         // the best first
    std::vector<GMimeMessagePart*> mails;  // attached
};

bool is_type(GMimeObject* object, const char* type, const char* subtype) {
    GMimeContentType* content_type = g_mime_object_get_content_type(object);
    return content_type != nullptr && g_mime_content_type_is_type(content_type, type, subtype);
}

bool is_attachment(GMimeObject* object) {
    const char* disposition = g_mime_object_get_disposition(object);
    return disposition != nullptr && iequals(disposition, GMIME_DISPOSITION_ATTACHMENT);
}

// GMime nests no deeper than 1024.
void collect(GMimeObject* object, Candidates& out) {
    if (object == nullptr || out.parts.size() >= kCandidateLimit) return;
    if (GMIME_IS_MESSAGE_PART(object)) {
        out.mails.push_back(GMIME_MESSAGE_PART(object));
    } else if (GMIME_IS_MULTIPART(object)) {
        GMimeMultipart* multipart = GMIME_MULTIPART(object);
        const std::size_t before = out.parts.size();
        for (int i = 0; i < g_mime_multipart_get_count(multipart); ++i)
            collect(g_mime_multipart_get_part(multipart, i), out);
        if (is_type(object, "multipart", "alternative"))
            std::stable_partition(
                out.parts.begin() + static_cast<std::ptrdiff_t>(before), out.parts.end(),
                [](GMimePart* part) { return is_type(GMIME_OBJECT(part), "text", "plain"); });
    } else if (GMIME_IS_PART(object) && !is_attachment(object) &&
               (is_type(object, "text", "plain") || is_type(object, "text", "html"))) {
        out.parts.push_back(GMIME_PART(object));
    }
}

// ---- its text ----------------------------------------------------------------------------------

struct Decoded {
    std::string bytes;
    bool truncated = false;
};

// Everything a stream gives, through `filter` if there is one, up to the limit.
Decoded read_stream(GMimeStream* stream, GMimeFilter* filter) {
    Decoded out;
    const Owned<GMimeStream> filtered(g_mime_stream_filter_new(stream));
    if (filter != nullptr) g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered.get()), filter);
    std::vector<char> buffer(16U << 10);
    ssize_t n = 0;
    while ((n = g_mime_stream_read(filtered.get(), buffer.data(), buffer.size())) > 0) {
        const std::size_t room = kDecodedLimit - out.bytes.size();
        out.bytes.append(buffer.data(), std::min(static_cast<std::size_t>(n), room));
        out.truncated = static_cast<std::size_t>(n) > room;
        if (out.truncated) break;
    }
    return out;
}

// Without transfer encoding. `size` is that of the mail: a part that ends there was cut, or lacks
// the boundary behind it.
Decoded decode(GMimePart* part, std::int64_t size, bool is_cut) {
    GMimeDataWrapper* content = g_mime_part_get_content(part);
    if (content == nullptr) return {};
    GMimeStream* stream = g_mime_data_wrapper_get_stream(content);
    g_mime_stream_reset(stream);
    const Owned<GMimeFilter> decoder(
        g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(content), FALSE));
    Decoded out = read_stream(stream, decoder.get());
    out.truncated = out.truncated || (is_cut && stream->bound_end >= size);
    return out;
}

// `text` in UTF-8 when GMime knows the charset. Bytes that are wrong in it become "?".
std::optional<std::string> convert(const std::string& text, const std::string& charset) {
    const Owned<GMimeFilter> converter(g_mime_filter_charset_new(charset.c_str(), "utf-8"));
    if (!converter) return std::nullopt;
    const Owned<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(text.data(), text.size()));
    return read_stream(stream.get(), converter.get()).bytes;
}

std::string to_utf8(std::string bytes, const char* declared) {
    const std::string charset = to_lower(trim(declared == nullptr ? "" : declared));
    if (charset == "utf-8" || charset == "utf8") return bytes;
    const bool is_vague = charset.empty() || charset == "us-ascii" || charset == "ascii";
    if (is_vague && is_utf8(bytes)) return bytes;
    // Mails that say ISO-8859-1 and use the 32 characters windows-1252 has besides are as frequent
    // as those that do not; its control characters nobody uses.
    if (!is_vague && charset != "iso-8859-1")
        if (auto converted = convert(bytes, charset)) return *std::move(converted);
    if (charset != "iso-8859-1" && is_utf8(bytes)) return bytes;
    return convert(bytes, "windows-1252").value_or(std::move(bytes));
}

void remove_controls(std::string& text) {
    std::erase_if(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
    });
}

// Printable lines, without blanks at their ends and empty ones at either end of the text.
std::string clean_lines(std::string_view text) {
    std::string out;
    for (const std::string& line : split(text, '\n')) {
        const std::string clean = without_direction_controls(sanitize_line(line, line.size() + 1));
        const std::size_t end = clean.find_last_not_of(' ');
        if (end == std::string::npos && out.empty()) continue;
        out.append(clean, 0, end + 1) += '\n';
    }
    const std::size_t end = out.find_last_not_of('\n');
    out.resize(end == std::string::npos ? 0 : end + 2);
    return out;
}

void cut(MailText& out) {
    if (out.text.size() <= kMailTextLimit) return;
    out.text.resize(utf8_prefix(out.text, kMailTextLimit).size());
    out.truncated = true;
}

// Whether a part had text, which then is in `out`.
bool read_text(GMimePart* part, std::int64_t size, bool is_cut, MailText& out) {
    Decoded decoded = decode(part, size, is_cut);
    std::string text = to_utf8(std::move(decoded.bytes), g_mime_object_get_content_type_parameter(
                                                             GMIME_OBJECT(part), "charset"));
    remove_controls(text);
    out.truncated = decoded.truncated;
    if (is_type(GMIME_OBJECT(part), "text", "html")) {
        if (!is_utf8(text)) text = clean_lines(text);
        HtmlText html = html_text(text, kMailTextLimit);
        text = std::move(html.text);
        out.truncated = out.truncated || html.truncated;
    }
    out.text = clean_lines(text);
    cut(out);
    return !out.text.empty();
}

bool read_best(GMimeObject* root, std::int64_t size, bool is_cut, MailText& out) {
    Candidates candidates;
    collect(root, candidates);
    for (GMimePart* part : candidates.parts)
        if (read_text(part, size, is_cut, out)) return true;
    if (candidates.mails.empty()) return false;
    GMimeMessage* attached = g_mime_message_part_get_message(candidates.mails.front());
    return attached != nullptr &&
           read_best(g_mime_message_get_mime_part(attached), size, is_cut, out);
}

// A mail that ends within its header, without the line that was cut: half a name of a field makes
// GMime refuse all of them.
std::string_view whole_lines(std::string_view mail) {
    const bool has_body = mail.find("\n\n") != std::string_view::npos ||
                          mail.find("\n\r\n") != std::string_view::npos;
    return has_body ? mail : mail.substr(0, mail.rfind('\n') + 1);
}

// The search token of the unit's mails, on a line of its own: an answer that quotes it is not ours.
bool has_token(std::string_view text) {
    const std::vector<std::string> lines = split(text, '\n');
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.starts_with("[VM:") && line.ends_with("]") && line.size() > 5 &&
               is_id(std::string_view(line).substr(4, line.size() - 5));
    });
}

}  // namespace

Result<MailText> read_mail(std::string_view mail, bool is_cut) {
    if (is_cut) mail = whole_lines(mail);
    const Owned<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(mail.data(), mail.size()));
    const Owned<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
    g_mime_parser_set_persist_stream(parser.get(), TRUE);  // parts are places of `stream`
    const ParserOptions options = parser_options();
    const Owned<GMimeMessage> message(g_mime_parser_construct_message(parser.get(), options.get()));
    if (!message || g_mime_header_list_get_count(
                        g_mime_object_get_header_list(GMIME_OBJECT(message.get()))) == 0)
        return fail(ErrorKind::kMessage, "read mail", "", "it has no header");
    MailText out;
    read_header(message.get(), out);
    read_best(g_mime_message_get_mime_part(message.get()), static_cast<std::int64_t>(mail.size()),
              is_cut, out);
    out.is_ours = out.is_ours || has_token(out.text);
    return out;
}

}  // namespace vm::mime
