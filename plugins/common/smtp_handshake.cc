#include "common/smtp_handshake.h"

#include "common/bearer.h"
#include "common/text.h"

#include <algorithm>
#include <charconv>

namespace vm::plug {

namespace {

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    while (true) {
        const auto start = text.find_first_not_of(" \t=");  // "AUTH=LOGIN" is an old form
        if (start == std::string_view::npos) return out;
        const auto end = std::min(text.find_first_of(" \t=", start), text.size());
        out.push_back(text.substr(start, end - start));
        text.remove_prefix(end);
    }
}

constexpr int kContinue = 334;  // RFC 4954: the server wants the client's next answer
constexpr int kAuthenticated = 235;
constexpr int kClosing = 421;             // RFC 5321 section 3.8: comes at any step
constexpr int kCredentialsRefused = 535;  // RFC 4954

}  // namespace

Capabilities parse_capabilities(const std::vector<std::string>& lines) {
    Capabilities out;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto parts = words(lines[i]);
        if (parts.empty()) continue;
        const std::string keyword = upper(parts[0]);
        if (keyword == "PIPELINING") out.pipelining = true;
        if (keyword == "8BITMIME") out.eight_bit_mime = true;
        if (keyword == "SIZE") {
            out.size = true;
            if (parts.size() > 1)
                std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), out.size_limit);
        }
        if (keyword == "AUTH")
            for (std::size_t k = 1; k < parts.size(); ++k) {
                const std::string mechanism = upper(parts[k]);
                if (std::find(out.auth.begin(), out.auth.end(), mechanism) == out.auth.end())
                    out.auth.push_back(mechanism);
            }
    }
    return out;
}

std::string SmtpHandshake::on_command(std::string_view command) {
    reply_.reset();
    std::string line = one_line(command);
    const auto parts = words(line);
    const std::string verb = parts.empty() || step_ == VM_STEP_AUTH ? "" : upper(parts[0]);
    if (verb == "EHLO" || verb == "HELO") {
        step_ = VM_STEP_HELLO;
        ehlo_ = verb == "EHLO";
        capabilities_ = {};  // of the clear part; what counts is said under TLS (RFC 3207 4.2)
    } else if (verb == "STARTTLS") {
        step_ = VM_STEP_STARTTLS;
    } else if (verb == "AUTH") {
        step_ = VM_STEP_AUTH;
        auth_tried_ = true;
        const std::string mechanism = parts.size() > 1 ? upper(parts[1]) : "";
        bearer_ = mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER";
        return "AUTH " + mechanism + (parts.size() > 2 ? " [hidden]" : "");
    } else {
        return "[hidden]";  // SASL
    }
    return line;
}

bool SmtpHandshake::on_line(std::string_view line) {
    if (step_ == VM_STEP_CONNECT) step_ = VM_STEP_GREETING;
    switch (parser_.feed(line)) {
        case ReplyParser::State::kMore:
            return true;
        case ReplyParser::State::kGarbage:
            garbage_ = true;
            garbage_line_ = one_line(line);
            return false;
        case ReplyParser::State::kComplete:
            break;
    }
    reply_ = parser_.reply();
    if (step_ == VM_STEP_HELLO && ehlo_ && reply_->group() == 2)
        capabilities_ = parse_capabilities(reply_->lines);
    if (step_ == VM_STEP_AUTH && reply_->code == kAuthenticated) authenticated_ = true;
    if (bearer_ && reply_->code == kContinue && !reply_->lines.empty() && !reply_->lines[0].empty())
        refusal_ = refusal_of(reply_->lines[0]);
    return reply_->code != kClosing;
}

// What the server said made libcurl, or us, stop.
Ending SmtpHandshake::dialogue_ending(vm_step step, const DialError& error) const {
    // With a token the server says no in two steps: 334 with the reason as base64 JSON, and the 535
    // when the client has answered that. Of XOAUTH2 libcurl hangs up before.
    if (step == VM_STEP_AUTH && bearer_ && reply_ && reply_->code == kContinue)
        return {VM_STEP_AUTH, VM_CAUSE_REPLY, kCredentialsRefused, "",
                "535 the server refused the token: " + refusal_};
    const bool negative = reply_ && (reply_->group() == 4 || reply_->group() == 5);
    if (negative) {
        Ending out = ending_of(step, *reply_);
        if (!refusal_.empty()) out.text += " (" + refusal_ + ")";
        return out;
    }
    if (error.kind == DialError::Kind::kNoTls)
        return ending_of(VM_STEP_STARTTLS, VM_CAUSE_TLS,
                         "STARTTLS is demanded, but the server does not offer it");
    if (step == VM_STEP_STARTTLS && reply_ && reply_->code == 220)
        return ending_of(step, VM_CAUSE_PROTOCOL,
                         "the server sent data in the clear behind its answer to STARTTLS");
    return ending_of(step, VM_CAUSE_PROTOCOL,
                     reply_ ? "unexpected reply: " + reply_->text() : error.text);
}

Ending SmtpHandshake::ending(const DialError& error) const {
    const vm_step step = step_ == VM_STEP_CONNECT && error.reached ? VM_STEP_GREETING : step_;
    if (garbage_)
        return ending_of(step, VM_CAUSE_PROTOCOL,
                         "not a valid SMTP reply: \"" + garbage_line_ + "\"");
    const auto ending = ending_without_words(step, error);
    return ending ? *ending : dialogue_ending(step, error);
}

}  // namespace vm::plug
