// Mailbox Options as values: config.h's load_mailbox and the rules that span several options.
#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"
#include "config/oauth2_options.h"
#include "config/seal.h"

#include <fmt/format.h>

#include <array>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace vm::config {

namespace {

// The texts of a document whose values have been checked.
class Texts {
  public:
    explicit Texts(const IniDocument& document) : document_(document) {}

    std::string raw(std::string_view name) const {
        const IniEntry* entry = document_.find(kEmailSection, name);
        return entry ? entry->value : "";
    }
    std::string operator()(std::string_view name) const {
        return *value_of(*find_option(mailbox_options(), name), raw(name));
    }
    bool yes(std::string_view name) const { return (*this)(name) == "Yes"; }
    // The value's place in `texts`, which are in the order of the enumeration.
    template <class Enum, std::size_t n>
    Enum choice(std::string_view name, const std::array<std::string_view, n>& texts) const {
        const std::string text = (*this)(name);
        std::size_t i = 0;
        while (i + 1 < n && texts[i] != text) ++i;
        return static_cast<Enum>(i);
    }

  private:
    const IniDocument& document_;
};

constexpr const char* kSmtpPassword = "Smtp Password";
constexpr std::array<std::string_view, 3> kSsl{"No", "Yes", "STARTTLS"};
constexpr std::array<std::string_view, 7> kAuth{"None",     "Auto",    "Plain",      "Login",
                                                "Cram-MD5", "XOAuth2", "OAuthBearer"};
constexpr std::array<std::string_view, 3> kSendMode{"Voice/Fax", "Voice", "Fax"};
constexpr std::array<std::string_view, 4> kSyncMode{"All Folders", "Inbox Only", "VM Folder Only",
                                                    "None"};
constexpr std::array<std::string_view, 2> kSearchMode{"Header", "Text"};
constexpr std::array<std::string_view, 2> kDeleteMode{"Expunge", "Trash"};
constexpr std::array<std::string_view, 2> kVoiceFormat{"wav", "mp3"};
constexpr std::array<std::string_view, 3> kFaxFormat{"pdf", "tiff", "both"};

// Every value by itself.
std::vector<MailboxProblem> value_problems(const IniDocument& document) {
    std::vector<MailboxProblem> problems;
    for (const Option& option : mailbox_options()) {
        const IniEntry* entry = document.find(kEmailSection, option.name);
        if (entry == nullptr) continue;
        const auto add = [&](std::string reason, std::string hint) {
            problems.push_back({&option, Error{ErrorKind::kConfig, "read", document.at(entry->line),
                                               option.name + std::move(reason), std::move(hint)}});
        };
        if (option.secret && entry->commented && !is_sealed(entry->value))
            add(": ' ;' in the line starts a comment and would cut the password",
                "remove the comment, or let vmconfig mailbox set write it sealed");
        else if (!value_of(option, entry->value))
            add(" = \"" + entry->value + "\" is not valid", "allowed: " + option.rule.allowed);
    }
    return problems;
}

// Ports by Ssl, in the enumeration's order.
struct Protocol {
    std::string_view name;
    std::array<std::uint16_t, 3> ports;
};
constexpr Protocol kSmtp{"Smtp", {25, 465, 587}};
constexpr Protocol kPop3{"Pop3", {110, 995, 110}};
constexpr Protocol kImap4{"Imap4", {143, 993, 143}};

std::string server_password(const Texts& text, const Protocol& protocol) {
    return text(std::string(protocol.name) + " Password");
}

Server server_of(const Texts& text, const Protocol& protocol) {
    const auto key = [&](const char* what) { return std::string(protocol.name) + " " + what; };
    Server server;
    server.host = text(key("Server"));
    server.ssl = text.choice<Ssl>(key("SSL"), kSsl);
    const auto port = parse_int(text(key("Port")));
    server.port = port ? static_cast<std::uint16_t>(*port)
                       : protocol.ports[static_cast<std::size_t>(server.ssl)];
    server.auth = text.choice<Auth>(key("Authentication"), kAuth);
    server.account = text(key("Account"));
    const std::string password = server_password(text, protocol);
    if (!is_sealed(password)) server.password = Secret(password);
    return server;
}

// A connection that is never verified carries no password (INTERFACE "Mailbox Options").
bool password_is_held_back(const MailboxOptions& mailbox, const Server& server) {
    return (server.ssl == Ssl::kNo || !mailbox.tls_verify) && !mailbox.allow_cleartext_password;
}

bool is_readable_file(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) &&
           ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
}

// What belongs together.
std::vector<MailboxProblem> problems_together(const IniDocument& document,
                                              const MailboxOptions& mailbox) {
    const Texts text(document);
    std::vector<MailboxProblem> problems;
    const auto add = [&](std::string reason, std::string hint) {
        problems.push_back({nullptr, Error{ErrorKind::kConfig, "read", document.name(),
                                           std::move(reason), std::move(hint)}});
    };
    const bool log_in = mailbox.smtp.auth != Auth::kNone;
    if (log_in && password_is_held_back(mailbox, mailbox.smtp))
        add("Smtp Authentication = " + text("Smtp Authentication") + " cannot work with " +
                (mailbox.smtp.ssl == Ssl::kNo ? "Smtp SSL = No" : "TLS Verify = No") +
                ": no password goes over a connection that is not verified",
            mailbox.smtp.ssl == Ssl::kNo
                ? "set Smtp SSL = STARTTLS or Yes, or Allow Cleartext Password = Yes"
                : "set TLS Verify = Yes with a TLS CA File, or Allow Cleartext Password = Yes");
    if (!mailbox.tls_ca_file.empty() && !is_readable_file(mailbox.tls_ca_file))
        add("TLS CA File = " + mailbox.tls_ca_file.string() + " cannot be read",
            "name a PEM file that is there, or None for the system's store");
    if (!mailbox.integration) return problems;
    for (const char* needed : {"Smtp Server", "Email Name"})
        if (text(needed).empty())
            add("Email Integration = Yes needs " + std::string(needed),
                "set it together with Email Integration");
    const bool takes_token = mailbox.takes_token(mailbox.smtp);
    for (const std::string_view needed : {"Smtp Account", kSmtpPassword})
        if (log_in && text(needed).empty() && !(takes_token && needed == kSmtpPassword))
            add("Smtp Authentication = " + text("Smtp Authentication") + " needs " +
                    std::string(needed),
                "set it, or Smtp Authentication = None");
    OAuth2 oauth2 = mailbox.oauth2;
    oauth2.client_secret = Secret(text(kClientSecretKey));  // be it sealed
    if (oauth2.provider != OAuth2Provider::kNone)
        if (auto enough = check_oauth2(oauth2); !enough)
            add(enough.error().object + ": " + enough.error().reason, enough.error().hint);
    return problems;
}

// What `document` says, all of whose values are valid.
MailboxOptions options_of(const IniDocument& document, const Paths& paths) {
    const Texts text(document);
    MailboxOptions mailbox;
    mailbox.integration = text.yes("Email Integration");
    mailbox.send_mode = text.choice<SendMode>("Email Integration Send Mode", kSendMode);
    mailbox.sync_mode = text.choice<SyncMode>("Email Integration Sync Mode", kSyncMode);
    mailbox.email_name = text("Email Name");
    mailbox.domain = text("Domain Name");
    mailbox.smtp = server_of(text, kSmtp);
    mailbox.pop3 = server_of(text, kPop3);
    mailbox.imap4 = server_of(text, kImap4);
    mailbox.search_mode = text.choice<SearchMode>("Imap4 Search Mode", kSearchMode);
    if (const std::filesystem::path file = text("TLS CA File"); !file.empty())
        mailbox.tls_ca_file = (file.is_absolute() ? file : paths.root / file).lexically_normal();
    mailbox.tls_verify = text.yes("TLS Verify");
    mailbox.delete_mode = text.choice<DeleteMode>("Imap4 Delete Mode", kDeleteMode);
    mailbox.voice_format = text.choice<VoiceFormat>("Voice Format", kVoiceFormat);
    mailbox.fax_format = text.choice<FaxFormat>("Fax Format", kFaxFormat);
    mailbox.outlook_forms = text.yes("Outlook Forms");
    mailbox.time_zone = text("Time Zone");
    mailbox.language = text("Language");
    mailbox.transcript = text.yes("Transcript");
    mailbox.deleted_retention_days = *parse_int(text("Deleted Retention Days"));
    mailbox.allow_cleartext_password = text.yes("Allow Cleartext Password");
    mailbox.network_timeout_s = *parse_int(text("Network Timeout"));
    take_oauth2(mailbox, [&](std::string_view name) { return text(name); });
    return mailbox;
}

}  // namespace

std::string MailboxOptions::sender_address() const {
    if (is_mail_address(smtp.account)) return smtp.account;
    if (!domain.empty()) return "voicemail@" + domain;
    const auto at = email_name.rfind('@');
    return "voicemail@" + (at == std::string::npos ? "localhost" : email_name.substr(at + 1));
}

std::string MailboxOptions::message_id_domain() const {
    if (!domain.empty()) return domain;
    const std::string sender = sender_address();
    return sender.substr(sender.rfind('@') + 1);
}

std::vector<MailboxProblem> mailbox_problems(const IniDocument& document, const Paths& paths) {
    std::vector<MailboxProblem> problems = value_problems(document);
    return problems.empty() ? problems_together(document, options_of(document, paths)) : problems;
}

Result<MailboxOptions> interpret_mailbox(const IniDocument& document, const std::string& number,
                                         const Paths& paths) {
    std::vector<MailboxProblem> problems = value_problems(document);
    if (!problems.empty()) return fail(std::move(problems.front().error));
    MailboxOptions mailbox = options_of(document, paths);
    problems = problems_together(document, mailbox);
    if (!problems.empty()) return fail(std::move(problems.front().error));
    mailbox.number = number;
    return mailbox;
}

std::vector<std::string> mailbox_warnings(const IniDocument& document,
                                          const MailboxOptions& mailbox) {
    const Texts text(document);
    std::vector<std::string> warnings;
    for (const auto& [protocol, server] :
         {std::pair{&kPop3, &mailbox.pop3}, std::pair{&kImap4, &mailbox.imap4}})
        if (!server->host.empty() &&
            (!server_password(text, *protocol).empty() || mailbox.takes_token(*server)) &&
            password_is_held_back(mailbox, *server))
            warnings.push_back(
                fmt::format("{0} Password will not be sent, as the connection is not verified; set "
                            "{0} SSL = Yes "
                            "or STARTTLS with TLS Verify = Yes, or Allow Cleartext Password = Yes",
                            protocol->name));
    if (mailbox.oauth2.provider != OAuth2Provider::kNone && !mailbox.takes_token(mailbox.smtp) &&
        !mailbox.takes_token(mailbox.pop3) && !mailbox.takes_token(mailbox.imap4))
        warnings.emplace_back(
            "OAuth2 Provider means nothing as long as no Authentication is XOAuth2 or OAuthBearer");
    return warnings;
}

Result<MailboxOptions> open_mailbox(const IniDocument& document, const std::string& number,
                                    const Paths& paths) {
    VM_ASSIGN(MailboxOptions mailbox, interpret_mailbox(document, number, paths));
    const Texts text(document);
    Secret key;
    for (const auto& [name, secret] :
         {std::pair{kSmtpPassword, &mailbox.smtp.password},
          std::pair{"Pop3 Password", &mailbox.pop3.password},
          std::pair{"Imap4 Password", &mailbox.imap4.password},
          std::pair{kClientSecretKey, &mailbox.oauth2.client_secret}}) {
        const std::string written = text.raw(name);
        if (!is_sealed(written)) continue;
        if (key.empty()) {
            VM_ASSIGN(key, load_key(paths));
        }
        VM_ASSIGN(*secret, unseal(written, key, {number, name}));
    }
    return mailbox;
}

Result<MailboxOptions> load_mailbox(const Paths& paths, const std::string& number) {
    VM_ASSIGN(const IniDocument document, read_mailbox(paths, number));
    return open_mailbox(document, number, paths);
}

}  // namespace vm::config
