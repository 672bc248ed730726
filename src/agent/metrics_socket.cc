#include "agent/metrics_socket.h"

#include "agent/control.h"
#include "agent/http_request.h"
#include "agent/socket_address.h"
#include "base/clock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

namespace vm::agent {

namespace {

constexpr int kBacklog = 128;
// Of a client that writes without end, so much is read before others have their turn.
constexpr int kReadsInARow = 4;
// What an agent says about itself: more is none's.
constexpr std::size_t kLongestAnswer = 16U << 20;

bool would_block(int code) {
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

}  // namespace

// ---- the agent's end ----------------------------------------------------------------------------

Result<> MetricsSocket::open(const Paths& paths) {
    constexpr const char* kOpen = "open metrics socket";
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(errno, kOpen, paths.metrics_socket().string());
    VM_TRY(bind_socket(fd.get(), paths.metrics_socket(), kOpen));
    if (::listen(fd.get(), kBacklog) != 0)
        return fail_errno(errno, kOpen, paths.metrics_socket().string());
    listening_ = std::move(fd);
    return {};
}

void MetricsSocket::close() {
    listening_.reset();
    clients_.clear();
}

void MetricsSocket::add_to(std::vector<pollfd>& fds) const {
    // With as many clients as there may be the next one waits in the kernel.
    if (listening_ && clients_.size() < kClients) fds.push_back({listening_.get(), POLLIN, 0});
    for (const Client& client : clients_)
        fds.push_back(
            {client.fd.get(), static_cast<short>(client.response.empty() ? POLLIN : POLLOUT), 0});
}

void MetricsSocket::accept_clients(std::int64_t now) {
    while (listening_ && clients_.size() < kClients) {
        UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) return;
        clients_.push_back({std::move(fd), now + kPatienceMs, {}, {}, 0});
    }
}

// False when it is done with, or gone.
bool MetricsSocket::goes_on(Client& client, const std::function<std::string()>& text) {
    std::array<char, 4096> buffer{};
    for (int reads = 0; client.response.empty() && reads < kReadsInARow; ++reads) {
        const ssize_t n = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
        if (n < 0) return would_block(errno);
        if (n == 0) return false;
        client.received.append(buffer.data(), static_cast<std::size_t>(n));
        const HttpVerdict verdict = judge_request(client.received);
        const bool wants_it = verdict == HttpVerdict::kMetrics || verdict == HttpVerdict::kHead;
        client.response = http_response(verdict, wants_it ? text() : std::string());
    }
    while (client.sent < client.response.size()) {
        const std::string_view rest = std::string_view(client.response).substr(client.sent);
        const ssize_t n = ::send(client.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n < 0) return would_block(errno);
        client.sent += static_cast<std::size_t>(n);
    }
    return client.response.empty();
}

void MetricsSocket::serve(std::int64_t now, const std::function<std::string()>& text) {
    accept_clients(now);
    clients_.remove_if(
        [&](Client& client) { return client.until <= now || !goes_on(client, text); });
}

// ---- the other end ------------------------------------------------------------------------------

Result<std::string> fetch_metrics(const Paths& paths, int patience_s) {
    constexpr const char* kRead = "read metrics";
    const std::string socket = paths.metrics_socket().string();
    if (!agent_running(paths))
        return fail(ErrorKind::kUnavailable, kRead, paths.root.string(),
                    "no agent runs on this root, and the metrics are in its memory",
                    "start it with `vmemaild`");
    const auto trouble = [&](const std::string& reason) {
        return fail(ErrorKind::kUnavailable, kRead, socket, reason,
                    "the agent may just be starting or ending; try again");
    };
    const SocketAddress address(paths.metrics_socket());
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{patience_s, 0};
    if (!fd) return fail_errno(errno, kRead, socket);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), address.get(), SocketAddress::size()) != 0) {
        if (errno == EACCES || errno == EPERM) return fail_errno(errno, kRead, socket);
        return trouble(errno_text(errno));
    }
    constexpr std::string_view kRequest =
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(kRequest.size()))
        return trouble(errno_text(errno));
    std::string answer;
    std::array<char, 16384> buffer{};
    const std::int64_t give_up = system_clock().steady_ms() + patience_s * 1000;
    for (;;) {
        const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (n == 0) break;
        if (n < 0 && errno != EINTR)
            return trouble(errno == EAGAIN ? "it does not answer" : errno_text(errno));
        if (n > 0) answer.append(buffer.data(), static_cast<std::size_t>(n));
        if (answer.size() > kLongestAnswer || system_clock().steady_ms() > give_up)
            return trouble("its answer has no end");
    }
    const auto head = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200 ") || head == std::string::npos)
        return trouble("its answer is not the metrics");
    return answer.substr(head + 4);
}

}  // namespace vm::agent
