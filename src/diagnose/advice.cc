#include "diagnose/advice.h"

#include "diagnose/advice_words.h"

namespace vm::diagnose {

namespace {

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
    std::string out = "vmconfig mailbox authorize " + mailbox.number;
    const bool known = mailbox.oauth2.provider != config::OAuth2Provider::kNone;
    if (known) return out;
    // (With whom the unit is registered by a client id of its own.)
    return out + " --provider " + (provider == nullptr ? "NAME" : provider) + " --client-id ID";
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
            return of_login(words);
        case Fault::kTemporary:
            if (found.step == Step::kLogin) return of_login(words);
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
