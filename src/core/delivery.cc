#include "core/delivery.h"

#include "base/text.h"

#include <algorithm>

namespace vm {

namespace {

constexpr std::int64_t kFirstDelayMs = 30'000;
constexpr std::int64_t kLongestDelayMs = 7'200'000;
constexpr double kLeastFactor = 0.75, kMostFactor = 1.25;

struct Transition {
    DeliveryState from;
    DeliveryEvent event;
    DeliveryState to;
};

using S = DeliveryState;
using E = DeliveryEvent;

constexpr Transition kTransitions[] = {
    {S::kOff, E::kRequeue, S::kQueued},           {S::kQueued, E::kIntent, S::kSending},
    {S::kQueued, E::kSwitchOff, S::kOff},         {S::kQueued, E::kGiveUp, S::kFailed},
    {S::kSending, E::kAccepted, S::kSent},        {S::kSending, E::kDeferral, S::kDeferred},
    {S::kSending, E::kFailure, S::kFailed},       {S::kSending, E::kReplyLost, S::kUncertain},
    {S::kSending, E::kRestart, S::kUncertain},    {S::kSending, E::kGiveUp, S::kFailed},
    {S::kDeferred, E::kIntent, S::kSending},      {S::kDeferred, E::kRequeue, S::kQueued},
    {S::kDeferred, E::kSwitchOff, S::kOff},       {S::kDeferred, E::kGiveUp, S::kFailed},
    {S::kUncertain, E::kIntent, S::kSending},     {S::kUncertain, E::kFound, S::kSent},
    {S::kUncertain, E::kRequeue, S::kUncertain},  {S::kUncertain, E::kDeferral, S::kUncertain},
    {S::kUncertain, E::kGiveUp, S::kFailed},      {S::kFailed, E::kRequeue, S::kQueued},
    {S::kSent, E::kResend, S::kQueued},           {S::kQueued, E::kFound, S::kSent},
    {S::kDeferred, E::kFound, S::kSent},          {S::kFailed, E::kFound, S::kSent},
    {S::kQueued, E::kPostpone, S::kDeferred},     {S::kDeferred, E::kPostpone, S::kDeferred},
    {S::kUncertain, E::kPostpone, S::kUncertain}, {S::kQueued, E::kAbandon, S::kFailed},
    {S::kDeferred, E::kAbandon, S::kFailed},      {S::kUncertain, E::kAbandon, S::kFailed},
    {S::kFailed, E::kLookAgain, S::kUncertain},
};

}  // namespace

const std::int64_t kLongestPauseMs =
    static_cast<std::int64_t>(kLongestDelayMs * kMostFactor) * kUncertainFactor;

const char* to_string(DeliveryEvent event) {
    switch (event) {
        case E::kIntent:
            return "intent";
        case E::kAccepted:
            return "accepted";
        case E::kDeferral:
            return "deferral";
        case E::kFailure:
            return "failure";
        case E::kReplyLost:
            return "reply lost";
        case E::kRestart:
            return "restart";
        case E::kFound:
            return "found";
        case E::kRequeue:
            return "requeue";
        case E::kLookAgain:
            return "look again";
        case E::kSwitchOff:
            return "switch off";
        case E::kGiveUp:
            return "give up";
        case E::kResend:
            return "resend";
        case E::kPostpone:
            return "postpone";
        case E::kAbandon:
            return "abandon";
    }
    return "unknown";
}

std::optional<DeliveryState> next_state(DeliveryState state, DeliveryEvent event) {
    for (const Transition& t : kTransitions)
        if (t.from == state && t.event == event) return t.to;
    return std::nullopt;
}

std::string resent_message_id(const std::string& message_id) {
    const auto at = message_id.rfind('@');
    if (at == std::string::npos) return {};
    const std::string left = message_id.substr(0, at), domain = message_id.substr(at);
    const auto dot = left.rfind('.');
    const auto times = dot == std::string::npos ? std::nullopt : parse_int(left.substr(dot + 1));
    if (!times) return left + ".1" + domain;
    return left.substr(0, dot + 1) + std::to_string(*times + 1) + domain;
}

bool is_over(const Delivery& delivery, std::int64_t timeout_ms, TimeMs now) {
    return now - delivery.queued_at >= timeout_ms;
}

DeliveryEvent outcome_after(DeliveryState before, DeliveryEvent event) {
    const bool refused = event == E::kDeferral || event == E::kFailure;
    return before == S::kUncertain && refused ? E::kReplyLost : event;
}

bool is_due(TimeMs next_attempt, TimeMs now) {
    return next_attempt <= now || next_attempt - now > kLongestPauseMs;
}

bool is_due(const Delivery& delivery, TimeMs now) {
    if (delivery.postponed) return delivery.next_attempt <= now;
    return delivery.state == S::kQueued || is_due(delivery.next_attempt, now);
}

std::int64_t backoff_ms(int attempts, double jitter) {
    std::int64_t delay = kFirstDelayMs;
    for (int i = 1; i < attempts && delay < kLongestDelayMs; ++i) delay *= 2;
    delay = std::min(delay, kLongestDelayMs);
    return static_cast<std::int64_t>(static_cast<double>(delay) *
                                     (kLeastFactor + jitter * (kMostFactor - kLeastFactor)));
}

}  // namespace vm
