#include "common/tls_wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cerrno>
#include <map>
#include <mutex>
#include <sys/socket.h>
#include <system_error>

namespace vm::plug {

namespace {

using Kind = DialError::Kind;

// How long to wait before asking the host again whether to go on.
constexpr std::chrono::milliseconds kSlice{500};

using Context = std::shared_ptr<SSL_CTX>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

Context new_context(const CaStore& store) {
    Context out(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    if (!out || SSL_CTX_set_min_proto_version(out.get(), TLS1_2_VERSION) != 1) return nullptr;
    SSL_CTX_set_options(out.get(),
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(out.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(out.get(), SSL_SESS_CACHE_OFF);
    if (!store) return out;
    SSL_CTX_set1_cert_store(out.get(), store.get());
    SSL_CTX_set_verify(out.get(), SSL_VERIFY_PEER, nullptr);
    return out;
}

// One for each store, as long as there is the store.
Context context_for(const CaStore& store) {
    struct Entry {
        std::weak_ptr<X509_STORE> store;
        Context context;
    };
    OPENSSL_init_ssl(0, nullptr);  // its end comes after that of what is kept here
    static std::mutex mutex;
    static std::map<X509_STORE*, Entry> entries;

    const std::lock_guard lock(mutex);
    std::erase_if(entries, [](const auto& entry) {
        return entry.first != nullptr && entry.second.store.expired();
    });
    // (The context holds its store, so no other one gets the address.)
    Entry& entry = entries[store.get()];
    if (!entry.context) entry = {store, new_context(store)};
    return entry.context;
}

bool is_address(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// The name without the root's dot, which neither certificates nor SNI have (RFC 6066).
std::string without_dot(std::string host) {
    if (host.ends_with('.')) host.pop_back();
    return host;
}

// Whether the certificate has names or addresses beside its subject, which is no name then.
bool has_alternative_names(X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        GENERAL_NAMES_free);
    if (!all) return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;  // garbled
    for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
        const int type = sk_GENERAL_NAME_value(all.get(), i)->type;
        if (type == GEN_DNS || type == GEN_IPADD) return true;
    }
    return false;
}

// OpenSSL's socket, but that a peer that is gone is an error and no signal.
const BIO_METHOD* quiet_socket() {
    static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> method = [] {
        std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> out(
            BIO_meth_new(BIO_TYPE_SOCKET, "socket"), BIO_meth_free);
        const BIO_METHOD* usual = BIO_s_socket();
        BIO_meth_set_read(out.get(), BIO_meth_get_read(usual));
        BIO_meth_set_puts(out.get(), BIO_meth_get_puts(usual));
        BIO_meth_set_ctrl(out.get(), BIO_meth_get_ctrl(usual));
        BIO_meth_set_create(out.get(), BIO_meth_get_create(usual));
        BIO_meth_set_destroy(out.get(), BIO_meth_get_destroy(usual));
        BIO_meth_set_write(out.get(), [](BIO* bio, const char* data, int size) {
            const auto n = static_cast<int>(::send(static_cast<int>(BIO_get_fd(bio, nullptr)), data,
                                                   static_cast<std::size_t>(size), MSG_NOSIGNAL));
            BIO_clear_retry_flags(bio);
            if (n <= 0 && BIO_sock_should_retry(n) != 0) BIO_set_retry_write(bio);
            return n;
        });
        return out;
    }();
    return method.get();
}

// Behind a failed call.
std::string reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* words = code == 0 ? nullptr : ERR_reason_error_string(code);
    return words == nullptr ? "it failed, without a reason" : words;
}

class TlsWire : public SocketWire {
  public:
    TlsWire(Socket socket, Ssl ssl) : SocketWire(std::move(socket)), ssl_(std::move(ssl)) {}
    TlsWire(const TlsWire&) = delete;
    TlsWire& operator=(const TlsWire&) = delete;
    ~TlsWire() override {
        if (broken_) return;
        ERR_clear_error();
        SSL_shutdown(ssl_.get());  // says so, and waits for nothing
        ERR_clear_error();
    }

    Status send(std::string_view data, std::size_t& count) override {
        ERR_clear_error();
        return status(SSL_write_ex(ssl_.get(), data.data(), data.size(), &count));
    }
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override {
        ERR_clear_error();
        return status(SSL_read_ex(ssl_.get(), buffer, capacity, &count));
    }

  private:
    Status status(int done) {
        if (done == 1) return Status::kOk;
        const int error = SSL_get_error(ssl_.get(), done);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Status::kAgain;
        broken_ = broken_ || error != SSL_ERROR_ZERO_RETURN;
        return Status::kClosed;
    }

    Ssl ssl_;
    bool broken_ = false;  // no more is to be said
};

DialError failed(SSL* ssl, int error, bool verified) {
    const int number = errno;
    if (error == SSL_ERROR_SYSCALL && number != 0)
        return {Kind::kLost, false, "TLS handshake: " + std::generic_category().message(number)};
    // A server that has no room left may say so by going away.
    if (error == SSL_ERROR_SYSCALL ||
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return {Kind::kLost, false, "TLS handshake: the server closed the connection"};
    if (const long verdict = SSL_get_verify_result(ssl); verified && verdict != X509_V_OK)
        return {Kind::kTls, false,
                std::string("certificate: ") + X509_verify_cert_error_string(verdict)};
    return {Kind::kTls, false, "TLS handshake: " + reason()};
}

std::string description(SSL* ssl) {
    std::string out = std::string(SSL_get_version(ssl)) + ", " + SSL_get_cipher_name(ssl);
    std::array<char, 256> subject{};
    if (X509* certificate = SSL_get0_peer_certificate(ssl))
        out += std::string(", the certificate is of ") +
               X509_NAME_oneline(X509_get_subject_name(certificate), subject.data(),
                                 static_cast<int>(subject.size()));
    return out;
}

}  // namespace

bool names(X509* certificate, const std::string& host) {
    // (Of a name that begins with a dot, OpenSSL would take all below it.)
    if (certificate == nullptr || host.starts_with('.')) return false;
    const bool by_subject = !has_alternative_names(certificate);
    const auto check = [&](const std::string& name, unsigned flags) {
        return X509_check_host(certificate, name.data(), name.size(), flags, nullptr) == 1;
    };
    if (!is_address(host))
        return check(without_dot(host),
                     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                         (by_subject ? 0U : unsigned{X509_CHECK_FLAG_NEVER_CHECK_SUBJECT}));
    return X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ||
           (by_subject && check(host, X509_CHECK_FLAG_NO_WILDCARDS));
}

tl::expected<std::unique_ptr<Wire>, DialError> start_tls(Socket socket, const std::string& host,
                                                         const CaStore& store, Deadline deadline,
                                                         const Host& owner) {
    const Context context = context_for(store);
    Ssl ssl(context ? SSL_new(context.get()) : nullptr, SSL_free);
    BIO* bio = ssl ? BIO_new(quiet_socket()) : nullptr;
    if (bio == nullptr)
        return tl::unexpected(DialError{Kind::kConfig, false, "OpenSSL: " + reason()});
    BIO_set_fd(bio, socket.get(), BIO_NOCLOSE);
    SSL_set_bio(ssl.get(), bio, bio);  // which it owns now
    if (!is_address(host)) {
        std::string name = without_dot(host);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    }
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int done = SSL_connect(ssl.get());
        if (done == 1) break;
        const int error = SSL_get_error(ssl.get(), done);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return tl::unexpected(failed(ssl.get(), error, store != nullptr));
        if (owner.cancelled()) return tl::unexpected(DialError{Kind::kCancelled, false, {}});
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
        if (left.count() <= 0)
            return tl::unexpected(DialError{Kind::kTimeout, false, "TLS handshake: timeout"});
        wait_for(socket.get(), error == SSL_ERROR_WANT_WRITE, std::min(left, kSlice));
    }
    owner.trace("-- ", description(ssl.get()));
    if (store && !names(SSL_get0_peer_certificate(ssl.get()), host))
        return tl::unexpected(DialError{Kind::kTls, false,
                                        "certificate: hostname mismatch: no alternative "
                                        "certificate subject name matches target host name '" +
                                            host + "'"});
    return std::make_unique<TlsWire>(std::move(socket), std::move(ssl));
}

}  // namespace vm::plug
