#include "app/server_check.h"

#include <algorithm>

namespace vm::app {

namespace {

// From DNS to the login it is several steps, and many servers are slow on purpose to refuse a
// password, or with mails.
constexpr int kSessionSteps = 3;

}  // namespace

diagnose::Finding ServerCheck::finding(Step step, std::string words, std::string note) const {
    Finding out;
    out.protocol = protocol_;
    out.step = step;
    out.words = std::move(words);
    out.note = std::move(note);
    out.ms = system_clock().steady_ms() - since_;
    return out;
}

void ServerCheck::tell(const Finding& found) {
    CheckedStep step{server().host, found, std::nullopt};
    if (found.fault != Fault::kNone) {
        step.advice = diagnose::advise(found, all_.mailbox);
        if (all_.summary.status == 0) all_.summary.status = exit_status(step.advice->kind);
    }
    all_.tell(step);
    since_ = system_clock().steady_ms();
}

void ServerCheck::tell(Step step, std::string words, std::string note) {
    tell(finding(step, std::move(words), std::move(note)));
}

bool ServerCheck::fail(Step step, Fault fault, std::string words, std::string note) {
    Finding found = finding(step, std::move(words), std::move(note));
    found.fault = fault;
    found.mechanisms = able_.mechanisms;
    found.starttls = able_.starttls;
    tell(found);
    return false;
}

bool ServerCheck::missing(const std::string& key, const char* value) {
    return fail(Step::kOptions, Fault::kOptions, key + " is not set",
                "Set it: " + diagnose::set_command(all_.mailbox, {key + "=" + value}));
}

void ServerCheck::works(const std::string& what) {
    all_.summary.works += (all_.summary.works.empty() ? "" : "; ") + what;
}

std::string ServerCheck::option(const char* name) const {
    return std::string(diagnose::prefix_of(protocol_)) + " " + name;
}

bool ServerCheck::reach() {
    if (server().host.empty()) return missing(option("Server"));
    const auto able = diagnose::probe(protocol_, all_.mailbox, all_.wish.timeout,
                                      [this](const Finding& found) { tell(found); });
    if (!able) return false;
    able_ = *able;
    if (server().auth == config::Auth::kNone) return true;
    if (server().account.empty()) return missing(option("Account"));
    if (server().password.empty() && !all_.mailbox.takes_token(server()))
        return missing(option("Password"), "-");
    return true;
}

transport::SessionOptions ServerCheck::limited(transport::SessionOptions options) const {
    options.connect_timeout = options.reply_timeout = options.dot_timeout =
        kSessionSteps * all_.wish.timeout;
    return options;
}

diagnose::Fault ServerCheck::refusal_of_options() const {
    const bool verified = server().ssl != config::Ssl::kNo && all_.mailbox.tls_verify;
    if (!verified && !all_.mailbox.allow_cleartext_password) return Fault::kUnverified;
    if (able_.login_disabled && able_.mechanisms.empty()) return Fault::kLoginDisabled;
    const auto offers = [&](const char* name) {
        return std::find(able_.mechanisms.begin(), able_.mechanisms.end(), name) !=
               able_.mechanisms.end();
    };
    const bool token =
        all_.mailbox.takes_token(server()) && (offers("XOAUTH2") || offers("OAUTHBEARER"));
    return token ? Fault::kToken : Fault::kMechanism;
}

std::string ServerCheck::who() const {
    const config::Auth auth = server().auth;
    if (auth == config::Auth::kNone) return "not needed: Smtp Authentication is None";
    const bool token = auth == config::Auth::kXOAuth2 || auth == config::Auth::kOAuthBearer;
    return "as " + server().account + (token ? ", with a token" : "");
}

}  // namespace vm::app
