#include "common/dial.h"

#include "common/ca_store.h"
#include "common/socket_wire.h"
#include "common/text.h"
#include "common/tls_wire.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace vm::plug {

namespace {

using Kind = DialError::Kind;

struct EasyCloser {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyCloser>;

// The stream after the dialogue: libcurl's calls for CONNECT_ONLY.
class CurlWire : public Wire {
  public:
    CurlWire(Easy easy, curl_socket_t socket) : easy_(std::move(easy)), socket_(socket) {}

    Status send(std::string_view data, std::size_t& count) override {
        const CURLcode code = curl_easy_send(easy_.get(), data.data(), data.size(), &count);
        return status(code, count);
    }
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override {
        const CURLcode code = curl_easy_recv(easy_.get(), buffer, capacity, &count);
        return status(code, count);
    }
    void wait(bool for_room, std::chrono::milliseconds limit) override {
        wait_for(socket_, for_room, limit);
    }
    int descriptor() const override { return socket_; }

  private:
    static Status status(CURLcode code, std::size_t count) {
        if (code == CURLE_AGAIN) return Status::kAgain;
        return code == CURLE_OK && count > 0 ? Status::kOk : Status::kClosed;
    }

    Easy easy_;
    curl_socket_t socket_;
};

// What the callbacks of one attempt share.
struct Attempt {
    Handshake& handshake;
    const Host& host;
    Counters& counters;
    CaStore store;  // empty: nothing is verified
    bool cancelled = false;
    int certificate_error = X509_V_OK;
    curl_socket_t taken = CURL_SOCKET_BAD;  // raw: is not libcurl's any more
};

int on_debug(CURL*, curl_infotype type, char* data, std::size_t size, void* context) {
    auto& attempt = *static_cast<Attempt*>(context);
    const std::string_view text(data, size);
    if (type == CURLINFO_HEADER_OUT) {
        attempt.counters.sent += size;
        ++attempt.counters.round_trips;
        attempt.host.trace("C: ", attempt.handshake.on_command(text));
    } else if (type == CURLINFO_TEXT && !text.starts_with("TLSv1")) {
        // (Each record of the TLS handshake would be a line.)
        attempt.host.trace("-- ", text);
    }
    return 0;
}

std::size_t on_line(char* data, std::size_t size, std::size_t n, void* context) {
    auto& attempt = *static_cast<Attempt*>(context);
    std::string_view line(data, size * n);
    attempt.counters.received += line.size();
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    // The base64 of SASL is no one's business.
    std::string_view shown = line;
    if (line.starts_with("334 ")) shown = "334 [hidden]";
    if (line.starts_with("+ ")) shown = "+ [hidden]";  // IMAP and POP3
    attempt.host.trace("S: ", shown);
    return attempt.handshake.on_line(line) ? size * n : 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& attempt = *static_cast<Attempt*>(context);
    attempt.cancelled = attempt.cancelled || attempt.host.cancelled();
    return attempt.cancelled ? 1 : 0;
}

curl_socket_t on_socket(void*, curlsocktype, curl_sockaddr* address) {
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int on_close(void* context, curl_socket_t socket) {
    return socket == static_cast<Attempt*>(context)->taken ? 0 : ::close(socket);
}

// The chain's verdict, noted: libcurl only passes on what OpenSSL says last, often "EVP lib".
int on_verify(X509_STORE_CTX* chain, void* context) {
    const int good = X509_verify_cert(chain);
    if (good <= 0)
        static_cast<Attempt*>(context)->certificate_error = X509_STORE_CTX_get_error(chain);
    return good;
}

CURLcode on_ssl_context(CURL*, void* context_pointer, void* context) {
    auto* ssl = static_cast<SSL_CTX*>(context_pointer);
    auto& attempt = *static_cast<Attempt*>(context);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!attempt.store) return CURLE_OK;
    SSL_CTX_set1_cert_store(ssl, attempt.store.get());
    SSL_CTX_set_cert_verify_callback(ssl, on_verify, &attempt);
    // One handshake a connection: another would find the attempt gone.
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    return CURLE_OK;
}

std::string percent_encoded(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '.' || c == '-') {
            out += c;
        } else {
            out += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return out;
}

bool is_ipv6(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::string url_of(const Target& target) {
    const std::string host = is_ipv6(target.host) ? "[" + target.host + "]" : target.host;
    const std::string scheme =
        target.raw ? "http" : target.scheme + (target.tls == TlsUse::kImplicit ? "s" : "");
    return scheme + "://" + host + ":" + std::to_string(target.port) + "/" +
           percent_encoded(target.path);
}

long curl_tls(TlsUse use) {
    switch (use) {
        case TlsUse::kIfOffered:
            return CURLUSESSL_TRY;
        case TlsUse::kStartTls:
            return CURLUSESSL_ALL;
        case TlsUse::kNone:
        case TlsUse::kImplicit:
            break;
    }
    return CURLUSESSL_NONE;
}

void set_options(CURL* easy, const Target& target, std::chrono::milliseconds limit,
                 Attempt& attempt, char* error) {
    const auto set = [easy](CURLoption option, auto value) {
        curl_easy_setopt(easy, option, value);
    };
    set(CURLOPT_URL, url_of(target).c_str());
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_ERRORBUFFER, error);
    set(CURLOPT_PROXY, "");  // whatever the environment says
    set(CURLOPT_BUFFERSIZE, 16384L);

    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a hanging resolver thread does not hold us
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limit.count()));
    set(CURLOPT_SERVER_RESPONSE_TIMEOUT,
        static_cast<long>(std::chrono::ceil<std::chrono::seconds>(target.reply_timeout).count()));
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_OPENSOCKETFUNCTION, &on_socket);
    if (target.raw) {
        set(CURLOPT_CLOSESOCKETFUNCTION, &on_close);
        set(CURLOPT_CLOSESOCKETDATA, &attempt);
    }

    set(CURLOPT_USE_SSL, curl_tls(target.tls));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, target.verify ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, target.verify ? 2L : 0L);
    set(CURLOPT_CAINFO, static_cast<char*>(nullptr));  // the shared store instead
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    set(CURLOPT_SSL_CTX_FUNCTION, &on_ssl_context);
    set(CURLOPT_SSL_CTX_DATA, &attempt);
    set(CURLOPT_SSL_ENABLE_ALPN, 0L);  // libcurl would offer HTTP

    if (!target.user.empty()) {
        set(CURLOPT_USERNAME, target.user.c_str());
        set(CURLOPT_LOGIN_OPTIONS, target.mechanisms.c_str());
        // IMAP has an initial response with SASL-IR only (RFC 4959), which libcurl looks for.
        set(CURLOPT_SASL_IR, target.scheme.starts_with("imap") ? 0L : 1L);
        if (target.bearer != nullptr)
            set(CURLOPT_XOAUTH2_BEARER, target.bearer);
        else
            set(CURLOPT_PASSWORD, target.password);
    }

    // (Of a raw connection nothing is heard but what libcurl has to say of it.)
    set(CURLOPT_VERBOSE, !target.raw || attempt.host.traces() ? 1L : 0L);
    set(CURLOPT_DEBUGFUNCTION, &on_debug);
    set(CURLOPT_DEBUGDATA, &attempt);
    set(CURLOPT_HEADERFUNCTION, &on_line);
    set(CURLOPT_HEADERDATA, &attempt);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, &attempt);
}

// After perform() the callbacks' context is gone.
void detach(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 0L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
    // Its copies of the secrets are no longer needed either.
    curl_easy_setopt(easy, CURLOPT_PASSWORD, nullptr);
    curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, nullptr);
}

Kind kind_of(CURLcode code, bool reached) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return Kind::kDns;
        case CURLE_COULDNT_CONNECT:
        case CURLE_INTERFACE_FAILED:
            return reached ? Kind::kLost : Kind::kRefused;
        case CURLE_OPERATION_TIMEDOUT:
            return Kind::kTimeout;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_SHUTDOWN_FAILED:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            return Kind::kTls;
        case CURLE_ABORTED_BY_CALLBACK:
            return Kind::kCancelled;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_ENGINE_SETFAILED:
            return Kind::kConfig;
        case CURLE_USE_SSL_FAILED:
            return Kind::kNoTls;
        case CURLE_LOGIN_DENIED:
            return Kind::kNoLogin;
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_REMOTE_ACCESS_DENIED:
        case CURLE_WRITE_ERROR:
            return Kind::kDialogue;
        default:
            return Kind::kLost;
    }
}

// Whether the other end went away in the middle of the TLS handshake, by libcurl's and OpenSSL's
// words.
bool was_cut(std::string_view words) {
    return words.find("reset by peer") != std::string_view::npos ||
           words.find("SSL_ERROR_SYSCALL") != std::string_view::npos ||
           words.find("unexpected eof") != std::string_view::npos;
}

// libcurl's and OpenSSL's words in the order a person reads them.
std::string tls_words(const std::string& words, int certificate_error) {
    if (certificate_error != X509_V_OK)
        return std::string("certificate: ") + X509_verify_cert_error_string(certificate_error);
    if (words.find("subject name") != std::string::npos)
        return "certificate: hostname mismatch: " +
               (words.starts_with("SSL: ") ? words.substr(5) : words);
    // "…error:0A000102:SSL routines::unsupported protocol"
    const auto routine = words.rfind("::");
    return "TLS handshake: " + (routine == std::string::npos ? words : words.substr(routine + 2));
}

std::string words_of(CURL* easy, CURLcode code, Kind kind, const Target& target, const char* error,
                     int certificate_error) {
    const std::string where = target.host + " port " + std::to_string(target.port) + ": ";
    const std::string words = *error != '\0' ? error : curl_easy_strerror(code);
    if (kind == Kind::kTls) return tls_words(words, certificate_error);
    if (kind == Kind::kLost) return where + "the server closed the connection";
    if (kind == Kind::kRefused) {
        long number = 0;
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
        if (number != 0) return where + std::generic_category().message(static_cast<int>(number));
    }
    return where + words;
}

// The address this machine would use towards `remote`, "" when there is no route. Connecting a UDP
// socket only looks up the route; nothing is sent.
std::string local_address_towards(const char* remote) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(remote, "25", &hints, &found) != 0) return {};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return {};
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    auto* address = reinterpret_cast<sockaddr*>(&local);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool known =
        ::connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
        ::getsockname(fd, address, &size) == 0 &&
        ::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0;
    ::close(fd);
    return known ? text.data() : std::string{};
}

}  // namespace

tl::expected<std::unique_ptr<Wire>, DialError> dial(const Target& target, Deadline deadline,
                                                    Handshake& handshake, const Host& host,
                                                    Counters& counters) {
    const auto limit = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (limit.count() <= 0)
        return tl::unexpected(DialError{Kind::kTimeout, false, "no time left to connect"});
    Attempt attempt{handshake, host, counters, nullptr, false};
    if (target.verify && target.tls != TlsUse::kNone) {
        auto store = ca_store(target.ca_file);
        if (!store) return tl::unexpected(DialError{Kind::kConfig, false, store.error()});
        attempt.store = std::move(*store);
    }
    Easy easy(curl_easy_init());
    if (!easy) return tl::unexpected(DialError{Kind::kConfig, false, "libcurl: out of memory"});
    std::array<char, CURL_ERROR_SIZE> error{};
    set_options(easy.get(), target, limit, attempt, error.data());

    ++counters.round_trips;  // TCP
    const CURLcode code = curl_easy_perform(easy.get());

    curl_off_t tcp_us = 0, tls_us = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_CONNECT_TIME_T, &tcp_us);
    curl_easy_getinfo(easy.get(), CURLINFO_APPCONNECT_TIME_T, &tls_us);
    if (tls_us > 0) ++counters.round_trips;
    const bool reached =
        tcp_us > 0 && (target.tls != TlsUse::kImplicit || target.raw || tls_us > 0);
    if (code != CURLE_OK) {
        Kind kind = attempt.cancelled ? Kind::kCancelled : kind_of(code, reached);
        std::string words =
            words_of(easy.get(), code, kind, target, error.data(), attempt.certificate_error);
        if (std::string_view(error.data()).starts_with("Too large")) {
            kind = Kind::kDialogue;
            words = "a line without end, or lines without end";
        }
        // A server that has no room left may say so by going away.
        if (kind == Kind::kTls && attempt.certificate_error == X509_V_OK && was_cut(error.data()))
            kind = Kind::kLost;
        return tl::unexpected(DialError{kind, reached, host.hide(words)});
    }
    detach(easy.get());
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy.get(), CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
        socket == CURL_SOCKET_BAD)
        return tl::unexpected(DialError{Kind::kLost, reached, "closed as soon as it was open"});
    if (!target.raw) return std::make_unique<CurlWire>(std::move(easy), socket);

    attempt.taken = socket;
    easy.reset();
    Socket own(socket);
    if (target.tls != TlsUse::kImplicit) return std::make_unique<SocketWire>(std::move(own));
    auto wire = start_tls(std::move(own), target.host, attempt.store, deadline, host);
    if (!wire) {
        wire.error().text = host.hide(wire.error().text);
        return wire;
    }
    ++counters.round_trips;
    return wire;
}

bool valid_host(std::string_view host) {
    if (host.empty() || host.size() > 253) return false;
    if (is_ipv6(std::string(host))) return true;
    return std::all_of(host.begin(), host.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x80 && (std::isalnum(byte) != 0 || c == '.' || c == '-' || c == '_');
    });
}

std::string address_literal() {
    // Documentation's addresses (RFC 5737, RFC 3849): nothing but the route there matters.
    if (const std::string v4 = local_address_towards("192.0.2.1"); !v4.empty())
        return "[" + v4 + "]";
    if (const std::string v6 = local_address_towards("2001:db8::1"); !v6.empty())
        return "[IPv6:" + v6 + "]";
    return "[127.0.0.1]";
}

}  // namespace vm::plug
