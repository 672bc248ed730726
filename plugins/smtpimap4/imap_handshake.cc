#include "smtpimap4/imap_handshake.h"

#include "common/bearer.h"
#include "common/text.h"
#include "smtpimap4/parser.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

std::string word_at(std::string_view line, int index) {
    while (index-- > 0) {
        const auto blank = line.find(' ');
        if (blank == std::string_view::npos) return {};
        line.remove_prefix(blank + 1);
    }
    return std::string(line.substr(0, line.find(' ')));
}

const char* word_of(Status status) {
    if (status == Status::kBye) return "BYE ";
    return status == Status::kBad ? "BAD " : "NO ";
}

std::string words_of(const Condition& condition) {
    return word_of(condition.status) + condition.text;
}

}  // namespace

std::string ImapHandshake::on_command(std::string_view command) {
    answer_.reset();
    continued_ = false;
    std::string line = one_line(command);
    const std::string verb = upper(word_at(line, 1));
    if (verb.empty()) return "[hidden]";  // SASL's answers have no tag
    tag_ = word_at(line, 0);
    if (verb == "CAPABILITY") {
        step_ = VM_STEP_HELLO;
        capabilities_.clear();  // of the clear part; what counts is said under TLS
    } else if (verb == "STARTTLS") {
        step_ = VM_STEP_STARTTLS;
    } else if (verb == "LOGIN") {
        step_ = VM_STEP_AUTH;
        auth_tried_ = true;
        return tag_ + " LOGIN [hidden]";
    } else if (verb == "AUTHENTICATE") {
        step_ = VM_STEP_AUTH;
        auth_tried_ = true;
        const std::string mechanism = upper(word_at(line, 2));
        bearer_ = mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER";
        const bool more = !word_at(line, 3).empty();
        return tag_ + " AUTHENTICATE " + mechanism + (more ? " [hidden]" : "");
    }
    return line;
}

bool ImapHandshake::stop(vm_cause cause, std::string text) {
    stopped_ = ending_of(step_, cause, std::move(text));
    return false;
}

// A server that is logged in already has not asked who we are; and it may be anybody's, as a man in
// the middle says PREAUTH where he wants no STARTTLS.
bool ImapHandshake::on_greeting(std::string_view line) {
    step_ = VM_STEP_GREETING;
    const auto condition = line.starts_with("* ") ? parse_condition(line.substr(2)) : std::nullopt;
    if (!condition)
        return stop(VM_CAUSE_PROTOCOL, "not a valid IMAP greeting: \"" + one_line(line) + "\"");
    if (condition->status == Status::kPreauth)
        return stop(VM_CAUSE_PROTOCOL,
                    "the server says that somebody is logged in already: " + one_line(line));
    if (condition->status != Status::kOk) return stop(VM_CAUSE_REPLY, words_of(*condition));
    if (condition->code == "CAPABILITY") capabilities_ = capability_names(condition->arguments);
    greeting_ = condition->text;
    return true;
}

bool ImapHandshake::on_condition(const Condition& condition) {
    answer_ = condition;
    if (step_ != VM_STEP_AUTH || condition.status != Status::kOk) return true;
    authenticated_ = true;
    if (condition.code == "CAPABILITY") after_login_ = capability_names(condition.arguments);
    return true;
}

bool ImapHandshake::on_line(std::string_view line) {
    if (step_ == VM_STEP_CONNECT) return on_greeting(line);
    if (line.starts_with("+")) {
        continued_ = true;
        if (bearer_ && line.size() > 2) refusal_ = refusal_of(line.substr(2));
        return true;
    }
    if (line.starts_with("* ")) {
        line.remove_prefix(2);
        if (word_at(upper(line.substr(0, 11)), 0) == "CAPABILITY") {
            (step_ == VM_STEP_AUTH ? after_login_ : capabilities_) =
                capability_names(line.substr(std::min<std::size_t>(line.size(), 11)));
            return true;
        }
        const auto condition = parse_condition(line);
        if (condition && condition->status == Status::kBye)
            return stop(VM_CAUSE_REPLY, words_of(*condition));
        return true;
    }
    const std::string tag = word_at(line, 0);
    const auto condition =
        tag.size() < line.size() ? parse_condition(line.substr(tag.size() + 1)) : std::nullopt;
    if (tag != tag_ || !condition)
        return stop(VM_CAUSE_PROTOCOL, "not a valid IMAP response: \"" + one_line(line) + "\"");
    return on_condition(*condition);
}

std::vector<std::string> ImapHandshake::offered() const {
    std::vector<std::string> out;
    bool login = !capabilities_.empty();
    for (const std::string& name : capabilities_) {
        if (name.starts_with("AUTH=")) out.push_back(name.substr(5));
        if (name == "LOGINDISABLED") login = false;
    }
    if (login) out.emplace_back(kLoginCommand);
    return out;
}

// What the server said made libcurl stop.
Ending ImapHandshake::dialogue_ending(vm_step step, const DialError& error) const {
    // With a token the server says no in two steps: the reason as base64 JSON, and NO when the
    // client has answered that. Of XOAUTH2 libcurl hangs up before.
    if (step == VM_STEP_AUTH && continued_ && !refusal_.empty() && !answer_)
        return ending_of(step, VM_CAUSE_REPLY, "NO the server refused the token: " + refusal_);
    if (answer_ && answer_->status != Status::kOk)
        return ending_of(step, VM_CAUSE_REPLY,
                         words_of(*answer_) + (refusal_.empty() ? "" : " (" + refusal_ + ")"));
    if (error.kind == DialError::Kind::kNoTls)
        return ending_of(VM_STEP_STARTTLS, VM_CAUSE_TLS,
                         "STARTTLS is demanded, but the server does not offer it");
    if (step == VM_STEP_STARTTLS && answer_)
        return ending_of(step, VM_CAUSE_PROTOCOL,
                         "the server sent data in the clear behind its answer to STARTTLS");
    return ending_of(step, VM_CAUSE_PROTOCOL, error.text);
}

Ending ImapHandshake::ending(const DialError& error) const {
    if (stopped_) return *stopped_;
    const vm_step step = step_ == VM_STEP_CONNECT && error.reached ? VM_STEP_GREETING : step_;
    const auto ending = ending_without_words(step, error);
    return ending ? *ending : dialogue_ending(step, error);
}

}  // namespace vm::plug::imap
