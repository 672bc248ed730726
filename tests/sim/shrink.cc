#include "shrink.h"

#include <algorithm>

namespace vm::sim {

namespace {

// Without numbers: a message has another one when another was left out.
std::string rule_of(const std::string& violation) {
    std::string out;
    std::copy_if(violation.begin(), violation.end(), std::back_inserter(out),
                 [](char c) { return c < '0' || c > '9'; });
    return out;
}

}  // namespace

Schedule shrink(Schedule schedule, const std::string& violation, Ground& ground) {
    const std::string rule = rule_of(violation);
    const auto still = [&](const Schedule& candidate) {
        return rule_of(run_schedule(candidate, ground, false).violation) == rule;
    };
    // Large pieces first; then as long as one event can go.
    for (std::size_t size = std::max<std::size_t>(schedule.events.size() / 2, 1); size > 0;) {
        bool smaller = false;
        for (std::size_t at = 0; at < schedule.events.size();) {
            Schedule candidate = schedule;
            const auto from = candidate.events.begin() + static_cast<std::ptrdiff_t>(at);
            const std::size_t count = std::min(size, candidate.events.size() - at);
            candidate.events.erase(from, from + static_cast<std::ptrdiff_t>(count));
            if (still(candidate)) {
                schedule = std::move(candidate);
                smaller = true;
            } else {
                at += size;
            }
        }
        if (!smaller || size > 1) size = size > 1 ? size / 2 : 0;
    }
    return schedule;
}

}  // namespace vm::sim
