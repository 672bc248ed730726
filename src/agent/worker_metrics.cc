#include "agent/counting.h"
#include "agent/session_options.h"
#include "agent/worker_state.h"
#include "base/trace.h"

#include <algorithm>

namespace vm::agent {

namespace {

// What the store tells is read so often at most, and for so small a part of the time.
constexpr std::int64_t kGaugesMs = 10'000;
constexpr std::int64_t kTimesAsLong = 100;

}  // namespace

// ---- pushing ------------------------------------------------------------------------------------

void Worker::count_turn(const Finished& turn) {
    if (turn.server.empty()) return;  // no server was asked
    const std::string server = server_of(*turn.options);
    count_traffic(&metrics_, server, "smtp", turn.result.traffic);
    metrics_.set(Metric::kServerDownUntil, {server},
                 pause_end(gate_.down_until(turn.server), clock_));
}

// ---- what the store tells -----------------------------------------------------------------------

// Each worker tells of the mailboxes of its share; those in quarantine among them.
void Worker::update_gauges() {
    if (options_.alone || !options_.metrics) return;
    if (clock_.steady_ms() < next_gauges_ || (mark_ == gauges_mark_ && !gauges_stale_)) return;
    const std::int64_t began = clock_.steady_ms();
    gauges_mark_ = mark_;
    gauges_stale_ = false;
    const auto depths = store_->queue_depths();
    const auto statuses = store_->statuses();
    if (depths) count_queue(*depths);
    if (statuses) count_mailboxes(*statuses);
    for (const Error* error :
         {depths ? nullptr : &depths.error(), statuses ? nullptr : &statuses.error()})
        if (error) {
            trace(TraceLevel::kError, "metrics: {}", error->text());
            gauges_stale_ = true;
        }
    const std::int64_t now = clock_.steady_ms();
    next_gauges_ = now + std::max(kGaugesMs, (now - began) * kTimesAsLong);
}

void Worker::count_queue(const std::vector<store::Store::QueueDepth>& depths) {
    const auto settings = settings_.current();
    for (auto& [labels, value] : queue_gauges_) value = 0;
    TimeMs oldest = 0;
    for (const store::Store::QueueDepth& depth : depths) {
        if (!is_of_my_share(depth.mailbox)) continue;
        const auto found = settings->mailboxes.find(depth.mailbox);
        const bool has_server = found != settings->mailboxes.end() && found->second.options &&
                                !found->second.options->smtp.host.empty();
        queue_gauges_[{has_server ? server_of(*found->second.options) : "",
                       to_string(depth.state)}] += depth.deliveries;
        if (depth.state == DeliveryState::kFailed) continue;  // it does not wait
        oldest = oldest == 0 ? depth.oldest : std::min(oldest, depth.oldest);
    }
    for (const auto& [labels, value] : queue_gauges_) metrics_.set(Metric::kQueue, labels, value);
    metrics_.set(Metric::kOldestQueued, {}, oldest);
}

void Worker::count_mailboxes(const std::vector<store::MailboxStatus>& statuses) {
    const auto settings = settings_.current();
    std::map<std::string, std::int64_t> states{{"ok", 0}, {"hold", 0}, {"error", 0}, {"off", 0}};
    for (const store::MailboxStatus& status : statuses) {
        // (One that was deleted has a status yet.)
        const bool is_there =
            settings->mailboxes.contains(status.mailbox) || excluded_.contains(status.mailbox);
        if (is_there && is_of_my_share(status.mailbox)) ++states[status.state];
    }
    for (const auto& [state, count] : states) metrics_.set(Metric::kMailboxes, {state}, count);
}

}  // namespace vm::agent
