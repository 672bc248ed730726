// The configuration in force, as an immutable snapshot that is replaced when a file changed.
//
// Looking costs a stat(2) a mailbox: of one's own, and of the others while seats are limited, for
// who has one depends on all.
//
// What an OAuth2 provider granted a mailbox counts as its options: when a person has granted it
// anew, they are others. (That its tokens are renewed changes nothing.)
//
// Promise: a file that became invalid does not stop anything: its last good values stay in force
// and the problem is reported (INTERFACE "Misc Setup"). Changes are noticed by stat(2): an edit
// costs no restart, and looking costs no reading. What could not be taken is read again after
// g_nRepeatStartUpPeriod seconds, then after twice as long each time, up to ten minutes: the
// trouble may have been outside the file (a certificate not there yet).
//
// SettingsReader: one thread. Settings: any thread, shared_ptr<const>.
#ifndef VM_AGENT_SETTINGS_H
#define VM_AGENT_SETTINGS_H

#include "base/clock.h"
#include "base/files.h"
#include "base/paths.h"
#include "config/config.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace vm::agent {

struct Settings {
    std::shared_ptr<const config::MiscSetup> misc;  // never null
    std::string misc_problem;  // why the last edit of misc.ini is not in force; "" = it is
    // Usable options of each mailbox; an entry without options was never valid since the start.
    struct Mailbox {
        std::shared_ptr<const config::MailboxOptions> options;
        std::string problem;  // why its file's last edit is not in force; "" = it is
        bool seat = true;     // false: Email Integration = Yes beyond the seats (N1.7)
    };
    std::map<std::string, Mailbox> mailboxes;
};

class SettingsReader {
  public:
    // Reads only mailboxes that `mine` accepts; empty: Misc Setup alone.
    // `only`: it accepts no other than this one, so that the rest need not be looked for.
    SettingsReader(Paths paths, std::function<bool(const std::string&)> mine,
                   std::optional<std::string> only = {});

    // Looks again (`now`: steady_ms); true when the snapshot was replaced. Never fails: problems
    // are in the snapshot. What did not change keeps its object.
    bool refresh(std::int64_t now);
    std::shared_ptr<const Settings> current() const { return current_; }

  private:
    // What is known of a mailbox's file.
    struct Known {
        FileStamp stamp;
        bool listed = true;  // the directory still has it
        bool taken = false;  // it was read, into the snapshot
        // Of a mailbox with an OAuth2 Provider: its token file, and when that was granted.
        FileStamp tokens;
        TimeMs granted = 0;
    };

    bool read_misc(Settings& settings);
    bool read_mailbox(Settings& settings, const std::string& number);
    bool list_files(bool all);
    bool granted_anew(const Settings& settings, const std::string& number, Known& known) const;
    void plan_next_try(std::int64_t now, bool any);

    Paths paths_;
    std::function<bool(const std::string&)> mine_;
    std::optional<std::string> only_;
    std::optional<FileStamp> misc_stamp_, key_stamp_;
    std::optional<FileStamp> listed_stamp_;  // the directory's when it was listed, if that will do
    std::map<std::string, Known> files_;     // by mailbox
    std::shared_ptr<const Settings> current_;
    std::int64_t retry_at_ = 0;  // steady: what has a problem is read again
    int failures_ = 0;
};

}  // namespace vm::agent

#endif
