// The transport plugin in force: the one Misc Setup names, as long as it can be loaded.
//
// A plugin that is refused leaves the one loaded before in force, if there is one, and is tried
// again when its file changed, or after g_nRepeatStartUpPeriod seconds, then after twice as long
// each time, up to ten minutes. So is one that a worker died of while it was loading it. One
// thread.
#ifndef VM_AGENT_PLUGIN_SLOT_H
#define VM_AGENT_PLUGIN_SLOT_H

#include "base/files.h"
#include "config/config.h"
#include "transport/plugin.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vm::agent {

// A plugin that ended a worker's process while it was loaded.
struct PluginCrash {
    std::filesystem::path file;  // as Misc Setup names it
    FileStamp stamp;             // of the file then
    std::string problem;
    int times = 1;  // in a row
};

class PluginSlot {
  public:
    // With `crash`, that plugin counts as refused so many times already.
    explicit PluginSlot(const std::optional<PluginCrash>& crash = std::nullopt);

    // How long after `failures` refusals in a row (1: the first) the next try is made.
    static std::int64_t pause_ms(const config::MiscSetup& misc, int failures);

    // Loads what `misc` names when it changed or is due to be tried again (`now`: steady_ms). True
    // when problem() changed.
    bool refresh(const config::MiscSetup& misc, std::int64_t now);

    const std::optional<transport::Plugin>& plugin() const { return plugin_; }
    // Why the plugin Misc Setup names is not in force; "" when it is.
    const std::string& problem() const { return problem_; }

  private:
    std::optional<transport::Plugin> plugin_;
    std::filesystem::path tried_;
    FileStamp stamp_;  // of tried_ before it was tried
    std::string problem_;
    std::optional<std::int64_t> retry_at_;  // none: by the next refresh()
    int failures_ = 0;
};

}  // namespace vm::agent

#endif
