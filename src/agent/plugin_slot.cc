#include "agent/plugin_slot.h"

#include "base/trace.h"

#include <algorithm>

namespace vm::agent {

PluginSlot::PluginSlot(const std::optional<PluginCrash>& crash) {
    if (!crash) return;
    tried_ = crash->file;
    stamp_ = crash->stamp;
    problem_ = crash->problem;
    failures_ = crash->times;
}

std::int64_t PluginSlot::pause_ms(const config::MiscSetup& misc, int failures) {
    const std::int64_t period_ms = misc.repeat_start_up_period_s * 1000;
    return std::min<std::int64_t>(period_ms << std::clamp(failures - 1, 0, 8), 600'000);
}

bool PluginSlot::refresh(const config::MiscSetup& misc, std::int64_t now) {
    const auto& path = misc.email_dll_path;
    if (path.empty()) return false;
    const FileStamp stamp = file_stamp(path);
    if (path == tried_) {
        if (problem_.empty()) return false;
        if (!retry_at_) retry_at_ = now + pause_ms(misc, failures_);
        if (now < *retry_at_ && stamp == stamp_) return false;
    } else {
        failures_ = 0;
    }
    tried_ = path;
    stamp_ = stamp;
    const std::string before = problem_;
    if (auto loaded = transport::Plugin::load(path)) {
        plugin_ = std::move(*loaded);
        problem_.clear();
        trace(TraceLevel::kInfo, "plugin {}: {}", path.string(), plugin_->description());
    } else {
        problem_ = loaded.error().text();
        retry_at_ = now + pause_ms(misc, ++failures_);
        if (before != problem_) trace(TraceLevel::kError, "{}", problem_);
    }
    return before != problem_;
}

}  // namespace vm::agent
