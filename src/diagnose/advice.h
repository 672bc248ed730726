// What a failed step means, in plain words, and what to change. Pure: a finding and the mailbox's
// options in, sentences out; the tables are in the *advice.cc.
#ifndef VM_DIAGNOSE_ADVICE_H
#define VM_DIAGNOSE_ADVICE_H

#include "base/error.h"
#include "config/config.h"
#include "diagnose/finding.h"

#include <initializer_list>

#include <string>

namespace vm::diagnose {

struct Advice {
    ErrorKind kind = ErrorKind::kConfig;  // for the exit status
    std::string wrong;                    // one sentence
    std::string change;                   // one sentence, with the command where there is one
};

// `found.fault` is not kNone.
Advice advise(const Finding& found, const config::MailboxOptions& mailbox);

// vmconfig mailbox set 101 "Smtp SSL=Yes" "Smtp Port=None"
std::string set_command(const config::MailboxOptions& mailbox,
                        std::initializer_list<std::string> settings);
// vmconfig mailbox authorize 101 --provider google --client-id ID; without `provider`, NAME for it.
// What the mailbox has set already is not repeated.
std::string authorize_command(const config::MailboxOptions& mailbox, const char* provider);

}  // namespace vm::diagnose

#endif
