#include "transport/report.h"

#include "base/text.h"

#include <algorithm>
#include <cstring>

namespace vm::transport {

namespace {

static_assert(static_cast<int>(PushStep::kNone) == VM_STEP_NONE &&
              static_cast<int>(PushStep::kDot) == VM_STEP_DOT);

std::optional<PushCause> cause_of(std::uint8_t cause) {
    switch (cause) {
        case VM_CAUSE_REPLY:
            return PushCause::kReply;
        case VM_CAUSE_LOST:
            return PushCause::kLost;
        case VM_CAUSE_TIMEOUT:
            return PushCause::kTimeout;
        case VM_CAUSE_DNS:
            return PushCause::kDns;
        case VM_CAUSE_REFUSED:
            return PushCause::kRefused;
        case VM_CAUSE_TLS:
            return PushCause::kTls;
        case VM_CAUSE_PROTOCOL:
            return PushCause::kProtocol;
        case VM_CAUSE_LOCAL:
            return PushCause::kLocal;
        case VM_CAUSE_CONFIG:
            return PushCause::kConfig;
        case VM_CAUSE_SIZE_LIMIT:
            return PushCause::kSizeLimit;
        case VM_CAUSE_CANCELLED:
            return PushCause::kCancelled;
        default:
            return std::nullopt;
    }
}

// Behind the final dot there is a reply or there is doubt; before it, no reply means success.
bool fits(PushStep step, PushCause cause, int code) {
    const int group = code / 100;
    switch (cause) {
        case PushCause::kReply:
            return step >= PushStep::kGreeting && code <= 599 &&
                   (group == 4 || group == 5 || (group == 2 && step == PushStep::kDot));
        case PushCause::kLost:
        case PushCause::kTimeout:
        case PushCause::kProtocol:
            return true;
        default:
            return step != PushStep::kDot;
    }
}

// RFC 3463: the class is the code's first digit.
bool is_status(const std::string& enhanced, int code) {
    return !enhanced.empty() && enhanced.front() - '0' == code / 100 &&
           std::count(enhanced.begin(), enhanced.end(), '.') == 2 &&
           enhanced.find_first_not_of("0123456789.") == std::string::npos;
}

PushReport nonsense(std::string what, std::string server) {
    PushReport out;
    out.cause = PushCause::kPlugin;
    out.text = "the plugin's report makes no sense: " + std::move(what);
    out.server = std::move(server);
    return out;
}

}  // namespace

std::optional<std::string> field_text(const char* field, std::size_t size) {
    const void* end = std::memchr(field, '\0', size);
    if (end == nullptr) return std::nullopt;
    return sanitize_line({field, static_cast<std::size_t>(static_cast<const char*>(end) - field)});
}

PushReport judge_report(const vm_push_report& report, std::string server) {
    if (report.step > VM_STEP_DOT)
        return nonsense("step " + std::to_string(report.step), std::move(server));
    const auto step = static_cast<PushStep>(report.step);
    const auto cause = cause_of(report.cause);
    if (!cause) return nonsense("cause " + std::to_string(report.cause), std::move(server));
    const auto text = field_text(report.text, sizeof report.text);
    const auto enhanced = field_text(report.enhanced, sizeof report.enhanced);
    if (!text || !enhanced) return nonsense("text without an end", std::move(server));
    if (!fits(step, *cause, report.code))
        return nonsense(std::string(to_string(*cause)) + " with code " +
                            std::to_string(report.code) + " at " + to_string(step),
                        std::move(server));
    PushReport out;
    out.step = step;
    out.cause = *cause;
    out.code = *cause == PushCause::kReply ? report.code : 0;
    if (is_status(*enhanced, out.code)) out.enhanced = *enhanced;
    out.text = *text;
    out.server = std::move(server);
    return out;
}

}  // namespace vm::transport
