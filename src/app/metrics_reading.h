// The metrics of an agent as they were at one moment, read from Prometheus' text format, and what
// became of them between two. Pure.
#ifndef VM_APP_METRICS_READING_H
#define VM_APP_METRICS_READING_H

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vm::app {

class MetricsReading {
  public:
    using Labels = std::map<std::string, std::string>;

    MetricsReading() = default;
    // Lines that are no samples are left out.
    explicit MetricsReading(std::string_view text);

    // The sum over all series of `name` that have these labels, among others; 0 when there is none.
    double sum(const std::string& name, const Labels& labels = {}) const;
    bool has(const std::string& name, const Labels& labels = {}) const;
    // Every value of `label`, whichever metric has it.
    std::set<std::string> values_of(const std::string& label) const;

  private:
    struct Sample {
        Labels labels;
        double value;
    };
    std::map<std::string, std::vector<Sample>> samples_;
};

}  // namespace vm::app

#endif
