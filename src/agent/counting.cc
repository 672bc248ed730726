#include "agent/counting.h"

#include "agent/session_options.h"

namespace vm::agent {

namespace {

const char* outcome_of(DeliveryEvent event) {
    switch (event) {
        case DeliveryEvent::kAccepted:
        case DeliveryEvent::kFound:
            return "sent";
        case DeliveryEvent::kDeferral:
            return "deferred";
        case DeliveryEvent::kFailure:
        case DeliveryEvent::kGiveUp:
            return "failed";
        case DeliveryEvent::kReplyLost:
            return "uncertain";
        case DeliveryEvent::kSwitchOff:
            return "switched_off";
        default:
            return nullptr;
    }
}

}  // namespace

void count_delivery(Metrics* metrics, const config::MailboxOptions& mailbox, DeliveryEvent event) {
    const char* const outcome = outcome_of(event);
    if (!metrics || !outcome) return;
    metrics->add(Metric::kDeliveries,
                 {mailbox.smtp.host.empty() ? "" : server_of(mailbox), outcome});
}

void count_traffic(Metrics* metrics, const std::string& server, const std::string& protocol,
                   const transport::Traffic& traffic) {
    if (!metrics) return;
    const LabelValues labels{server, protocol};
    const auto add = [&](Metric metric, std::uint64_t by) {
        if (by > 0) metrics->add(metric, labels, static_cast<std::int64_t>(by));
    };
    add(Metric::kConnections, traffic.connections);
    add(Metric::kBytesSent, traffic.bytes_sent);
    add(Metric::kBytesReceived, traffic.bytes_received);
    add(Metric::kRoundTrips, traffic.round_trips);
}

TimeMs pause_end(std::int64_t until, const Clock& clock) {
    const std::int64_t left = until - clock.steady_ms();
    return left > 0 ? clock.now() + left : 0;
}

void count_link(Metrics* metrics, store::Store& store, const std::string& id) {
    if (!metrics) return;
    const auto history = store.history(id);
    if (!history) return;
    if (const auto latency = link_latency_ms(*history))
        metrics->observe(Metric::kLinkLatency, *latency);
}

std::optional<std::int64_t> link_latency_ms(const std::vector<store::HistoryEntry>& history) {
    std::optional<TimeMs> sent;
    std::optional<std::int64_t> latency;
    for (const store::HistoryEntry& entry : history) {
        if (entry.what == "delivery" && entry.to == to_string(DeliveryState::kSent)) {
            sent = entry.time;
            latency.reset();
        } else if (entry.what == "link" && !entry.to.empty() && sent && !latency) {
            latency = entry.time - *sent;
        }
    }
    return latency;
}

}  // namespace vm::agent
