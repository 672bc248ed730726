#include "asterisk/envelope.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace vm::asterisk {

namespace {

constexpr std::size_t kNameLimit = 60;              // of a msg_id; Asterisk's have 19 characters
constexpr std::size_t kCallerLimit = 200;           // as of every message
constexpr std::int64_t kLastSecond = 253402300799;  // of the year 9999

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameLimit &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_' || c == '.' || c == '+';
           });
}

// Asterisk escapes what would begin a comment when it writes a file anew.
std::string unescaped(std::string_view value) {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == ';') continue;
        out += value[i];
    }
    return out;
}

// The first value of each key in [message]; nullopt when there is no such section.
std::optional<std::map<std::string, std::string>> values_of(std::string_view text) {
    std::optional<std::map<std::string, std::string>> out;
    bool in_section = false;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty() || line.front() == ';') continue;
        if (line.front() == '[') {
            in_section = line.starts_with("[message]");
            if (in_section && !out) out.emplace();
            continue;
        }
        const std::size_t equals = line.find('=');
        if (!in_section || equals == std::string_view::npos) continue;
        std::string_view value = line.substr(equals + 1);
        if (value.starts_with('>')) value.remove_prefix(1);
        out->emplace(to_lower(trim(line.substr(0, equals))), unescaped(trim(value)));
    }
    return out;
}

}  // namespace

Caller parse_caller(std::string_view text) {
    text = trim(text);
    Caller out;
    const std::size_t open = text.rfind('<');
    const std::size_t close = text.rfind('>');
    std::string_view name = text, number;
    if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
        name = trim(text.substr(0, open));
        number = trim(text.substr(open + 1, close - open - 1));
    } else if (!text.empty() && text.find_first_not_of("0123456789+*#-.() ") == text.npos) {
        name = {};
        number = text;
    }
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"')
        name = trim(name.substr(1, name.size() - 2));
    const auto known = [](std::string_view part) {
        return iequals(part, "Unknown") ? std::string()
                                        : std::string(trim(sanitize_line(part, kCallerLimit)));
    };
    out.name = known(name);
    out.number = known(number);
    return out;
}

std::optional<Envelope> parse_envelope(std::string_view text) {
    if (text.size() > kEnvelopeLimit) return std::nullopt;
    const auto values = values_of(text);
    if (!values) return std::nullopt;
    const auto value = [&](const char* key) {
        const auto found = values->find(key);
        return found == values->end() ? std::string() : found->second;
    };
    Envelope out;
    if (const std::string id = value("msg_id"); is_name(id)) out.msg_id = id;
    const auto time = parse_int(value("origtime"));
    if (time && *time > 0 && *time <= kLastSecond) out.origtime = *time;
    if (out.msg_id.empty() && out.origtime == 0) return std::nullopt;
    // (callerchan is another one with each call.)
    std::string call;
    for (const char* key :
         {"origmailbox", "context", "exten", "callerchan", "callerid", "origdate"})
        call += value(key) + '\n';
    out.old_name = fmt::format("old-{}-{:016x}", out.origtime, fnv1a(call));
    const Caller caller = parse_caller(value("callerid"));
    out.caller_name = caller.name;
    out.caller_number = caller.number;
    out.urgent = iequals(value("flag"), "Urgent");
    return out;
}

}  // namespace vm::asterisk
