#include "agent/server_gate.h"

namespace vm::agent {

namespace {
// Subscribers' mailboxes at one provider share its patience with us.
constexpr int kConnectionsPerServer = 4;
}  // namespace

int ServerGate::unproven_running() const {
    int running = 0;
    for (const auto& [name, server] : servers_)
        if (!server.proven) running += server.running;
    return running;
}

ServerGate::Verdict ServerGate::ask(const std::string& name, std::int64_t now) const {
    const auto found = servers_.find(name);
    const Server server = found == servers_.end() ? Server{} : found->second;
    if (server.proven)
        return server.running < kConnectionsPerServer ? Verdict::kGo : Verdict::kWait;
    if (server.running > 0) return Verdict::kWait;  // its probe is under way
    if (server.down_until > now) return Verdict::kDown;
    return unproven_running() < unproven_limit_ ? Verdict::kGo : Verdict::kWait;
}

void ServerGate::started(const std::string& name) {
    ++servers_[name].running;
}

void ServerGate::finished(const std::string& name, ServerSeen seen) {
    Server& server = servers_[name];
    if (server.running > 0) --server.running;
    if (seen == ServerSeen::kNothing) return;
    server.proven = seen == ServerSeen::kWorks;
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
    server.reason = reason;
}

int ServerGate::failures(const std::string& name) const {
    const auto found = servers_.find(name);
    return found == servers_.end() ? 0 : found->second.failures;
}

void ServerGate::end_pause(const std::string& name) {
    if (const auto found = servers_.find(name); found != servers_.end())
        found->second.down_until = 0;
}

std::int64_t ServerGate::down_until(const std::string& name) const {
    const auto found = servers_.find(name);
    return found == servers_.end() ? 0 : found->second.down_until;
}

std::string ServerGate::down_reason(const std::string& name) const {
    const auto found = servers_.find(name);
    return found == servers_.end() ? std::string() : found->second.reason;
}

}  // namespace vm::agent
