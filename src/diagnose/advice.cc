#include "diagnose/advice.h"

#include "base/text.h"
#include "diagnose/certificate.h"
#include "diagnose/probe.h"

#include <algorithm>

namespace vm::diagnose {

namespace {

using config::Ssl;

// What is said of one finding is put together from these.
class Words {
  public:
    Words(const Finding& found, const config::MailboxOptions& mailbox)
        : found_(found),
          mailbox_(mailbox),
          server_(server_of(mailbox, found.protocol)),
          prefix_(prefix_of(found.protocol)) {}

    std::string host() const { return server_.host; }
    std::string port() const { return "port " + std::to_string(server_.port); }
    std::string option(const char* name) const { return prefix_ + " " + name; }
    std::string value(const char* name, const std::string& value) const {
        return option(name) + "=" + value;
    }
    std::string set(std::initializer_list<std::string> settings) const {
        return set_command(mailbox_, settings);
    }
    std::string said() const { return found_.words.empty() ? "" : " (" + found_.words + ")"; }
    bool smtp() const { return found_.protocol == Protocol::kSmtp; }
    std::string starttls() const {
        return found_.protocol == Protocol::kPop3 ? "STARTTLS (STLS)" : "STARTTLS";
    }

    // How servers of this protocol are to be spoken to at a usual port.
    std::string at_port(std::uint16_t port) const {
        const bool tls = port == 465 || port == 993 || port == 995;
        if (port == 25) return set({value("Port", "25")});
        return set({value("Port", "None"), value("SSL", tls ? "Yes" : "STARTTLS")});
    }
    // The other port to take, of those that answer.
    std::string another_port() const {
        if (found_.open_ports.empty()) return {};
        return at_port(found_.open_ports.front());
    }
    std::string open_ports() const {
        std::vector<std::string> out;
        for (const std::uint16_t port : found_.open_ports) out.push_back(std::to_string(port));
        return join(out, ", ");
    }
    std::string names() const {
        return found_.certificate && !found_.certificate->names.empty()
                   ? join(found_.certificate->names, ", ")
                   : "nobody";
    }
    // The first name of the certificate that a server can be set to.
    std::string usable_name() const {
        if (found_.certificate)
            for (const std::string& name : found_.certificate->names)
                if (name.find('*') == std::string::npos) return name;
        return {};
    }
    std::string day(TimeMs time) const { return format_rfc3339(time).substr(0, 10); }

    const Finding& found() const { return found_; }
    const config::MailboxOptions& mailbox() const { return mailbox_; }
    const config::Server& server() const { return server_; }

  private:
    const Finding& found_;
    const config::MailboxOptions& mailbox_;
    const config::Server& server_;
    std::string prefix_;
};

Advice of_name(const Words& words) {
    if (words.found().fault == Fault::kNoSuchName)
        return {ErrorKind::kConfig, "There is no server called " + words.host() + ".",
                "Check the spelling: " + words.set({words.value("Server", "NAME")})};
    return {ErrorKind::kRetryLater,
            "Nobody could say what the address of " + words.host() + " is" + words.said() + ".",
            "Check this machine's network and its name servers (/etc/resolv.conf)."};
}

Advice of_connection(const Words& words) {
    const bool refused = words.found().fault == Fault::kRefused;
    const std::string other = words.another_port();
    if (!other.empty())
        return {ErrorKind::kConfig,
                words.host() + " does not answer at " + words.port() + ", but at " +
                    words.open_ports() + ".",
                "Take another port: " + other};
    if (refused)
        return {ErrorKind::kUnavailable,
                "Nothing listens at " + words.port() + " of " + words.host() +
                    ", nor at the usual ports of " + name_of(words.found().protocol) + ".",
                "Check " + words.option("Server") +
                    "; if it is right, the server is down or a firewall turns us away."};
    return {ErrorKind::kUnavailable,
            words.host() + " cannot be reached at " + words.port() + words.said() + ".",
            "Check " + words.option("Server") + ", " + words.option("Port") +
                " and the network; firewalls and providers often block " +
                (words.smtp() ? "port 25: port 587 or 465 may be open." : "mail ports.")};
}

Advice of_greeting(const Words& words) {
    switch (words.found().fault) {
        case Fault::kPlainAtTls:
            return {ErrorKind::kConfig,
                    words.host() + " does not speak TLS from the first byte at " + words.port() +
                        (words.found().starttls ? ": it offers " + words.starttls() + " there."
                                                : ", nor does it offer " + words.starttls() + "."),
                    words.found().starttls
                        ? "Change how TLS is used: " + words.set({words.value("SSL", "STARTTLS")})
                        : "Take the usual port for TLS: " +
                              words.set({words.value("Port", "None"), words.value("SSL", "Yes")})};
        case Fault::kTlsAtPlain:
            return {ErrorKind::kConfig,
                    words.host() + " speaks TLS from the first byte at " + words.port() + ", and " +
                        words.option("SSL") + " does not.",
                    "Change how TLS is used: " + words.set({words.value("SSL", "Yes")})};
        case Fault::kOtherProtocol:
            break;
        case Fault::kTurnedAway:
            return {ErrorKind::kRetryLater, words.host() + " turns us away" + words.said() + ".",
                    "Its words say why; if it has too many connections of ours, try again later."};
        default:
            return {ErrorKind::kUnavailable,
                    words.host() + " takes the connection at " + words.port() +
                        " and says nothing" + words.said() + ".",
                    "Check that " + words.option("Port") + " is one of " +
                        name_of(words.found().protocol) +
                        "; if it is, the server is overloaded or something in between holds it "
                        "up: try again later."};
    }
    const auto speaks = words.found().speaks;
    const std::string change = "Take the usual port: " + words.set({words.value("Port", "None")});
    if (!speaks)
        return {ErrorKind::kConfig,
                "What listens at " + words.port() + " of " + words.host() + " is no mail server" +
                    words.said() + ".",
                change};
    return {ErrorKind::kConfig,
            "What listens at " + words.port() + " of " + words.host() + " speaks " +
                name_of(*speaks) + ", not " + name_of(words.found().protocol) + ".",
            change};
}

Advice of_tls(const Words& words) {
    if (words.found().fault == Fault::kNoStartTls) {
        for (const std::uint16_t port : words.found().open_ports)
            if (port == 465 || port == 993 || port == 995)
                return {ErrorKind::kConfig,
                        words.host() + " offers no " + words.starttls() + " at " + words.port() +
                            ", but answers at " + std::to_string(port) + ".",
                        "Use TLS from the first byte there: " + words.at_port(port)};
        return {ErrorKind::kConfig,
                words.host() + " offers no " + words.starttls() + " at " + words.port() + ".",
                "Ask the provider for the port with TLS; without any, " +
                    words.set({words.value("SSL", "No")}) +
                    " sends mail and passwords readable for everybody on the way."};
    }
    return {ErrorKind::kUnavailable,
            "TLS with " + words.host() + " cannot be established" + words.said() + ".",
            "The server has to speak TLS 1.2 or later; check " + words.option("Port") + " and " +
                words.option("SSL") + ", and ask who runs it."};
}

Advice of_certificate(const Words& words) {
    const std::string ca = "If it is the right server, trust it by the file of its CA: " +
                           set_command(words.mailbox(), {"TLS CA File=/path/to/ca.pem"});
    const std::string its = "The certificate of " + words.host();
    const Certificate certificate = words.found().certificate.value_or(Certificate{});
    switch (words.found().fault) {
        case Fault::kExpired:
            return {ErrorKind::kUnavailable, its + " ended on " + words.day(certificate.till) + ".",
                    "Its provider has to renew it; if this machine's date is wrong, set that."};
        case Fault::kNotYetValid:
            return {ErrorKind::kUnavailable,
                    its + " is not valid before " + words.day(certificate.from) + ".",
                    "This machine's clock is probably wrong: set it."};
        case Fault::kOtherName: {
            const std::string name = words.usable_name();
            return {ErrorKind::kConfig, its + " is for " + words.names() + ".",
                    name.empty() ? "Set the server to the name that its provider gives: " +
                                       words.set({words.value("Server", "NAME")})
                                 : "Use the name that is in it: " +
                                       words.set({words.value("Server", name)})};
        }
        case Fault::kSelfSigned:
            return {ErrorKind::kConfig, its + " is signed by nobody but itself.", ca};
        case Fault::kUnknownCa:
            return {ErrorKind::kConfig,
                    its + " is by \"" + certificate.issuer + "\", whom " +
                        (words.mailbox().tls_ca_file.empty()
                             ? std::string("this machine does not know.")
                             : words.mailbox().tls_ca_file.string() + " does not lead to."),
                    ca};
        default:
            return {ErrorKind::kConfig, its + " cannot be used" + words.said() + ".",
                    "Ask who runs the server."};
    }
}

Advice of_password(const Words& words) {
    if (words.mailbox().tls_verify || words.server().ssl == Ssl::kNo)
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
                words.server().ssl == Ssl::kNo
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

Advice of_send(const Words& words) {
    const config::MailboxOptions& mailbox = words.mailbox();
    switch (words.found().fault) {
        case Fault::kSender:
            return {ErrorKind::kConfig,
                    words.host() + " takes no mail from " + mailbox.sender_address() +
                        words.said() + ".",
                    "The sender is Smtp Account when that is an address, else voicemail@ and "
                    "Domain Name: " +
                        set_command(mailbox, {"Smtp Account=ADDRESS"})};
        case Fault::kRecipient:
            return {ErrorKind::kConfig,
                    words.host() + " takes no mail for " + mailbox.email_name + words.said() + ".",
                    mailbox.smtp.auth == config::Auth::kNone
                        ? "Check Email Name; or the server wants a login: " +
                              set_command(mailbox, {"Smtp Authentication=Auto", "Smtp Account=NAME",
                                                    "Smtp Password=-"})
                        : "Check the address: " + set_command(mailbox, {"Email Name=ADDRESS"})};
        case Fault::kUncertain:
            return {ErrorKind::kUncertain,
                    "The mail was handed over, and the answer never came" + words.said() + ".",
                    "Look whether it has arrived."};
        default:
            return {ErrorKind::kUnavailable,
                    words.host() + " does not take the mail" + words.said() + ".",
                    "Its words say why."};
    }
}

}  // namespace

std::string set_command(const config::MailboxOptions& mailbox,
                        std::initializer_list<std::string> settings) {
    std::string out = "vmconfig mailbox set " + mailbox.number;
    for (const std::string& setting : settings) out += " \"" + setting + "\"";
    return out;
}

std::string authorize_command(const config::MailboxOptions& mailbox, const char* provider) {
    const std::string out = "vmconfig mailbox authorize " + mailbox.number;
    const bool known = mailbox.oauth2.provider != config::OAuth2Provider::kNone;
    if (known) return out;
    return out + " --provider " + (provider == nullptr ? "NAME" : provider);
}

Advice advise(const Finding& found, const config::MailboxOptions& mailbox) {
    const Words words(found, mailbox);
    switch (found.fault) {
        case Fault::kNone:
            break;
        case Fault::kOptions:
            return {ErrorKind::kConfig, "The options cannot work: " + found.words + ".",
                    found.note};
        case Fault::kNoSuchName:
        case Fault::kNoNameServer:
            return of_name(words);
        case Fault::kRefused:
        case Fault::kUnreachable:
        case Fault::kTimeout:
            return of_connection(words);
        case Fault::kPlainAtTls:
        case Fault::kTlsAtPlain:
        case Fault::kSilent:
        case Fault::kOtherProtocol:
        case Fault::kTurnedAway:
            return of_greeting(words);
        case Fault::kNoStartTls:
        case Fault::kTls:
            return of_tls(words);
        case Fault::kExpired:
        case Fault::kNotYetValid:
        case Fault::kOtherName:
        case Fault::kSelfSigned:
        case Fault::kUnknownCa:
        case Fault::kCertificate:
            return of_certificate(words);
        case Fault::kUnverified:
            return of_password(words);
        case Fault::kLoginDisabled:
        case Fault::kMechanism:
            return of_mechanism(words);
        case Fault::kToken:
            return {ErrorKind::kAccount, "There is no token to log in with" + words.said() + ".",
                    "Get access: " + authorize_command(mailbox, nullptr)};
        case Fault::kLoginRefused:
            return advise_login(found, mailbox);
        case Fault::kTemporary:
            if (found.step == Step::kLogin) return advise_login(found, mailbox);
            return {ErrorKind::kRetryLater,
                    words.host() + " cannot do so just now" + words.said() + ".",
                    "Try again later."};
        case Fault::kSender:
        case Fault::kRecipient:
        case Fault::kMessage:
        case Fault::kUncertain:
            return of_send(words);
        case Fault::kFolder:
            return {ErrorKind::kUnavailable,
                    words.host() + " does not show the account's folders" + words.said() + ".",
                    "Its words say why; a quota or the account's rights may be to blame."};
        case Fault::kPlugin:
            return {ErrorKind::kConfig, "The transport plugin cannot tell" + words.said() + ".",
                    "Install the plugin that belongs to this program, or set "
                    "g_szEmailDllPath: vmconfig misc set g_szEmailDllPath FILE"};
        case Fault::kBrokeOff:
            break;
    }
    return {ErrorKind::kUnavailable,
            words.host() + " broke off, or went silent" + words.said() + ".",
            "Try again; if it stays so, ask who runs the server."};
}

}  // namespace vm::diagnose
