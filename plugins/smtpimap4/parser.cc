#include "smtpimap4/parser.h"

#include "common/text.h"
#include "smtpimap4/filter.h"

namespace vm::plug::imap {

std::vector<std::string> capability_names(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto start = list.find_first_not_of(' ');
        if (start == std::string_view::npos) break;
        const auto end = std::min(list.find(' ', start), list.size());
        out.push_back(upper(list.substr(start, end - start)));
        list.remove_prefix(end);
    }
    return out;
}

namespace {

// [CODE arguments] at the front of `text`.
void read_code(std::string_view text, Condition& out) {
    if (!text.starts_with('[')) return;
    const auto end = text.find(']');
    if (end == std::string_view::npos) return;
    const std::string_view inside = text.substr(1, end - 1);
    const auto blank = std::min(inside.find(' '), inside.size());
    out.code = upper(inside.substr(0, blank));
    if (blank < inside.size()) out.arguments = inside.substr(blank + 1);
}

}  // namespace

// The text is required by RFC 3501 and missing from some servers.
std::optional<Condition> parse_condition(std::string_view line) {
    Scanner words(line);
    Condition out;
    if (words.take_word("OK"))
        out.status = Status::kOk;
    else if (words.take_word("NO"))
        out.status = Status::kNo;
    else if (words.take_word("BAD"))
        out.status = Status::kBad;
    else if (words.take_word("BYE"))
        out.status = Status::kBye;
    else if (words.take_word("PREAUTH"))
        out.status = Status::kPreauth;
    else
        return std::nullopt;
    words.take(' ');
    out.text = one_line(words.rest());
    read_code(words.rest(), out);
    return out;
}

Response Parser::numbered(std::string_view number, std::string_view line) {
    Scanner words(line);
    const auto value = parse_number(number);
    if (words.take_word("FETCH")) {
        const auto clean = clean_fetch(words);
        return clean && value ? etpan_.parse(*clean) : Malformed{};
    }
    if (words.take_word("EXISTS")) {
        if (!value) return Malformed{};
        return ExistsData{*value};
    }
    if (words.take_word("EXPUNGE")) return ExpungeData{};
    if (words.take_word("RECENT")) return RecentData{};
    return Unknown{};
}

Response Parser::status(Scanner words) {
    std::string name;
    const auto clean = clean_status(words, name);
    if (!clean) return Malformed{};
    Response out = etpan_.parse(*clean);
    if (auto* data = std::get_if<StatusData>(&out)) data->name = std::move(name);
    return out;
}

Response Parser::untagged(std::string_view line) {
    Scanner words(line);
    if (const auto number = words.take_digits())
        return words.take(' ') ? numbered(*number, words.rest()) : Response(Unknown{});
    if (const auto condition = parse_condition(line)) return *condition;
    if (words.take_word("CAPABILITY")) return CapabilityData{capability_names(words.rest())};
    if (words.take_word("ENABLED")) return EnabledData{capability_names(words.rest())};
    if (words.take_word("STATUS")) return status(words);
    using Clean = std::optional<std::string> (*)(Scanner);
    constexpr std::pair<const char*, Clean> kForms[] = {
        {"VANISHED", clean_vanished},
        {"LIST", clean_list},
        {"SEARCH", clean_search},
        {"NAMESPACE", clean_namespace},
    };
    for (const auto& [word, clean_form] : kForms) {
        if (!words.take_word(word)) continue;
        const auto clean = clean_form(words);
        return clean ? etpan_.parse(*clean) : Malformed{};
    }
    return Unknown{};
}

Response Parser::parse(std::string_view line) {
    if (line.starts_with("* ")) return untagged(line.substr(2));
    if (line == "+" || line.starts_with("+ ")) return Continuation{};
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || blank == 0) return Malformed{};
    auto condition = parse_condition(line.substr(blank + 1));
    if (!condition || condition->status == Status::kBye || condition->status == Status::kPreauth)
        return Malformed{};
    condition->tag = line.substr(0, blank);
    return *condition;
}

}  // namespace vm::plug::imap
