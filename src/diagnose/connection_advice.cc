// Up to the greeting, and TLS.
#include "diagnose/advice_words.h"

namespace vm::diagnose {

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
                                 : "If that is the provider's own name, use it: " +
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

}  // namespace vm::diagnose
