#include "agent/session_options.h"

#include <algorithm>

namespace vm::agent {

namespace {

transport::Tls tls_of(config::Ssl ssl) {
    switch (ssl) {
        case config::Ssl::kNo:
            return transport::Tls::kOpportunistic;
        case config::Ssl::kYes:
            return transport::Tls::kImplicit;
        case config::Ssl::kStartTls:
            return transport::Tls::kStartTls;
    }
    return transport::Tls::kStartTls;
}

transport::Auth auth_of(config::Auth auth) {
    switch (auth) {
        case config::Auth::kNone:
            return transport::Auth::kNone;
        case config::Auth::kAuto:
            return transport::Auth::kAuto;
        case config::Auth::kPlain:
            return transport::Auth::kPlain;
        case config::Auth::kLogin:
            return transport::Auth::kLogin;
        case config::Auth::kCramMd5:
            return transport::Auth::kCramMd5;
        case config::Auth::kXOAuth2:
            return transport::Auth::kXOAuth2;
        case config::Auth::kOAuthBearer:
            return transport::Auth::kOAuthBearer;
    }
    return transport::Auth::kAuto;
}

transport::Endpoint endpoint_of(const config::MailboxOptions& mailbox,
                                const config::Server& server) {
    return {server.host,        server.port,
            tls_of(server.ssl), auth_of(server.auth),
            server.account,     mailbox.takes_token(server) ? Secret() : server.password};
}

const config::Server& account_of(const config::MailboxOptions& mailbox,
                                 const config::MiscSetup& misc) {
    const bool pop3 = config::transport_kind(misc) == config::TransportKind::kPop3;
    return pop3 ? mailbox.pop3 : mailbox.imap4;
}

// Without a login the account is a sender's address and nothing of the connection's.
bool same_server(const config::Server& a, const config::Server& b) {
    const bool same_login =
        a.auth == b.auth &&
        (a.auth == config::Auth::kNone || (a.account == b.account && a.password == b.password));
    return a.host == b.host && a.port == b.port && a.ssl == b.ssl && same_login;
}

std::string address_of(const config::Server& server) {
    return server.host + ":" + std::to_string(server.port);
}

std::string key_of(const config::Server& server, const config::MailboxOptions& mailbox) {
    return address_of(server) + ' ' + std::to_string(static_cast<int>(server.ssl)) + ' ' +
           std::to_string(mailbox.network_timeout_s) + ' ' +
           (mailbox.tls_verify ? mailbox.tls_ca_file.string() : "unverified");
}

}  // namespace

transport::SessionOptions session_options(const config::MailboxOptions& mailbox,
                                          const config::MiscSetup& misc,
                                          std::function<bool()> cancelled, const Tokens& tokens) {
    transport::SessionOptions options = push_options(mailbox, std::move(cancelled), tokens);
    options.account = endpoint_of(mailbox, account_of(mailbox, misc));
    options.search_text = mailbox.search_mode == config::SearchMode::kText;
    return options;
}

// What is read here is what same_push_session() compares.
transport::SessionOptions push_options(const config::MailboxOptions& mailbox,
                                       std::function<bool()> cancelled, const Tokens& tokens) {
    transport::SessionOptions options;
    options.name = mailbox.number;
    options.smtp = endpoint_of(mailbox, mailbox.smtp);
    options.domain = mailbox.domain;
    options.ca_file = mailbox.tls_ca_file;
    options.verify = mailbox.tls_verify;
    options.allow_cleartext_password = mailbox.allow_cleartext_password;
    const std::chrono::seconds reply(mailbox.network_timeout_s);
    options.reply_timeout = reply;
    options.connect_timeout = std::min<std::chrono::milliseconds>(reply, std::chrono::seconds(60));
    // The final dot gets twice the time: giving up early is what makes duplicates (RFC 1047).
    options.dot_timeout = 2 * reply;
    options.cancelled = std::move(cancelled);
    if (tokens && mailbox.oauth2.provider != config::OAuth2Provider::kNone)
        options.token = [tokens, client = oauth2::client_of(mailbox)](const Secret& refused) {
            return tokens->token(client, refused);
        };
    return options;
}

// Tokens are the mailbox's own.
bool same_tokens(const config::MailboxOptions& a, const config::MailboxOptions& b) {
    return (!a.takes_token(a.smtp) && !b.takes_token(b.smtp)) ||
           (a.number == b.number && a.oauth2 == b.oauth2);
}

bool same_push_session(const config::MailboxOptions& a, const config::MailboxOptions& b) {
    return same_tokens(a, b) && same_server(a.smtp, b.smtp) && a.domain == b.domain &&
           a.tls_ca_file == b.tls_ca_file && a.tls_verify == b.tls_verify &&
           a.allow_cleartext_password == b.allow_cleartext_password &&
           a.network_timeout_s == b.network_timeout_s;
}

bool has_account(const config::MailboxOptions& mailbox, const config::MiscSetup& misc) {
    return !account_of(mailbox, misc).host.empty();
}

std::string server_of(const config::MailboxOptions& mailbox) {
    return address_of(mailbox.smtp);
}

std::string account_server_of(const config::MailboxOptions& mailbox,
                              const config::MiscSetup& misc) {
    return address_of(account_of(mailbox, misc));
}

std::string gate_key(const config::MailboxOptions& mailbox) {
    return key_of(mailbox.smtp, mailbox);
}

std::string account_gate_key(const config::MailboxOptions& mailbox, const config::MiscSetup& misc) {
    return key_of(account_of(mailbox, misc), mailbox);
}

}  // namespace vm::agent
