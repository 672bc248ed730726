#include "agent/metrics_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace vm::agent {

namespace {

// "12.345", "2.5", "1"
std::string seconds(std::int64_t ms) {
    std::string text = fmt::format("{}.{:03}", ms / 1000, ms % 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
}

std::string shown(const MetricInfo& info, std::int64_t value, TimeMs now) {
    switch (info.shown) {
        case MetricInfo::Shown::kNumber:
            return std::to_string(value);
        case MetricInfo::Shown::kSeconds:
            return seconds(std::max<std::int64_t>(value, 0));
        case MetricInfo::Shown::kAge:
            break;
    }
    return seconds(value <= 0 ? 0 : std::max<std::int64_t>(now - value, 0));
}

std::string sample(const MetricInfo& info, const LabelValues& values, const std::string& value) {
    std::string text = info.name, joint = "{";
    for (std::size_t i = 0; i < values.size(); ++i) {
        text += joint + info.labels.at(i) + "=\"" + escaped_label(values[i]) + '"';
        joint = ",";
    }
    if (!values.empty()) text += '}';
    return text + ' ' + value + '\n';
}

std::string histogram(const MetricInfo& info, const std::map<LabelValues, std::int64_t>& values) {
    const auto of = [&](const std::string& part) {
        const auto found = values.find({part});
        return found == values.end() ? 0 : std::max<std::int64_t>(found->second, 0);
    };
    std::string text;
    std::int64_t total = 0;
    const auto& bounds = latency_bounds_ms();
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
        total += of(std::to_string(i));
        text += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", info.name,
                            i < bounds.size() ? seconds(bounds[i]) : "+Inf", total);
    }
    return text + fmt::format("{0}_sum {1}\n{0}_count {2}\n", info.name, seconds(of("sum")), total);
}

}  // namespace

std::string escaped_label(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') out += '\\';
        out += c;
    }
    return out;
}

std::string metrics_text(const MetricValues& values, TimeMs now) {
    std::string text;
    for (const MetricInfo& info : metric_catalogue()) {
        text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", info.name, info.help,
                            to_string(info.type));
        const auto found = values.find(info.metric);
        const auto series =
            found == values.end() ? std::map<LabelValues, std::int64_t>{} : found->second;
        if (info.type == MetricType::kHistogram)
            text += histogram(info, series);
        else if (series.empty() && info.labels.empty())
            text += sample(info, {}, "0");
        for (const auto& [labels, value] : series)
            if (info.type != MetricType::kHistogram)
                text += sample(info, labels, shown(info, value, now));
    }
    return text;
}

}  // namespace vm::agent
