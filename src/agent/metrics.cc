#include "agent/metrics.h"

#include "base/text.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace vm::agent {

namespace {

using Labels = std::array<char, 300>;

std::optional<Labels> packed(const LabelValues& values) {
    Labels out{};
    std::size_t used = 0;
    for (const std::string& value : values) {
        if (value.find('\0') != std::string::npos || used + value.size() + 1 > out.size())
            return std::nullopt;
        used += value.copy(out.data() + used, value.size()) + 1;
    }
    return out;
}

// nullopt: these are no `count` values.
std::optional<LabelValues> unpacked(const Labels& labels, std::size_t count) {
    std::string_view rest(labels.data(), labels.size());
    LabelValues out;
    while (out.size() < count) {
        const auto end = rest.find('\0');
        if (end == std::string_view::npos || !is_utf8(rest.substr(0, end))) return std::nullopt;
        out.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    if (rest.find_first_not_of('\0') != std::string_view::npos) return std::nullopt;
    return out;
}

// How many values the series of a metric has in the table.
std::size_t values_of(const MetricInfo& info) {
    return info.labels.size() + (info.type == MetricType::kHistogram ? 1 : 0);
}

void merge(MetricInfo::Merge how, std::int64_t& into, std::int64_t value) {
    switch (how) {
        case MetricInfo::Merge::kSum:
            into += value;
            break;
        case MetricInfo::Merge::kLatest:
            into = std::max(into, value);
            break;
        case MetricInfo::Merge::kEarliest:
            if (value != 0) into = into == 0 ? value : std::min(into, value);
            break;
    }
}

template <class T>
T* shared_zeros(std::size_t count) {
    void* const memory = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

}  // namespace

// ---- the table ----------------------------------------------------------------------------------

MetricsTable::MetricsTable(std::size_t slots)
    : count_(slots), header_(shared_zeros<Header>(1)), slots_(shared_zeros<Slot>(slots)) {
    if (header_ && slots_) return;
    count_ = 0;
}

MetricsTable::~MetricsTable() {
    if (header_) ::munmap(header_, sizeof(Header));
    if (slots_) ::munmap(slots_, count_ * sizeof(Slot));
}

MetricsTable::Slot* MetricsTable::find(Metric metric, pid_t owner, const Labels& labels) const {
    if (count_ == 0) return nullptr;
    const std::size_t used = std::min<std::size_t>(header_->used.load(), count_);
    for (Slot* slot = slots_; slot != slots_ + used; ++slot)
        if (slot->state == kReady && slot->metric == static_cast<std::uint32_t>(metric) &&
            slot->owner == owner && slot->labels == labels)
            return slot;
    return nullptr;
}

// Two processes that claim the same series at the same time have a slot each, which read() merges.
MetricsTable::Slot* MetricsTable::claim(Metric metric, pid_t owner, const Labels& labels) {
    for (std::size_t i = 0; i < count_; ++i) {
        Slot& slot = slots_[i];
        std::uint32_t free = kFree;
        if (!slot.state.compare_exchange_strong(free, kTaken)) continue;
        if (claimed) claimed();
        slot.value = 0;
        slot.metric = static_cast<std::uint32_t>(metric);
        slot.owner = owner;
        slot.labels = labels;
        std::uint64_t used = header_->used;
        while (used <= i && !header_->used.compare_exchange_weak(used, i + 1)) {
        }
        slot.state = kReady;
        return &slot;
    }
    return nullptr;
}

MetricValues MetricsTable::read() const {
    MetricValues out;
    if (count_ == 0) return out;
    const auto dropped = static_cast<std::int64_t>(header_->dropped.load());
    out[Metric::kDropped][{}] = std::max<std::int64_t>(dropped, 0);
    const std::size_t used = std::min<std::size_t>(header_->used.load(), count_);
    for (const Slot* slot = slots_; slot != slots_ + used; ++slot) {
        if (slot->state != kReady || slot->metric >= metric_catalogue().size()) continue;
        const auto metric = static_cast<Metric>(slot->metric);
        const MetricInfo& info = info_of(metric);
        const auto values = unpacked(slot->labels, values_of(info));
        if (!values) continue;
        merge(info.merge, out[metric][*values], slot->value);
    }
    return out;
}

void MetricsTable::ended(pid_t process) {
    if (count_ == 0 || process == 0) return;
    const std::size_t used = std::min<std::size_t>(header_->used.load(), count_);
    for (Slot* slot = slots_; slot != slots_ + used; ++slot)
        if (slot->state == kReady && slot->owner == process) slot->state = kFree;
}

// ---- counting -----------------------------------------------------------------------------------

Metrics::Metrics(MetricsTable* table) : table_(table), process_(::getpid()) {}

MetricsTable::Slot* Metrics::slot(Metric metric, const LabelValues& labels) {
    if (!table_ || table_->count_ == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] = known_.try_emplace({metric, labels}, nullptr);
    if (!is_new) return known->second;
    const MetricInfo& info = info_of(metric);
    const pid_t owner = info.type == MetricType::kGauge ? process_ : 0;
    if (const auto key = packed(labels); key && labels.size() == values_of(info)) {
        known->second = table_->find(metric, owner, *key);
        if (!known->second) known->second = table_->claim(metric, owner, *key);
    }
    if (!known->second) ++table_->header_->dropped;
    return known->second;
}

void Metrics::add(Metric metric, const LabelValues& labels, std::int64_t by) {
    if (by < 0 && info_of(metric).type != MetricType::kGauge) return;
    if (MetricsTable::Slot* const of = slot(metric, labels)) of->value += by;
}

void Metrics::set(Metric metric, const LabelValues& labels, std::int64_t value) {
    if (MetricsTable::Slot* const of = slot(metric, labels)) of->value = value;
}

void Metrics::observe(Metric metric, std::int64_t value) {
    const auto& bounds = latency_bounds_ms();
    value = std::max<std::int64_t>(value, 0);
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
    add(metric, {"sum"}, value);
    add(metric, {std::to_string(bucket)});
}

CountedIn::CountedIn(Metrics* metrics, Metric gauge, LabelValues labels)
    : metrics_(metrics), gauge_(gauge), labels_(std::move(labels)) {
    if (metrics_) metrics_->add(gauge_, labels_, 1);
}

CountedIn::~CountedIn() {
    if (metrics_) metrics_->add(gauge_, labels_, -1);
}

}  // namespace vm::agent
