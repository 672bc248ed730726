// From nothing to an authenticated byte stream, for every protocol that authenticates by SASL:
// - authentication that was asked for happens or connecting fails;
// - a credential goes over a connection whose certificate was checked, or the options allow it;
// - opportunistic TLS is taken where it works, and done without where it does not (RFC 7435);
// - the step and cause of a failure are exact, as the protocol's handshake overheard them.
#ifndef VM_PLUGINS_COMMON_LOGIN_H
#define VM_PLUGINS_COMMON_LOGIN_H

#include "common/dial.h"
#include "common/ending.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::plug {

struct ServerOptions {
    std::string host;
    std::uint16_t port = 0;  // not 0
    vm_tls tls = VM_TLS_OPPORTUNISTIC;
    vm_auth auth = VM_AUTH_NONE;
    std::string user;
    std::string password;  // cleared by the owner
    std::string ca_file;
    bool verify = true;
    bool allow_cleartext_password = false;
    std::chrono::milliseconds connect_timeout{60'000};
    std::chrono::milliseconds reply_timeout{300'000};
};

// The name offered() gives a login that is no SASL mechanism: IMAP's LOGIN, POP3's APOP or USER and
// PASS.
inline constexpr const char* kLoginCommand = "+LOGIN";

// A handshake that knows of authentication.
class LoginHandshake : public Handshake {
  public:
    virtual void restart() = 0;  // another connection begins
    virtual bool auth_tried() const = 0;
    virtual bool authenticated() const = 0;
    virtual std::vector<std::string> offered() const = 0;  // mechanisms, upper case
    // What ended the attempt, given what libcurl made of it.
    virtual Ending ending(const DialError& error) const = 0;
};

// Whether the certificate is checked.
bool is_verified(const ServerOptions& options);
// Why a credential must not be sent, or cannot; nothing when it may.
std::optional<Ending> why_no_password(const ServerOptions& options);

// The failures that no dialogue explains; nothing for those the server's words do.
std::optional<Ending> ending_without_words(vm_step step, const DialError& error);

struct Protocol {
    const char* scheme;
    std::string path;  // see Target::path
};

// Blocks until options.connect_timeout at most. Afterwards `handshake` knows what was heard on the
// connection that is returned.
tl::expected<std::unique_ptr<Wire>, Ending> log_in(const ServerOptions& options,
                                                   const Protocol& protocol,
                                                   LoginHandshake& handshake, const Host& host,
                                                   Counters& counters);

}  // namespace vm::plug

#endif
