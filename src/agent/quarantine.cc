#include "agent/quarantine.h"

#include "base/text.h"
#include "core/delivery.h"

#include <algorithm>
#include <array>

namespace vm::agent {

namespace {

constexpr std::int64_t kRememberedMs = 3'600'000;
// By how often the mailbox returned to its share in vain.
constexpr std::array<std::int64_t, 4> kStaysMs{0, 60'000, 300'000, 1'800'000};
// A worker that lived this long did not die of its start: it is started again at once.
constexpr std::int64_t kHealthyMs = 10'000;
constexpr std::int64_t kLongestRestartMs = 60'000;
// What stands between the least and the greatest: there is no crowd of them to be spread.
constexpr double kNoJitter = 0.5;

}  // namespace

void Quarantine::died(const std::string& mailbox, Death death, std::int64_t steady) {
    std::erase_if(entries_, [&](const auto& entry) {
        return !entry.second.held && entry.second.forget_at <= steady;
    });
    Entry& entry = entries_[mailbox];
    if (!entry.held) entry.deaths = 0;
    entry.held = true;
    ++entry.deaths;
    if (death.alone) ++entry.deaths_alone;
    entry.try_at =
        steady + (entry.deaths_alone == 0 ? 0 : backoff_ms(entry.deaths_alone, kNoJitter));
    entry.last = std::move(death);
}

void Quarantine::released(const std::string& mailbox, std::int64_t steady) {
    const auto entry = entries_.find(mailbox);
    if (entry == entries_.end()) return;
    entry->second.held = false;
    ++entry->second.returns;
    entry->second.forget_at = steady + kRememberedMs;
}

bool Quarantine::end_pause(const std::string& mailbox) {
    if (!holds(mailbox)) return false;
    entries_.at(mailbox).try_at = 0;
    return true;
}

std::int64_t Quarantine::stay_ms(const std::string& mailbox) const {
    const auto entry = entries_.find(mailbox);
    if (entry == entries_.end()) return 0;
    const auto returns = static_cast<std::size_t>(entry->second.returns);
    return kStaysMs.at(std::min(returns, kStaysMs.size() - 1));
}

bool Quarantine::holds(const std::string& mailbox) const {
    const auto entry = entries_.find(mailbox);
    return entry != entries_.end() && entry->second.held;
}

std::set<std::string> Quarantine::mailboxes() const {
    std::set<std::string> out;
    for (const auto& [mailbox, entry] : entries_)
        if (entry.held) out.insert(mailbox);
    return out;
}

std::vector<std::string> Quarantine::due(std::int64_t steady) const {
    std::vector<std::pair<std::int64_t, std::string>> found;
    for (const auto& [mailbox, entry] : entries_)
        if (entry.held && entry.try_at <= steady) found.emplace_back(entry.try_at, mailbox);
    std::sort(found.begin(), found.end());
    std::vector<std::string> out;
    out.reserve(found.size());
    for (auto& [at, mailbox] : found) out.push_back(std::move(mailbox));
    return out;
}

std::string Quarantine::words(const std::vector<Work>& works) {
    std::vector<std::string> out;
    out.reserve(works.size());
    for (const Work work : works) out.emplace_back(to_string(work));
    return join(out, " and ");
}

std::string Quarantine::what_happened(const std::string& mailbox) const {
    const auto found = entries_.find(mailbox);
    if (found == entries_.end()) return {};
    const Death& death = found->second.last;
    return "the worker died of " + death.how +
           (death.works.empty() ? "" : " while " + words(death.works));
}

std::string Quarantine::words(const std::string& mailbox, std::int64_t steady, TimeMs now,
                              bool goes_on) const {
    const auto found = entries_.find(mailbox);
    if (found == entries_.end()) return {};
    const Entry& entry = found->second;
    const std::string times =
        entry.deaths == 1 ? "" : ", the last of " + std::to_string(entry.deaths) + " times";
    const std::string before = "in quarantine: " + what_happened(mailbox) + " at " +
                               format_rfc3339(entry.last.at) + times + "; ";
    const std::string now_by =
        "`vmctl sync " + mailbox + "`, `vmctl queue retry` or a change of its options tries it now";
    if (!goes_on) return before + "the next run tries it again; see the trace";
    if (entry.try_at <= steady)
        return before + "it is being tried in a worker of its own; see the trace";
    return before + "tried again, in a worker of its own, at " +
           format_rfc3339(now + entry.try_at - steady) + "; see the trace; " + now_by;
}

std::int64_t RestartPause::died(std::int64_t lived_ms) {
    early_ = lived_ms < kHealthyMs ? early_ + 1 : 0;
    if (early_ == 0) return 0;
    return std::min<std::int64_t>(500LL << std::min(early_ - 1, 10), kLongestRestartMs);
}

}  // namespace vm::agent
