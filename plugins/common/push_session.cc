#include "common/push_session.h"

#include "common/dial.h"
#include "common/smtp_session.h"
#include "common/text.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

struct vm_session {
    vm::plug::SmtpSession smtp;
};

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

// Why the options cannot work at all; "" when they can.
std::string senseless(const vm_options& options) {
    const vm_endpoint& smtp = options.smtp;
    if (options.struct_size < sizeof(vm_options) || smtp.struct_size < sizeof(vm_endpoint))
        return "the host's vm_options is smaller than this plugin's";
    const std::string host = text_of(smtp.host);
    if (!host.empty() && !valid_host(host)) return "no host name or address: " + host;
    if (smtp.tls > VM_TLS_STARTTLS) return "unknown use of TLS: " + std::to_string(smtp.tls);
    if (smtp.auth > VM_AUTH_XOAUTH2) return "unknown authentication: " + std::to_string(smtp.auth);
    const std::string domain = text_of(options.domain);
    if (!domain.empty() && !valid_domain(domain)) return "no domain name: " + domain;
    if (smtp.auth == VM_AUTH_NONE) return "";
    if (text_of(smtp.user).empty()) return "authentication without an account";
    if (text_of(smtp.password).empty()) return "authentication without a password";
    if (has_control(smtp.user)) return "control characters in the account";
    const bool token = smtp.auth == VM_AUTH_XOAUTH2;
    const std::string_view password = smtp.password;
    if (token ? has_control(password) : password.find_first_of("\r\n") != std::string_view::npos)
        return "control characters in the password";
    return "";
}

SmtpOptions smtp_options(const vm_options& options) {
    const vm_endpoint& smtp = options.smtp;
    SmtpOptions out;
    out.host = text_of(smtp.host);
    out.port = smtp.port != 0 ? smtp.port : default_port(smtp.tls);
    out.tls = static_cast<vm_tls>(smtp.tls);
    out.auth = static_cast<vm_auth>(smtp.auth);
    if (out.auth != VM_AUTH_NONE) {
        out.user = text_of(smtp.user);
        out.password = text_of(smtp.password);
    }
    out.domain = text_of(options.domain);
    if (out.domain.empty()) out.domain = address_literal();
    out.ca_file = text_of(options.ca_file);
    out.verify = options.verify != 0;
    out.allow_cleartext_password = options.allow_cleartext_password != 0;
    const auto set = [](std::chrono::milliseconds& timeout, std::uint32_t ms) {
        if (ms != 0) timeout = std::chrono::milliseconds(ms);
    };
    set(out.connect_timeout, options.connect_timeout_ms);
    set(out.reply_timeout, options.reply_timeout_ms);
    set(out.dot_timeout, options.dot_timeout_ms);
    return out;
}

// Everything the account's credentials look like on the wire.
Redactor redactor_for(const SmtpOptions& options) {
    Redactor out;
    if (options.password.empty()) return out;
    const std::string nul(1, '\0');
    std::string plain = nul + options.user + nul + options.password;
    std::string bearer = "user=" + options.user +
                         "\x01"
                         "auth=Bearer " +
                         options.password + "\x01\x01";
    out.add(options.password);
    out.add(plain);
    out.add(bearer);
    wipe(plain);
    wipe(bearer);
    return out;
}

// Hands `answer` to the host: as much of it as the host's struct, which may be older, has room for.
template <class Struct>
void answer_with(Struct* out, Struct answer) {
    const std::uint32_t size = out->struct_size;
    answer.struct_size = size;
    std::memcpy(out, &answer, std::min<std::size_t>(size, sizeof answer));
}

void fill(vm_push_report& report, const Ending& ending) {
    report.step = static_cast<std::uint8_t>(ending.step);
    report.cause = static_cast<std::uint8_t>(ending.cause);
    report.code = static_cast<std::uint16_t>(ending.code);
    copy_text(report.enhanced, sizeof report.enhanced, ending.enhanced);
    copy_text(report.text, sizeof report.text, ending.text);
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

vm_session* open_session(const vm_options* options, char* error, size_t error_size) noexcept {
    std::string reason;
    try {
        reason = senseless(*options);
        if (reason.empty()) {
            SmtpOptions smtp = smtp_options(*options);
            Redactor redactor = redactor_for(smtp);
            return new vm_session{
                {std::move(smtp), Host(g_host, options->context, std::move(redactor))}};
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
    answer.bytes_sent = session->smtp.counters().sent;
    answer.bytes_received = session->smtp.counters().received;
    answer.round_trips = session->smtp.counters().round_trips;
    answer.connected = session->smtp.connected() ? 1 : 0;
    answer_with(report, answer);
}

int answer_not_supported(vm_find_result* result, const char* library) noexcept {
    vm_find_result answer{};
    static constexpr std::string_view kWords = "not supported by this version of ";
    copy_text(answer.error, sizeof answer.error, kWords);
    copy_text(answer.error + kWords.size(), sizeof answer.error - kWords.size(), library);
    answer_with(result, answer);
    return VM_NOT_SUPPORTED;
}

}  // namespace vm::plug
