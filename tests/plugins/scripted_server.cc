#include "scripted_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace vm::testing {

// ---- one connection ----

Peer::~Peer() {
    if (tls_) SSL_shutdown(tls_.get());
    tls_.reset();
    ::close(fd_);
}

void Peer::say(std::string_view text) {
    while (!text.empty()) {
        const auto n = tls_ ? SSL_write(tls_.get(), text.data(), static_cast<int>(text.size()))
                            : ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        if (n <= 0) throw Gone{};
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

void Peer::start_tls(const ServerTls& context) {
    tls_ = std::shared_ptr<SSL>(SSL_new(context.get()), SSL_free);
    SSL_set_fd(tls_.get(), fd_);
    if (SSL_accept(tls_.get()) != 1) {
        tls_.reset();
        throw Gone{};
    }
}

int Peer::renegotiate() {
    if (SSL_renegotiate(tls_.get()) != 1 || SSL_do_handshake(tls_.get()) != 1) throw Gone{};
    // That was the request. The client's answer is taken by a read, which then waits for more.
    timeval limit{0, 300'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char nothing = 0;
    const int n = SSL_peek(tls_.get(), &nothing, 1);
    limit = {};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (n <= 0 && SSL_get_error(tls_.get(), n) != SSL_ERROR_WANT_READ) throw Gone{};
    return static_cast<int>(SSL_num_renegotiations(tls_.get()));
}

void Peer::fill() {
    char block[16384];
    const auto n =
        tls_ ? SSL_read(tls_.get(), block, sizeof block) : ::recv(fd_, block, sizeof block, 0);
    if (n <= 0) throw Gone{};
    ++reads_;
    buffer_.append(block, static_cast<std::size_t>(n));
}

std::string Peer::read_line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) fill();
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    lines_.push_back(line);
    return line;
}

std::string Peer::read_data() {
    std::size_t from = 0;
    for (;;) {
        if (buffer_.starts_with(".\r\n")) {
            buffer_.erase(0, 3);
            return {};
        }
        const auto end = buffer_.find("\r\n.\r\n", from);
        if (end != std::string::npos) {
            std::string data = buffer_.substr(0, end + 2);
            buffer_.erase(0, end + 5);
            return data;
        }
        from = buffer_.size() < 4 ? 0 : buffer_.size() - 4;
        fill();
    }
}

void Peer::read_bytes(std::size_t count) {
    while (count > 0) {
        if (buffer_.empty()) fill();
        const std::size_t n = std::min(count, buffer_.size());
        buffer_.erase(0, n);
        count -= n;
    }
}

bool Peer::has_more() {
    pollfd entry{fd_, POLLIN, 0};
    return !buffer_.empty() || ::poll(&entry, 1, 0) == 1;
}

void Peer::wait_until_closed() {
    pollfd entry{fd_, POLLRDHUP, 0};
    while ((entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) ::poll(&entry, 1, -1);
    throw Gone{};
}

void Peer::reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    throw Gone{};  // closing does it
}

// ---- the server ----

ScriptedServer::ScriptedServer(std::vector<Script> scripts, int family)
    : scripts_(std::move(scripts)) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (family == 6) {
        address.sin6_family = AF_INET6;
        address.sin6_addr = in6addr_loopback;
    } else {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof *v4;
    }
    listener_ = ::socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, generic, &size) != 0)
        throw std::system_error(errno, std::generic_category(), "scripted server");
    port_ = ntohs(address.sin6_port);  // at the same place in both
    thread_ = std::thread([this] { run(); });
}

void ScriptedServer::run() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        // Each answer leaves at once, also when the connection is reset right behind it.
        const int yes = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        Peer peer(fd);
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
            current_ = fd;
        }
        const auto index = static_cast<std::size_t>(connections_++);
        try {
            scripts_[std::min(index, scripts_.size() - 1)](peer);
        } catch (const Peer::Gone&) {
        }
        const std::lock_guard lock(mutex_);
        current_ = -1;
        lines_.insert(lines_.end(), peer.lines().begin(), peer.lines().end());
    }
}

void ScriptedServer::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
}

std::vector<std::string> ScriptedServer::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

// ---- SMTP ----

void SmtpScript::operator()(Peer& peer) const {
    const auto answer = [&](const std::string& step, const std::string& text) {
        if (instead && instead(peer, step)) return false;
        peer.say(text);
        return true;
    };
    if (implicit_tls) peer.start_tls(tls);
    answer("greeting", greeting);
    for (;;) {
        const std::string line = peer.read_line();
        std::string verb = line.substr(0, line.find(' '));
        std::transform(verb.begin(), verb.end(), verb.begin(),
                       [](char c) { return static_cast<char>(std::toupper(c)); });
        if (verb == "EHLO") {
            answer(verb, ehlo);
        } else if (verb == "HELO") {
            answer(verb, helo);
        } else if (verb == "STARTTLS") {
            if (answer(verb, starttls) && starttls.starts_with("220")) peer.start_tls(tls);
        } else if (verb == "AUTH") {
            answer(verb, auth);
        } else if (verb == "MAIL") {
            answer(verb, mail);
        } else if (verb == "RCPT") {
            answer(verb, rcpt);
        } else if (verb == "DATA") {
            if (!answer(verb, data) || !data.starts_with("354")) continue;
            if (instead && instead(peer, "body")) continue;
            const std::string text = peer.read_data();
            if (on_data) on_data(text);
            answer("dot", dot);
        } else if (verb == "RSET") {
            answer(verb, rset);
        } else if (verb == "QUIT") {
            answer(verb, quit);
            return;
        } else {
            peer.say("500 5.5.2 what?\r\n");
        }
    }
}

}  // namespace vm::testing
