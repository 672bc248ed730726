#include "common/login.h"

#include "common/bearer.h"
#include "common/text.h"

#include <algorithm>

namespace vm::plug {

namespace {

// Mechanisms in the words of CURLOPT_LOGIN_OPTIONS. Where libcurl may choose it takes CRAM-MD5
// first; so it is not let choose where the connection protects the password better.
constexpr const char* kPlainOrLogin = "AUTH=PLAIN;AUTH=LOGIN";
constexpr const char* kCramMd5 = "AUTH=CRAM-MD5";
constexpr const char* kCramMd5First = "AUTH=CRAM-MD5;AUTH=PLAIN;AUTH=LOGIN";
// libcurl takes the protocol's own login only where it may take anything, and then last.
constexpr const char* kCommand = "AUTH=*";
constexpr const char* kXOAuth2 = "AUTH=XOAUTH2";
constexpr const char* kOAuthBearer = "AUTH=OAUTHBEARER";

const char* mechanisms(const ServerOptions& options) {
    switch (options.auth) {
        case VM_AUTH_NONE:
            break;
        case VM_AUTH_AUTO:
            return is_verified(options) ? kPlainOrLogin : kCramMd5First;
        case VM_AUTH_PLAIN:
            return "AUTH=PLAIN";
        case VM_AUTH_LOGIN:
            return "AUTH=LOGIN";
        case VM_AUTH_CRAM_MD5:
            return kCramMd5;
        case VM_AUTH_XOAUTH2:
            return kXOAuth2;
        case VM_AUTH_OAUTHBEARER:
            return kOAuthBearer;
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
            return "XOAUTH2 or OAUTHBEARER";
        case VM_AUTH_OAUTHBEARER:
            return "OAUTHBEARER";
        case VM_AUTH_NONE:
        case VM_AUTH_AUTO:
            break;
    }
    return "PLAIN, LOGIN or CRAM-MD5";
}

bool has(const std::vector<std::string>& offered, const char* mechanism) {
    return std::find(offered.begin(), offered.end(), mechanism) != offered.end();
}

Ending auth_not_offered(const ServerOptions& options, const std::vector<std::string>& offered) {
    std::string list;
    for (const std::string& mechanism : offered)
        if (mechanism != kLoginCommand) list += (list.empty() ? "" : ", ") + mechanism;
    return ending_of(VM_STEP_AUTH, VM_CAUSE_CONFIG,
                     std::string("authentication by ") + name_of(options.auth) +
                         " was asked for; the server offers " +
                         (list.empty() ? "no authentication" : list));
}

struct Attempt {
    TlsUse tls = TlsUse::kNone;
    std::string mechanisms;
};

struct Failed {
    Ending ending;
    bool auth_missing = false;  // no mechanism of ours was offered
};

class Login {
  public:
    Login(const ServerOptions& options, const Protocol& protocol, LoginHandshake& handshake,
          const Host& host, Counters& counters)
        : options_(options),
          protocol_(protocol),
          handshake_(handshake),
          host_(host),
          counters_(counters),
          deadline_(SteadyClock::now() + options.connect_timeout) {}

    tl::expected<std::unique_ptr<Wire>, Failed> attempt(const Attempt& how) {
        handshake_.restart();
        auto wire = dial(target(how), deadline_, handshake_, host_, counters_);
        const bool authenticate = options_.auth != VM_AUTH_NONE;
        // libcurl goes on without authentication when AUTH is not offered at all, and fails when
        // none of the mechanisms is.
        const bool no_obstacle = wire || wire.error().kind == DialError::Kind::kNoLogin;
        if (authenticate && no_obstacle && !handshake_.auth_tried())
            return tl::unexpected(Failed{auth_not_offered(options_, handshake_.offered()), true});
        if (!wire) return tl::unexpected(Failed{handshake_.ending(wire.error())});
        if (authenticate && !handshake_.authenticated())
            return tl::unexpected(Failed{ending_of(
                VM_STEP_AUTH, VM_CAUSE_PROTOCOL, "the server did not confirm the authentication")});
        return std::move(*wire);
    }

    // The mechanisms to try when none of `tried` is offered; "" when there are no others.
    std::string others(const std::string& tried) const {
        const std::vector<std::string> offered = handshake_.offered();
        const bool any = options_.auth == VM_AUTH_AUTO;
        const bool command = any || options_.auth == VM_AUTH_LOGIN;
        if (command && tried != kCommand && has(offered, kLoginCommand)) return kCommand;
        if (options_.auth == VM_AUTH_XOAUTH2 && tried == kXOAuth2 && has(offered, "OAUTHBEARER"))
            return kOAuthBearer;
        if (any && tried == kPlainOrLogin && has(offered, "CRAM-MD5")) return kCramMd5;
        return {};
    }

  private:
    Target target(const Attempt& how) const {
        Target out;
        out.scheme = protocol_.scheme;
        out.path = protocol_.path;
        out.host = options_.host;
        out.port = options_.port;
        out.tls = how.tls;
        out.verify = is_verified(options_);
        out.ca_file = options_.ca_file;
        out.mechanisms = how.mechanisms;
        out.reply_timeout = options_.reply_timeout;
        if (options_.auth == VM_AUTH_NONE) return out;
        // (libcurl does not do so itself.)
        out.user = how.mechanisms == kOAuthBearer ? sasl_name(options_.user) : options_.user;
        (is_bearer(options_.auth) ? out.bearer : out.password) = options_.password.c_str();
        return out;
    }

    const ServerOptions& options_;
    const Protocol& protocol_;
    LoginHandshake& handshake_;
    const Host& host_;
    Counters& counters_;
    Deadline deadline_;
};

}  // namespace

bool is_verified(const ServerOptions& options) {
    return options.tls != VM_TLS_OPPORTUNISTIC && options.verify;
}

std::optional<Ending> why_no_password(const ServerOptions& options) {
    if (options.auth == VM_AUTH_NONE || is_verified(options) || options.allow_cleartext_password)
        return std::nullopt;
    return ending_of(VM_STEP_AUTH, VM_CAUSE_CONFIG,
                     "the password would cross a connection whose certificate is not checked; use "
                     "implicit TLS or STARTTLS with verification, or allow a cleartext password");
}

std::optional<Ending> ending_without_words(vm_step step, const DialError& error) {
    using Kind = DialError::Kind;
    switch (error.kind) {
        case Kind::kDns:
            return ending_of(step, VM_CAUSE_DNS, error.text);
        case Kind::kRefused:
            return ending_of(step, VM_CAUSE_REFUSED, error.text);
        case Kind::kTls:
            return ending_of(step, VM_CAUSE_TLS, error.text);
        case Kind::kTimeout:
            return ending_of(step, VM_CAUSE_TIMEOUT, error.text);
        case Kind::kCancelled:
            return ending_of(step, VM_CAUSE_CANCELLED, "stopped while connecting");
        case Kind::kConfig:
            return ending_of(step, VM_CAUSE_CONFIG, error.text);
        case Kind::kLost:
            return ending_of(step, VM_CAUSE_LOST, error.text);
        case Kind::kNoTls:
        case Kind::kNoLogin:
        case Kind::kDialogue:
            break;
    }
    return std::nullopt;
}

tl::expected<std::unique_ptr<Wire>, Ending> log_in(const ServerOptions& options,
                                                   const Protocol& protocol,
                                                   LoginHandshake& handshake, const Host& host,
                                                   Counters& counters) {
    if (auto problem = why_no_password(options)) return tl::unexpected(std::move(*problem));
    Login login(options, protocol, handshake, host, counters);
    Attempt how{tls_use(options.tls), mechanisms(options)};
    auto wire = login.attempt(how);
    if (!wire && wire.error().ending.cause == VM_CAUSE_TLS && how.tls == TlsUse::kIfOffered) {
        host.trace("-- ", "TLS is only taken when it works: once more without (" +
                              wire.error().ending.text + ")");
        how.tls = TlsUse::kNone;
        wire = login.attempt(how);
    }
    if (!wire && wire.error().auth_missing) {
        how.mechanisms = login.others(how.mechanisms);
        if (!how.mechanisms.empty()) wire = login.attempt(how);
    }
    if (!wire) return tl::unexpected(std::move(wire.error().ending));
    return std::move(*wire);
}

}  // namespace vm::plug
