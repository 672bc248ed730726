#include "mime/mail_json.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace vm::mime {

namespace {

using nlohmann::json;

// The member `name` when it is a text of at most `limit` bytes as read_mail() makes them.
std::optional<std::string> text_of(const json& object, const char* name, std::size_t limit,
                                   bool has_lines = false) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string()) return std::nullopt;
    auto text = member->get<std::string>();
    if (text.size() > limit) return std::nullopt;
    std::string printable = text;
    if (has_lines) std::replace(printable.begin(), printable.end(), '\n', ' ');
    if (without_direction_controls(sanitize_line(printable, limit)) != printable)
        return std::nullopt;
    return text;
}

std::optional<bool> truth_of(const json& object, const char* name) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_boolean()) return std::nullopt;
    return member->get<bool>();
}

std::optional<TimeMs> date_of(const json& object) {
    const auto member = object.find("date");
    if (member == object.end()) return std::nullopt;
    if (member->is_null()) return 0;
    return member->is_string() ? parse_rfc3339(member->get<std::string>()) : std::nullopt;
}

}  // namespace

std::string to_json(const MailText& mail) {
    const json object = {{"from_name", mail.sender_name},
                         {"from_address", mail.sender_address},
                         {"subject", mail.subject},
                         {"date", mail.date == 0 ? json(nullptr) : json(format_rfc3339(mail.date))},
                         {"message_id", mail.message_id},
                         {"ours", mail.is_ours},
                         {"text", mail.text},
                         {"truncated", mail.truncated}};
    return object.dump();
}

Result<MailText> parse_mail_json(std::string_view text) {
    const auto refuse = [](const std::string& reason) {
        return fail(ErrorKind::kMessage, "read mail", "", "the reader's answer " + reason);
    };
    const json object = json::parse(text, nullptr, false);  // no exceptions; it checks the UTF-8
    if (!object.is_object()) return refuse("is no JSON object");
    MailText mail;
    const char* wrong = nullptr;
    const auto take = [&](auto& member, const char* name, auto value) {
        if (value)
            member = *std::move(value);
        else if (wrong == nullptr)
            wrong = name;
    };
    const auto take_line = [&](std::string& member, const char* name) {
        take(member, name, text_of(object, name, kMailFieldLimit));
    };
    take_line(mail.sender_name, "from_name");
    take_line(mail.sender_address, "from_address");
    take_line(mail.subject, "subject");
    take_line(mail.message_id, "message_id");
    take(mail.date, "date", date_of(object));
    take(mail.is_ours, "ours", truth_of(object, "ours"));
    take(mail.text, "text", text_of(object, "text", kMailTextLimit, true));
    take(mail.truncated, "truncated", truth_of(object, "truncated"));
    if (wrong != nullptr) return refuse(std::string("has no valid \"") + wrong + "\"");
    return mail;
}

}  // namespace vm::mime
