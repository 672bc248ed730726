// The transport plugin in force: the one Misc Setup names, as long as it can be loaded.
//
// A plugin that is refused leaves the one loaded before in force, if there is one, and is tried
// again after g_nRepeatStartUpPeriod seconds, then after twice as long each time, up to ten
// minutes. One thread.
#ifndef VM_AGENT_PLUGIN_SLOT_H
#define VM_AGENT_PLUGIN_SLOT_H

#include "config/config.h"
#include "transport/plugin.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vm::agent {

class PluginSlot {
  public:
    // Loads what `misc` names when it changed or is due to be tried again (`now`: steady_ms). True
    // when problem() changed.
    bool refresh(const config::MiscSetup& misc, std::int64_t now);

    const std::optional<transport::Plugin>& plugin() const { return plugin_; }
    // Why the plugin Misc Setup names is not in force; "" when it is.
    const std::string& problem() const { return problem_; }

  private:
    std::optional<transport::Plugin> plugin_;
    std::filesystem::path tried_;
    std::string problem_;
    std::int64_t retry_at_ = 0;
    int failures_ = 0;
};

}  // namespace vm::agent

#endif
