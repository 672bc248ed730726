#include "common/smtp_connect.h"

#include "common/dial.h"
#include "common/smtp_handshake.h"
#include "common/text.h"

#include <algorithm>

namespace vm::plug {

namespace {

// Mechanisms in the words of CURLOPT_LOGIN_OPTIONS. Where libcurl may choose it takes CRAM-MD5
// first; so it is not let choose where the connection protects the password better.
constexpr const char* kPlainOrLogin = "AUTH=PLAIN;AUTH=LOGIN";
constexpr const char* kCramMd5 = "AUTH=CRAM-MD5";
constexpr const char* kCramMd5First = "AUTH=CRAM-MD5;AUTH=PLAIN;AUTH=LOGIN";

bool verified(const SmtpOptions& options) {
    return options.tls != VM_TLS_OPPORTUNISTIC && options.verify;
}

const char* mechanisms(const SmtpOptions& options) {
    switch (options.auth) {
        case VM_AUTH_NONE:
            break;
        case VM_AUTH_AUTO:
            return verified(options) ? kPlainOrLogin : kCramMd5First;
        case VM_AUTH_PLAIN:
            return "AUTH=PLAIN";
        case VM_AUTH_LOGIN:
            return "AUTH=LOGIN";
        case VM_AUTH_CRAM_MD5:
            return kCramMd5;
        case VM_AUTH_XOAUTH2:
            return "AUTH=XOAUTH2";
    }
    return "";
}

TlsUse tls_use(vm_tls tls) {
    switch (tls) {
        case VM_TLS_IMPLICIT:
            return TlsUse::kImplicit;
        case VM_TLS_STARTTLS:
            return TlsUse::kStartTls;
        case VM_TLS_OPPORTUNISTIC:
            break;
    }
    return TlsUse::kIfOffered;
}

const char* name_of(vm_auth auth) {
    switch (auth) {
        case VM_AUTH_PLAIN:
            return "PLAIN";
        case VM_AUTH_LOGIN:
            return "LOGIN";
        case VM_AUTH_CRAM_MD5:
            return "CRAM-MD5";
        case VM_AUTH_XOAUTH2:
            return "XOAUTH2";
        case VM_AUTH_NONE:
        case VM_AUTH_AUTO:
            break;
    }
    return "PLAIN, LOGIN or CRAM-MD5";
}

bool offers(const Capabilities& capabilities, const char* mechanism) {
    return std::find(capabilities.auth.begin(), capabilities.auth.end(), mechanism) !=
           capabilities.auth.end();
}

Ending auth_not_offered(const SmtpOptions& options, const Capabilities& capabilities) {
    std::string offered;
    for (const std::string& mechanism : capabilities.auth)
        offered += (offered.empty() ? "" : ", ") + mechanism;
    return ending_of(VM_STEP_AUTH, VM_CAUSE_CONFIG,
                     std::string("authentication by ") + name_of(options.auth) +
                         " was asked for; the server offers " +
                         (offered.empty() ? "no authentication" : offered));
}

struct Attempt {
    TlsUse tls = TlsUse::kNone;
    std::string mechanisms;
};

struct Failed {
    Ending ending;
    bool auth_missing = false;  // no mechanism of ours was offered
    Capabilities capabilities;
};

tl::expected<SmtpLink, Failed> attempt(const SmtpOptions& options, const Attempt& how,
                                       Deadline deadline, const Host& host, Counters& counters) {
    Target target;
    target.scheme = "smtp";
    target.host = options.host;
    target.port = options.port;
    target.tls = how.tls;
    target.verify = verified(options);
    target.ca_file = options.ca_file;
    target.path = options.domain;
    target.mechanisms = how.mechanisms;
    target.reply_timeout = options.reply_timeout;
    const bool authenticate = options.auth != VM_AUTH_NONE;
    if (authenticate) {
        target.user = options.user;
        (options.auth == VM_AUTH_XOAUTH2 ? target.bearer : target.password) =
            options.password.c_str();
    }
    SmtpHandshake handshake;
    auto wire = dial(target, deadline, handshake, host, counters);
    const Capabilities& capabilities = handshake.capabilities();
    // libcurl goes on without authentication when AUTH is not offered at all, and fails when none
    // of the mechanisms is.
    const bool no_obstacle = wire || wire.error().kind == DialError::Kind::kNoLogin;
    if (authenticate && no_obstacle && !handshake.auth_tried())
        return tl::unexpected(Failed{auth_not_offered(options, capabilities), true, capabilities});
    if (!wire) return tl::unexpected(Failed{handshake.ending(wire.error()), false, {}});
    if (authenticate && !handshake.authenticated())
        return tl::unexpected(Failed{ending_of(VM_STEP_AUTH, VM_CAUSE_PROTOCOL,
                                               "the server did not confirm the authentication"),
                                     false,
                                     {}});
    return SmtpLink{std::move(*wire), capabilities};
}

}  // namespace

tl::expected<SmtpLink, Ending> connect_smtp(const SmtpOptions& options, const Host& host,
                                            Counters& counters) {
    if (options.auth != VM_AUTH_NONE && !verified(options) && !options.allow_cleartext_password)
        return tl::unexpected(
            ending_of(VM_STEP_AUTH, VM_CAUSE_CONFIG,
                      "the password would cross a connection whose certificate is not checked; use "
                      "implicit TLS or STARTTLS with verification, or allow a cleartext password"));
    const Deadline deadline = SteadyClock::now() + options.connect_timeout;
    Attempt how{tls_use(options.tls), mechanisms(options)};
    auto link = attempt(options, how, deadline, host, counters);
    if (!link && link.error().ending.cause == VM_CAUSE_TLS && how.tls == TlsUse::kIfOffered) {
        host.trace("-- ", "TLS is only taken when it works: once more without (" +
                              link.error().ending.text + ")");
        how.tls = TlsUse::kNone;
        link = attempt(options, how, deadline, host, counters);
    }
    if (!link && link.error().auth_missing && how.mechanisms == kPlainOrLogin &&
        offers(link.error().capabilities, "CRAM-MD5")) {
        how.mechanisms = kCramMd5;
        link = attempt(options, how, deadline, host, counters);
    }
    if (!link) return tl::unexpected(std::move(link.error().ending));
    return std::move(*link);
}

}  // namespace vm::plug
