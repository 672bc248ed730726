// The table of Mailbox Options (etc/mailboxes/NNN.ini, section [Email]): the unit's options in
// screen order (N2.22), the two screens merged, then our extensions.
#ifndef VM_CONFIG_MAILBOX_OPTIONS_H
#define VM_CONFIG_MAILBOX_OPTIONS_H

#include "base/paths.h"
#include "config/config.h"
#include "config/ini_document.h"
#include "config/option.h"

#include <vector>

namespace vm::config {

inline constexpr const char* kEmailSection = "Email";

const std::vector<Option>& mailbox_options();

// The options of the screen in force, in its order, extensions last. kOther: all.
std::vector<const Option*> screen_options(TransportKind kind);

// The file of mailbox `number` as a document, whoever may read it. kUsage for what is no number,
// kNoInput when there is no such mailbox.
Result<IniDocument> read_mailbox_file(const Paths& paths, const std::string& number);

// The same; kPermission when it holds a password and others can read it.
Result<IniDocument> read_mailbox(const Paths& paths, const std::string& number);

// What is wrong with a mailbox's file.
struct MailboxProblem {
    const Option* option = nullptr;  // whose value is not allowed; nullptr: what belongs together
    Error error;                     // kConfig
};

// All that is wrong with `document`: values by themselves, in the order of the table; when there is
// none, what belongs together.
std::vector<MailboxProblem> mailbox_problems(const IniDocument& document, const Paths& paths);

// What `document` says, validated; kConfig when a value or a combination is not allowed, the first
// of mailbox_problems. Passwords typed as they are; sealed ones stay empty (config.h's load_mailbox
// opens them).
Result<MailboxOptions> interpret_mailbox(const IniDocument& document, const std::string& number,
                                         const Paths& paths);

// The same with what is sealed opened.
Result<MailboxOptions> open_mailbox(const IniDocument& document, const std::string& number,
                                    const Paths& paths);

// What is allowed and will not work, one line each.
std::vector<std::string> mailbox_warnings(const IniDocument& document,
                                          const MailboxOptions& mailbox);

// The text of a new mailbox file: every option at its default with its description.
std::string mailbox_sample();

}  // namespace vm::config

#endif
