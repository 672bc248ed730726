#include "agent/session_pool.h"

#include "agent/session_options.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vm::agent {

void SessionPool::put(Kept kept) {
    kept_.push_back(std::move(kept));
}

std::vector<SessionPool::Kept>::const_iterator SessionPool::find(
    const transport::Plugin& plugin, const config::MailboxOptions& mailbox) const {
    const auto found = std::find_if(kept_.rbegin(), kept_.rend(), [&](const Kept& kept) {
        return kept.plugin.path() == plugin.path() && same_push_session(*kept.mailbox, mailbox);
    });
    return found == kept_.rend() ? kept_.end() : std::prev(found.base());
}

bool SessionPool::has(const transport::Plugin& plugin,
                      const config::MailboxOptions& mailbox) const {
    return find(plugin, mailbox) != kept_.end();
}

std::optional<transport::Session> SessionPool::take(const transport::Plugin& plugin,
                                                    const config::MailboxOptions& mailbox) {
    const auto found = find(plugin, mailbox);
    if (found == kept_.end()) return std::nullopt;
    const auto at = kept_.begin() + (found - kept_.cbegin());
    std::optional<transport::Session> session(std::move(at->session));
    kept_.erase(at);
    return session;
}

std::optional<SessionPool::Kept> SessionPool::drop_one(const std::string& server) {
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const Kept& kept) { return kept.server == server; });
    if (found == kept_.end()) return std::nullopt;
    std::optional<Kept> dropped(std::move(*found));
    kept_.erase(found);
    return dropped;
}

std::vector<SessionPool::Kept> SessionPool::drop_old(std::int64_t now) {
    const auto young = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const Kept& kept) { return now - kept.since < kKeptMs; });
    std::vector<Kept> dropped(std::move_iterator(kept_.begin()), std::move_iterator(young));
    kept_.erase(kept_.begin(), young);
    return dropped;
}

std::vector<SessionPool::Kept> SessionPool::drop_all() {
    return std::exchange(kept_, {});
}

}  // namespace vm::agent
