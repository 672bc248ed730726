#include "app/vmctl_output.h"

#include "base/text.h"

#include <algorithm>

namespace vm::app {

namespace {

Json time_or_null(const std::optional<TimeMs>& time) {
    return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

// Characters, not bytes: every byte but the continuation bytes of UTF-8.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

}  // namespace

std::optional<TimeMs> next_attempt(const Delivery& delivery) {
    switch (delivery.state) {
        case DeliveryState::kQueued:
        case DeliveryState::kDeferred:
        case DeliveryState::kUncertain:
            return delivery.next_attempt;
        case DeliveryState::kOff:
        case DeliveryState::kSending:
        case DeliveryState::kSent:
        case DeliveryState::kFailed:
            break;
    }
    return std::nullopt;
}

Json to_json(const MessageRecord& record) {
    const Message& m = record.message;
    const Delivery& d = record.delivery;
    Json link = nullptr;
    if (record.link) link = {{"folder", record.link->folder}, {"uid", record.link->uid}};
    return {{"id", m.id},
            {"mailbox", m.mailbox},
            {"kind", to_string(m.kind)},
            {"folder", m.folder},
            {"state", to_string(m.state)},
            {"urgent", m.urgent},
            {"private", m.is_private},
            {"caller_number", m.caller_number},
            {"caller_name", m.caller_name},
            {"received", format_rfc3339(m.received)},
            {"duration_ms", m.duration_ms},
            {"pages", m.pages},
            {"size", m.size},
            {"delivery",
             {{"state", to_string(d.state)},
              {"attempts", d.attempts},
              {"next_attempt", time_or_null(next_attempt(d))},
              {"last_reply", d.last_reply}}},
            {"link", std::move(link)}};
}

Json to_json(const store::HistoryEntry& entry) {
    return {{"time", format_rfc3339(entry.time)},
            {"what", entry.what},
            {"from", entry.from},
            {"to", entry.to},
            {"reply", entry.reply}};
}

Json to_json(const std::vector<MessageRecord>& records) {
    Json messages = Json::array();
    for (const MessageRecord& record : records) messages.push_back(to_json(record));
    return {{"messages", std::move(messages)}};
}

void print_json(std::ostream& out, const Json& json) {
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

std::string short_time(TimeMs time) {
    const std::string text = format_rfc3339(time);
    return text.substr(0, 10) + " " + text.substr(11, 8) + "Z";
}

std::string length_of(const Message& message) {
    if (message.kind == MessageKind::kFax)
        return std::to_string(message.pages) + (message.pages == 1 ? " page" : " pages");
    const std::int64_t seconds = (message.duration_ms + 500) / 1000;
    const std::string rest = std::to_string(seconds % 60);
    return std::to_string(seconds / 60) + ":" + (rest.size() < 2 ? "0" : "") + rest;
}

std::string caller_of(const Message& message) {
    std::string out = message.caller_name;
    if (!message.caller_number.empty())
        out += out.empty() ? message.caller_number : " <" + message.caller_number + ">";
    if (out.empty()) out = "unknown";
    std::vector<std::string> flags;
    if (message.urgent) flags.emplace_back("urgent");
    if (message.is_private) flags.emplace_back("private");
    return flags.empty() ? out : out + " (" + join(flags, ", ") + ")";
}

std::string shown(std::string_view text) {
    return without_direction_controls(sanitize_line(text, text.size()));
}

void Table::add(std::vector<std::string> row) {
    for (std::string& cell : row) cell = shown(cell);
    rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(widths[i] - width(row[i]) + 2, ' ');
        out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
    }
}

}  // namespace vm::app
