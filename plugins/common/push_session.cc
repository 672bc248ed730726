#include "common/push_session.h"

#include "common/bearer.h"
#include "common/session.h"
#include "common/text.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

namespace vm::plug {

namespace {

std::atomic<const vm_host*> g_host{nullptr};

std::string text_of(const char* text) {
    return text == nullptr ? "" : text;
}

std::uint16_t default_port(std::uint8_t tls) {
    switch (tls) {
        case VM_TLS_IMPLICIT:
            return 465;
        case VM_TLS_STARTTLS:
            return 587;
        default:
            return 25;
    }
}

bool valid_domain(std::string_view domain) {
    if (valid_host(domain)) return true;
    // An address literal, RFC 5321 section 4.1.3.
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return false;
    std::string_view address = domain.substr(1, domain.size() - 2);
    if (address.starts_with("IPv6:")) address.remove_prefix(5);
    return valid_host(address);
}

// Why the endpoint cannot work at all; "" when it can.
std::string senseless(const vm_endpoint& server) {
    const std::string host = text_of(server.host);
    if (!host.empty() && !valid_host(host)) return "no host name or address: " + host;
    if (server.tls > VM_TLS_STARTTLS) return "unknown use of TLS: " + std::to_string(server.tls);
    if (server.auth > VM_AUTH_OAUTHBEARER)
        return "unknown authentication: " + std::to_string(server.auth);
    if (server.auth == VM_AUTH_NONE) return "";
    if (text_of(server.user).empty()) return "authentication without an account";
    if (has_control(server.user)) return "control characters in the account";
    const bool token = is_bearer(static_cast<vm_auth>(server.auth));
    if (server.password == nullptr && token && g_host.load()->token != nullptr) return "";
    if (server.password == nullptr || *server.password == '\0')
        return "authentication without a password";
    const std::string_view password = server.password;
    if (token ? has_control(password) : password.find_first_of("\r\n") != std::string_view::npos)
        return "control characters in the password";
    return "";
}

// An account is logged in to in any case.
vm_endpoint account_endpoint(const vm_options& options) {
    vm_endpoint out = options.account;
    if (out.auth == VM_AUTH_NONE) out.auth = VM_AUTH_AUTO;
    return out;
}

// Why the options cannot work at all; "" when they can.
std::string senseless(const vm_options& options, bool with_account) {
    if (options.struct_size < sizeof(vm_options) ||
        options.smtp.struct_size < sizeof(vm_endpoint) ||
        options.account.struct_size < sizeof(vm_endpoint))
        return "the host's vm_options is smaller than this plugin's";
    const std::string domain = text_of(options.domain);
    if (!domain.empty() && !valid_domain(domain)) return "no domain name: " + domain;
    std::string reason = senseless(options.smtp);
    if (!reason.empty() || !with_account || text_of(options.account.host).empty()) return reason;
    reason = senseless(account_endpoint(options));
    return reason.empty() ? "" : "the mail account: " + reason;
}

void set(std::chrono::milliseconds& timeout, std::uint32_t ms) {
    if (ms != 0) timeout = std::chrono::milliseconds(ms);
}

// The part of the options that both halves have; the port is the caller's.
void set_server(ServerOptions& out, const vm_endpoint& server, const vm_options& options) {
    out.host = text_of(server.host);
    out.port = server.port;
    out.tls = static_cast<vm_tls>(server.tls);
    out.auth = static_cast<vm_auth>(server.auth);
    if (out.auth != VM_AUTH_NONE) {
        out.user = text_of(server.user);
        out.password = text_of(server.password);
    }
    out.ca_file = text_of(options.ca_file);
    out.verify = options.verify != 0;
    out.allow_cleartext_password = options.allow_cleartext_password != 0;
    set(out.connect_timeout, options.connect_timeout_ms);
    set(out.reply_timeout, options.reply_timeout_ms);
}

SmtpOptions smtp_options(const vm_options& options) {
    SmtpOptions out;
    set_server(out, options.smtp, options);
    if (out.port == 0) out.port = default_port(options.smtp.tls);
    out.domain = text_of(options.domain);
    set(out.dot_timeout, options.dot_timeout_ms);
    return out;
}

AccountOptions account_options(const vm_options& options, const AccountPlugin& plugin) {
    AccountOptions out;
    set_server(out, account_endpoint(options), options);
    if (out.port == 0) out.port = out.tls == VM_TLS_IMPLICIT ? plugin.tls_port : plugin.port;
    out.search_text = options.imap_search_text != 0;
    return out;
}

void fill(vm_push_report& report, const Ending& ending) {
    report.step = static_cast<std::uint8_t>(ending.step);
    report.cause = static_cast<std::uint8_t>(ending.cause);
    report.code = static_cast<std::uint16_t>(ending.code);
    copy_text(report.enhanced, sizeof report.enhanced, ending.enhanced);
    copy_text(report.text, sizeof report.text, ending.text);
}

void finish(vm_push_report* report, vm_push_report answer, const SmtpSession& smtp) {
    answer.bytes_sent = smtp.counters().sent;
    answer.bytes_received = smtp.counters().received;
    answer.round_trips = smtp.counters().round_trips;
    answer.connected = smtp.connected() ? 1 : 0;
    answer_with(report, answer);
}

}  // namespace

bool use_host(const vm_host* host) noexcept {
    if (host == nullptr || host->abi_version != VM_TRANSPORT_ABI ||
        host->struct_size < sizeof(vm_host) || host->trace == nullptr || host->cancelled == nullptr)
        return false;
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    g_host = host;
    return ready;
}

vm_session* open_session(const vm_options* options, const AccountPlugin& plugin, char* error,
                         size_t error_size) noexcept {
    std::string reason;
    try {
        reason = senseless(*options, plugin.make != nullptr);
        if (reason.empty()) {
            SmtpOptions smtp = smtp_options(*options);
            Redactor smtp_secrets = redactor_for(smtp);
            std::unique_ptr<Account> account;
            if (plugin.make != nullptr) {
                AccountOptions server = account_options(*options, plugin);
                Redactor secrets = redactor_for(server);
                account = plugin.make(std::move(server),
                                      Host(g_host, options->context, std::move(secrets)));
            }
            return new vm_session{
                {std::move(smtp), Host(g_host, options->context, std::move(smtp_secrets))},
                std::move(account)};
        }
        reason = one_line(reason);
    } catch (const std::exception& problem) {
        reason = problem.what();
    }
    if (error != nullptr && error_size > 0) copy_text(error, error_size, reason);
    return nullptr;
}

void close_session(vm_session* session) noexcept {
    delete session;
}

void push_message(vm_session* session, const vm_message* message, vm_push_report* report) noexcept {
    vm_push_report answer{};
    try {
        Ending ending = session->smtp.push(*message);
        ending.text = session->smtp.hide(ending.text);
        fill(answer, ending);
    } catch (const std::exception& problem) {
        // Outside a transaction: nothing of the message can have been sent.
        fill(answer, ending_of(VM_STEP_NONE, VM_CAUSE_LOST, one_line(problem.what())));
    }
    finish(report, answer, session->smtp);
}

int log_in_to_push(vm_session* session, vm_push_report* report) noexcept {
    vm_push_report answer{};
    bool failed = true;
    try {
        auto ending = session->smtp.log_in();
        failed = ending.has_value();
        if (failed) {
            ending->text = session->smtp.hide(ending->text);
            fill(answer, *ending);
        }
    } catch (const std::exception& problem) {
        fill(answer, ending_of(VM_STEP_NONE, VM_CAUSE_LOST, one_line(problem.what())));
    }
    finish(report, answer, session->smtp);
    return failed ? VM_FAILED : VM_OK;
}

}  // namespace vm::plug
