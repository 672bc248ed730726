#include "common/identity.h"

#include "common/text.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace vm::plug {

namespace {

// What can be compared and searched for: a line of printable ASCII (RFC 5322
// sections 2.1.1, 3.6.4).
bool is_message_id(std::string_view text) {
    return text.size() <= 998 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

struct Field {
    std::string name;  // upper case
    std::string value;
};

// The fields of a header, unfolded.
std::vector<Field> fields_of(std::string_view header) {
    std::vector<Field> out;
    while (!header.empty()) {
        const auto end = std::min(header.find('\n'), header.size() - 1);
        const std::string line = one_line(header.substr(0, end));
        const bool folded = header.front() == ' ' || header.front() == '\t';
        header.remove_prefix(end + 1);
        if (folded && !out.empty()) {
            out.back().value += " " + line;
            continue;
        }
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        out.push_back({upper(one_line(line.substr(0, colon))), one_line(line.substr(colon + 1))});
    }
    return out;
}

// The value of the only field of this name; nothing when there is none or more than one.
std::optional<std::string> only(const std::vector<Field>& fields, std::string_view name) {
    std::optional<std::string> out;
    for (const Field& field : fields) {
        if (field.name != name) continue;
        if (out) return std::nullopt;
        out = one_line(field.value);
    }
    return out;
}

bool has(const std::vector<Field>& fields, std::string_view name) {
    return std::any_of(fields.begin(), fields.end(),
                       [&](const Field& field) { return field.name == name; });
}

std::string without_angles(std::string text) {
    const auto open = text.find('<');
    const auto close = text.find('>', open == std::string::npos ? 0 : open);
    if (open == std::string::npos || close == std::string::npos) return text;
    return text.substr(open + 1, close - open - 1);
}

}  // namespace

bool plausible_id(std::string_view id) {
    constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    return id.size() == kIdSize && id.front() <= '7' &&
           id.find_first_not_of(kCrockford) == std::string_view::npos;
}

Identity identify(std::string_view header) {
    Identity out;
    const std::vector<Field> fields = fields_of(header);
    out.message_id = without_angles(only(fields, "MESSAGE-ID").value_or(""));
    if (!is_message_id(out.message_id)) out.message_id.clear();
    out.answers_another = has(fields, "IN-REPLY-TO") || has(fields, "REFERENCES");
    out.has_id_field = has(fields, "X-VM-MESSAGE-ID");
    if (const auto id = only(fields, "X-VM-MESSAGE-ID"); id && plausible_id(*id)) out.id = *id;
    return out;
}

bool is_message(const Identity& identity, std::string_view id, std::string_view message_id) {
    if (!identity.id.empty()) return identity.id == id;
    return !identity.has_id_field && !message_id.empty() && identity.message_id == message_id;
}

bool is_message_id_of(std::string_view message_id, std::string_view id) {
    return message_id.starts_with(id) && message_id.size() > id.size() &&
           (message_id[id.size()] == '@' || message_id[id.size()] == '.');
}

}  // namespace vm::plug
