#include "config/ini_document.h"

#include "base/text.h"

#include <ini.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace vm::config {

namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::string_view kBlank = " \t\r\n\f\v";  // isspace() of the C locale, as inih uses it
constexpr std::size_t kMaxSectionName = 49;         // inih cuts longer ones without a word

bool is_blank(char c) {
    return kBlank.find(c) != std::string_view::npos;
}

// Where the value lies in a `key = value ; comment` line.
struct ValueSpan {
    std::size_t separator = 0;  // of '=' or ':'
    std::size_t begin = 0, end = 0;
    bool commented = false;
};

// nullopt when the line has no '=' or ':' in front of a comment.
std::optional<ValueSpan> locate_value(std::string_view line) {
    ValueSpan span;
    const auto comment_from = [&](std::size_t i) {
        while ((i = line.find(';', i)) != std::string_view::npos &&
               (i == 0 || !is_blank(line[i - 1])))
            ++i;
        return std::min(i, line.size());
    };
    const auto separator = line.find_first_of("=:");
    if (separator == std::string_view::npos) return std::nullopt;
    const std::size_t first = std::min(line.find_first_not_of(kBlank), separator);
    if (comment_from(first) < separator) return std::nullopt;
    span.separator = separator;
    const std::size_t stop = comment_from(separator + 1);
    span.commented = stop < line.size();
    span.begin = separator + 1;
    while (span.begin < stop && is_blank(line[span.begin])) ++span.begin;
    span.end = stop;
    while (span.end > span.begin && is_blank(line[span.end - 1])) --span.end;
    return span;
}

// Feeds inih line by line and collects what it makes of them.
struct Feed {
    struct Line {
        std::size_t number = 0;
        std::string text;       // stripped, without comment
        std::size_t value = 0;  // where the value begins in `text`; 0: a section header
    };
    struct Read {
        std::size_t line;
        std::string section, key, value;
    };

    std::vector<Line> lines;
    std::size_t next = 0;          // the line to hand out
    std::size_t handed = 0;        // bytes of it handed out already
    std::size_t current = 0;       // number of the line handed out last
    bool continued = false;        // that was a further piece of it
    std::size_t unsplittable = 0;  // number of the first line that could not be cut into pieces
    std::vector<Read> read;
};

// How many bytes of `text` from `at` fit into `room` so that inih puts the rest back without loss:
// it strips blanks from both ends of a piece and takes a leading ';' or '#' for a comment. 0: no
// place.
std::size_t piece_length(std::string_view text, std::size_t at, std::size_t least,
                         std::size_t room) {
    if (text.size() - at <= room) return text.size() - at;
    for (std::size_t n = room; n > least; --n) {
        const char before = text[at + n - 1], after = text[at + n];
        if (!is_blank(before) && !is_blank(after) && after != ';' && after != '#') return n;
    }
    return 0;
}

char* feed_line(char* buffer, int size, void* stream) {
    Feed& feed = *static_cast<Feed*>(stream);
    if (feed.next == feed.lines.size() || feed.unsplittable != 0) return nullptr;
    const Feed::Line& line = feed.lines[feed.next];
    feed.current = line.number;
    feed.continued = feed.handed > 0;
    // A further piece begins with a blank: that is inih's sign of a continued value.
    const std::string_view indent = feed.continued ? " " : "";
    const std::size_t room = static_cast<std::size_t>(size) - 2 - indent.size();
    const std::size_t least = feed.continued ? 0 : line.value;
    const std::size_t n = piece_length(line.text, feed.handed, least, room);
    if (n == 0 || (line.value == 0 && n < line.text.size())) {
        feed.unsplittable = line.number;
        return nullptr;
    }
    std::memcpy(buffer, indent.data(), indent.size());
    std::memcpy(buffer + indent.size(), line.text.data() + feed.handed, n);
    std::memcpy(buffer + indent.size() + n, "\n", 2);
    feed.handed += n;
    if (feed.handed == line.text.size()) {
        ++feed.next;
        feed.handed = 0;
    }
    return buffer;
}

int take_value(void* user, const char* section, const char* name, const char* value) {
    Feed& feed = *static_cast<Feed*>(user);
    if (feed.continued && !feed.read.empty())
        feed.read.back().value += value;
    else
        feed.read.push_back({feed.current, section, name, value});
    return 1;
}

}  // namespace

std::string IniDocument::at(std::size_t line) const {
    return name_ + " line " + std::to_string(line);
}

std::string IniDocument::line_end() const {
    const bool crlf = !lines_.empty() && lines_.front().ends_with("\r\n");
    return crlf ? "\r\n" : "\n";
}

std::string IniDocument::text() const {
    return join(lines_, "");
}

Result<IniDocument> IniDocument::parse(std::string_view text, std::string name) {
    IniDocument document;
    document.name_ = std::move(name);
    document.lines_.reserve(text.size() / 16 + 1);
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::size_t n = end == std::string_view::npos ? text.size() : end + 1;
        document.lines_.emplace_back(text.substr(0, n));
        text.remove_prefix(n);
    }
    VM_TRY(document.read_entries());
    return document;
}

Result<> IniDocument::read_header(std::string_view stripped, std::size_t line) {
    const auto close = stripped.find(']');
    if (close == std::string_view::npos)
        return fail(ErrorKind::kConfig, "read", at(line), "a section name without ']'",
                    "write it as [name]");
    const std::string_view section = stripped.substr(1, close - 1);
    if (section.empty() || section != trim(section) || why_not_representable(section))
        return fail(ErrorKind::kConfig, "read", at(line),
                    "the section name is empty, has blanks at its ends or a comment in it",
                    "write it as [name]");
    if (section.size() > kMaxSectionName)
        return fail(ErrorKind::kConfig, "read", at(line),
                    "the section name is longer than " + std::to_string(kMaxSectionName) + " bytes",
                    "shorten it");
    const std::string_view rest = trim(stripped.substr(close + 1));
    if (!rest.empty() && rest.front() != ';' && rest.front() != '#')
        return fail(ErrorKind::kConfig, "read", at(line), "text behind the section name",
                    "put it on a line of its own");
    headers_.push_back({std::string(section), line});
    return {};
}

Result<> IniDocument::read_entries() {
    Feed feed;
    std::vector<ValueSpan> spans;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        std::string_view line = lines_[i];
        if (line.find('\0') != std::string_view::npos)
            return fail(ErrorKind::kConfig, "read", at(i + 1), "a NUL byte",
                        "this is no INI file, or it is damaged; restore it");
        if (i == 0 && line.starts_with(kBom)) line.remove_prefix(kBom.size());
        const std::string_view stripped = trim(line);
        if (stripped.empty() || stripped.front() == ';' || stripped.front() == '#') continue;
        if (stripped.front() == '[') {
            VM_TRY(read_header(stripped, i + 1));
            feed.lines.push_back({i + 1, "[" + headers_.back().name + "]", 0});
            continue;
        }
        const auto span = locate_value(stripped);
        if (!span)
            return fail(ErrorKind::kConfig, "read", at(i + 1), "no '=' in it",
                        "write `key = value`, or put ';' in front to make it a comment");
        if (trim(stripped.substr(0, span->separator)).empty())
            return fail(ErrorKind::kConfig, "read", at(i + 1), "no key in front of '='",
                        "write `key = value`");
        if (headers_.empty())
            return fail(ErrorKind::kConfig, "read", at(i + 1), "a key before the first [section]",
                        "move it below the section it belongs to");
        std::string upto_comment(stripped.substr(0, std::max(span->end, span->separator + 1)));
        feed.lines.push_back({i + 1, std::move(upto_comment), span->separator + 1});
        spans.push_back(*span);
    }

    feed.read.reserve(spans.size());
    const int bad = ::ini_parse_stream(feed_line, &feed, take_value, &feed);
    if (feed.unsplittable != 0)
        return fail(ErrorKind::kConfig, "read", at(feed.unsplittable),
                    "the line is too long to be read", "shorten it");
    if (bad != 0 || feed.read.size() != spans.size())
        return fail(ErrorKind::kConfig, "read", name_, "inih cannot read it as an INI file",
                    "compare it with the sample file");

    std::unordered_map<std::string, std::size_t> seen(spans.size());
    entries_.reserve(spans.size());
    for (std::size_t k = 0; k < spans.size(); ++k) {
        Feed::Read& read = feed.read[k];
        const std::string_view written = trim(lines_[read.line - 1]);
        if (written.substr(spans[k].begin, spans[k].end - spans[k].begin) != read.value)
            return fail(ErrorKind::kConfig, "read", at(read.line), "the value is ambiguous",
                        "write it without blanks and comment characters");
        const auto [first, is_new] =
            seen.emplace(to_lower(read.section) + '\0' + to_lower(read.key), read.line);
        if (!is_new)
            return fail(ErrorKind::kConfig, "read", at(read.line),
                        "[" + read.section + "] " + read.key + " was given on line " +
                            std::to_string(first->second) + " already",
                        "remove one of the two lines");
        entries_.push_back({std::move(read.section), std::move(read.key), std::move(read.value),
                            read.line, spans[k].commented});
    }
    return {};
}

const IniEntry* IniDocument::find(std::string_view section, std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const IniEntry& entry) {
        return iequals(entry.key, key) && iequals(entry.section, section);  // few keys are alike
    });
    return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> IniDocument::sections() const {
    std::vector<std::string> names;
    for (const Header& header : headers_)
        if (std::none_of(names.begin(), names.end(),
                         [&](const std::string& name) { return iequals(name, header.name); }))
            names.push_back(header.name);
    return names;
}

std::optional<std::string> why_not_representable(std::string_view value) {
    if (std::any_of(value.begin(), value.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
        }))
        return "it contains a line break or another control character";
    if (trim(value) != value) return "it begins or ends with a blank";
    if (value.starts_with(';')) return "it begins with ';', which starts a comment";
    if (value.find(" ;") != std::string_view::npos)
        return "it contains ' ;', which starts a comment";
    return std::nullopt;
}

Result<> IniDocument::set(std::string_view section, std::string_view key, std::string_view value) {
    const auto refuse = [&](std::string reason) {
        return fail(ErrorKind::kConfig, "set", "[" + std::string(section) + "] " + std::string(key),
                    "an INI file cannot hold this value: " + std::move(reason));
    };
    if (const auto reason = why_not_representable(value)) return refuse(*reason);

    std::vector<std::string> lines = lines_;
    const std::string added =
        std::string(key) + " =" + (value.empty() ? "" : " ") + std::string(value) + line_end();
    const auto insert_behind = [&](std::size_t line) {
        if (line > 0 && !lines[line - 1].ends_with('\n')) lines[line - 1] += line_end();
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(line), added);
    };

    std::size_t expected = entries_.size();
    if (const IniEntry* entry = find(section, key)) {
        std::string& line = lines[entry->line - 1];
        const std::string_view body =
            std::string_view(line).substr(0, line.find_last_not_of("\r\n") + 1);
        const ValueSpan span = *locate_value(body);
        std::string replacement(value);
        if (span.begin == span.end && !value.empty()) {
            if (span.commented)
                replacement += ' ';
            else if (span.begin == span.separator + 1 && is_blank(body[span.separator - 1]))
                replacement.insert(0, " ");  // "key =" is spaced out, "key=" is not
        }
        line.replace(span.begin, span.end - span.begin, replacement);
    } else {
        ++expected;
        std::size_t behind = 0;
        for (const IniEntry& other : entries_)
            if (iequals(other.section, section)) behind = other.line;
        if (behind == 0)
            for (const Header& header : headers_)
                if (iequals(header.name, section)) behind = header.line;
        if (behind == 0) {
            if (!lines.empty() && !lines.back().ends_with('\n')) lines.back() += line_end();
            if (!lines.empty()) lines.push_back(line_end());
            lines.push_back("[" + std::string(section) + "]" + line_end());
            behind = lines.size();
        }
        insert_behind(behind);
    }

    // The proof: the new text must say what was meant and, besides that, what the old one said.
    auto changed = parse(join(lines, ""), name_);
    if (!changed) return refuse(changed.error().reason);
    const IniEntry* now = changed->find(section, key);
    bool same = changed->entries_.size() == expected && now != nullptr && now->value == value;
    for (const IniEntry& old : entries_) {
        if (iequals(old.section, section) && iequals(old.key, key)) continue;
        const IniEntry* kept = changed->find(old.section, old.key);
        same = same && kept != nullptr && kept->value == old.value;
    }
    if (!same) return refuse("it would read back differently");
    *this = std::move(*changed);
    return {};
}

}  // namespace vm::config
