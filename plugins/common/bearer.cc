#include "common/bearer.h"

#include "common/text.h"

#include <openssl/crypto.h>

#include <array>

namespace vm::plug {

namespace {

constexpr char kSeparator = '\x01';

// Whether it is the token that the server does not want: 5xx, NO or -ERR, and no word of being
// unable to tell just now (RFC 5530, RFC 3206).
bool is_refusal(const Ending& ending) {
    if (ending.step != VM_STEP_AUTH || ending.cause != VM_CAUSE_REPLY) return false;
    if (ending.code != 0) return ending.code / 100 == 5;
    const std::string words = upper(ending.text);
    for (const char* other : {"[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[SYS/TEMP]",
                              "[IN-USE]", "[LOGIN-DELAY]"})
        if (words.find(other) != std::string::npos) return false;
    return words.starts_with("NO ") || words.starts_with("-ERR");
}

bool is_fit(const std::string& token) {
    return !token.empty() && !has_control(token);
}

}  // namespace

bool is_bearer(vm_auth auth) {
    return auth == VM_AUTH_XOAUTH2 || auth == VM_AUTH_OAUTHBEARER;
}

std::string xoauth2_words(const std::string& user, const std::string& token) {
    std::string out = "user=" + user + kSeparator + "auth=Bearer ";
    out.reserve(out.size() + token.size() + 2);
    return out.append(token).append(2, kSeparator);
}

// (RFC 7628 section 3.1 lets host and port be left out; libcurl, who says them for the other
// protocols, leaves out port 80.)
std::string oauthbearer_words(const ServerOptions& options, const std::string& token) {
    std::string out =
        "n,a=" + sasl_name(options.user) + "," + kSeparator + "host=" + options.host + kSeparator;
    if (options.port != 80) out += "port=" + std::to_string(options.port) + kSeparator;
    out += "auth=Bearer ";
    out.reserve(out.size() + token.size() + 2);
    return out.append(token).append(2, kSeparator);
}

std::string sasl_name(const std::string& user) {
    std::string out;
    for (const char c : user) {
        if (c == ',')
            out += "=2C";
        else if (c == '=')
            out += "=3D";
        else
            out += c;
    }
    return out;
}

std::string refusal_of(std::string_view challenge) {
    std::string words = one_line(decode_base64(challenge));
    return words.empty() ? "it gives no reason" : words;
}

Bearer::Bearer(ServerOptions& options, Host& host)
    : options_(options),
      host_(host),
      asks_(is_bearer(options.auth) && options.password.empty() && !options.host.empty()) {}

Bearer::~Bearer() {
    if (asks_) wipe(options_.password);
}

bool Bearer::take(const char* refused) {
    std::array<char, VM_TOKEN_SIZE> token{};
    std::array<char, 400> error{};
    const bool given = host_.token(refused, token.data(), token.size(), error.data(), error.size());
    token.back() = error.back() = '\0';
    if (given) {
        wipe(options_.password);
        options_.password = token.data();
        host_.set_redactor(redactor_for(options_));
    } else {
        error_ = one_line(error.data());
    }
    OPENSSL_cleanse(token.data(), token.size());
    return given;
}

std::optional<Ending> Bearer::ask() {
    // What must not be sent is not asked for.
    if (!asks_ || why_no_password(options_)) return std::nullopt;
    const bool given = take(nullptr);
    if (given && is_fit(options_.password)) return std::nullopt;
    if (given) error_ = "the host gave no token that can be sent";
    if (error_.empty()) error_ = "there is no token, and no reason why";
    return ending_of(VM_STEP_AUTH, VM_CAUSE_CONFIG, error_);
}

bool Bearer::ask_another(Ending& ending) {
    if (!asks_ || replaced_ || !is_refusal(ending)) return false;
    replaced_ = true;
    std::string refused = options_.password;
    const bool given = take(refused.c_str());
    const bool other = given && options_.password != refused && is_fit(options_.password);
    wipe(refused);
    if (other) host_.trace("-- ", "the token was refused: once more with another one");
    if (!given) ending.text += "; " + error_;
    return other;
}

Redactor redactor_for(const ServerOptions& options) {
    Redactor out;
    const auto add = [&](std::string form) {
        out.add(form);
        wipe(form);
    };
    const std::string& password = options.password;
    if (password.empty()) return out;
    out.add(password);
    if (is_bearer(options.auth)) return out;
    add('\0' + options.user + '\0' + password);
    // As LOGIN quotes it, which a server may repeat.
    std::string quoted;
    for (const char c : password) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    add(std::move(quoted));
    return out;
}

}  // namespace vm::plug
