#include "core/push.h"

#include "base/text.h"

namespace vm {

namespace {

constexpr auto kDeferral = DeliveryEvent::kDeferral;

PushOutcome from_reply(const PushReport& report) {
    const int group = report.code / 100;
    if (report.step == PushStep::kDot && group == 2)
        return {DeliveryEvent::kAccepted, ErrorKind::kRetryLater, PushScope::kMessage};
    if (report.step == PushStep::kAuth)
        // 454, 421: the server cannot tell now; 5xx: these credentials are wrong.
        return {kDeferral, group == 5 ? ErrorKind::kAccount : ErrorKind::kRetryLater,
                PushScope::kMailbox};
    if (report.code == 421) return {kDeferral, ErrorKind::kRetryLater, PushScope::kServer};
    if (report.step == PushStep::kHello && group == 5)
        return {kDeferral, ErrorKind::kRetryLater, PushScope::kMailbox};
    if (report.step < PushStep::kMail)
        return {kDeferral, ErrorKind::kRetryLater, PushScope::kServer};
    // 530, 534, 538 after MAIL and later ask for authentication or encryption: the account's
    // options are wrong, not the message; it must survive until they are mended.
    if (report.code == 530 || report.code == 534 || report.code == 538)
        return {kDeferral, ErrorKind::kAccount, PushScope::kMailbox};
    if (group == 5) return {DeliveryEvent::kFailure, ErrorKind::kMessage, PushScope::kMessage};
    return {kDeferral, ErrorKind::kRetryLater, PushScope::kMessage};
}

// Connection lost, no answer in time, or an answer that is no SMTP.
PushOutcome broken_off(PushStep step) {
    if (step == PushStep::kDot)
        return {DeliveryEvent::kReplyLost, ErrorKind::kUncertain, PushScope::kMailbox};
    return {kDeferral, ErrorKind::kRetryLater,
            step < PushStep::kAuth ? PushScope::kServer : PushScope::kMailbox};
}

}  // namespace

PushOutcome classify(const PushReport& report) {
    switch (report.cause) {
        case PushCause::kReply:
            return from_reply(report);
        case PushCause::kSizeLimit:
            return {DeliveryEvent::kFailure, ErrorKind::kMessage, PushScope::kMessage};
        case PushCause::kConfig:
            return {kDeferral, ErrorKind::kConfig, PushScope::kMailbox};
        case PushCause::kLocal:
        case PushCause::kCancelled:
            return {kDeferral, ErrorKind::kRetryLater, PushScope::kMessage};
        case PushCause::kDns:
        case PushCause::kRefused:
        case PushCause::kTls:
            return {kDeferral, ErrorKind::kRetryLater, PushScope::kServer};
        case PushCause::kLost:
        case PushCause::kTimeout:
        case PushCause::kProtocol:
            return broken_off(report.step);
        case PushCause::kPlugin:
            break;
    }
    // A report nobody can read: what happened to the message is not known.
    return {DeliveryEvent::kReplyLost, ErrorKind::kUncertain, PushScope::kMailbox};
}

bool may_be_last(DeliveryState before, DeliveryEvent event, bool searchable) {
    return event == DeliveryEvent::kDeferral ||
           (event == DeliveryEvent::kFailure && before == DeliveryState::kUncertain) ||
           (event == DeliveryEvent::kReplyLost && !searchable);
}

bool proves_server(const PushReport& report) {
    const bool spoke = report.cause == PushCause::kReply || report.cause == PushCause::kSizeLimit;
    return spoke && report.step >= PushStep::kAuth && classify(report).scope != PushScope::kServer;
}

bool is_turned_away(const PushReport& report) {
    return (report.step == PushStep::kGreeting && report.cause == PushCause::kReply) ||
           (report.step <= PushStep::kGreeting && report.cause == PushCause::kLost);
}

const char* to_string(PushStep step) {
    switch (step) {
        case PushStep::kNone:
            return "start";
        case PushStep::kConnect:
            return "connect";
        case PushStep::kGreeting:
            return "greeting";
        case PushStep::kHello:
            return "EHLO";
        case PushStep::kStartTls:
            return "STARTTLS";
        case PushStep::kAuth:
            return "AUTH";
        case PushStep::kMail:
            return "MAIL";
        case PushStep::kRcpt:
            return "RCPT";
        case PushStep::kData:
            return "DATA";
        case PushStep::kBody:
            return "message data";
        case PushStep::kDot:
            return "end of data";
    }
    return "unknown step";
}

const char* to_string(PushCause cause) {
    switch (cause) {
        case PushCause::kReply:
            return "reply";
        case PushCause::kLost:
            return "connection lost";
        case PushCause::kTimeout:
            return "timeout";
        case PushCause::kDns:
            return "name not resolved";
        case PushCause::kRefused:
            return "connection refused";
        case PushCause::kTls:
            return "TLS";
        case PushCause::kProtocol:
            return "protocol";
        case PushCause::kLocal:
            return "message not readable";
        case PushCause::kConfig:
            return "configuration";
        case PushCause::kSizeLimit:
            return "size limit";
        case PushCause::kCancelled:
            return "stopped";
        case PushCause::kPlugin:
            return "plugin";
    }
    return "unknown cause";
}

std::string describe(const PushReport& report) {
    // A reply's text begins with its code and enhanced status, as the server sent it; other causes
    // have words of their own, which say more than the cause's name.
    const std::string& words =
        report.text.empty() ? std::string(to_string(report.cause)) : report.text;
    return sanitize_line(std::string(to_string(report.step)) + ": " + words);
}

}  // namespace vm
