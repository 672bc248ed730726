// Errors and results, for every layer.
//
// An error is a kind by *consequence* (what must happen next), plus what a person needs: the
// operation, the object it was about, the server, the server's or system's words, and a hint what
// to do. It prints as one line:
//   push 01J… to smtp.example.net: RCPT: 550 5.1.1 no such user
// Functions that can fail return Result<T>; exceptions of libraries stop in the layer that uses
// them. Never put a secret in an Error: everything in it is printed.
#ifndef VM_BASE_ERROR_H
#define VM_BASE_ERROR_H

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace vm {

enum class ErrorKind {
    kRetryNow,     // transient, safe to do again at once (a reused connection was closed)
    kRetryLater,   // transient: back off
    kMessage,      // this message can never succeed as it stands; bad data
    kMailbox,      // this mailbox cannot work until a person acts
    kAccount,      // the account's credentials were refused
    kConfig,       // configuration: invalid value, missing or refused file
    kUncertain,    // the effect may or may not have happened
    kUsage,        // the command line is wrong
    kNoInput,      // a named object (file, message, mailbox) does not exist
    kPermission,   // not allowed
    kUnavailable,  // a service or resource is missing (disk full, database locked)
};

// sysexits(3) status a command ends with for this kind; see INTERFACE "Exit codes".
int exit_status(ErrorKind kind);
const char* to_string(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::kUnavailable;
    std::string operation;  // "push 01J…", "read", "set"
    std::string object;     // file, key, step: "RCPT", "etc/mailboxes/101.ini line 7"
    std::string reason;     // server's reply or system's words, sanitised
    std::string hint;       // what to do next; may be empty

    // One line without control characters: "operation: object: reason; hint".
    std::string text() const;
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string operation, std::string object,
                                  std::string reason, std::string hint = {}) {
    return tl::unexpected<Error>(
        Error{kind, std::move(operation), std::move(object), std::move(reason), std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

// The text of errno value `code`, thread-safe.
std::string errno_text(int code);

// Kind of a failed system call: ENOENT is kNoInput, EACCES/EPERM kPermission, the rest
// kUnavailable.
ErrorKind errno_kind(int code);

// The error of a failed system call. Without a `hint` the one that belongs to `code`, if there is
// one: what to do about a disk that is full or read-only.
tl::unexpected<Error> fail_errno(int code, std::string operation, std::string object,
                                 std::string hint = {});

}  // namespace vm

#define VM_CONCAT_(a, b) a##b
#define VM_CONCAT(a, b) VM_CONCAT_(a, b)
// Leaves the function with the error of `expression`, a Result<void>.
#define VM_TRY(expression)                                                                        \
    do {                                                                                          \
        if (auto vm_try_ = (expression); !vm_try_) return ::vm::fail(std::move(vm_try_).error()); \
    } while (false)
// Declares or assigns `target` from a Result<T>, or leaves with its error.
#define VM_ASSIGN(target, expression) VM_ASSIGN_(VM_CONCAT(vm_res_, __LINE__), target, expression)
#define VM_ASSIGN_(tmp, target, expression)              \
    auto tmp = (expression);                             \
    if (!tmp) return ::vm::fail(std::move(tmp).error()); \
    target = std::move(*tmp)

#endif
