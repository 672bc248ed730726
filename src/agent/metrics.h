// What the agent counts: a table of fixed slots in memory that the master maps before it forks, and
// shares with its workers. A slot is one series, a metric with values of its labels.
//
// - Counters are everybody's: what a worker has counted stays when it dies.
// - A gauge's slot belongs to the process that set it, and goes with it (MetricsTable::ended): what
//   a dead worker has set is not counted beside what its successor sets. read() merges them.
// - A slot is claimed by compare-and-swap; there is no lock that a dead process could hold. A
//   process that dies while it claims one costs this slot. When none is left, or the labels are too
//   long for one, the series is not counted, but that it is not.
//
// MetricsTable: made, read and told of ended processes by the master. Metrics: one a process, made
// after the fork; any thread.
#ifndef VM_AGENT_METRICS_H
#define VM_AGENT_METRICS_H

#include "agent/metric_catalogue.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace vm::agent {

using LabelValues = std::vector<std::string>;

// All that is counted, as whole numbers. Of a histogram the values of the one label are the number
// of a bucket, whose value is not cumulative, and "sum".
using MetricValues = std::map<Metric, std::map<LabelValues, std::int64_t>>;

class MetricsTable {
  public:
    static constexpr std::size_t kSlots = 4096;

    // Where there is no memory for it nothing is ever counted.
    explicit MetricsTable(std::size_t slots = kSlots);
    ~MetricsTable();
    MetricsTable(const MetricsTable&) = delete;
    MetricsTable& operator=(const MetricsTable&) = delete;

    // What a dying process may have scribbled is left out.
    MetricValues read() const;
    // The process was reaped: its gauges end.
    void ended(pid_t process);

    // For a test: called by a process between the claim of a slot and its use.
    std::function<void()> claimed;

  private:
    friend class Metrics;
    enum State : std::uint32_t { kFree, kTaken, kReady };
    struct Slot {
        std::atomic<std::uint32_t> state;
        std::uint32_t metric;
        std::atomic<std::int64_t> value;
        pid_t owner;  // of a gauge; 0: everybody's
        // The values one behind the other, each with a zero at its end, and zeros up to the end. A
        // host name has 253 bytes.
        std::array<char, 300> labels;
    };
    struct Header {
        std::atomic<std::uint64_t> dropped;
        // No slot from here on was ever claimed: what is not looked at costs no memory.
        std::atomic<std::uint64_t> used;
    };
    static_assert(std::atomic<std::int64_t>::is_always_lock_free &&
                  std::atomic<std::uint32_t>::is_always_lock_free);

    Slot* find(Metric metric, pid_t owner, const std::array<char, 300>& labels) const;
    Slot* claim(Metric metric, pid_t owner, const std::array<char, 300>& labels);

    std::size_t count_;
    Header* header_ = nullptr;
    Slot* slots_ = nullptr;
};

class Metrics {
  public:
    // `table` may be null: then nothing is counted.
    explicit Metrics(MetricsTable* table);
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // To a counter or a gauge. A counter does not go back: less than 0 is nothing.
    void add(Metric metric, const LabelValues& labels, std::int64_t by = 1);
    // Of a gauge.
    void set(Metric metric, const LabelValues& labels, std::int64_t value);
    // Into a histogram.
    void observe(Metric metric, std::int64_t value);

  private:
    MetricsTable::Slot* slot(Metric metric, const LabelValues& labels);

    MetricsTable* const table_;
    const pid_t process_;
    std::mutex mutex_;
    // Guarded by mutex_; null: there was no room for it.
    std::map<std::pair<Metric, LabelValues>, MetricsTable::Slot*> known_;
};

// One more in a gauge for as long as the object lives. `metrics` may be null.
class CountedIn {
  public:
    CountedIn(Metrics* metrics, Metric gauge, LabelValues labels = {});
    ~CountedIn();
    CountedIn(const CountedIn&) = delete;
    CountedIn& operator=(const CountedIn&) = delete;

  private:
    Metrics* const metrics_;
    const Metric gauge_;
    const LabelValues labels_;
};

}  // namespace vm::agent

#endif
