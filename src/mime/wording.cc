#include "mime/wording.h"

#include "base/text.h"
#include "mime/gobject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vm::mime {

namespace {

constexpr std::size_t kCallerLimit = 200;  // bytes
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

}  // namespace

std::string clean_caller(std::string_view text) {
    // Cut first, generously, so that the work is bounded and what goes away does not shorten the
    // name.
    std::string visible;
    for (const char c : without_direction_controls(sanitize_line(text, 16 * kCallerLimit)))
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
    return std::string(trim(sanitize_line(out, kCallerLimit)));
}

std::int64_t whole_seconds(std::int64_t duration_ms) {
    return std::max<std::int64_t>(1, (duration_ms + 999) / 1000);
}

Wording word_mail(const Template& wording, const Message& message, GDateTime* received,
                  bool attached) {
    const bool voice = message.kind == MessageKind::kVoice;
    const std::string name = clean_caller(message.caller_name);
    const std::string number = clean_caller(message.caller_number);
    const std::string caller = caller_label(wording, name, number);
    const std::string duration = duration_words(wording, whole_seconds(message.duration_ms));
    const std::string pages = counted(wording, message.pages, Entry::kPage, Entry::kPages);
    const std::string mailbox = message.mailbox;

    Wording mail;
    const std::string& short_caller = name.empty() ? number : name;
    mail.sender = short_caller.empty() ? wording.fill(Entry::kSenderUnknown)
                                       : wording.fill(Entry::kSender, {{"caller", short_caller}});
    mail.subject = wording.fill(
        voice ? Entry::kSubjectVoice : Entry::kSubjectFax,
        {{"caller", caller}, {"duration", duration}, {"pages", pages}, {"mailbox", mailbox}});
    if (message.urgent)
        mail.subject = wording.fill(Entry::kSubjectUrgent, {{"subject", mail.subject}});
    mail.file_base =
        file_base(wording.fill(voice ? Entry::kFileVoice : Entry::kFileFax), received, number);

    const auto line = [&](const std::string& text) { mail.text += text + "\n"; };
    line(wording.fill(voice ? Entry::kTextVoice : Entry::kTextFax, {{"mailbox", mailbox}}));
    if (message.urgent) line(wording.fill(Entry::kTextUrgent));
    if (message.is_private) line(wording.fill(Entry::kTextPrivate));
    line("");
    line(wording.fill(Entry::kTextCaller, {{"caller", caller}}));
    line(wording.fill(Entry::kTextReceived, {{"time", time_words(wording, received)}}));
    line(voice ? wording.fill(Entry::kTextLengthVoice, {{"duration", duration}})
               : wording.fill(Entry::kTextLengthFax, {{"pages", pages}}));
    line("");
    if (attached)
        line(wording.fill(voice ? Entry::kTextAttachedVoice : Entry::kTextAttachedFax,
                          {{"mailbox", mailbox}}));
    else
        line(wording.fill(voice ? Entry::kTextNoticeVoice : Entry::kTextNoticeFax,
                          {{"mailbox", mailbox}}));
    const std::string closing = wording.fill(Entry::kTextClosing, {{"mailbox", mailbox}});
    if (!closing.empty()) line("\n" + closing);
    line("\n[VM:" + message.id + "]");
    return mail;
}

}  // namespace vm::mime
