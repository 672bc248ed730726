#include "core/decide.h"

#include "core/delivery.h"

#include <algorithm>

namespace vm {

const char* to_string(ActionKind kind) {
    switch (kind) {
        case ActionKind::kSend:
            return "send";
        case ActionKind::kSearch:
            return "search the account for";
        case ActionKind::kSwitchOff:
            return "take out of the queue";
        case ActionKind::kTranscribe:
            return "transcribe, then send";
    }
    return "unknown";
}

namespace {

// (A mail that was tried before may have arrived, and is what it is.)
bool awaits_transcript(const MessageRecord& record, const PushPolicy& policy) {
    const Message& message = record.message;
    return policy.transcribe && message.kind == MessageKind::kVoice && !message.is_private &&
           record.delivery.state != DeliveryState::kUncertain && record.delivery.attempts == 0 &&
           !policy.transcribed.contains(message.id);
}

}  // namespace

std::optional<std::string> why_not_pushed(const Message& message, const PushPolicy& policy) {
    if (!policy.integration) return "Email Integration is No";
    if (message.kind == MessageKind::kVoice && !policy.send_voice)
        return "Email Integration Send Mode is Fax";
    if (message.kind == MessageKind::kFax && !policy.send_fax)
        return "Email Integration Send Mode is Voice";
    return std::nullopt;
}

Plan decide(const std::vector<MessageRecord>& pending, const PushPolicy& policy, TimeMs now) {
    std::vector<const MessageRecord*> ordered;
    for (const MessageRecord& record : pending) ordered.push_back(&record);
    std::sort(ordered.begin(), ordered.end(), [](const MessageRecord* a, const MessageRecord* b) {
        return std::pair(a->delivery.queued_at, std::string_view(a->message.id)) <
               std::pair(b->delivery.queued_at, std::string_view(b->message.id));
    });

    Plan plan;
    for (const MessageRecord* record : ordered) {
        const Message& message = record->message;
        const Delivery& delivery = record->delivery;
        const bool waiting =
            delivery.state == DeliveryState::kQueued || delivery.state == DeliveryState::kDeferred;
        const bool uncertain = delivery.state == DeliveryState::kUncertain;
        if (!waiting && !uncertain) continue;
        if (message.state == MessageState::kDeleted) continue;  // sent after all when restored
        if (const auto reason = why_not_pushed(message, policy)) {
            // An uncertain one keeps its state: it may lie in the account already.
            if (waiting) plan.actions.push_back({ActionKind::kSwitchOff, message.id, *reason});
            continue;
        }
        if (is_due(delivery, now) && awaits_transcript(*record, policy)) {
            plan.actions.push_back({ActionKind::kTranscribe, message.id, "Transcript is Yes"});
            continue;
        }
        if (!is_due(delivery, now)) {
            const TimeMs next = std::min(delivery.next_attempt, now + kLongestPauseMs);
            plan.wake_at = std::min(plan.wake_at.value_or(next), next);
            continue;
        }
        if (uncertain && policy.account_searchable)
            plan.actions.push_back({ActionKind::kSearch, message.id, "its delivery is uncertain"});
        else
            plan.actions.push_back(
                {ActionKind::kSend, message.id,
                 uncertain ? "its delivery is uncertain and the account cannot be searched"
                           : "due"});
    }
    return plan;
}

}  // namespace vm
