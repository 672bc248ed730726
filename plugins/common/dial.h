// Opens a connection by libcurl (CURLOPT_CONNECT_ONLY): name, both address families, TLS or
// STARTTLS, certificate, greeting, EHLO or CAPABILITY and SASL; what is left is an authenticated
// byte stream. A scheme is a parameter: "smtp", "imap", "pop3". libcurl stops in this file and
// dial.cc. Of a raw connection it only finds the name's address that answers: TLS is tls_wire.h's,
// and nothing of libcurl stays.
//
// libcurl's result code does not say at which step the dialogue ended, and it lets pass what must
// not pass (a reply that is none, a missing AUTH). So the protocol listens in, as a Handshake, and
// has the last word.
#ifndef VM_PLUGINS_COMMON_DIAL_H
#define VM_PLUGINS_COMMON_DIAL_H

#include "common/connection.h"

#include <tl/expected.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace vm::plug {

// Hears the dialogue while libcurl holds it.
class Handshake {
  public:
    virtual ~Handshake() = default;
    // A command is being sent. Returns what of it may be printed.
    virtual std::string on_command(std::string_view command) = 0;
    // A line of the server, without its end. False ends the attempt (kDialogue).
    virtual bool on_line(std::string_view line) = 0;
};

enum class TlsUse {
    kNone,
    kIfOffered,  // STARTTLS when offered
    kStartTls,   // STARTTLS or nothing
    kImplicit,
};

struct Target {
    std::string scheme;
    bool raw = false;  // TCP, and implicit TLS, alone: nothing is said or heard, no scheme
    std::string host;  // name or address, see valid_host()
    std::uint16_t port = 0;
    TlsUse tls = TlsUse::kNone;
    bool verify = true;   // certificate and name
    std::string ca_file;  // "": the system's store
    std::string path;     // of the URL; with smtp the name for EHLO
    // Authentication; `user` "": none. Borrowed for the call: the caller owns the secret.
    std::string user;
    const char* password = nullptr;
    const char* bearer = nullptr;  // instead of the password
    std::string mechanisms;        // "AUTH=PLAIN;AUTH=LOGIN": the ones allowed
    std::chrono::milliseconds reply_timeout{300'000};
};

struct DialError {
    enum class Kind {
        kDns,
        kRefused,  // by TCP, or unreachable
        kTls,
        kTimeout,
        kLost,
        kCancelled,
        kConfig,    // options libcurl or OpenSSL cannot use
        kNoTls,     // STARTTLS was demanded and is not to be had
        kNoLogin,   // authentication failed, or none of the mechanisms is offered
        kDialogue,  // something else the server said: the Handshake knows what
    };
    Kind kind = Kind::kLost;
    bool reached = false;  // TCP, and TLS when implicit, stood: the greeting was due
    std::string text;      // one line
};

// Blocks until `deadline` at most; asks the host once a second whether to stop.
tl::expected<std::unique_ptr<Wire>, DialError> dial(const Target& target, Deadline deadline,
                                                    Handshake& handshake, const Host& host,
                                                    Counters& counters);

// A host name in ASCII, an IPv4 or an IPv6 address (without brackets).
bool valid_host(std::string_view host);

// The address literal for EHLO where there is no name: "[192.0.2.1]", "[IPv6:2001:db8::1]". Takes
// the address this machine would use towards the world; sends nothing.
std::string address_literal();

}  // namespace vm::plug

#endif
