#include "oauth2/grant.h"

#include "base/text.h"
#include "config/oauth2_providers.h"
#include "oauth2/ask.h"

#include <algorithm>
#include <string_view>

namespace vm::oauth2 {

namespace {

constexpr std::int64_t kShortestLife = 10;
constexpr std::int64_t kLongestInterval = 60;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

Result<Answer> ask(const Post& post, const Client& client, const std::string& url, Fields fields) {
    fields.emplace_back("client_id", client.oauth2.client_id);
    // In the body (RFC 6749 section 2.3.1): it is what the large providers' examples do.
    if (!client.oauth2.client_secret.empty())
        fields.emplace_back("client_secret", client.oauth2.client_secret.reveal());
    return post({url, client.ca_file, form(fields)});
}

std::string words_of(const Answer& answer) {
    if (answer.error.empty()) return "HTTP status " + std::to_string(answer.status);
    return answer.error + (answer.error_description.empty() ? "" : ": " + answer.error_description);
}

// What is the matter when there are no tokens in the answer.
tl::unexpected<Error> refused(const Client& client, const Answer& answer) {
    const std::string object = "mailbox " + client.mailbox;
    const std::string provider(config::name_of(client.oauth2.provider));
    const std::string words = words_of(answer);
    // RFC 6749 section 5.2; the others are Microsoft's words for what a person has to do first.
    if (is_one_of(answer.error, {"invalid_grant", "interaction_required", "login_required",
                                 "consent_required", "access_denied", "expired_token"}))
        return fail(ErrorKind::kAccount, "OAuth2", object,
                    "the provider grants no access any more, or not yet: " + words,
                    "grant it: vmconfig mailbox authorize " + client.mailbox);
    if (is_one_of(answer.error, {"invalid_client", "unauthorized_client"}))
        return fail(
            ErrorKind::kConfig, "OAuth2", object,
            "the provider does not take this client: " + words,
            "check OAuth2 Client ID, OAuth2 Client Secret, which may have expired, and what "
            "the provider knows of this client");
    if (answer.error == "invalid_scope")
        return fail(ErrorKind::kConfig, "OAuth2", object,
                    "the provider does not give this access: " + words,
                    "check OAuth2 Scope and what the provider allows this client");
    const bool is_theirs = answer.status >= 500 || answer.status == 429 ||
                           is_one_of(answer.error, {"temporarily_unavailable", "server_error"});
    if (is_theirs || answer.error.empty())
        return fail(ErrorKind::kRetryLater, "OAuth2", object,
                    "the token server gives no token now: " + words);
    return fail(ErrorKind::kConfig, "OAuth2", object, "the token server refuses: " + words,
                "check the OAuth2 options: vmconfig mailbox show " + client.mailbox);
}

Result<Tokens> tokens_of(const Client& client, Answer answer) {
    if (answer.status / 100 != 2 || answer.access_token.empty() || !answer.error.empty())
        return refused(client, answer);
    if (!answer.token_type.empty() && !iequals(answer.token_type, "Bearer"))
        return fail(ErrorKind::kConfig, "OAuth2", "mailbox " + client.mailbox,
                    "the token server gives tokens of type " + answer.token_type,
                    "mail servers take Bearer alone; see what the provider says of mail");
    Tokens out;
    out.access = std::move(answer.access_token);
    out.refresh = std::move(answer.refresh_token);
    if (answer.expires_in) out.lifetime_s = std::max(*answer.expires_in, kShortestLife);
    out.scope = std::move(answer.scope);
    return out;
}

}  // namespace

Client client_of(const config::MailboxOptions& mailbox) {
    return {mailbox.number, mailbox.oauth2, mailbox.tls_ca_file.string()};
}

Result<Tokens> ask_tokens(const Post& post, const Client& client, Fields fields) {
    VM_ASSIGN(Answer answer, ask(post, client, client.oauth2.token_endpoint, std::move(fields)));
    return tokens_of(client, std::move(answer));
}

// (Without a scope: what was granted. RFC 6749 section 6.)
Result<Tokens> refresh(const Post& post, const Client& client, const Secret& refresh_token) {
    return ask_tokens(post, client,
                      {{"grant_type", "refresh_token"}, {"refresh_token", refresh_token.reveal()}});
}

Result<Tokens> ask_as_client(const Post& post, const Client& client) {
    Fields fields{{"grant_type", "client_credentials"}};
    if (!client.oauth2.scope.empty()) fields.emplace_back("scope", client.oauth2.scope);
    return ask_tokens(post, client, std::move(fields));
}

Result<DeviceCode> ask_device_code(const Post& post, const Client& client) {
    Fields fields;
    if (!client.oauth2.scope.empty()) fields.emplace_back("scope", client.oauth2.scope);
    VM_ASSIGN(Answer answer, ask(post, client, client.oauth2.device_endpoint, std::move(fields)));
    if (answer.status / 100 != 2 || answer.device_code.empty() || answer.user_code.empty() ||
        answer.verification_uri.empty())
        return refused(client, answer);
    DeviceCode out;
    out.device_code = std::move(answer.device_code);
    out.user_code = std::move(answer.user_code);
    out.verification_uri = std::move(answer.verification_uri);
    out.expires_s = answer.expires_in.value_or(900);
    out.interval_s = std::clamp<std::int64_t>(answer.interval.value_or(5), 1, kLongestInterval);
    return out;
}

Result<std::optional<Tokens>> ask_device_tokens(const Post& post, const Client& client,
                                                DeviceCode& code) {
    VM_ASSIGN(Answer answer, ask(post, client, client.oauth2.token_endpoint,
                                 {{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
                                  {"device_code", code.device_code.reveal()}}));
    if (answer.error == "authorization_pending") return std::nullopt;
    if (answer.error == "slow_down") {
        code.interval_s = std::min(code.interval_s + 5, kLongestInterval);  // RFC 8628 section 3.5
        return std::nullopt;
    }
    VM_ASSIGN(Tokens tokens, tokens_of(client, std::move(answer)));
    return std::optional(std::move(tokens));
}

}  // namespace vm::oauth2
