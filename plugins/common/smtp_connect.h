// From nothing to an SMTP connection that is ready for MAIL: what RFC 5321 section 3.1 and 3.2,
// RFC 3207 (STARTTLS) and RFC 4954 (AUTH) ask for, and what this project adds:
// - authentication that was asked for happens or connecting fails; never a mail without it;
// - a credential goes over a connection whose certificate was checked, or the options allow it;
// - the step and cause of a failure are exact.
#ifndef VM_PLUGINS_COMMON_SMTP_CONNECT_H
#define VM_PLUGINS_COMMON_SMTP_CONNECT_H

#include "common/connection.h"
#include "common/ending.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vm::plug {

struct SmtpOptions {
    std::string host;
    std::uint16_t port = 0;  // not 0
    vm_tls tls = VM_TLS_OPPORTUNISTIC;
    vm_auth auth = VM_AUTH_NONE;
    std::string user;
    std::string password;  // cleared by the owner
    std::string domain;    // for EHLO
    std::string ca_file;
    bool verify = true;
    bool allow_cleartext_password = false;
    std::chrono::milliseconds connect_timeout{60'000};
    std::chrono::milliseconds reply_timeout{300'000};
    std::chrono::milliseconds dot_timeout{600'000};
};

// What the server announced in its last EHLO reply; nothing after HELO.
struct Capabilities {
    bool pipelining = false;        // RFC 2920
    bool eight_bit_mime = false;    // RFC 6152
    bool size = false;              // RFC 1870
    std::uint64_t size_limit = 0;   // 0: none announced
    std::vector<std::string> auth;  // mechanisms, upper case
};

// From the lines of the reply to EHLO, its first line (the server's name) included.
Capabilities parse_capabilities(const std::vector<std::string>& lines);

struct SmtpLink {
    std::unique_ptr<Wire> wire;
    Capabilities capabilities;
};

tl::expected<SmtpLink, Ending> connect_smtp(const SmtpOptions& options, const Host& host,
                                            Counters& counters);

}  // namespace vm::plug

#endif
