#include "app/vmconfig_authorize.h"

#include "app/output.h"
#include "app/vmconfig_password.h"
#include "base/text.h"
#include "config/mailbox_options.h"
#include "config/oauth2_options.h"
#include "config/oauth2_providers.h"
#include "oauth2/keeper.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

namespace vm::app {

namespace {

enum class Way { kAny, kDevice, kBrowser, kRefreshToken, kClientCredentials };

struct Wish {
    std::string number, provider, client_id, client_secret, tenant, refresh_token;
    bool device = false, browser = false, client_credentials = false, forget = false;
};

tl::unexpected<Error> wrong_use(std::string what, std::string reason, std::string hint = {}) {
    return fail(ErrorKind::kUsage, "authorize", std::move(what), std::move(reason),
                std::move(hint));
}

Result<Way> way_of(const Wish& wish) {
    const int ways = (wish.device ? 1 : 0) + (wish.browser ? 1 : 0) +
                     (wish.client_credentials ? 1 : 0) + (wish.refresh_token.empty() ? 0 : 1);
    if (ways > 1)
        return wrong_use("the options", "there is one way to authorize a mailbox at a time",
                         "give one of --device, --browser, --refresh-token, --client-credentials");
    for (const auto& [name, value] : {std::pair{"--refresh-token", &wish.refresh_token},
                                      std::pair{"--client-secret", &wish.client_secret}})
        // (Whoever gave it has shown it to all: it is not repeated.)
        if (!value->empty() && *value != "-")
            return wrong_use(name, "a secret is no argument, which every process can read",
                             std::string("give ") + name + " - and the secret on standard input");
    if (wish.device) return Way::kDevice;
    if (wish.browser) return Way::kBrowser;
    if (wish.client_credentials) return Way::kClientCredentials;
    return wish.refresh_token.empty() ? Way::kAny : Way::kRefreshToken;
}

// What the command line sets.
Result<std::vector<config::MailboxEdit>> edits_of(const Paths& paths, const Wish& wish, Way way) {
    std::vector<config::MailboxEdit> edits;
    if (!wish.provider.empty()) VM_TRY(add_provider(paths, wish.number, wish.provider, edits));
    const auto set = [&](const char* key, const std::string& value) {
        edits.push_back({key, Secret(value)});
    };
    if (!wish.client_id.empty()) set("OAuth2 Client ID", wish.client_id);
    if (!wish.tenant.empty()) set("OAuth2 Tenant", wish.tenant);
    if (!wish.client_secret.empty()) {
        VM_ASSIGN(Secret secret, read_password(config::kClientSecretKey));
        edits.push_back({config::kClientSecretKey, std::move(secret)});
    }
    if (way != Way::kAny)
        set("OAuth2 Flow", way == Way::kClientCredentials ? "Client Credentials" : "Refresh Token");
    return edits;
}

// ---- the ways -----------------------------------------------------------------------------------

Result<oauth2::Tokens> by_refresh_token(const oauth2::Post& post, const oauth2::Client& client) {
    VM_ASSIGN(const Secret token, read_password("OAuth2 refresh token"));
    // One blank or more around it comes of copying.
    const std::string_view text = trim(token.reveal());
    if (text.size() > oauth2::kRefreshTokenLimit || !oauth2::is_token(text))
        return wrong_use("the refresh token", "it is no token");
    const Secret given{std::string(text)};
    VM_ASSIGN(oauth2::Tokens tokens, oauth2::refresh(post, client, given));
    if (tokens.refresh.empty()) tokens.refresh = given;
    return tokens;
}

Result<oauth2::Tokens> by_device(const oauth2::Post& post, const oauth2::Client& client,
                                 const std::string& account) {
    if (client.oauth2.device_endpoint.empty())
        return wrong_use("--device", "this provider gives no access to mail by a device code",
                         "give --browser, or --refresh-token - with one that was made elsewhere");
    VM_ASSIGN(oauth2::DeviceCode code, oauth2::ask_device_code(post, client));
    if (!config::is_endpoint(code.verification_uri))
        return fail(ErrorKind::kConfig, "authorize", "the token server",
                    "the page it names is no https:// address: " + code.verification_uri);
    std::cout << "To let this unit use the mail account" << (account.empty() ? "" : " of ")
              << shown(account) << ", open in any browser\n\n    " << shown(code.verification_uri)
              << "\n\nand enter the code\n\n    " << shown(code.user_code) << "\n\nwithin "
              << (code.expires_s + 59) / 60
              << " minutes. Waiting for it; Ctrl-C gives up, and nothing is changed then.\n"
              << std::flush;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(code.expires_s);
    for (;;) {
        std::this_thread::sleep_for(std::chrono::seconds(code.interval_s));
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(ErrorKind::kAccount, "authorize", "mailbox " + client.mailbox,
                        "nobody has entered the code in time", "run the command again");
        auto tokens = oauth2::ask_device_tokens(post, client, code);
        // A server out of reach for a moment does not make the person begin anew (RFC 8628
        // section 3.5).
        const auto kind = tokens ? ErrorKind::kRetryNow : tokens.error().kind;
        if (kind == ErrorKind::kRetryLater || kind == ErrorKind::kUnavailable) {
            std::cerr << "vmconfig: " << tokens.error().text() << "; asking again\n";
            continue;
        }
        if (!tokens) return fail(std::move(tokens).error());
        if (*tokens) return std::move(**tokens);
    }
}

Result<oauth2::Tokens> by_browser(const oauth2::Post& post, const oauth2::Client& client,
                                  const std::string& account) {
    if (client.oauth2.authorization_endpoint.empty())
        return wrong_use("--browser", "OAuth2 Authorize Endpoint is not set",
                         "the provider's documentation names it");
    VM_ASSIGN(const oauth2::CodeRequest request, oauth2::make_code_request(client, account));
    std::cout
        << "To let this unit use the mail account" << (account.empty() ? "" : " of ")
        << shown(account) << ", open in any browser\n\n"
        << request.url
        << "\n\nand grant the access. The browser then goes to a page that cannot be shown, at\n"
           "http://localhost: copy the whole address of that page and enter it here.\n\n"
        << std::flush;
    VM_ASSIGN(const Secret brought, read_password("Address"));
    VM_ASSIGN(oauth2::Tokens tokens,
              oauth2::ask_with_code(post, client, request, brought.reveal()));
    return tokens;
}

Result<oauth2::Tokens> get_tokens(const oauth2::Post& post, const oauth2::Client& client, Way way,
                                  const std::string& account) {
    if (way == Way::kRefreshToken) return by_refresh_token(post, client);
    if (client.oauth2.flow == config::OAuth2Flow::kClientCredentials)
        return oauth2::ask_as_client(post, client);
    const bool device =
        way == Way::kDevice || (way == Way::kAny && !client.oauth2.device_endpoint.empty());
    return device ? by_device(post, client, account) : by_browser(post, client, account);
}

// ---- the command --------------------------------------------------------------------------------

std::string account_of(const config::MailboxOptions& mailbox) {
    for (const config::Server* server : {&mailbox.smtp, &mailbox.imap4, &mailbox.pop3})
        if (mailbox.takes_token(*server) && !server->account.empty()) return server->account;
    return mailbox.email_name;
}

Result<> forget(const Paths& paths, const std::string& number) {
    VM_ASSIGN(const config::IniDocument document, config::read_mailbox_file(paths, number));
    VM_ASSIGN(const UniqueFd lock, oauth2::lock_grant(paths, number));
    VM_ASSIGN(const bool removed, oauth2::remove_grant(paths, number));
    std::cout << "mailbox " << number
              << (removed ? ": its tokens are removed here. The provider knows of what was granted "
                            "until it is\nrevoked there, in the account's security settings.\n"
                          : ": there were no tokens\n");
    return {};
}

Result<> authorize(const Paths& paths, const Wish& wish) {
    VM_ASSIGN(const Way way, way_of(wish));
    if (wish.forget) return forget(paths, wish.number);
    VM_ASSIGN(const std::vector<config::MailboxEdit> edits, edits_of(paths, wish, way));
    VM_ASSIGN(const config::MailboxOptions mailbox,
              config::preview_mailbox(paths, wish.number, edits));
    if (mailbox.oauth2.provider == config::OAuth2Provider::kNone)
        return wrong_use("mailbox " + wish.number, "OAuth2 Provider is None",
                         "give --provider google or --provider microsoft, or set it to Other with "
                         "its endpoints");
    VM_TRY(config::check_oauth2(mailbox.oauth2));
    const oauth2::Client client = oauth2::client_of(mailbox);
    const oauth2::Post post = oauth2::post_by(oauth2::Keeper::program_beside_this());
    const std::string account = account_of(mailbox);
    VM_ASSIGN(oauth2::Tokens tokens, get_tokens(post, client, way, account));
    const bool by_person = client.oauth2.flow == config::OAuth2Flow::kRefreshToken;
    if (by_person && tokens.refresh.empty())
        return fail(ErrorKind::kConfig, "authorize", "mailbox " + wish.number,
                    "the provider gave an access token, but no refresh token to renew it with",
                    "OAuth2 Scope may need offline_access; see what the provider says of it");

    VM_ASSIGN(const UniqueFd lock, oauth2::lock_grant(paths, wish.number));
    const TimeMs now = system_clock().now();
    oauth2::Grant grant = oauth2::new_grant(client, now);
    grant.scope = client.oauth2.scope;
    oauth2::put_tokens(grant, std::move(tokens), now);
    VM_TRY(oauth2::write_grant(paths, wish.number, grant));
    if (!edits.empty()) {
        VM_ASSIGN(const config::Notes notes, config::set_mailbox(paths, wish.number, edits));
        print_warnings(notes);
    }
    std::cout << "mailbox " << wish.number << ": access granted by "
              << config::name_of(mailbox.oauth2.provider)
              << (account.empty() ? "" : ", to be used for ") << shown(account) << '\n';
    if (!grant.scope.empty()) std::cout << "access: " << shown(grant.scope) << '\n';
    std::cout << "the token is valid until " << format_rfc3339(grant.expires)
              << "; the agent renews it\n";
    return {};
}

}  // namespace

Result<> add_provider(const Paths& paths, const std::string& number, const std::string& name,
                      std::vector<config::MailboxEdit>& edits) {
    const auto provider = config::find_provider(name);
    if (!provider)
        return fail(ErrorKind::kUsage, "set", "--provider",
                    "there is no provider " + sanitize_line(name, 40),
                    "give google, microsoft, other or none");
    const auto given = [&](std::string_view key) {
        return std::find_if(edits.begin(), edits.end(), [&](const config::MailboxEdit& edit) {
            return iequals(edit.key, key);
        });
    };
    const auto set = [&](const char* key, const std::string& value) {
        if (given(key) == edits.end()) edits.push_back({key, Secret(value)});
    };
    set("OAuth2 Provider", std::string(config::name_of(*provider)));
    const config::ProviderPreset* preset = config::find_preset(*provider);
    if (preset == nullptr) return {};
    for (const auto& [key, value] : preset->servers) set(key, value);
    VM_ASSIGN(const config::MailboxOptions mailbox, config::load_mailbox(paths, number));
    const auto edit = given("Email Name");
    const std::string address = edit == edits.end() ? mailbox.email_name : edit->value.reveal();
    if (address.empty()) return {};
    for (const auto& [key, server] :
         {std::pair{"Smtp Account", &mailbox.smtp}, std::pair{"Imap4 Account", &mailbox.imap4},
          std::pair{"Pop3 Account", &mailbox.pop3}})
        if (server->account.empty()) set(key, address);
    return {};
}

void add_authorize_command(CLI::App& mailbox, VmconfigRequest& request) {
    const auto wish = std::make_shared<Wish>();
    CLI::App* command = mailbox.add_subcommand(
        "authorize", "Get access to the mail account from its provider (OAuth 2.0)");
    command->add_option("NNN", wish->number, "The mailbox number, 1 to 8 digits")->required();
    command
        ->add_option("--provider", wish->provider,
                     "google or microsoft: its servers are set, too; other")
        ->type_name("NAME");
    command->add_option("--client-id", wish->client_id, "Set OAuth2 Client ID")->type_name("ID");
    command
        ->add_option("--client-secret", wish->client_secret,
                     "-: read OAuth2 Client Secret from standard input")
        ->type_name("-");
    command->add_option("--tenant", wish->tenant, "Set OAuth2 Tenant")->type_name("TENANT");
    command->add_flag("--device", wish->device, "By a code that a person enters on a page");
    command->add_flag("--browser", wish->browser,
                      "By a page that a person brings the address of back from");
    command
        ->add_option("--refresh-token", wish->refresh_token,
                     "-: by a refresh token from standard input")
        ->type_name("-");
    command->add_flag("--client-credentials", wish->client_credentials,
                      "In the unit's own name, with its client secret");
    command->add_flag("--forget", wish->forget, "Remove the tokens instead");
    command->callback([&request, wish] {
        request.run = [wish](const Paths& paths) { return authorize(paths, *wish); };
    });
}

}  // namespace vm::app
