#include "app/metrics_reading.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace vm::app {

namespace {

// Takes `{name="value",…}` off `rest`; nullopt when it is none.
std::optional<MetricsReading::Labels> take_labels(std::string_view& rest) {
    MetricsReading::Labels labels;
    if (!rest.starts_with('{')) return labels;
    rest.remove_prefix(1);
    while (!rest.starts_with('}')) {
        const auto equals = rest.find("=\"");
        if (equals == std::string_view::npos) return std::nullopt;
        std::string& value = labels[std::string(rest.substr(0, equals))];
        rest.remove_prefix(equals + 2);
        while (!rest.empty() && rest.front() != '"') {
            char c = rest.front();
            if (c == '\\' && rest.size() > 1) {
                rest.remove_prefix(1);
                c = rest.front() == 'n' ? '\n' : rest.front();
            }
            value += c;
            rest.remove_prefix(1);
        }
        if (rest.empty()) return std::nullopt;
        rest.remove_prefix(1);
        if (rest.starts_with(',')) rest.remove_prefix(1);
    }
    rest.remove_prefix(1);
    return labels;
}

bool includes(const MetricsReading::Labels& all, const MetricsReading::Labels& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
        const auto found = all.find(label.first);
        return found != all.end() && found->second == label.second;
    });
}

}  // namespace

MetricsReading::MetricsReading(std::string_view text) {
    for (const std::string& line : split(text, '\n')) {
        std::string_view rest = trim(line);
        if (rest.empty() || rest.starts_with('#')) continue;
        const std::string name(rest.substr(0, rest.find_first_of("{ ")));
        rest.remove_prefix(name.size());
        auto labels = take_labels(rest);
        if (!labels) continue;
        rest = trim(rest);
        double value = 0;
        const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), value);
        if (end.ec == std::errc()) samples_[name].push_back({std::move(*labels), value});
    }
}

double MetricsReading::sum(const std::string& name, const Labels& labels) const {
    double total = 0;
    const auto found = samples_.find(name);
    if (found == samples_.end()) return total;
    for (const Sample& sample : found->second)
        if (includes(sample.labels, labels)) total += sample.value;
    return total;
}

bool MetricsReading::has(const std::string& name, const Labels& labels) const {
    const auto found = samples_.find(name);
    return found != samples_.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const Sample& sample) { return includes(sample.labels, labels); });
}

std::set<std::string> MetricsReading::values_of(const std::string& label) const {
    std::set<std::string> out;
    for (const auto& [name, samples] : samples_)
        for (const Sample& sample : samples)
            if (const auto found = sample.labels.find(label); found != sample.labels.end())
                out.insert(found->second);
    return out;
}

}  // namespace vm::app
