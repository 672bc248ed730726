#include "mime/template.h"

#include "base/files.h"
#include "base/language.h"
#include "base/text.h"
#include "mime/built_in.h"

#include <ini.h>

#include <algorithm>
#include <optional>
#include <system_error>

namespace vm::mime {

namespace {

constexpr const char* kOperation = "read template";
constexpr std::size_t kFileLimit = 64U << 10;

// Calls found(name, at, length) for every {name} in `text`; false when a brace has no partner.
template <class Found>
bool each_placeholder(std::string_view text, Found found) {
    for (std::size_t at = 0; (at = text.find_first_of("{}", at)) != std::string_view::npos;) {
        const std::size_t end = text.find_first_of("{}", at + 1);
        if (text[at] == '}' || end == std::string_view::npos || text[end] == '{') return false;
        found(text.substr(at + 1, end - at - 1), at, end - at + 1);
        at = end + 1;
    }
    return true;
}

std::vector<std::string> words_of(std::string_view list) {
    std::vector<std::string> words;
    for (const std::string& word : split(list, ',')) words.emplace_back(trim(word));
    return words;
}

// What is wrong with the value of an entry; nullopt when it is good.
std::optional<std::string> value_problem(const EntryRule& rule, std::string_view value) {
    if (value.empty() && !rule.may_be_empty) return "is empty";
    if (!is_utf8(value)) return "is not UTF-8";
    const std::vector<std::string> allowed = split(rule.placeholders, ' ');
    std::optional<std::string> problem;
    const bool paired =
        each_placeholder(value, [&](std::string_view name, std::size_t, std::size_t) {
            if (name.empty() || std::find(allowed.begin(), allowed.end(), name) == allowed.end())
                problem = "has the unknown placeholder {" + std::string(name) + "}; allowed: " +
                          (rule.placeholders.empty() ? "none" : "{" + join(allowed, "} {") + "}");
        });
    if (!paired) return "has a { or } without its partner";
    if (!problem && rule.words != 0) {
        const std::vector<std::string> words = words_of(value);
        if (words.size() != static_cast<std::size_t>(rule.words) ||
            std::find(words.begin(), words.end(), "") != words.end())
            return "has " + std::to_string(words.size()) +
                   " words; needed: " + std::to_string(rule.words) + ", separated by commas";
    }
    return problem;
}

struct Parsed {
    std::string value;
    int line = 0;  // 0: the entry did not occur
};

// State of one pass of inih over a file. inih does not tell lines; its reader here counts them.
struct Pass {
    std::string_view rest;
    int line = 0;
    bool continued = false;  // the current line begins with a blank
    std::array<Parsed, static_cast<std::size_t>(Entry::kCount)> entries;
    int wrong_line = 0;
    std::string wrong;  // the first problem

    void complain(std::string problem) {
        if (!wrong.empty()) return;
        wrong_line = line;
        wrong = std::move(problem);
    }
};

char* next_line(char* buffer, int size, void* user) {
    auto& pass = *static_cast<Pass*>(user);
    if (pass.rest.empty()) return nullptr;
    ++pass.line;
    const std::size_t end = std::min(pass.rest.find('\n'), pass.rest.size() - 1) + 1;
    const std::string_view line = pass.rest.substr(0, end);
    pass.rest.remove_prefix(end);
    const std::size_t room = static_cast<std::size_t>(size) - 1;
    if (line.size() > room) pass.complain("is longer than " + std::to_string(room - 1) + " bytes");
    if (line.find('\0') != std::string_view::npos) pass.complain("has a NUL byte");
    pass.continued = line[0] == ' ' || line[0] == '\t';
    buffer[line.copy(buffer, room)] = '\0';
    return buffer;
}

int take_entry(void* user, const char* section, const char* key, const char* value) {
    auto& pass = *static_cast<Pass*>(user);
    const auto& rules = entry_rules();
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const EntryRule& r) {
        return r.section == section && r.key == key;
    });
    const std::string name = "[" + std::string(section) + "] " + key;
    if (rule == rules.end()) {
        pass.complain("unknown entry " + name);
        return 1;
    }
    Parsed& entry = pass.entries[static_cast<std::size_t>(rule->entry)];
    if (entry.line != 0 && !pass.continued) pass.complain(name + " is there twice");
    if (entry.line == 0) entry.line = pass.line;
    if (!entry.value.empty()) entry.value += ' ';
    entry.value += value;
    return 1;
}

// `language`, then the same with ever fewer parts, then English: es-419, es, en.
std::vector<std::string> candidates_for(std::string_view language) {
    std::vector<std::string> candidates;
    if (is_language_tag(language)) {
        candidates.emplace_back(language);
        for (std::size_t end; (end = candidates.back().rfind('-')) != std::string::npos;)
            candidates.push_back(candidates.back().substr(0, end));
    }
    if (candidates.empty() || !iequals(candidates.back(), "en")) candidates.emplace_back("en");
    return candidates;
}

const BuiltIn& nearest_built_in(std::string_view language) {
    for (const std::string& candidate : candidates_for(language))
        if (const BuiltIn* wording = built_in_wording(candidate)) return *wording;
    return built_in_wordings().front();
}

// The file of `language` in `directory`, written in any case; the first of several by name.
std::filesystem::path file_of(const std::filesystem::path& directory, const std::string& language) {
    std::filesystem::path found;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
        const std::filesystem::path& file = at->path();
        if (file.extension() == ".ini" && iequals(file.stem().string(), language) &&
            (found.empty() || file < found))
            found = file;
    }
    return found.empty() ? directory / (language + ".ini") : found;
}

}  // namespace

const std::array<EntryRule, static_cast<std::size_t>(Entry::kCount)>& entry_rules() {
    static constexpr std::string_view kOfBoth = "caller name number time mailbox",
                                      kOfVoice = "caller name number time mailbox duration",
                                      kOfFax = "caller name number time mailbox pages";
    static constexpr std::array<EntryRule, static_cast<std::size_t>(Entry::kCount)> kRules{{
        {Entry::kSender, "mail", "sender", "caller mailbox"},
        {Entry::kSenderUnknown, "mail", "sender_unknown", "mailbox"},
        {Entry::kSubjectVoice, "mail", "subject_voice", kOfVoice},
        {Entry::kSubjectFax, "mail", "subject_fax", kOfFax},
        {Entry::kSubjectUrgent, "mail", "subject_urgent", "subject"},
        {Entry::kTextVoice, "text", "voice", kOfVoice, 0, true},
        {Entry::kTextFax, "text", "fax", kOfFax, 0, true},
        {Entry::kTextUrgent, "text", "urgent", kOfBoth, 0, true},
        {Entry::kTextPrivate, "text", "private", kOfBoth, 0, true},
        {Entry::kTextCaller, "text", "caller", kOfBoth, 0, true},
        {Entry::kTextReceived, "text", "received", kOfBoth, 0, true},
        {Entry::kTextLengthVoice, "text", "length_voice", kOfVoice, 0, true},
        {Entry::kTextLengthFax, "text", "length_fax", kOfFax, 0, true},
        {Entry::kTextAttachedVoice, "text", "attached_voice", kOfVoice, 0, true},
        {Entry::kTextAttachedFax, "text", "attached_fax", kOfFax, 0, true},
        {Entry::kTextNoticeVoice, "text", "notice_voice", kOfVoice, 0, true},
        {Entry::kTextNoticeFax, "text", "notice_fax", kOfFax, 0, true},
        {Entry::kTextTranscript, "text", "transcript", kOfVoice, 0, false, true},
        {Entry::kTextClosing, "text", "closing", kOfBoth, 0, true},
        {Entry::kCallerNameAndNumber, "caller", "name_and_number", "name number"},
        {Entry::kCallerUnknown, "caller", "unknown", ""},
        {Entry::kHour, "duration", "hour", "n"},
        {Entry::kHours, "duration", "hours", "n"},
        {Entry::kMinute, "duration", "minute", "n"},
        {Entry::kMinutes, "duration", "minutes", "n"},
        {Entry::kSecond, "duration", "second", "n"},
        {Entry::kSeconds, "duration", "seconds", "n"},
        {Entry::kDurationJoin, "duration", "join", "first second"},
        {Entry::kPage, "pages", "page", "n"},
        {Entry::kPages, "pages", "pages", "n"},
        {Entry::kTimeFormat, "time", "format",
         "weekday day month month_number year hour hour12 half minute zone"},
        {Entry::kAm, "time", "am", ""},
        {Entry::kPm, "time", "pm", ""},
        {Entry::kWeekdays, "time", "weekdays", "", 7},
        {Entry::kMonths, "time", "months", "", 12},
        {Entry::kFileVoice, "file", "voice", ""},
        {Entry::kFileFax, "file", "fax", ""},
        {Entry::kSpeechSender, "speech", "sender", "sender", 0, false, true},
        {Entry::kSpeechSenderUnknown, "speech", "sender_unknown", "", 0, false, true},
        {Entry::kSpeechSubject, "speech", "subject", "subject", 0, false, true},
        {Entry::kSpeechSubjectNone, "speech", "subject_none", "", 0, true, true},
        {Entry::kSpeechTextNone, "speech", "text_none", "", 0, true, true},
        {Entry::kSpeechQuoted, "speech", "quoted", "", 0, true, true},
        {Entry::kSpeechLink, "speech", "link", "site", 0, true, true},
        {Entry::kSpeechLinkUnknown, "speech", "link_unknown", "", 0, true, true},
        {Entry::kSpeechMore, "speech", "more", "", 0, true, true},
    }};
    return kRules;
}

std::string_view Template::built_in() {
    return built_in_wordings().front().content;
}

Result<Template> Template::parse(std::string_view content, const std::string& file,
                                 std::string_view language) {
    const auto refuse = [&](int line, std::string reason) {
        return fail(ErrorKind::kConfig, kOperation,
                    line == 0 ? file : file + " line " + std::to_string(line), std::move(reason),
                    "see vm-templates.ini(5)");
    };
    Pass pass;
    pass.rest = content;
    const int syntax = ini_parse_stream(next_line, &pass, take_entry, &pass);
    if (!pass.wrong.empty()) return refuse(pass.wrong_line, pass.wrong);
    if (syntax != 0)
        return refuse(std::max(syntax, 0), "neither a [section] nor an entry = wording");

    Template wording;
    std::optional<Template> nearest;  // once it is needed
    const bool built_in = content.data() == nearest_built_in(language).content.data();
    for (const EntryRule& rule : entry_rules()) {
        const auto index = static_cast<std::size_t>(rule.entry);
        const Parsed& entry = pass.entries[index];
        const std::string name =
            "[" + std::string(rule.section) + "] " + std::string(rule.key) + " ";
        if (entry.line == 0 && rule.may_be_missing && !built_in) {
            if (!nearest) {
                VM_ASSIGN(nearest, parse_built_in(language));
            }
            wording.entries_[index] = nearest->entries_[index];
            continue;
        }
        if (entry.line == 0) return refuse(0, "entry " + name + "is missing");
        if (auto problem = value_problem(rule, entry.value))
            return refuse(entry.line, name + *problem);
        wording.entries_[index] = sanitize_line(entry.value);
    }
    return wording;
}

Result<Template> Template::parse_built_in(std::string_view language) {
    const BuiltIn& nearest = nearest_built_in(language);
    return parse(nearest.content, "built-in " + std::string(nearest.language) + ".ini",
                 nearest.language);
}

Result<Template> Template::load(const std::filesystem::path& directory, std::string_view language) {
    for (const std::string& candidate : candidates_for(language)) {
        if (!directory.empty()) {
            const std::filesystem::path file = file_of(directory, candidate);
            auto content = read_file(file, kFileLimit);
            if (content) return parse(*content, file.string(), candidate);
            if (content.error().kind != ErrorKind::kNoInput)
                return fail(ErrorKind::kConfig, kOperation, file.string(), content.error().reason);
        }
        if (built_in_wording(candidate) != nullptr) return parse_built_in(candidate);
    }
    return parse_built_in("en");
}

std::filesystem::path Template::file_for(const std::filesystem::path& directory,
                                         std::string_view language) {
    std::error_code error;
    for (const std::string& candidate : candidates_for(language)) {
        if (!directory.empty()) {
            std::filesystem::path file = file_of(directory, candidate);
            if (std::filesystem::exists(file, error) || error) return file;
        }
        if (built_in_wording(candidate) != nullptr) return {};
    }
    return {};
}

std::string Template::language_for(const std::filesystem::path& directory,
                                   std::string_view language) {
    const std::filesystem::path file = file_for(directory, language);
    return file.empty() ? std::string(nearest_built_in(language).language) : file.stem().string();
}

std::string Template::fill(Entry entry, std::initializer_list<Value> values) const {
    return fill(entry, std::vector<Value>(values));
}

std::string Template::fill(Entry entry, const std::vector<Value>& values) const {
    const std::string_view text = entries_[static_cast<std::size_t>(entry)];
    std::string out;
    std::size_t done = 0;
    each_placeholder(text, [&](std::string_view name, std::size_t at, std::size_t length) {
        out += text.substr(done, at - done);
        for (const Value& value : values)
            if (value.first == name) out += value.second;
        done = at + length;
    });
    return out += text.substr(done);
}

std::string Template::word(Entry entry, int index) const {
    return words_of(entries_[static_cast<std::size_t>(entry)]).at(static_cast<std::size_t>(index));
}

}  // namespace vm::mime
