// The socket run/metrics.sock: whoever connects and asks "GET /metrics" as a Prometheus client does
// gets the metrics, one request a connection.
//
// No client keeps the master waiting: nothing here blocks, a request has a bound, so many clients
// are served at a time, and each has so many seconds from its first byte to the last.
#ifndef VM_AGENT_METRICS_SOCKET_H
#define VM_AGENT_METRICS_SOCKET_H

#include "base/error.h"
#include "base/files.h"
#include "base/paths.h"

#include <cstdint>
#include <functional>
#include <list>
#include <poll.h>
#include <string>
#include <vector>

namespace vm::agent {

// The agent's end; the master's thread.
class MetricsSocket {
  public:
    static constexpr std::size_t kClients = 16;
    static constexpr std::int64_t kPatienceMs = 5000;

    // Mode 0660, replacing what a dead agent left.
    Result<> open(const Paths& paths);
    // In a child of the master's: nothing of it is its business.
    void close();

    // What serve() waits for is added to `fds`.
    void add_to(std::vector<pollfd>& fds) const;
    // Takes what came and gives what can be given; never blocks. `now`: steady_ms(); `text` is
    // called for each request that is to be answered with the metrics.
    void serve(std::int64_t now, const std::function<std::string()>& text);
    std::size_t clients() const { return clients_.size(); }

  private:
    struct Client {
        UniqueFd fd;
        std::int64_t until;  // steady
        std::string received, response;
        std::size_t sent = 0;
    };
    void accept_clients(std::int64_t now);
    bool goes_on(Client& client, const std::function<std::string()>& text);

    UniqueFd listening_;
    std::list<Client> clients_;
};

// The metrics of the agent that runs on this root. kUnavailable when none does, or when it does not
// answer within so many seconds.
Result<std::string> fetch_metrics(const Paths& paths, int patience_s = 10);

}  // namespace vm::agent

#endif
