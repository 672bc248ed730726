// The metrics in Prometheus' text format, version 0.0.4. Pure; any thread.
#ifndef VM_AGENT_METRICS_TEXT_H
#define VM_AGENT_METRICS_TEXT_H

#include "agent/metrics.h"
#include "base/clock.h"

#include <string>
#include <string_view>

namespace vm::agent {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// Every metric of the catalogue with its HELP and TYPE, and each of its series. Those without
// labels are there from the start. `now`: what ages are told from.
std::string metrics_text(const MetricValues& values, TimeMs now);

// A label's value as it stands between quotes: backslash, quote and line feed escaped.
std::string escaped_label(std::string_view value);

}  // namespace vm::agent

#endif
