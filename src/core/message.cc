#include "core/message.h"

#include "base/text.h"

#include <array>

namespace vm {

namespace {

// Index = enumerator. One list for both directions.
constexpr std::array<const char*, 3> kKinds{"voice", "fax", "email"};
constexpr std::array<const char*, 3> kStates{"new", "read", "deleted"};
constexpr std::array<const char*, 7> kDeliveries{"off",      "queued", "sending",  "sent",
                                                 "deferred", "failed", "uncertain"};

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<const char*, N>& names, std::string_view text) {
    for (std::size_t i = 0; i < N; ++i)
        if (text == names[i]) return static_cast<Enum>(i);
    return std::nullopt;
}

}  // namespace

const char* to_string(MessageKind kind) {
    return kKinds.at(static_cast<std::size_t>(kind));
}
const char* to_string(MessageState state) {
    return kStates.at(static_cast<std::size_t>(state));
}
const char* to_string(DeliveryState state) {
    return kDeliveries.at(static_cast<std::size_t>(state));
}

std::optional<MessageKind> parse_message_kind(std::string_view text) {
    return parse<MessageKind>(kKinds, text);
}
std::optional<MessageState> parse_message_state(std::string_view text) {
    return parse<MessageState>(kStates, text);
}
std::optional<DeliveryState> parse_delivery_state(std::string_view text) {
    return parse<DeliveryState>(kDeliveries, text);
}

std::optional<std::string> folder_problem(std::string_view name) {
    if (name.empty()) return "it is empty";
    if (name.size() > 100) return "it is longer than 100 bytes";
    if (!is_utf8(name)) return "it is not UTF-8";
    if (sanitize_line(name) != name) return "it contains control characters";
    if (trim(name) != name) return "it begins or ends with a space";
    if (name.front() == '/' || name.back() == '/') return "it begins or ends with a slash";
    return std::nullopt;
}

}  // namespace vm
