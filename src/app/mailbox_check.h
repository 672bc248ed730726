// A live test of a mailbox's servers, step by step: SMTP, and IMAP or POP3 by the plugin in force.
// Up to the login by a look of its own (diagnose/probe.h), from the login on through the plugin, as
// the agent would do it. Nothing is changed in the account, and nothing sent but the mail that is
// asked for. To be called in a process of its own (agent::run_in_child), since it loads the plugin.
#ifndef VM_APP_MAILBOX_CHECK_H
#define VM_APP_MAILBOX_CHECK_H

#include "base/paths.h"
#include "diagnose/advice.h"
#include "diagnose/wire.h"

#include <functional>
#include <optional>
#include <string>

namespace vm::app {

struct CheckWish {
    std::string number;
    bool send = false;                 // a test mail to Email Name
    diagnose::Millis timeout{10'000};  // of a step
};

struct CheckedStep {
    std::string server;  // "": the options
    diagnose::Finding finding;
    std::optional<diagnose::Advice> advice;  // of a step that failed
};

struct CheckSummary {
    int status = 0;  // to exit with: that of the first step that failed
    std::string works;
};

// `tell` gets each step as it ends. Errors: kNoInput and kPermission of the mailbox's file.
Result<CheckSummary> check_mailbox(const Paths& paths, const CheckWish& wish,
                                   const std::function<void(const CheckedStep&)>& tell);

}  // namespace vm::app

#endif
