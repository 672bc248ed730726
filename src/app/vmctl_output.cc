#include "app/vmctl_output.h"

#include "base/text.h"

namespace vm::app {

namespace {

Json time_or_null(const std::optional<TimeMs>& time) {
    return time ? Json(format_rfc3339(*time)) : Json(nullptr);
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
    Json out = {{"id", m.id},
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
    if (!m.origin.empty()) out["origin"] = m.origin;
    if (m.kind == MessageKind::kEmail) {
        out["sender"] = m.sender;
        out["subject"] = m.subject;
    }
    return out;
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

std::string short_time(TimeMs time) {
    const std::string text = format_rfc3339(time);
    return text.substr(0, 10) + " " + text.substr(11, 8) + "Z";
}

std::string length_of(const Message& message) {
    if (message.kind == MessageKind::kEmail)
        return std::to_string(message.size) + (message.size == 1 ? " byte" : " bytes");
    if (message.kind == MessageKind::kFax)
        return std::to_string(message.pages) + (message.pages == 1 ? " page" : " pages");
    const std::int64_t seconds = (message.duration_ms + 500) / 1000;
    const std::string rest = std::to_string(seconds % 60);
    return std::to_string(seconds / 60) + ":" + (rest.size() < 2 ? "0" : "") + rest;
}

std::string caller_of(const Message& message) {
    std::string out = message.caller_name;
    const bool email = message.kind == MessageKind::kEmail;
    const std::string& address = email ? message.sender : message.caller_number;
    if (!address.empty() && address != out) out += out.empty() ? address : " <" + address + ">";
    if (out.empty()) out = "unknown";
    std::vector<std::string> flags;
    if (message.urgent) flags.emplace_back("urgent");
    if (message.is_private) flags.emplace_back("private");
    return flags.empty() ? out : out + " (" + join(flags, ", ") + ")";
}

}  // namespace vm::app
