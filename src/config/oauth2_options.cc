#include "config/oauth2_options.h"

#include "base/text.h"
#include "config/oauth2_providers.h"
#include "config/seal.h"

#include <algorithm>

namespace vm::config {

namespace {

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_visible_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Host and port of a URL behind "scheme://".
bool is_authority(std::string_view text, bool loopback) {
    std::string_view host = text;
    std::string_view port;
    if (const auto colon = text.rfind(':');
        colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        const auto number = parse_int(port);
        if (!number || *number < 1 || *number > 65535) return false;
    }
    if (loopback) return host == "127.0.0.1" || host == "[::1]" || iequals(host, "localhost");
    return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return is_alnum(c) || std::string_view("-._[]:").find(c) != std::string_view::npos;
    });
}

// `words`, all that may stand there.
Rule with(std::string allowed, bool (*is_allowed)(std::string_view)) {
    return {std::move(allowed), [is_allowed](std::string_view text) -> std::optional<std::string> {
                if (!is_allowed(text)) return std::nullopt;
                return std::string(text);
            }};
}

Rule endpoint() {
    return with("None (the provider's) or a https:// address", is_endpoint);
}

Rule tenant() {
    return with("None (any account) or the tenant's id or domain", [](std::string_view text) {
        return text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
                   return is_alnum(c) || c == '-' || c == '.';
               });
    });
}

// RFC 6749 section 3.3.
Rule scope() {
    return with("None (the provider's) or scopes with blanks between", [](std::string_view text) {
        return text.size() <= 1024 && std::all_of(text.begin(), text.end(), [](char c) {
                   return c >= ' ' && c < '\x7f' && c != '"' && c != '\\';
               });
    });
}

Rule client_id() {
    return with("None or the id that the provider gave this program",
                [](std::string_view text) { return text.size() <= 512 && is_visible_ascii(text); });
}

// `pattern` with the tenant in its place.
std::string filled(std::string_view pattern, const std::string& tenant) {
    constexpr std::string_view kPlace = "{tenant}";
    std::string out(pattern);
    if (const auto at = out.find(kPlace); at != std::string::npos)
        out.replace(at, kPlace.size(), tenant);
    return out;
}

// What is asked for where the options do not say: no more than the mailbox's servers need.
std::string preset_scope(const ProviderPreset& preset, const MailboxOptions& mailbox) {
    if (mailbox.oauth2.flow == OAuth2Flow::kClientCredentials)
        return std::string(preset.application_scope);
    std::vector<std::string> scopes;
    const auto add = [&](std::string_view one) {
        if (!one.empty() && std::find(scopes.begin(), scopes.end(), one) == scopes.end())
            scopes.emplace_back(one);
    };
    if (mailbox.takes_token(mailbox.smtp)) add(preset.smtp_scope);
    if (mailbox.takes_token(mailbox.imap4)) add(preset.imap4_scope);
    if (mailbox.takes_token(mailbox.pop3)) add(preset.pop3_scope);
    add(preset.user_scope);
    return join(scopes, " ");
}

}  // namespace

bool is_endpoint(std::string_view url) {
    if (url.size() > 1024 || !is_visible_ascii(url)) return false;
    const bool plain = iequals(url.substr(0, 7), "http://");
    if (!plain && !iequals(url.substr(0, 8), "https://")) return false;
    if (url.find_first_of("@#\\\"<>") != std::string_view::npos) return false;
    const std::string_view rest = url.substr(plain ? 7 : 8);
    return is_authority(rest.substr(0, rest.find_first_of("/?")), plain);
}

void add_oauth2_options(std::vector<Option>& options) {
    const auto add = [&](const char* name, const char* default_text, Rule rule,
                         const char* description, bool secret = false) {
        options.push_back(
            {name, default_text, std::move(rule), description, Screen::kBoth, secret, true});
    };
    add("OAuth2 Provider", "None", one_of({"None", "Google", "Microsoft", "Other"}),
        "Who gives the tokens for XOAuth2 and OAuthBearer; None: the passwords are the tokens.");
    add("OAuth2 Flow", "Refresh Token", one_of({"Refresh Token", "Client Credentials"}),
        "Whose access it is: what a person granted, or this program's own.");
    add("OAuth2 Client ID", "None", client_id(), "This program's name at the provider.");
    add(kClientSecretKey, "", password(), "Its secret, where it has one.", true);
    add("OAuth2 Tenant", "None", tenant(), "Microsoft: the organization of the account.");
    add("OAuth2 Scope", "None", scope(), "What access is asked for.");
    add("OAuth2 Token Endpoint", "None", endpoint(), "Where tokens are asked for.");
    add("OAuth2 Device Endpoint", "None", endpoint(), "Where a code for a person is asked for.");
    add("OAuth2 Authorize Endpoint", "None", endpoint(), "The page where a person grants access.");
}

void take_oauth2(MailboxOptions& mailbox,
                 const std::function<std::string(std::string_view)>& text) {
    OAuth2& out = mailbox.oauth2;
    out.provider = find_provider(text("OAuth2 Provider")).value_or(OAuth2Provider::kNone);
    if (text("OAuth2 Flow") == "Client Credentials") out.flow = OAuth2Flow::kClientCredentials;
    out.client_id = text("OAuth2 Client ID");
    if (const std::string secret = text(kClientSecretKey); !is_sealed(secret))
        out.client_secret = Secret(secret);
    out.token_endpoint = text("OAuth2 Token Endpoint");
    out.device_endpoint = text("OAuth2 Device Endpoint");
    out.authorization_endpoint = text("OAuth2 Authorize Endpoint");
    out.scope = text("OAuth2 Scope");
    const ProviderPreset* preset = find_preset(out.provider);
    if (preset == nullptr) return;
    std::string tenant = text("OAuth2 Tenant");
    if (tenant.empty()) tenant = preset->default_tenant;
    for (const auto& [endpoint_text, pattern] :
         {std::pair{&out.token_endpoint, preset->token_endpoint},
          std::pair{&out.device_endpoint, preset->device_endpoint},
          std::pair{&out.authorization_endpoint, preset->authorization_endpoint}})
        if (endpoint_text->empty()) *endpoint_text = filled(pattern, tenant);
    if (out.scope.empty()) out.scope = preset_scope(*preset, mailbox);
}

Result<> check_oauth2(const OAuth2& oauth2) {
    const auto missing = [](const char* key, std::string reason, std::string hint) {
        return fail(ErrorKind::kConfig, "OAuth2", key, std::move(reason), std::move(hint));
    };
    const std::string provider(name_of(oauth2.provider));
    if (oauth2.client_id.empty())
        return missing("OAuth2 Client ID", "OAuth2 Provider = " + provider + " needs it",
                       "register the unit with the provider and set the id that it gives");
    if (oauth2.token_endpoint.empty())
        return missing("OAuth2 Token Endpoint", "OAuth2 Provider = " + provider + " needs it",
                       "the provider's documentation names it");
    if (oauth2.flow != OAuth2Flow::kClientCredentials) return {};
    if (oauth2.provider == OAuth2Provider::kGoogle && oauth2.scope.empty())
        return missing("OAuth2 Flow", "Google gives no access to mail by Client Credentials",
                       "set OAuth2 Flow = Refresh Token");
    if (oauth2.client_secret.empty())
        return missing(kClientSecretKey, "OAuth2 Flow = Client Credentials needs it",
                       "set the secret that the provider gave the unit");
    for (const char* any : {"/common/", "/organizations/", "/consumers/"})
        if (oauth2.provider == OAuth2Provider::kMicrosoft &&
            oauth2.token_endpoint.find(any) != std::string::npos)
            return missing("OAuth2 Tenant", "OAuth2 Flow = Client Credentials needs it",
                           "set the id or the domain of the organization");
    return {};
}

}  // namespace vm::config
