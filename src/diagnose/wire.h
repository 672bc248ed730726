// One connection to a mail server for a look at it: TCP, TLS, lines. Nothing secret ever goes
// over it, so that it may go on where a session must not: with a certificate that is refused, whose
// names and dates are to be told. One thread at a time; blocks for the timeout at most: each
// function, and of a Wire all calls of one step together. SIGPIPE is to be ignored.
#ifndef VM_DIAGNOSE_WIRE_H
#define VM_DIAGNOSE_WIRE_H

#include "diagnose/address.h"

#include <openssl/ssl.h>
#include <tl/expected.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace vm::diagnose {

struct TlsState {
    std::string version;  // "TLSv1.3"
    std::optional<Certificate> certificate;
    Fault fault = Fault::kNone;  // of the certificate
    std::string words;           // OpenSSL's about it
};

class Wire {
  public:
    // To the first address that answers. kRefused, kUnreachable, kTimeout.
    static Outcome<Wire> connect(const std::vector<Address>& addresses, std::uint16_t port,
                                 Millis timeout);
    Wire(Wire&& other) noexcept;
    Wire& operator=(Wire&&) = delete;
    ~Wire();

    // The time for all that comes until the next call begins now.
    void begin_step();

    // The handshake, with a certificate that is looked at and not insisted on. `ca_file`: what is
    // trusted, "" the system's store. kTls; kOptions for a file that has no certificates.
    Outcome<TlsState> start_tls(const std::string& host, const std::filesystem::path& ca_file);

    // A line without its end. kSilent: none came in time; kBrokeOff: closed, or no text.
    Outcome<std::string> line();
    std::optional<Trouble> send(std::string_view data);

    const std::string& peer() const { return peer_; }
    // This end's, as an address literal for EHLO.
    std::string literal() const;

  private:
    Wire(int fd, std::string peer, Millis timeout);
    // How many bytes came; 0 when the time is over, negative when the connection is.
    int receive(char* buffer, int size);

    int fd_ = -1;
    std::string peer_;
    Millis timeout_;
    std::int64_t deadline_ = 0;  // steady
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
    std::string received_;
};

}  // namespace vm::diagnose

#endif
