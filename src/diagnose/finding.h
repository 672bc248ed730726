// What a live test of one mail server meets, step by step: facts, without a judgement (advice.h has
// that). Pure data; nothing in it is a secret.
#ifndef VM_DIAGNOSE_FINDING_H
#define VM_DIAGNOSE_FINDING_H

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vm::diagnose {

enum class Protocol { kSmtp, kImap4, kPop3 };

// In the order in which they are taken; not every server has all of them.
enum class Step {
    kOptions,
    kDns,
    kTcp,
    kTls,
    kGreeting,
    kCapabilities,
    kLogin,
    kFolder,
    kIdle,
    kSynchronisation,
    kSend
};

enum class Fault {
    kNone,
    kOptions,  // they make no sense together, or what is needed is missing
    kNoSuchName,
    kNoNameServer,  // the name may be there: nobody could tell
    kRefused,
    kUnreachable,
    kTimeout,        // TCP: no answer at all
    kPlainAtTls,     // TLS was spoken to a server that greets in the clear
    kTlsAtPlain,     // the clear was listened to at a server that waits for TLS
    kSilent,         // connected, and no greeting came
    kOtherProtocol,  // the greeting is another protocol's, see Finding::speaks
    kTurnedAway,     // the greeting is a refusal
    kBrokeOff,       // it closed, went silent or talked nonsense in the middle
    kNoStartTls,     // demanded, not offered
    kTls,            // the handshake failed
    kExpired,        // these concern the certificate
    kNotYetValid,
    kOtherName,
    kSelfSigned,
    kUnknownCa,
    kCertificate,    // another thing about it
    kUnverified,     // a password is not sent over a connection that is not verified
    kLoginDisabled,  // IMAP: LOGINDISABLED, and no mechanism
    kMechanism,      // the way to log in that is set is not offered
    kToken,          // there is none to log in with
    kLoginRefused,
    kFolder,     // the server would not show its folders
    kSender,     // --send: refused at MAIL
    kRecipient,  // at RCPT
    kMessage,    // at DATA or behind it
    kUncertain,  // it may have arrived
    kTemporary,  // the server says that it cannot do so just now
    kPlugin,     // it failed, or cannot do what is asked of it
};

// As far as it is said to a person.
struct Certificate {
    std::vector<std::string> names;  // DNS names and addresses, or the subject's common name
    std::string issuer;
    TimeMs from = 0, till = 0;
};

struct Finding {
    Protocol protocol = Protocol::kSmtp;
    Step step = Step::kOptions;
    Fault fault = Fault::kNone;
    std::string words;  // what was found, or the server's or system's words; one line
    std::string note;   // good, but to be known
    std::int64_t ms = 0;

    // Where they matter to what is to be done.
    std::optional<Certificate> certificate;
    std::optional<Protocol> speaks;         // kOtherProtocol; nothing: none of mail's
    bool starttls = false;                  // the server offers it
    std::vector<std::string> mechanisms;    // SASL, upper case
    std::vector<std::uint16_t> open_ports;  // of the usual ones, where the one set does not answer
};

const char* name_of(Protocol protocol);    // "SMTP"
const char* prefix_of(Protocol protocol);  // of its options: "Smtp", "Imap4"
const char* id_of(Step step);              // "dns", for scripts
const char* name_of(Step step);            // "DNS", for people

}  // namespace vm::diagnose

#endif
