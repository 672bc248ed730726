// From nothing to an SMTP connection that is ready for MAIL: what RFC 5321 section 3.1 and 3.2,
// RFC 3207 (STARTTLS) and RFC 4954 (AUTH) ask for, and the promises of login.h: never a mail
// without the authentication that was asked for.
#ifndef VM_PLUGINS_COMMON_SMTP_CONNECT_H
#define VM_PLUGINS_COMMON_SMTP_CONNECT_H

#include "common/login.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vm::plug {

struct SmtpOptions : ServerOptions {
    std::string domain;  // for EHLO; "": the address literal of this machine
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
