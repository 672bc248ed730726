// What a mail server says before anybody logs in: its greeting, what it can do, and STARTTLS. SMTP
// (RFC 5321, RFC 3207), IMAP4 (RFC 9051), POP3 (RFC 1939, RFC 2449, RFC 2595). Blocks as its Wire.
#ifndef VM_DIAGNOSE_DIALOGUE_H
#define VM_DIAGNOSE_DIALOGUE_H

#include "diagnose/wire.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::diagnose {

// Whose first line this is; nothing: no mail server's, as far as can be seen.
std::optional<Protocol> protocol_of(std::string_view greeting);

// What a server said that it can do.
struct Abilities {
    std::vector<std::string> all;         // in its words: "SIZE 35882577", "IDLE", "STLS"
    std::vector<std::string> mechanisms;  // SASL, upper case
    bool starttls = false;                // probe(): also when TLS was begun by it
    bool login_disabled = false;          // IMAP: LOGINDISABLED
};
// `lines`: of a reply to EHLO behind the first one, of CAPA, or the words of CAPABILITY.
Abilities read_abilities(Protocol protocol, const std::vector<std::string>& lines);

class Dialogue {
  public:
    // `wire` outlives it. `domain`: for EHLO.
    Dialogue(Protocol protocol, Wire& wire, std::string domain)
        : protocol_(protocol), wire_(wire), domain_(std::move(domain)) {}

    // The first line. kSilent, kOtherProtocol, kTurnedAway with its words.
    Outcome<std::string> greeting();
    Outcome<Abilities> abilities();
    // The server waits for the handshake then. kNoStartTls, when it refuses.
    std::optional<Trouble> ask_tls();
    void bye();

  private:
    Outcome<std::vector<std::string>> command(const std::string& text);
    Outcome<std::vector<std::string>> smtp_reply();
    Outcome<std::vector<std::string>> imap_response();
    Outcome<std::vector<std::string>> pop3_response(bool listing);

    Protocol protocol_;
    Wire& wire_;
    std::string domain_;
    int tag_ = 0;
};

}  // namespace vm::diagnose

#endif
