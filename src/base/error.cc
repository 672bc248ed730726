#include "base/error.h"

#include "base/text.h"

#include <cerrno>
#include <system_error>

namespace vm {

int exit_status(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kRetryNow:
        case ErrorKind::kRetryLater:
        case ErrorKind::kUncertain:
            return 75;
        case ErrorKind::kMessage:
            return 65;
        case ErrorKind::kMailbox:
        case ErrorKind::kUnavailable:
            return 69;
        case ErrorKind::kAccount:
        case ErrorKind::kPermission:
            return 77;
        case ErrorKind::kConfig:
            return 78;
        case ErrorKind::kUsage:
            return 64;
        case ErrorKind::kNoInput:
            return 66;
    }
    return 69;
}

const char* to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kRetryNow:
            return "retry now";
        case ErrorKind::kRetryLater:
            return "retry later";
        case ErrorKind::kMessage:
            return "message";
        case ErrorKind::kMailbox:
            return "mailbox";
        case ErrorKind::kAccount:
            return "account";
        case ErrorKind::kConfig:
            return "configuration";
        case ErrorKind::kUncertain:
            return "uncertain";
        case ErrorKind::kUsage:
            return "usage";
        case ErrorKind::kNoInput:
            return "no input";
        case ErrorKind::kPermission:
            return "permission";
        case ErrorKind::kUnavailable:
            return "unavailable";
    }
    return "unknown";
}

std::string Error::text() const {
    std::string out = operation;
    for (const std::string* part : {&object, &reason}) {
        if (part->empty()) continue;
        if (!out.empty()) out += ": ";
        out += *part;
    }
    if (!hint.empty()) out += "; " + hint;
    return without_direction_controls(sanitize_line(out));
}

std::string errno_text(int code) {
    return std::generic_category().message(code);
}

ErrorKind errno_kind(int code) {
    switch (code) {
        case ENOENT:
        case ENOTDIR:
            return ErrorKind::kNoInput;
        case EACCES:
        case EPERM:
        case EROFS:
            return ErrorKind::kPermission;
        default:
            return ErrorKind::kUnavailable;
    }
}

tl::unexpected<Error> fail_errno(int code, std::string operation, std::string object,
                                 std::string hint) {
    if (hint.empty() && (code == ENOSPC || code == EDQUOT)) hint = "free disk space and try again";
    if (hint.empty() && code == EROFS)
        hint =
            "mount it read-write; the system may have made it read-only after an error, see its "
            "log";
    if (hint.empty() && code == EACCES)
        hint = "look at the owner and mode of it and of its directories";
    if (hint.empty() && code == EIO) hint = "look at the system's log for errors of the disk";
    return fail(errno_kind(code), std::move(operation), std::move(object), errno_text(code),
                std::move(hint));
}

}  // namespace vm
