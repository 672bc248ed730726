// SMTP sessions between two turns, with their connections open. What defines a connection - server,
// account, TLS, timeouts - is often the same for many mailboxes: the next one goes on where another
// has ended, without a connection and a login of its own.
//
// A session is handed out to one turn at a time, and only to a mailbox that would open the very
// same one; so an edit of its options, or another plugin, gives it a new one. How many there are is
// ServerGate's business, to whom they count as open. Bookkeeping only: ending a session may take a
// second, and is the caller's. One thread: the worker's scheduler.
#ifndef VM_AGENT_SESSION_POOL_H
#define VM_AGENT_SESSION_POOL_H

#include "config/config.h"
#include "transport/plugin.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::agent {

class SessionPool {
  public:
    struct Kept {
        transport::Session session;
        transport::Plugin plugin;
        std::string server;                                     // ServerGate's key
        std::shared_ptr<const config::MailboxOptions> mailbox;  // who used it last
        std::int64_t since = 0;                                 // steady
    };

    // So long one waits for its next turn: it is for those that are due one after the other, and an
    // idle connection is a place at the server that somebody else may want.
    static constexpr std::int64_t kKeptMs = 5000;

    void put(Kept kept);
    // The one used last that this mailbox would open itself.
    bool has(const transport::Plugin& plugin, const config::MailboxOptions& mailbox) const;
    std::optional<transport::Session> take(const transport::Plugin& plugin,
                                           const config::MailboxOptions& mailbox);

    // Those to be ended: the one of this server that has waited longest; all that have waited too
    // long; all.
    std::optional<Kept> drop_one(const std::string& server);
    std::vector<Kept> drop_old(std::int64_t now);
    std::vector<Kept> drop_all();

  private:
    std::vector<Kept>::const_iterator find(const transport::Plugin& plugin,
                                           const config::MailboxOptions& mailbox) const;

    std::vector<Kept> kept_;  // the one that has waited longest first
};

}  // namespace vm::agent

#endif
