#include "core/message.h"

#include <array>

namespace vm {

namespace {

// Index = enumerator. One list for both directions.
constexpr std::array<const char*, 2> kKinds{"voice", "fax"};
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

}  // namespace vm
