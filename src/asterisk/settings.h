// etc/asterisk.ini: where the spool is, whose mailboxes are whose. vm-asterisk.ini(5) is the
// manual. Values are valid; an invalid one is kConfig naming file, line, key and what is allowed.
// Any thread.
#ifndef VM_ASTERISK_SETTINGS_H
#define VM_ASTERISK_SETTINGS_H

#include "asterisk/lock.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/secret.h"
#include "config/option.h"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::asterisk {

// A mailbox of Asterisk's.
struct Box {
    std::string context, mailbox;
    std::string text() const { return mailbox + "@" + context; }
    auto operator<=>(const Box&) const = default;  // NOLINT(modernize-use-nullptr)
};
// Both 1 to 60 letters, digits and _.+-, not beginning with a dot: they are directories' names.
bool is_box(const Box& box);

struct Settings {
    std::filesystem::path spool;
    std::string unit;  // of the origins: two servers may give one msg_id
    LockMode lock = LockMode::kLockFile;
    bool move_heard = true;
    std::int64_t backlog_days = 0;
    std::int64_t max_messages = 100;  // of a folder
    std::string ami_host;             // "": none
    std::uint16_t ami_port = 0;
    std::string ami_user;
    Secret ami_secret;
    // Of [Mailboxes]; nullopt: left alone.
    std::map<Box, std::optional<std::string>> numbers;

    // The unit's mailbox that `box` is; nullopt when it is none.
    std::optional<std::string> number_of(const Paths& paths, const Box& box) const;
};

std::filesystem::path settings_file(const Paths& paths);
// kNoInput when there is no such file, kPermission when it has a secret that others can read.
Result<Settings> load_settings(const Paths& paths);

// The keys of section [Asterisk], and a file with each at its default.
const std::vector<config::Option>& settings_options();
std::string settings_sample();

}  // namespace vm::asterisk

#endif
