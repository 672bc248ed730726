// The deaths of workers, in run/vmemaild.deaths: what `vmctl status` says of the agent's health. A
// line a death, "RFC3339-time words"; the last hundred. Written by the master, read by anybody.
#ifndef VM_AGENT_DEATHS_H
#define VM_AGENT_DEATHS_H

#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"

#include <string>

namespace vm::agent {

// `words`: "signal 11 (Segmentation fault) while sending the messages of 101".
Result<> note_death(const Paths& paths, TimeMs at, const std::string& words);

struct RecentDeaths {
    int count = 0;
    TimeMs last = 0;
    std::string words;  // of the last
};
inline constexpr std::int64_t kRecentMs = 600'000;
// Those of the last ten minutes; of a file that cannot be read, none.
RecentDeaths recent_deaths(const Paths& paths, TimeMs now);

}  // namespace vm::agent

#endif
