#include "diagnose/wire.h"

#include "base/error.h"
#include "base/text.h"
#include "diagnose/certificate.h"

#include <openssl/err.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

namespace vm::diagnose {

namespace {

constexpr std::size_t kLongestLine = 4096;

std::int64_t steady() {
    return system_clock().steady_ms();
}

tl::unexpected<Trouble> trouble(Fault fault, const std::string& words) {
    return tl::unexpected(Trouble{fault, sanitize_line(words, 500)});
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

Outcome<Wire> Wire::connect(const std::vector<Address>& addresses, std::uint16_t port,
                            Millis timeout) {
    Trouble last{Fault::kUnreachable, "no address"};
    // One that swallows everything leaves time for the others.
    const std::int64_t each =
        timeout.count() / std::max<std::int64_t>(static_cast<std::int64_t>(addresses.size()), 1);
    for (const Address& address : addresses) {
        const int fd = begin_connect(address, port);
        const bool answered = fd >= 0 && await(fd, POLLOUT, steady() + each);
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
