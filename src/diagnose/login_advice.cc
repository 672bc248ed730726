// What a server's refusal of a login means. Two tables: the words of servers, and who wants what
// instead of a password.
#include "diagnose/advice_words.h"

#include <algorithm>
#include <vector>

namespace vm::diagnose {

namespace {

enum class Verdict {
    kEncrypt,        // not without TLS
    kAppPassword,    // not with the account's own password
    kTokens,         // no passwords at all
    kSwitchedOff,    // SMTP AUTH, by the account's administrator
    kNoProtocol,     // IMAP or POP3 is off for the account
    kBrowser,        // a person has to confirm something at the provider first
    kPasswordEnded,  // it has expired
    kForbidden,      // the account may not, whatever the password
    kLater,
};

struct Rule {
    Verdict verdict;
    std::vector<const char*> words;  // any of them, in lower case
};

// The first that fits decides.
const std::vector<Rule>& rules() {
    static const std::vector<Rule> all{
        {Verdict::kSwitchedOff, {"smtpclientauthentication is disabled"}},
        // Microsoft: 535 5.7.139, and what IMAP says.
        {Verdict::kTokens, {"basic authentication is disabled", "5.7.139", "basicauthblocked"}},
        // Google: 534 5.7.9 and [ALERT]; others in their own words.
        {Verdict::kAppPassword,
         {"application-specific password", "app password", "app-specific password",
          "application password", "5.7.9 "}},
        {Verdict::kNoProtocol,
         {"imap access is disabled", "pop access is disabled", "pop3 access is disabled",
          "not enabled for imap", "not enabled for pop", "imap is disabled", "pop3 is disabled",
          "imap4 is disabled", "imap access disabled", "imap is not enabled",
          "imap access is not enabled"}},
        {Verdict::kBrowser, {"web login required", "via your web browser", "webalert", "5.7.14"}},
        {Verdict::kEncrypt,
         {"must issue a starttls", "[privacyrequired]", "encryption required",
          "plaintext authentication disallowed", "538 "}},
        {Verdict::kPasswordEnded, {"[expired]", "password has expired", "password expired"}},
        {Verdict::kForbidden,
         {"[authorizationfailed]", "[contactadmin]", "account is disabled", "account disabled",
          "account is locked", "account locked"}},
        {Verdict::kLater,
         {"[unavailable]", "[inuse]", "[in-use]", "[limit]", "[serverbug]", "[sys/temp]",
          "[login-delay]", "too many", "try again later", "temporar"}},
    };
    return all;
}

// Whose servers they are, and what they want.
struct Provider {
    const char* name;
    const char* preset;  // of vmconfig mailbox authorize; nullptr: none
    bool app_passwords;
    std::vector<const char*> hosts;  // ends of names
    std::vector<const char*> words;  // by which they are known elsewhere
};

const std::vector<Provider>& providers() {
    static const std::vector<Provider> all{
        {"Google", "google", true, {"gmail.com", "googlemail.com", "google.com"}, {"gsmtp"}},
        {"Microsoft",
         "microsoft",
         false,
         {"office365.com", "outlook.com", "hotmail.com", "live.com"},
         {"smtp_auth_disabled", ".outlook.com]", ".exchangelabs.com"}},
        {"Apple", nullptr, true, {"mail.me.com", "icloud.com"}, {}},
        {"Yahoo", nullptr, true, {"yahoo.com", "aol.com"}, {}},
    };
    return all;
}

bool is_any(const std::string& text, const std::vector<const char*>& words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return text.find(word) != std::string::npos; });
}

const Provider* provider_of(const std::string& host, const std::string& words) {
    const std::string name = to_lower(host);
    for (const Provider& provider : providers()) {
        const bool ends = std::any_of(
            provider.hosts.begin(), provider.hosts.end(),
            [&](const std::string& end) { return name == end || name.ends_with("." + end); });
        if (ends || is_any(words, provider.words)) return &provider;
    }
    return nullptr;
}

class Refusal {
  public:
    explicit Refusal(const Words& words)
        : words_(words),
          found_(words.found()),
          mailbox_(words.mailbox()),
          server_(words.server()),
          provider_(provider_of(server_.host, to_lower(found_.words))) {}

    Advice of(Verdict verdict) const {
        switch (verdict) {
            case Verdict::kEncrypt:
                return {ErrorKind::kConfig, host() + " wants TLS before a login" + said(),
                        "Use it: " + set({option("SSL=STARTTLS")})};
            case Verdict::kAppPassword:
                return app_password();
            case Verdict::kTokens:
                return tokens();
            case Verdict::kSwitchedOff:
                return {ErrorKind::kAccount,
                        "The administrator of the mail account has switched off sending by "
                        "programs (authenticated SMTP)" +
                            said(),
                        "Have it switched on for this account, and use OAuth 2.0: " +
                            authorize_command(mailbox_, "microsoft")};
            case Verdict::kNoProtocol:
                return {ErrorKind::kAccount,
                        std::string(name_of(found_.protocol)) +
                            " is switched off for this account" + said(),
                        std::string("Switch it on in the account's settings at the provider") +
                            (found_.protocol == Protocol::kImap4
                                 ? "; if it has POP3 only: vmconfig misc set g_szEmailDllPath "
                                   "lib/libsmtppop3.so"
                                 : ".")};
            case Verdict::kBrowser:
                return {ErrorKind::kAccount,
                        "The provider wants a person to log in by a browser first" + said(),
                        "Log in to the account there, confirm what it asks, and check again."};
            case Verdict::kPasswordEnded:
                return {ErrorKind::kAccount, "The password has expired" + said(),
                        "Set a new one at the provider, then here: " + set_password()};
            case Verdict::kForbidden:
                return {ErrorKind::kAccount, "The account may not be used" + said(),
                        "Ask the administrator of the mail account."};
            case Verdict::kLater:
                break;
        }
        return {ErrorKind::kRetryLater, host() + " cannot log in anybody just now" + said(),
                "Try again later."};
    }

    Advice refused() const {
        if (mailbox_.takes_token(server_))
            return {ErrorKind::kAccount,
                    host() + " refused the token of " + server_.account + said(),
                    "Check " + option("Account") +
                        ", which must be the account that the access was granted for, or get it "
                        "anew: " +
                        authorize_command(mailbox_, nullptr)};
        if (server_.auth == config::Auth::kXOAuth2 || server_.auth == config::Auth::kOAuthBearer)
            return {ErrorKind::kAccount,
                    host() + " refused the token that is set as " + option("Password") + said(),
                    "Such tokens live for an hour; have them renewed: " +
                        authorize_command(mailbox_, preset())};
        if (provider_ != nullptr) return provider_->app_passwords ? app_password() : tokens();
        return {ErrorKind::kAccount,
                host() + " refused " + option("Account") + " " + server_.account +
                    " or its password" + said(),
                "Check both; some servers want the whole address as account: " +
                    set({option("Account=ACCOUNT"), option("Password=-")})};
    }

  private:
    const std::string& host() const { return server_.host; }
    std::string said() const { return words_.said() + "."; }
    std::string option(const char* rest) const { return words_.option(rest); }
    std::string set(std::initializer_list<std::string> settings) const {
        return words_.set(settings);
    }
    std::string set_password() const { return set({option("Password=-")}); }
    const char* preset() const { return provider_ == nullptr ? nullptr : provider_->preset; }

    Advice app_password() const {
        const std::string name = provider_ == nullptr ? "The provider" : provider_->name;
        std::string change =
            "Make an app password in the account's security settings: " + set_password();
        if (preset() != nullptr)
            change += "; or use OAuth 2.0: " + authorize_command(mailbox_, preset());
        return {ErrorKind::kAccount,
                name + " does not take the account's own password from programs" + said(), change};
    }

    Advice tokens() const {
        const char* name = preset() == nullptr ? "microsoft" : preset();
        return {ErrorKind::kAccount,
                (provider_ == nullptr ? host() : std::string(provider_->name)) +
                    " takes no passwords from programs" + said(),
                "Use OAuth 2.0: " + authorize_command(mailbox_, name)};
    }

    const Words& words_;
    const Finding& found_;
    const config::MailboxOptions& mailbox_;
    const config::Server& server_;
    const Provider* provider_;
};

}  // namespace

Advice of_login(const Words& words) {
    const Refusal refusal(words);
    const std::string said = to_lower(words.found().words);
    for (const Rule& rule : rules())
        if (is_any(said, rule.words)) return refusal.of(rule.verdict);
    if (words.found().fault == Fault::kTemporary) return refusal.of(Verdict::kLater);
    return refusal.refused();
}

Advice of_password(const Words& words) {
    if (words.mailbox().tls_verify || words.server().ssl == config::Ssl::kNo)
        return {ErrorKind::kConfig,
                "The password is not sent, as with " + words.option("SSL") +
                    " = No nobody knows who would read it.",
                "Use TLS: " +
                    words.set({words.value("SSL", words.found().starttls ? "STARTTLS" : "Yes")}) +
                    (words.found().starttls ? "" : " with the right " + words.option("Port"))};
    return {ErrorKind::kConfig,
            "The password is not sent, as with TLS Verify = No nobody knows who would read it.",
            "Check the certificate: " + set_command(words.mailbox(), {"TLS Verify=Yes"})};
}

Advice of_mechanism(const Words& words) {
    const std::vector<std::string>& offered = words.found().mechanisms;
    const auto has = [&](const char* name) {
        return std::find(offered.begin(), offered.end(), name) != offered.end();
    };
    if (words.found().fault == Fault::kLoginDisabled)
        return {ErrorKind::kConfig,
                words.host() + " lets nobody log in over this connection (LOGINDISABLED).",
                "Use TLS: " +
                    words.set({words.value("SSL", words.found().starttls ? "STARTTLS" : "Yes")})};
    if (offered.empty())
        return {ErrorKind::kConfig,
                words.host() + " offers no way to log in at " + words.port() + ".",
                words.server().ssl == config::Ssl::kNo
                    ? "Servers offer it under TLS: " + words.set({words.value("SSL", "STARTTLS")})
                : words.smtp() ? "Take the port for submission, 587 or 465, or log in nowhere: " +
                                     words.set({"Smtp Authentication=None"})
                               : "Ask the provider how to log in."};
    const std::string wrong = words.host() +
                              " does not offer the way to log in that is set; it "
                              "offers " +
                              join(offered, ", ") + ".";
    const bool passwords = has("PLAIN") || has("LOGIN") || has("CRAM-MD5");
    const bool tokens = has("XOAUTH2") || has("OAUTHBEARER");
    if (!passwords && tokens)
        return {ErrorKind::kConfig,
                words.host() + " takes no passwords, only tokens of its provider (OAuth 2.0).",
                "Get access: " + authorize_command(words.mailbox(), nullptr) + ", and " +
                    words.set({words.value("Authentication", "XOAuth2")})};
    if (!passwords)
        return {ErrorKind::kConfig, wrong, "None of these is possible here: ask the provider."};
    return {
        ErrorKind::kConfig, wrong,
        "Change it: " + words.set({words.value("Authentication", words.smtp()   ? "Auto"
                                                                 : has("PLAIN") ? "Plain"
                                                                 : has("LOGIN") ? "Login"
                                                                                : "Cram-MD5")})};
}

}  // namespace vm::diagnose
