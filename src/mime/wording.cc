#include "mime/wording.h"

#include "base/text.h"
#include "mime/gobject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace vm::mime {

namespace {

constexpr std::size_t kCallerLimit = 200;  // bytes
constexpr std::size_t kTranscriptLimit = 8000;
constexpr std::string_view kCut = " …";
constexpr std::size_t kFileNumberLimit = 20;

std::string caller_label(const Template& wording, const std::string& name,
                         const std::string& number) {
    if (name.empty() && number.empty()) return wording.fill(Entry::kCallerUnknown);
    if (name.empty()) return number;
    if (number.empty() || number == name) return name;
    return wording.fill(Entry::kCallerNameAndNumber, {{"name", name}, {"number", number}});
}

std::string counted(const Template& wording, std::int64_t n, Entry one, Entry many) {
    return wording.fill(n == 1 ? one : many, {{"n", std::to_string(n)}});
}

std::string duration_words(const Template& wording, std::int64_t seconds) {
    std::string words;
    const auto add = [&](std::int64_t n, Entry one, Entry many) {
        if (n == 0) return;
        const std::string unit = counted(wording, n, one, many);
        words = words.empty()
                    ? unit
                    : wording.fill(Entry::kDurationJoin, {{"first", words}, {"second", unit}});
    };
    add(seconds / 3600, Entry::kHour, Entry::kHours);
    add(seconds / 60 % 60, Entry::kMinute, Entry::kMinutes);
    add(seconds % 60, Entry::kSecond, Entry::kSeconds);
    return words;
}

// "PST, UTC-08:00"; where the abbreviation says nothing more ("-03", "UTC"), only the second half.
std::string zone_words(GDateTime* time) {
    const auto minutes = g_date_time_get_utc_offset(time) / G_TIME_SPAN_MINUTE;
    const auto distance = std::abs(minutes);
    std::string offset = minutes == 0 ? "UTC"
                                      : fmt::format("UTC{}{:02}:{:02}", minutes < 0 ? '-' : '+',
                                                    distance / 60, distance % 60);
    const std::string abbreviation = sanitize_line(g_date_time_get_timezone_abbreviation(time), 20);
    if (abbreviation.empty() || abbreviation == offset ||
        std::isalpha(static_cast<unsigned char>(abbreviation[0])) == 0)
        return offset;
    return abbreviation + ", " + offset;
}

std::string time_words(const Template& wording, GDateTime* time) {
    const int hour = g_date_time_get_hour(time), month = g_date_time_get_month(time);
    return wording.fill(
        Entry::kTimeFormat,
        {{"weekday", wording.word(Entry::kWeekdays, g_date_time_get_day_of_week(time) - 1)},
         {"day", std::to_string(g_date_time_get_day_of_month(time))},
         {"month", wording.word(Entry::kMonths, month - 1)},
         {"month_number", std::to_string(month)},
         {"year", std::to_string(g_date_time_get_year(time))},
         {"hour", fmt::format("{:02}", hour)},
         {"hour12", std::to_string((hour + 11) % 12 + 1)},
         {"half", wording.fill(hour < 12 ? Entry::kAm : Entry::kPm)},
         {"minute", fmt::format("{:02}", g_date_time_get_minute(time))},
         {"zone", zone_words(time)}});
}

// The template's word, the local time and the digits of the number: safe in every file system. The
// template's word may be of any alphabet; separators and what shells or Windows refuse are left
// out.
std::string file_base(const std::string& word, GDateTime* time, const std::string& number) {
    std::string base;
    for (const char c : word)
        if (std::string_view("/\\:*?\"<>|;'").find(c) == std::string_view::npos) base += c;
    base += fmt::format("-{:04}-{:02}-{:02}-{:02}{:02}", g_date_time_get_year(time),
                        g_date_time_get_month(time), g_date_time_get_day_of_month(time),
                        g_date_time_get_hour(time), g_date_time_get_minute(time));
    std::string digits;
    for (const char c : number)
        if (c >= '0' && c <= '9' && digits.size() < kFileNumberLimit) digits += c;
    return digits.empty() ? base : base + "-" + digits;
}

// One line of a stranger's words, see clean_caller(), of at most `limit` bytes.
std::string harmless_line(std::string_view text, std::size_t limit) {
    // Cut first, generously, so that the work is bounded and what goes away does not shorten the
    // line.
    std::string visible;
    for (const char c : without_direction_controls(sanitize_line(text, 16 * limit)))
        if (c != ' ' || (!visible.empty() && visible.back() != ' ')) visible += c;
    std::string out;
    for (std::size_t i = 0; i < visible.size(); ++i) {
        if (iequals(std::string_view(visible).substr(i, 4), "[VM:"))
            out += '(';
        else if (i != 0 && visible[i - 1] == '=' && visible[i] == '?')
            out += " ?";
        else
            out += visible[i];
    }
    return std::string(trim(sanitize_line(out, limit)));
}

}  // namespace

std::string clean_caller(std::string_view text) {
    return harmless_line(text, kCallerLimit);
}

std::string clean_transcript(std::string_view text) {
    std::string out;
    bool blank = false;
    for (const std::string& raw : split(text, '\n')) {
        const std::string line =
            harmless_line(raw, kTranscriptLimit + 4);  // shows that it is longer
        blank |= line.empty();
        if (line.empty()) continue;
        if (!out.empty()) out += blank ? "\n\n" : "\n";
        blank = false;
        out += line;
        if (out.size() > kTranscriptLimit)
            return std::string(trim(utf8_prefix(out, kTranscriptLimit - kCut.size()))).append(kCut);
    }
    return out;
}

std::int64_t whole_seconds(std::int64_t duration_ms) {
    return std::max<std::int64_t>(1, (duration_ms + 999) / 1000);
}

Wording word_mail(const Template& wording, const Message& message, GDateTime* received,
                  bool attached, std::string_view transcript) {
    const bool voice = message.kind == MessageKind::kVoice;
    const std::string name = clean_caller(message.caller_name);
    const std::string number = clean_caller(message.caller_number);
    const std::string caller = caller_label(wording, name, number);
    const std::string time = time_words(wording, received);
    const std::string duration = duration_words(wording, whole_seconds(message.duration_ms));
    const std::string pages = counted(wording, message.pages, Entry::kPage, Entry::kPages);
    const std::string& mailbox = message.mailbox;
    const std::vector<Template::Value> values{
        {"caller", caller},   {"name", name},         {"number", number}, {"time", time},
        {"mailbox", mailbox}, {"duration", duration}, {"pages", pages}};
    const auto fill = [&](Entry of_voice, Entry of_fax) {
        return wording.fill(voice ? of_voice : of_fax, values);
    };

    Wording mail;
    const std::string& short_caller = name.empty() ? number : name;
    mail.sender =
        short_caller.empty()
            ? wording.fill(Entry::kSenderUnknown, {{"mailbox", mailbox}})
            : wording.fill(Entry::kSender, {{"caller", short_caller}, {"mailbox", mailbox}});
    mail.subject = fill(Entry::kSubjectVoice, Entry::kSubjectFax);
    if (message.urgent)
        mail.subject = wording.fill(Entry::kSubjectUrgent, {{"subject", mail.subject}});
    mail.file_base = file_base(fill(Entry::kFileVoice, Entry::kFileFax), received, number);

    // Paragraphs; a line that says nothing is left out.
    bool begins = false;
    const auto paragraph = [&] { begins = !mail.text.empty(); };
    const auto line = [&](const std::string& text) {
        if (text.empty()) return;
        if (std::exchange(begins, false)) mail.text += "\n";
        mail.text += text + "\n";
    };
    line(fill(Entry::kTextVoice, Entry::kTextFax));
    if (message.urgent) line(wording.fill(Entry::kTextUrgent, values));
    if (message.is_private) line(wording.fill(Entry::kTextPrivate, values));
    paragraph();
    line(wording.fill(Entry::kTextCaller, values));
    line(wording.fill(Entry::kTextReceived, values));
    line(fill(Entry::kTextLengthVoice, Entry::kTextLengthFax));
    paragraph();
    line(attached ? fill(Entry::kTextAttachedVoice, Entry::kTextAttachedFax)
                  : fill(Entry::kTextNoticeVoice, Entry::kTextNoticeFax));
    if (const std::string said = clean_transcript(transcript); !said.empty()) {
        paragraph();
        line(wording.fill(Entry::kTextTranscript, values));
        line(said);
    }
    paragraph();
    line(wording.fill(Entry::kTextClosing, values));
    paragraph();
    line("[VM:" + message.id + "]");
    return mail;
}

}  // namespace vm::mime
