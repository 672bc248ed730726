// The agent's metrics: their names, types, labels and meaning, written down once. The exposition,
// `vmctl metrics --list`, vmemail-metrics(7) and the test of the dashboard are held to this table.
// Immutable; any thread.
#ifndef VM_AGENT_METRIC_CATALOGUE_H
#define VM_AGENT_METRIC_CATALOGUE_H

#include <cstdint>
#include <string>
#include <vector>

namespace vm::agent {

enum class Metric : std::uint32_t {
    kDeliveries,
    kPasses,
    kChanges,
    kConnections,
    kBytesSent,
    kBytesReceived,
    kRoundTrips,
    kLinkLatency,
    kQueue,
    kOldestQueued,
    kMailboxes,
    kAccounts,
    kAccountsLookedAt,
    kIdleConnections,
    kPassesRunning,
    kTurnsRunning,
    kServerDownUntil,
    kQuarantined,
    kQuarantines,
    kWorkerDeaths,
    kPluginCrashes,
    kStartTime,
    kTranscripts,
    kDropped,
};

enum class MetricType { kCounter, kGauge, kHistogram };
const char* to_string(MetricType type);

struct MetricInfo {
    Metric metric;
    const char* name;
    MetricType type;
    std::vector<std::string> labels;
    // What several processes say about one series becomes.
    enum class Merge { kSum, kLatest, kEarliest } merge;
    // A number, a time or span in milliseconds that is shown in seconds, or a time whose age is.
    enum class Shown { kNumber, kSeconds, kAge } shown;
    const char* help;  // one line
};

// In the order of Metric.
const std::vector<MetricInfo>& metric_catalogue();
const MetricInfo& info_of(Metric metric);

// Upper bounds of the buckets of a histogram, in milliseconds, ascending; one more is +Inf.
const std::vector<std::int64_t>& latency_bounds_ms();

}  // namespace vm::agent

#endif
