// What the end of a push dialogue means: the table of the manual's "SMTP Sequence" (N4.6, N4.7),
// one recipient a message. Pure.
//
//   step that ended it            reply 2xx   reply 4xx   reply 5xx    no reply (lost, timeout)
//   connect, greeting, EHLO/HELO  –           deferral    deferral     deferral
//   STARTTLS, AUTH                –           deferral    deferral     deferral
//   MAIL, RCPT, DATA              –           deferral    failure      deferral
//   final dot                     success     deferral    failure      UNCERTAIN
//   SIZE limit (never sent)       –           –           failure      –
//
// 421 is a deferral wherever it comes (RFC 5321 section 3.8). A message that cannot be read locally
// is a deferral: the connection was closed without the final dot (N4.5).
//
// Whose trouble it is decides who waits. The server's: whatever ends the dialogue before anybody
// has been named to it, and 421. The mailbox's: what the server answers to its domain (EHLO 5xx)
// and its credentials (all of AUTH: a limit on logins is one account's), and a dialogue that breaks
// off or stalls after that, which the next message would most likely meet again. Everything else is
// the one message's.
#ifndef VM_CORE_PUSH_H
#define VM_CORE_PUSH_H

#include "base/error.h"
#include "core/delivery.h"

#include <string>

namespace vm {

// The steps in dialogue order; numbered as in plugins/vm_transport.h.
enum class PushStep {
    kNone,
    kConnect,
    kGreeting,
    kHello,
    kStartTls,
    kAuth,
    kMail,
    kRcpt,
    kData,
    kBody,
    kDot
};

enum class PushCause {
    kReply,      // the server's reply decided; see code
    kLost,       // connection closed or reset
    kTimeout,    // no answer in time
    kDns,        // the server's name does not resolve
    kRefused,    // TCP connection refused or unreachable
    kTls,        // handshake or certificate
    kProtocol,   // the reply was no SMTP
    kLocal,      // the message could not be read
    kConfig,     // the options do not allow the attempt (no AUTH offered, password over cleartext)
    kSizeLimit,  // larger than the server's SIZE
    kCancelled,  // asked to stop before the message was handed over
    kPlugin,     // the plugin's report made no sense
};

struct PushReport {
    PushStep step = PushStep::kNone;
    PushCause cause = PushCause::kPlugin;
    int code = 0;          // SMTP reply code, 0 when there was none
    std::string enhanced;  // RFC 3463 status "5.1.1", "" when none
    std::string text;      // reply or reason, sanitised
    std::string server;    // host:port
};

// What an outcome says about the messages that come next.
enum class PushScope {
    kMessage,  // nothing
    kMailbox,  // nothing else of this mailbox will get through now either
    kServer,   // nothing else will get through to this server now, whoever sends it
};

struct PushOutcome {
    DeliveryEvent event;  // kAccepted, kDeferral, kFailure or kReplyLost
    // Who must act: kRetryNow, kRetryLater, kMessage, kAccount, kConfig, kUncertain.
    ErrorKind kind;
    PushScope scope;
};

PushOutcome classify(const PushReport& report);

// Whether an attempt that ended with `event` may be the last one, once the delivery timeout is
// over; `before`: the delivery's state at its beginning. What may have arrived by it is looked for
// first, where that can be done. (What may have arrived before was looked for before it.)
bool may_be_last(DeliveryState before, DeliveryEvent event, bool searchable);

// Whether the server answered as one that works does: it got as far as an account or a message.
bool proves_server(const PushReport& report);
// The server refused the connection in its greeting, or closed it before one: it may have enough
// of them.
bool is_turned_away(const PushReport& report);

const char* to_string(PushStep step);
const char* to_string(PushCause cause);

// "RCPT: 550 5.1.1 no such user", for history and errors.
std::string describe(const PushReport& report);

}  // namespace vm

#endif
