// The lines between vmoauth2 and who starts it.
#include "base/text.h"
#include "oauth2/exchange.h"

#include <algorithm>
#include <array>

namespace vm::oauth2 {

namespace {

constexpr std::size_t kBodyLimit = 3 * (kRefreshTokenLimit + 8192);
constexpr std::int64_t kMostSeconds = 10LL * 366 * 86400;

bool is_visible_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// One line as a terminal and a file may hold it.
bool is_plain(std::string_view text) {
    return is_utf8(text) && sanitize_line(text, text.size()) == text &&
           without_direction_controls(text) == text;
}

struct SecretField {
    std::string_view name;
    Secret Answer::*member;
    std::size_t limit;
};
constexpr std::array kSecrets{
    SecretField{"access_token", &Answer::access_token, kAccessTokenLimit},
    SecretField{"refresh_token", &Answer::refresh_token, kRefreshTokenLimit},
    SecretField{"device_code", &Answer::device_code, kRefreshTokenLimit}};

struct TextField {
    std::string_view name;
    std::string Answer::*member;
    std::size_t limit;
};
constexpr std::array kTexts{TextField{"token_type", &Answer::token_type, 40},
                            TextField{"scope", &Answer::scope, 2000},
                            TextField{"user_code", &Answer::user_code, 64},
                            TextField{"verification_uri", &Answer::verification_uri, 500},
                            TextField{"error", &Answer::error, 100},
                            TextField{"error_description", &Answer::error_description, 400}};

struct NumberField {
    std::string_view name;
    std::optional<std::int64_t> Answer::*member;
};
constexpr std::array kNumbers{NumberField{"expires_in", &Answer::expires_in},
                              NumberField{"interval", &Answer::interval}};

struct Line {
    std::string_view name, value;
};

tl::unexpected<Error> senseless(std::string_view what) {
    return fail(ErrorKind::kMessage, "read", "what vmoauth2 was told or tells",
                "it makes no sense: " + sanitize_line(what, 40));
}

// Each ends with a newline and has a name that was not there yet.
Result<std::vector<Line>> lines_of(std::string_view text) {
    std::vector<Line> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto equals = text.find('=');
        if (end == std::string_view::npos || equals == std::string_view::npos || equals > end)
            return senseless("a line without end, or without =");
        const Line line{text.substr(0, equals), text.substr(equals + 1, end - equals - 1)};
        text.remove_prefix(end + 1);
        for (const Line& other : out)
            if (other.name == line.name) return senseless("a name twice");
        out.push_back(line);
    }
    return out;
}

template <class Fields>
auto* find(Fields& fields, std::string_view name) {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

// False: the value cannot be.
bool take(Answer& answer, const Line& line) {
    if (const auto* secret = find(kSecrets, line.name)) {
        if (line.value.size() > secret->limit || !is_token(line.value)) return false;
        answer.*secret->member = Secret(std::string(line.value));
        return true;
    }
    if (const auto* text = find(kTexts, line.name)) {
        if (line.value.size() > text->limit || !is_plain(line.value)) return false;
        answer.*text->member = line.value;
        return true;
    }
    const auto number = parse_int(line.value);
    if (!number || *number < 0 || *number > kMostSeconds) return false;
    if (const auto* seconds = find(kNumbers, line.name)) {
        answer.*seconds->member = *number;
        return true;
    }
    if (line.name != "status" || *number < 100 || *number > 599) return false;
    answer.status = static_cast<int>(*number);
    return true;
}

bool is_unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size() * 3);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_unreserved(c))
            out += c;
        else
            out.append({'%', kHex[byte >> 4U], kHex[byte & 15U]});
    }
    return out;
}

}  // namespace

bool is_token(std::string_view text) {
    return !text.empty() && is_visible_ascii(text);
}

Secret form(const std::vector<std::pair<std::string_view, std::string_view>>& fields) {
    std::string out;
    std::size_t room = 0;
    for (const auto& [name, value] : fields) room += 3 * (name.size() + value.size()) + 2;
    out.reserve(room);  // no copies are left behind
    for (const auto& [name, value] : fields) {
        if (!out.empty()) out += '&';
        out.append(percent_encoded(name)).append("=");
        const Secret encoded(percent_encoded(value));
        out += encoded.reveal();
    }
    return Secret(std::move(out));
}

std::string to_text(const Request& request) {
    std::string out;
    out.reserve(request.url.size() + request.ca_file.size() + request.body.reveal().size() + 32);
    out.append("url=").append(request.url).append("\nca_file=").append(request.ca_file);
    return out.append("\nbody=").append(request.body.reveal()).append("\n");
}

Result<Request> parse_request(std::string_view text) {
    VM_ASSIGN(const std::vector<Line> lines, lines_of(text));
    Request out;
    for (const Line& line : lines) {
        if (line.name == "url" && is_visible_ascii(line.value))
            out.url = line.value;
        else if (line.name == "ca_file" && is_plain(line.value))
            out.ca_file = line.value;
        else if (line.name == "body" && line.value.size() <= kBodyLimit &&
                 is_visible_ascii(line.value))
            out.body = Secret(std::string(line.value));
        else
            return senseless(line.name);
    }
    if (out.url.empty()) return senseless("no url");
    return out;
}

std::string to_text(const Answer& answer) {
    std::string out = "status=" + std::to_string(answer.status) + "\n";
    out.reserve(2 * kRefreshTokenLimit + kAccessTokenLimit + 4096);
    const auto add = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) out.append(name).append("=").append(value).append("\n");
    };
    for (const SecretField& field : kSecrets) add(field.name, (answer.*field.member).reveal());
    for (const TextField& field : kTexts) add(field.name, answer.*field.member);
    for (const NumberField& field : kNumbers)
        if (const auto& number = answer.*field.member) add(field.name, std::to_string(*number));
    return out;
}

Result<Answer> parse_answer(std::string_view text) {
    VM_ASSIGN(const std::vector<Line> lines, lines_of(text));
    Answer out;
    for (const Line& line : lines)
        if (!take(out, line)) return senseless(line.name);
    if (out.status == 0) return senseless("no status");
    return out;
}

}  // namespace vm::oauth2
