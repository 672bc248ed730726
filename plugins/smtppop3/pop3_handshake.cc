#include "smtppop3/pop3_handshake.h"

#include "common/bearer.h"
#include "common/text.h"

#include <algorithm>
#include <sstream>

namespace vm::plug::pop3 {

namespace {

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

bool is_ok(std::string_view line) {
    return line == "+OK" || line.starts_with("+OK ");
}

bool is_error(std::string_view line) {
    return line == "-ERR" || line.starts_with("-ERR ");
}

}  // namespace

std::string Pop3Handshake::on_command(std::string_view command) {
    error_.reset();
    continued_ = false;
    std::string line = one_line(command);
    const std::vector<std::string> words = words_of(line);
    const std::string verb = words.empty() ? "" : upper(words.front());
    if (verb == "CAPA") {
        step_ = VM_STEP_HELLO;
        capabilities_.clear();  // of the clear part; what counts is said under TLS
    } else if (verb == "STLS") {
        step_ = VM_STEP_STARTTLS;
    } else if (verb == "USER" || verb == "PASS" || verb == "APOP" || verb == "AUTH") {
        step_ = VM_STEP_AUTH;
        auth_tried_ = true;
        const std::string mechanism =
            verb == "AUTH" && words.size() > 1 ? upper(words[1]) : std::string();
        bearer_ = mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER";
        if (verb == "PASS")
            line = "PASS [hidden]";
        else if (verb != "USER" && words.size() > 2)
            line = verb + " " + words[1] + " [hidden]";
    } else if (verb != "QUIT") {
        return "[hidden]";  // SASL's answers are no commands
    }
    verb_ = verb;
    return line;
}

bool Pop3Handshake::stop(vm_cause cause, std::string text) {
    stopped_ = ending_of(step_, cause, std::move(text));
    return false;
}

bool Pop3Handshake::on_line(std::string_view line) {
    if (listing_) {
        if (line == ".")
            listing_ = false;
        else
            capabilities_.push_back(upper(one_line(line)));
        return true;
    }
    if (step_ != VM_STEP_CONNECT) return on_answer(line);
    step_ = VM_STEP_GREETING;
    const auto open = line.find('<');
    apop_ = open != std::string_view::npos && line.find('>', open) != std::string_view::npos;
    if (is_ok(line)) return true;
    return stop(is_error(line) ? VM_CAUSE_REPLY : VM_CAUSE_PROTOCOL,
                (is_error(line) ? "" : "not a valid POP3 greeting: ") + one_line(line));
}

bool Pop3Handshake::on_answer(std::string_view line) {
    if (is_ok(line)) {
        listing_ = verb_ == "CAPA";
        authenticated_ = authenticated_ || (step_ == VM_STEP_AUTH && verb_ != "USER");
        return true;
    }
    if (is_error(line)) {
        error_ = one_line(line);
        return true;
    }
    if (line == "+" || line.starts_with("+ ")) {
        continued_ = true;
        if (bearer_ && line.size() > 2) refusal_ = refusal_of(line.substr(2));
        return true;
    }
    return stop(VM_CAUSE_PROTOCOL, "not a valid POP3 response: \"" + one_line(line) + "\"");
}

bool Pop3Handshake::can(std::string_view capability) const {
    return std::any_of(capabilities_.begin(), capabilities_.end(), [&](const std::string& line) {
        return line == capability || line.starts_with(std::string(capability) + " ");
    });
}

std::vector<std::string> Pop3Handshake::offered() const {
    std::vector<std::string> out;
    for (const std::string& line : capabilities_) {
        std::vector<std::string> words = words_of(line);
        if (words.size() > 1 && words.front() == "SASL")
            out.insert(out.end(), words.begin() + 1, words.end());
    }
    // Servers without CAPA have USER and PASS (RFC 1939).
    if (apop_ || can("USER") || !has_capabilities()) out.emplace_back(kLoginCommand);
    return out;
}

// What the server said made libcurl stop.
Ending Pop3Handshake::dialogue_ending(vm_step step, const DialError& error) const {
    // With a token the server says no in two steps: the reason as base64 JSON, and -ERR when the
    // client has answered that. Of XOAUTH2 libcurl hangs up before.
    if (step == VM_STEP_AUTH && continued_ && !refusal_.empty() && !error_)
        return ending_of(step, VM_CAUSE_REPLY, "-ERR the server refused the token: " + refusal_);
    // (That to CAPA only means that there is none.)
    if (error_ && verb_ != "CAPA")
        return ending_of(step, VM_CAUSE_REPLY,
                         refusal_.empty() ? *error_ : *error_ + " (" + refusal_ + ")");
    if (error.kind == DialError::Kind::kNoTls)
        return ending_of(VM_STEP_STARTTLS, VM_CAUSE_TLS,
                         "STLS is demanded, but the server does not offer it");
    if (step == VM_STEP_STARTTLS)
        return ending_of(step, VM_CAUSE_PROTOCOL,
                         "the server sent data in the clear behind its answer to STLS");
    return ending_of(step, VM_CAUSE_PROTOCOL, error.text);
}

Ending Pop3Handshake::ending(const DialError& error) const {
    if (stopped_) return *stopped_;
    const vm_step step = step_ == VM_STEP_CONNECT && error.reached ? VM_STEP_GREETING : step_;
    const auto ending = ending_without_words(step, error);
    return ending ? *ending : dialogue_ending(step, error);
}

}  // namespace vm::plug::pop3
