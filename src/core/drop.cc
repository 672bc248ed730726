#include "core/drop.h"

#include <algorithm>

namespace vm {

namespace {

constexpr std::int64_t kSoonestMs = 60'000;
constexpr std::int64_t kLatestMs = 1'800'000;

// A mail that is late is looked for after as long as it has been looked for already.
std::int64_t pause_after(std::int64_t waited_ms) {
    return std::clamp(waited_ms, kSoonestMs, kLatestMs);
}

}  // namespace

std::vector<DropRemoval> removals_for(const std::vector<DropMessage>& messages) {
    std::vector<DropRemoval> out;
    for (const DropMessage& message : messages) {
        if (message.unique_ids.empty()) out.push_back({"", message.id, message.message_id});
        for (const std::string& unique_id : message.unique_ids)
            out.push_back({unique_id, message.id, message.message_id});
    }
    return out;
}

DropDecision decide_drop(const std::vector<DropMessage>& messages,
                         const std::vector<DropRemoval>& removals,
                         const std::vector<DropResult>& results, TimeMs now) {
    DropDecision out;
    const auto look_again = [&](std::int64_t ms) {
        out.again_ms = std::min(out.again_ms.value_or(ms), ms);
    };
    std::size_t i = 0;
    for (const DropMessage& message : messages) {
        // (A clock that was set back must not make it wait for long.)
        const std::int64_t waited = std::max<std::int64_t>(now - message.deleted_at, 0);
        bool open = false, deleted = false;
        for (; i < removals.size() && removals[i].id == message.id; ++i) {
            const DropRemoval& removal = removals[i];
            const DropResult& result = results[i];
            switch (result.outcome) {
                case DropOutcome::kDone:
                    deleted = true;
                    break;
                case DropOutcome::kMissing:
                    if (!removal.unique_id.empty() || waited >= kDropGraceMs) break;
                    open = true;
                    look_again(pause_after(waited));
                    break;
                case DropOutcome::kOther:
                    out.forget.push_back(removal.unique_id);
                    open = true;
                    look_again(kSoonestMs);
                    break;
                case DropOutcome::kRefused:
                    out.notes.push_back("the mail of " + message.id +
                                        " cannot be deleted: " + result.text);
                    open = true;
                    break;
                case DropOutcome::kUnwanted:
                    open = true;
                    break;
            }
        }
        if (!open)
            out.settled.emplace_back(
                message.id, deleted ? "deleted on the phone" : "not in the account any more");
    }
    return out;
}

}  // namespace vm
