#include "agent/server_gate.h"

#include <algorithm>
#include <cmath>

namespace vm::agent {

namespace {
// Of a server that has just proved itself: subscribers' mailboxes at one provider share its
// patience with us.
constexpr int kAtOnceFirst = 4;
// A server that turned a connection away is asked for one more than it bears so long after.
constexpr std::int64_t kForgiveMs = 300'000;
}  // namespace

void ServerGate::set_limits(const config::MiscSetup& misc, int index, int workers) {
    rate_ = static_cast<double>(misc.logins_a_second) / workers;
    // What cannot be divided is the first ones'.
    const auto all = static_cast<int>(misc.connections_a_server);
    most_open_ = all == 0 ? 0 : std::max(1, (all + workers - 1 - index) / workers);
}

const ServerGate::Server* ServerGate::find(const std::string& name) const {
    const auto found = servers_.find(name);
    return found == servers_.end() ? nullptr : &found->second;
}

int ServerGate::unproven_running() const {
    int running = 0;
    for (const auto& [name, server] : servers_)
        if (!server.proven) running += server.running;
    return running;
}

bool ServerGate::is_full(const Server& server, std::int64_t now) const {
    if (most_open_ > 0 && server.open >= most_open_) return true;
    return server.bears && server.open >= bears(server, now);
}

// Of one that has shown it.
int ServerGate::bears(const Server& server, std::int64_t now) {
    return *server.bears + static_cast<int>((now - server.turned_away_at) / kForgiveMs);
}

// As many may be opened at once as in a second.
double ServerGate::spent(const Server& server, std::int64_t now) const {
    const double since = static_cast<double>(now - server.spent_at) / 1000;
    return std::max(0.0, server.spent - since * rate_);
}

ServerGate::Verdict ServerGate::ask(const std::string& name, std::int64_t now,
                                    bool connects) const {
    const Server* known = find(name);
    const Server server = known == nullptr ? Server{} : *known;
    if (server.proven && server.running >= server.at_once) return Verdict::kWait;
    if (!server.proven) {
        if (server.running > 0) return Verdict::kWait;  // its probe is under way
        if (server.down_until > now && connects) return Verdict::kDown;
        if (unproven_running() >= unproven_limit_) return Verdict::kWait;
    }
    if (!connects) return Verdict::kGo;
    // (In this order: nobody's connection is closed for one that may not connect yet.)
    if (may_connect_at(name, now) > now) return Verdict::kPaced;
    return is_full(server, now) ? Verdict::kFull : Verdict::kGo;
}

std::int64_t ServerGate::may_connect_at(const std::string& name, std::int64_t now) const {
    const Server* server = find(name);
    if (server == nullptr || rate_ <= 0) return now;
    const double over = spent(*server, now) + 1 - std::max(rate_, 1.0);
    return over <= 0 ? now : now + static_cast<std::int64_t>(std::ceil(over / rate_ * 1000));
}

void ServerGate::started(const std::string& name, std::int64_t now, bool connects) {
    Server& server = servers_[name];
    ++server.running;
    if (!connects) return;
    ++server.open;
    server.spent = spent(server, now) + 1;
    server.spent_at = now;
}

void ServerGate::closed(const std::string& name) {
    Server& server = servers_[name];
    if (server.open > 0) --server.open;
}

void ServerGate::finished(const std::string& name, ServerSeen seen) {
    Server& server = servers_[name];
    if (server.running > 0) --server.running;
    if (seen == ServerSeen::kNothing) return;
    if (seen == ServerSeen::kWorks) return works(name);
    server.proven = false;
    answered(server);
}

void ServerGate::works(const std::string& name) {
    Server& server = servers_[name];
    server.at_once = server.proven ? std::min(server.at_once + 1, most_at_once_) : kAtOnceFirst;
    server.proven = true;
    answered(server);
}

void ServerGate::answered(Server& server) {
    server.failures = 0;
    server.down_until = 0;
    server.reason.clear();
}

void ServerGate::finished_down(const std::string& name, const std::string& reason, int failures,
                               std::int64_t until) {
    Server& server = servers_[name];
    if (server.running > 0) --server.running;
    server.proven = false;
    server.failures = failures;
    server.down_until = until;
    // Those it turned away when it went down say nothing about the one that comes back.
    server.bears.reset();
    server.reason = reason;
}

bool ServerGate::finished_turned_away(const std::string& name, std::int64_t now) {
    Server& server = servers_[name];
    if (!server.proven || server.open < 1) return false;
    if (server.running > 0) --server.running;
    // (Those that were turned away at the same moment count once.)
    server.bears = server.bears ? std::min(bears(server, now), server.open) : server.open;
    server.turned_away_at = now;
    server.at_once = std::max(1, server.at_once / 2);
    return true;
}

int ServerGate::failures(const std::string& name) const {
    const Server* server = find(name);
    return server == nullptr ? 0 : server->failures;
}

void ServerGate::end_pause(const std::string& name) {
    if (const auto found = servers_.find(name); found != servers_.end())
        found->second.down_until = 0;
}

std::int64_t ServerGate::down_until(const std::string& name) const {
    const Server* server = find(name);
    return server == nullptr ? 0 : server->down_until;
}

std::string ServerGate::down_reason(const std::string& name) const {
    const Server* server = find(name);
    return server == nullptr ? std::string() : server->reason;
}

int ServerGate::open(const std::string& name) const {
    const Server* server = find(name);
    return server == nullptr ? 0 : server->open;
}

}  // namespace vm::agent
