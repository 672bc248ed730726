#include "core/push.h"

#include "base/text.h"

namespace vm {

namespace {

PushOutcome from_reply(const PushReport& report) {
    const int group = report.code / 100;
    switch (report.step) {
        case PushStep::kDot:
            if (group == 2) return {DeliveryEvent::kAccepted, ErrorKind::kRetryLater, false};
            break;
        case PushStep::kMail:
        case PushStep::kRcpt:
        case PushStep::kData:
        case PushStep::kBody:
            break;
        case PushStep::kStartTls:
            return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, true};
        case PushStep::kAuth:
            // 454, 421: the server's authentication is out of order; 5xx: these credentials are.
            return {DeliveryEvent::kDeferral,
                    group == 5 ? ErrorKind::kAccount : ErrorKind::kRetryLater, group != 5};
        default:
            return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, true};
    }
    if (report.code == 421) return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, true};
    if (group == 5) {
        // 530, 534, 538 after MAIL and later ask for authentication or encryption: the account's
        // options are wrong, not the message; it must survive until they are mended.
        if (report.code == 530 || report.code == 534 || report.code == 538)
            return {DeliveryEvent::kDeferral, ErrorKind::kAccount, false};
        return {DeliveryEvent::kFailure, ErrorKind::kMessage, false};
    }
    return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, false};
}

}  // namespace

PushOutcome classify(const PushReport& report) {
    switch (report.cause) {
        case PushCause::kReply:
            return from_reply(report);
        case PushCause::kSizeLimit:
            return {DeliveryEvent::kFailure, ErrorKind::kMessage, false};
        case PushCause::kConfig:
            return {DeliveryEvent::kDeferral, ErrorKind::kConfig, false};
        case PushCause::kLocal:
        case PushCause::kCancelled:
            return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, false};
        case PushCause::kDns:
        case PushCause::kRefused:
        case PushCause::kTls:
            return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater, true};
        case PushCause::kPlugin:
            // A report nobody can read: what happened to the message is not known.
            return {DeliveryEvent::kReplyLost, ErrorKind::kUncertain, false};
        case PushCause::kLost:
        case PushCause::kTimeout:
        case PushCause::kProtocol:
            if (report.step == PushStep::kDot)
                return {DeliveryEvent::kReplyLost, ErrorKind::kUncertain, false};
            return {DeliveryEvent::kDeferral, ErrorKind::kRetryLater,
                    report.step < PushStep::kMail};
    }
    return {DeliveryEvent::kReplyLost, ErrorKind::kUncertain, false};
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
