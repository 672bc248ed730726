#include "diagnose/wire.h"

#include "base/error.h"
#include "base/text.h"
#include "diagnose/certificate.h"

#include <openssl/err.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <netdb.h>
#include <poll.h>
#include <thread>
#include <unistd.h>

namespace vm::diagnose {

namespace {

constexpr std::size_t kLongestLine = 4096;

std::int64_t steady() {
    return system_clock().steady_ms();
}

// Whether the descriptor is ready before the deadline.
bool await(int fd, short events, std::int64_t deadline) {
    pollfd entry{fd, events, 0};
    for (;;) {
        const std::int64_t left = deadline - steady();
        if (left <= 0) return false;
        const int ready = ::poll(&entry, 1, static_cast<int>(left));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

tl::unexpected<Trouble> trouble(Fault fault, std::string words) {
    return tl::unexpected(Trouble{fault, sanitize_line(words, 500)});
}

struct Lookup {
    int code = 0;
    std::string words;
    std::vector<Address> addresses;
};

Lookup look_up(const std::string& host) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    Lookup out;
    out.code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
    if (out.code != 0)
        out.words = out.code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(out.code);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    for (const addrinfo* entry = list; out.code == 0 && entry != nullptr; entry = entry->ai_next) {
        Address address;
        std::memcpy(&address.socket, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        std::array<char, NI_MAXHOST> text{};
        ::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST);
        address.text = text.data();
        out.addresses.push_back(std::move(address));
    }
    return out;
}

// A socket that is being connected to the address, or -1 with errno.
int begin_connect(const Address& to, std::uint16_t port) {
    Address at = to;
    if (at.socket.ss_family == AF_INET6)
        reinterpret_cast<sockaddr_in6&>(at.socket).sin6_port = htons(port);
    else
        reinterpret_cast<sockaddr_in&>(at.socket).sin_port = htons(port);
    const int fd = ::socket(at.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&at.socket), at.size) == 0 ||
        errno == EINPROGRESS)
        return fd;
    const int code = errno;
    ::close(fd);
    errno = code;
    return -1;
}

int socket_error(int fd) {
    int code = 0;
    socklen_t size = sizeof code;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

Trouble connect_trouble(int code, const std::string& where) {
    const Fault fault = code == ECONNREFUSED ? Fault::kRefused
                        : code == ETIMEDOUT  ? Fault::kTimeout
                                             : Fault::kUnreachable;
    return {fault, where + ": " + errno_text(code)};
}

std::string openssl_words() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* words = code == 0 ? nullptr : ERR_reason_error_string(code);
    return words == nullptr ? "" : words;
}

bool is_address(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// As the plugins' sessions have it, but that the certificate does not end the handshake.
Outcome<Context> make_context(const std::filesystem::path& ca_file) {
    ERR_clear_error();
    Context out(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    if (!out || SSL_CTX_set_min_proto_version(out.get(), TLS1_2_VERSION) != 1)
        return trouble(Fault::kTls, "OpenSSL: " + openssl_words());
    X509_STORE* store = SSL_CTX_get_cert_store(out.get());
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    const int loaded = ca_file.empty() ? X509_STORE_set_default_paths(store)
                                       : X509_STORE_load_file(store, ca_file.c_str());
    if (loaded != 1)
        return trouble(Fault::kOptions,
                       (ca_file.empty() ? "the system's certificates" : ca_file.string()) + ": " +
                           openssl_words());
    SSL_CTX_set_verify(out.get(), SSL_VERIFY_NONE, nullptr);
    return out;
}

TlsState state_of(SSL* ssl, const std::string& host) {
    TlsState out;
    out.version = SSL_get_version(ssl);
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return out;
    out.certificate = read_certificate(certificate);
    const long verified = SSL_get_verify_result(ssl);
    out.fault = certificate_fault(certificate, verified, host);
    out.words = verified == X509_V_OK ? "" : X509_verify_cert_error_string(verified);
    return out;
}

}  // namespace

Outcome<std::vector<Address>> resolve(const std::string& host, Millis timeout) {
    // The resolver has times of its own: it is left behind when ours is over.
    std::packaged_task<Lookup()> task([host] { return look_up(host); });
    std::future<Lookup> answer = task.get_future();
    std::thread(std::move(task)).detach();
    if (answer.wait_for(timeout) != std::future_status::ready)
        return trouble(Fault::kNoNameServer, "no answer in time");
    Lookup found = answer.get();
    if (found.code == 0 && !found.addresses.empty()) return std::move(found.addresses);
    const bool unknown = found.code == EAI_NONAME || found.code == EAI_NODATA || found.code == 0;
    return trouble(unknown ? Fault::kNoSuchName : Fault::kNoNameServer,
                   found.code == 0 ? "it has no address" : found.words);
}

std::vector<std::uint16_t> open_ports(const std::vector<Address>& addresses,
                                      const std::vector<std::uint16_t>& ports, Millis timeout) {
    struct Try {
        int fd;
        std::uint16_t port;
    };
    std::vector<Try> tries;
    for (const std::uint16_t port : ports)
        for (const Address& address : addresses)
            if (const int fd = begin_connect(address, port); fd >= 0) tries.push_back({fd, port});
    const std::int64_t deadline = steady() + timeout.count();
    std::vector<std::uint16_t> out;
    for (const std::uint16_t port : ports) {
        bool answers = false;
        for (const Try& one : tries)
            answers = answers || (one.port == port && await(one.fd, POLLOUT, deadline) &&
                                  socket_error(one.fd) == 0);
        if (answers) out.push_back(port);
    }
    for (const Try& one : tries) ::close(one.fd);
    return out;
}

Outcome<Wire> Wire::connect(const std::vector<Address>& addresses, std::uint16_t port,
                            Millis timeout) {
    Trouble last{Fault::kUnreachable, "no address"};
    for (const Address& address : addresses) {
        const int fd = begin_connect(address, port);
        const bool answered = fd >= 0 && await(fd, POLLOUT, steady() + timeout.count());
        const int code = fd < 0 ? errno : answered ? socket_error(fd) : ETIMEDOUT;
        if (code == 0) return Wire(fd, address.text, timeout);
        if (fd >= 0) ::close(fd);
        // Of several the one that says most: somebody is there.
        if (last.fault != Fault::kRefused) last = connect_trouble(code, address.text);
    }
    return tl::unexpected(std::move(last));
}

Wire::Wire(int fd, std::string peer, Millis timeout)
    : fd_(fd), peer_(std::move(peer)), timeout_(timeout) {
    begin_step();
}

void Wire::begin_step() {
    deadline_ = steady() + timeout_.count();
}

Wire::Wire(Wire&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      peer_(std::move(other.peer_)),
      timeout_(other.timeout_),
      deadline_(other.deadline_),
      ssl_(std::move(other.ssl_)),
      received_(std::move(other.received_)) {}

Wire::~Wire() {
    ssl_.reset();
    if (fd_ >= 0) ::close(fd_);
}

Outcome<TlsState> Wire::start_tls(const std::string& host, const std::filesystem::path& ca_file) {
    if (!received_.empty())
        return trouble(Fault::kTls, "the server sent data in the clear before TLS began");
    auto context = make_context(ca_file);
    if (!context) return tl::unexpected(std::move(context.error()));
    ssl_.reset(SSL_new(context->get()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1)
        return trouble(Fault::kTls, "OpenSSL: " + openssl_words());
    if (!is_address(host)) {
        std::string name = to_lower(host);
        if (name.ends_with('.')) name.pop_back();
        SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
    }
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int done = SSL_connect(ssl_.get());
        if (done == 1) return state_of(ssl_.get(), host);
        const int error = SSL_get_error(ssl_.get(), done);
        const int code = errno;
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            std::string words = openssl_words();
            if (words.empty())
                words = code == 0 ? "the server closed the connection" : errno_text(code);
            return trouble(Fault::kTls, "TLS handshake: " + words);
        }
        if (!await(fd_, error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, deadline_))
            return trouble(Fault::kTls, "TLS handshake: no answer in time");
    }
}

int Wire::receive(char* buffer, int size) {
    for (;;) {
        short wanted = POLLIN;
        if (ssl_) {
            ERR_clear_error();
            const int count = SSL_read(ssl_.get(), buffer, size);
            if (count > 0) return count;
            const int error = SSL_get_error(ssl_.get(), count);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return -1;
            if (error == SSL_ERROR_WANT_WRITE) wanted = POLLOUT;
        } else {
            const ssize_t count = ::recv(fd_, buffer, static_cast<std::size_t>(size), 0);
            if (count > 0) return static_cast<int>(count);
            if (count == 0 || (errno != EAGAIN && errno != EINTR)) return -1;
        }
        if (!await(fd_, wanted, deadline_)) return 0;
    }
}

Outcome<std::string> Wire::line() {
    for (;;) {
        const auto end = received_.find('\n');
        if (end != std::string::npos) {
            std::string out = received_.substr(0, end);
            received_.erase(0, end + 1);
            if (out.ends_with('\r')) out.pop_back();
            return sanitize_line(out, kLongestLine);
        }
        if (received_.size() > kLongestLine)
            return trouble(Fault::kBrokeOff,
                           "a line without end: \"" + sanitize_line(received_, 60) + "...\"");
        std::array<char, 2048> buffer{};
        const int count = receive(buffer.data(), static_cast<int>(buffer.size()));
        if (count == 0) return trouble(Fault::kSilent, "nothing came in time");
        if (count < 0) return trouble(Fault::kBrokeOff, "the server closed the connection");
        received_.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

std::optional<Trouble> Wire::send(std::string_view data) {
    // A command is short: it fits into the socket's buffer at once, or nobody reads there.
    const auto size = static_cast<int>(data.size());
    const bool sent =
        ssl_ ? SSL_write(ssl_.get(), data.data(), size) == size
             : ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(size);
    if (sent) return std::nullopt;
    return Trouble{Fault::kBrokeOff, "the server does not take any more"};
}

std::string Wire::literal() const {
    Address mine;
    mine.size = sizeof mine.socket;
    std::array<char, NI_MAXHOST> text{};
    if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&mine.socket), &mine.size) != 0 ||
        ::getnameinfo(reinterpret_cast<const sockaddr*>(&mine.socket), mine.size, text.data(),
                      text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
        return "[127.0.0.1]";
    std::string address = text.data();
    address.resize(std::min(address.find('%'), address.size()));  // the interface's name
    return (mine.socket.ss_family == AF_INET6 ? "[IPv6:" : "[") + address + "]";
}

}  // namespace vm::diagnose
