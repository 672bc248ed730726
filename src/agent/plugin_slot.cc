#include "agent/plugin_slot.h"

#include "base/trace.h"

#include <algorithm>

namespace vm::agent {

bool PluginSlot::refresh(const config::MiscSetup& misc, std::int64_t now) {
    const auto& path = misc.email_dll_path;
    const bool retry = !problem_.empty() && now >= retry_at_;
    if (path.empty() || (path == tried_ && !retry)) return false;
    if (path != tried_) failures_ = 0;
    tried_ = path;
    const std::string before = problem_;
    if (auto loaded = transport::Plugin::load(path)) {
        plugin_ = std::move(*loaded);
        problem_.clear();
        trace(TraceLevel::kInfo, "plugin {}: {}", path.string(), plugin_->description());
    } else {
        problem_ = loaded.error().text();
        const std::int64_t period_ms = misc.repeat_start_up_period_s * 1000;
        retry_at_ = now + std::min<std::int64_t>(period_ms << std::min(failures_++, 8), 600'000);
        if (before != problem_) trace(TraceLevel::kError, "{}", problem_);
    }
    return before != problem_;
}

}  // namespace vm::agent
