// Edits of the configuration, for vmconfig: locked against each other (flock on etc/vmconfig.lock),
// all or nothing, validated as a whole before anything is written, and durable when they return. A
// refused edit leaves the file byte for byte; a done one changes only the lines it is about. What
// was wrong elsewhere in the file before is noted and no reason to refuse.
//
// Any process, any thread: the lock is per call.
#ifndef VM_CONFIG_EDIT_H
#define VM_CONFIG_EDIT_H

#include "base/error.h"
#include "base/paths.h"
#include "base/secret.h"
#include "config/config.h"
#include "config/ini_document.h"

#include <optional>
#include <string>
#include <vector>

namespace vm::config {

// What an edit that was done leaves to say: lines for the person at the keyboard.
using Notes = std::vector<std::string>;

// misc.ini, Value of `name`. An unknown option is set when the file has it (kUsage otherwise).
// Noted: a plugin that the agent would refuse, mailboxes beyond the seats, an option that is
// ignored.
Result<Notes> set_misc(const Paths& paths, const std::string& name, const std::string& value);

// misc.ini, Ignore of `name`.
Result<Notes> set_misc_ignore(const Paths& paths, const std::string& name, bool ignore);

struct MiscEdit {
    std::string name;
    std::optional<std::string> value;  // what is not given stays as it is
    std::optional<bool> ignore;
};

// Sets all of `edits` or none, in one write; each as set_misc and set_misc_ignore do.
//
// Edits made by a person who looked at the file for a while are given with what was `seen` then:
// they are refused (kRetryNow) when one of them would undo what somebody else has changed since,
// and what else was changed is noted. The lock of somebody else is waited for some seconds only
// (kUnavailable), as long as a person is patient.
Result<Notes> edit_misc(const Paths& paths, const std::vector<MiscEdit>& edits,
                        const IniDocument* seen = nullptr);

// A new mailbox, every option at its default, mode 0600.
Result<> create_mailbox(const Paths& paths, const std::string& number);

// Removes the mailbox's file; its messages stay.
Result<> delete_mailbox(const Paths& paths, const std::string& number);

struct MailboxEdit {
    std::string key;
    Secret
        value;  // may be a password; anything but a password is written in its canonical spelling
};

// Sets all of `edits` or none. Passwords are written sealed. Refused beyond validation: an unknown
// key the file does not have, a key twice, Email Integration = Yes without a seat (N1.7). `seen` as
// for edit_misc.
Result<Notes> set_mailbox(const Paths& paths, const std::string& number,
                          const std::vector<MailboxEdit>& edits, const IniDocument* seen = nullptr);

// What the mailbox's options would be after that; nothing is written but a key that is missing.
Result<MailboxOptions> preview_mailbox(const Paths& paths, const std::string& number,
                                       const std::vector<MailboxEdit>& edits);

// Whether `key` is a password's.
bool is_secret_key(const std::string& key);

// What `vmconfig init` found or made.
struct InitStep {
    std::string path;
    bool created = false;
};

// Creates the root's directories, misc.ini and the key file; what exists is not touched.
Result<std::vector<InitStep>> init_root(const Paths& paths);

}  // namespace vm::config

#endif
