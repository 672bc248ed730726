#include "mime/ear_text.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace vm::mime {

namespace {

using Words = std::vector<std::string>;

constexpr std::size_t kLongestWord = 60, kCutWord = 30;  // characters
constexpr std::size_t kLongestSite = 60;
constexpr std::size_t kLongestHeading = 200;  // sender or subject
// A line at least so wide was broken to fit, and goes on in the next one. Columns.
constexpr std::size_t kFullLine = 55;
constexpr std::size_t kLongestAttribution = 400;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter_or_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           static_cast<unsigned char>(c) >= 0x80;
}
// The first byte of a character of U+0800 or above: Thai, Chinese, Japanese, symbols.
bool begins_wide(char c) {
    return static_cast<unsigned char>(c) >= 0xE0;
}
bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

// Width on a screen, roughly.
std::size_t columns(std::string_view text) {
    return characters(text) +
           static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_wide));
}

// The first `count` characters.
std::string_view first_characters(std::string_view text, std::size_t count) {
    std::size_t end = 0;
    for (; end < text.size(); ++end)
        if (!continues_character(text[end]) && count-- == 0) break;
    return text.substr(0, end);
}

bool begins_with(std::string_view text, std::string_view start) {
    return iequals(text.substr(0, start.size()), start);
}

// ---- words
// ---------------------------------------------------------------------------------------

// Blanks of other widths become blanks, what has no width goes.
std::string visible(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kReplaced{
        {{"\u00A0", " "},
         {"\u2003", " "},
         {"\u2007", " "},
         {"\u202F", " "},
         {"\u3000", " "},
         {"\u00AD", ""},
         {"\u034F", ""},
         {"\u200B", ""},
         {"\u2060", ""},
         {"\uFEFF", ""},
         {"\u200C ", " "}}};
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto* const found =
            std::find_if(kReplaced.begin(), kReplaced.end(),
                         [&](const auto& pair) { return text.substr(i).starts_with(pair.first); });
        if (found == kReplaced.end()) {
            out += text[i++];
        } else {
            out += found->second;
            i += found->first.size();
        }
    }
    return out;
}

bool is_ruler(char c) {
    return std::string_view("-=_*#~+.").find(c) != std::string_view::npos;
}

// "====", "- - - -", a line of box drawing: nothing but that.
bool is_separator(std::string_view line) {
    static constexpr std::array<std::string_view, 5> kDrawn{"\u2500", "\u2501", "\u2550", "\u2013",
                                                            "\u2014"};
    std::size_t signs = 0;
    while (!line.empty()) {
        std::size_t length = line[0] == ' ' || is_ruler(line[0]) ? 1 : 0;
        for (const std::string_view sign : kDrawn)
            if (line.starts_with(sign)) length = sign.size();
        if (length == 0) return false;
        if (line[0] != ' ') ++signs;
        line.remove_prefix(length);
    }
    return signs >= 3;
}

// Runs of four and more become a blank.
std::string without_rulers(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t end = std::min(text.find_first_not_of(text[i], i), text.size());
        if (is_ruler(text[i]) && end - i >= 4)
            out += ' ';
        else
            out.append(text, i, end - i);
        i = end;
    }
    return out;
}

// Where an address of a page begins at or after `from`; npos when there is none.
std::size_t find_link(std::string_view text, std::size_t from) {
    static constexpr std::array<std::string_view, 3> kStarts{"http://", "https://", "ftp://"};
    for (std::size_t i = from; i < text.size(); ++i) {
        for (const std::string_view start : kStarts)
            if (begins_with(text.substr(i), start)) return i;
        const bool within_word = i > 0 && is_letter_or_digit(text[i - 1]);
        if (!within_word && begins_with(text.substr(i), "www.")) return i;
    }
    return std::string_view::npos;
}

// The host of a link, as people call it; nullopt when it cannot be said.
std::optional<std::string> site_of(std::string_view link) {
    if (const auto scheme = link.find("://"); scheme != std::string_view::npos)
        link.remove_prefix(scheme + 3);
    link = link.substr(0, link.find_first_of("/?#\\"));
    if (const auto user = link.rfind('@'); user != std::string_view::npos)
        link.remove_prefix(user + 1);
    link = link.substr(0, link.find(':'));
    if (begins_with(link, "www.")) link.remove_prefix(4);
    const bool sayable = link.find('.') != std::string_view::npos && link.size() <= kLongestSite &&
                         std::all_of(link.begin(), link.end(), [](char c) {
                             return is_letter_or_digit(c) || c == '.' || c == '-';
                         });
    return sayable ? std::optional(to_lower(link)) : std::nullopt;
}

std::string without_links(std::string_view text, const Template& wording) {
    std::string out;
    for (std::size_t done = 0;;) {
        const std::size_t start = find_link(text, done);
        out += text.substr(done, start == std::string_view::npos ? start : start - done);
        if (start == std::string_view::npos) return out;
        std::string_view link = text.substr(start);
        link = link.substr(0, link.find_first_of(" \t<>\"`"));
        const std::size_t last = link.find_last_not_of(".,;:!?)]}'");
        link = link.substr(0, last + 1);
        const auto site = site_of(link);
        if (!out.empty() && out.back() == '<') out.back() = ' ';
        out += site ? wording.fill(Entry::kSpeechLink, {{"site", *site}})
                    : wording.fill(Entry::kSpeechLinkUnknown);
        done = start + link.size();
        if (text.substr(done).starts_with(">")) ++done;
    }
}

// A word as it is said; no word is longer than any, unless its script has no blanks.
std::string_view sayable_word(std::string_view word) {
    if (begins_with(word, "mailto:")) word.remove_prefix(7);
    if (std::any_of(word.begin(), word.end(), begins_wide) || characters(word) <= kLongestWord)
        return word;
    return first_characters(word, kCutWord);
}

// One line for the ear.
std::string sayable(std::string_view line, const Template& wording) {
    std::string out;
    for (const std::string& word :
         split(without_rulers(without_links(visible(line), wording)), ' ')) {
        if (word.empty()) continue;
        if (!out.empty()) out += ' ';
        out += sayable_word(word);
    }
    return out;
}

// ---- lines
// ---------------------------------------------------------------------------------------

bool has_year(std::string_view text) {
    for (std::size_t i = 0; i + 4 <= text.size(); ++i)
        if ((text.substr(i, 2) == "19" || text.substr(i, 2) == "20") && is_digit(text[i + 2]) &&
            is_digit(text[i + 3]) && (i == 0 || !is_digit(text[i - 1])) &&
            (i + 4 == text.size() || !is_digit(text[i + 4])))
            return true;
    return false;
}

bool has_one_of(std::string_view text, const auto& words) {
    return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) {
        return text.find(word) != std::string_view::npos;
    });
}

// "Ann wrote:", "Am 3. Mai 2026 schrieb Ann:", and in any language a line with an address or a
// year; all end with a colon.
bool is_attribution(std::string_view line) {
    static constexpr std::array<std::string_view, 12> kWrote{"wrote",
                                                             "schrieb",
                                                             "escribi\u00F3",
                                                             "\u00E9crit",
                                                             "scritto",
                                                             "schreef",
                                                             "escreveu",
                                                             "skrev",
                                                             "napisa",
                                                             "\u043F\u0438\u0441\u0430\u043B",
                                                             "\u30E1\u30FC\u30EB",
                                                             "\u5199\u9053"};
    return line.size() <= kLongestAttribution &&
           (line.ends_with(':') || line.ends_with("\uFF1A")) &&
           (line.find('@') != std::string_view::npos || has_year(line) || has_one_of(line, kWrote));
}

bool begins_attribution(std::string_view line) {
    static constexpr std::array<std::string_view, 10> kOpeners{
        "On ", "Am ", "El ", "Le ", "Em ", "Il ", "Op ", "Den ", "W dniu ", "\u5728 "};
    return std::any_of(kOpeners.begin(), kOpeners.end(),
                       [&](std::string_view opener) { return begins_with(line, opener); }) ||
           has_year(line.substr(0, 4));
}

// How many of the last of `lines` say who wrote what is quoted next; blank ones behind them too.
std::size_t attribution_at_end(const Words& lines) {
    std::size_t blank = 0;
    while (blank < lines.size() && lines[lines.size() - 1 - blank].empty()) ++blank;
    std::size_t found = 0;
    std::string joined;
    for (std::size_t n = 1; n <= 3 && blank + n <= lines.size(); ++n) {
        const std::string& line = lines[lines.size() - blank - n];
        if (line.empty()) break;
        joined.insert(0, n == 1 ? line : line + " ");
        if (is_attribution(joined) && (n == 1 || begins_attribution(line))) found = blank + n;
    }
    return found;
}

// The line that Outlook and others put above the mail that is answered. What is forwarded is what
// the mail is about, and stays.
bool is_original_message(std::string_view line) {
    static constexpr std::array<std::string_view, 9> kNames{
        "Original Message", "Original-Nachricht",  "Urspr\u00FCngliche Nachricht",
        "Mensaje original", "Message d'origine",   "Message d\u2019origine",
        "Message original", "Messaggio originale", "\u5143\u306E\u30E1\u30C3\u30BB\u30FC\u30B8"};
    if (!line.starts_with("--") || !line.ends_with("--")) return false;
    const std::size_t start = line.find_first_not_of('-');
    if (start == std::string_view::npos) return false;
    const std::string_view name = trim(line.substr(start, line.find_last_not_of('-') + 1 - start));
    return std::any_of(kNames.begin(), kNames.end(),
                       [&](std::string_view n) { return iequals(n, name); });
}

bool is_field(std::string_view line, const auto& names) {
    return std::any_of(std::begin(names), std::end(names), [&](std::string_view name) {
        const std::string_view rest = trim(line.substr(std::min(name.size(), line.size())));
        return begins_with(line, name) && (rest.starts_with(':') || rest.starts_with("\uFF1A"));
    });
}

// The same without that line: "From: ...", and "Sent: ..." within the next lines.
bool is_original_header(const Words& lines, std::size_t at) {
    static constexpr std::array<std::string_view, 4> kFrom{"From", "Von", "De",
                                                           "\u5DEE\u51FA\u4EBA"};
    static constexpr std::array<std::string_view, 7> kSent{"Sent",
                                                           "Gesendet",
                                                           "Enviado",
                                                           "Envoy\u00E9",
                                                           "Envoy\u00E9 le",
                                                           "Inviato",
                                                           "\u9001\u4FE1\u65E5\u6642"};
    if (!is_field(lines[at], kFrom)) return false;
    for (std::size_t i = at + 1; i < lines.size() && i <= at + 2; ++i)
        if (is_field(lines[i], kSent)) return true;
    return false;
}

// A line of the text, or what stands for quoted ones.
struct Piece {
    std::string line;
    bool is_quote = false;
};

// The lines that are the sender's own words; quotes as one piece each.
std::vector<Piece> own_words(const Words& lines) {
    std::vector<Piece> out;
    Words own;  // since the last quote
    bool has_words = false;
    const auto end_with_quote = [&](std::size_t attribution) {
        own.resize(own.size() - attribution);
        for (std::string& line : own) out.push_back({std::move(line)});
        own.clear();
        out.push_back({{}, true});
    };
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        if (line.starts_with('>')) {
            const bool goes_on =
                !out.empty() &&
                std::all_of(own.begin(), own.end(), [](const std::string& l) { return l.empty(); });
            if (goes_on)
                own.clear();
            else
                end_with_quote(attribution_at_end(own));
            continue;
        }
        // Without words before it, what follows is the mail.
        if (has_words && line == "--") break;
        if (is_original_message(line) || is_original_header(lines, i)) {
            if (has_words) {
                end_with_quote(0);
                break;
            }
            if (is_original_message(line)) continue;
        }
        const bool separator = is_separator(line) || line == "--";
        has_words = has_words || (!line.empty() && !separator);
        own.push_back(separator ? std::string() : line);
    }
    for (std::string& line : own) out.push_back({std::move(line)});
    return out;
}

bool begins_item(std::string_view line) {
    if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("\u2022")) return true;
    const std::size_t digits = line.find_first_not_of("0123456789");
    return digits != 0 && digits <= 2 &&
           (line.substr(digits).starts_with(". ") || line.substr(digits).starts_with(") "));
}

// ---- the text
// ------------------------------------------------------------------------------------

// Appends a line to the text: to its last paragraph, or as a new one.
void append_line(std::string& text, const std::string& line, bool goes_on) {
    if (!text.empty() && !goes_on) text += "\n\n";
    if (goes_on) {
        std::size_t last = text.size() - 1;
        while (last > 0 && continues_character(text[last])) --last;
        if (!begins_wide(text[last]) || !begins_wide(line[0])) text += ' ';
    }
    text += line;
}

// Where the last sentence of `text` ends that ends in its second half; else the last word.
std::size_t last_end(std::string_view text) {
    static constexpr std::array<std::string_view, 4> kWide{"\u3002", "\uFF01", "\uFF1F", "\u2026"};
    for (std::size_t i = text.size(); i > text.size() / 2; --i) {
        const std::string_view before = text.substr(0, i);
        if (std::any_of(kWide.begin(), kWide.end(),
                        [&](std::string_view end) { return before.ends_with(end); }))
            return i;
        const bool blank_follows = i < text.size() && (text[i] == ' ' || text[i] == '\n');
        if (blank_follows && std::string_view(".!?\n").find(text[i - 1]) != std::string_view::npos)
            return i;
    }
    const std::size_t blank = text.find_last_of(" \n");
    return blank == std::string_view::npos ? text.size() : blank;
}

}  // namespace

std::string ear_text(std::string_view text, const Template& wording, std::size_t limit,
                     bool is_cut) {
    Words lines;
    for (const std::string& line : split(text, '\n')) lines.emplace_back(trim(line));

    std::string out;
    bool may_go_on = false;  // the last line was as wide as the screen
    for (const Piece& piece : own_words(lines)) {
        const std::string line =
            piece.is_quote ? wording.fill(Entry::kSpeechQuoted) : sayable(piece.line, wording);
        if (line.empty()) {
            may_go_on = false;
            continue;
        }
        append_line(out, line, may_go_on && !piece.is_quote && !out.empty() && !begins_item(line));
        may_go_on = !piece.is_quote && columns(piece.line) >= kFullLine;
    }

    if (characters(out) > limit) {
        const std::string_view head = first_characters(out, limit);
        out.resize(last_end(head));
        is_cut = true;
    }
    out = trim(out);
    if (const std::string more = wording.fill(Entry::kSpeechMore); is_cut && !more.empty())
        out += (out.empty() ? "" : "\n\n") + more;
    return out;
}

std::string speech_text(const MailText& mail, const Template& wording, std::size_t limit) {
    const auto heading = [&](const std::string& text) {
        return std::string(first_characters(sayable(text, wording), kLongestHeading));
    };
    const std::string sender =
        heading(mail.sender_name.empty() ? mail.sender_address : mail.sender_name);
    const std::string subject = heading(mail.subject);
    const std::string text = ear_text(mail.text, wording, limit, mail.truncated);
    const Words parts{sender.empty() ? wording.fill(Entry::kSpeechSenderUnknown)
                                     : wording.fill(Entry::kSpeechSender, {{"sender", sender}}),
                      subject.empty() ? wording.fill(Entry::kSpeechSubjectNone)
                                      : wording.fill(Entry::kSpeechSubject, {{"subject", subject}}),
                      text.empty() ? wording.fill(Entry::kSpeechTextNone) : text};
    std::string out;
    for (const std::string& part : parts)
        if (!part.empty()) append_line(out, part, false);
    return out;
}

}  // namespace vm::mime
