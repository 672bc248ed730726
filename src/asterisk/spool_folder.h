// One folder of a mailbox, listed: files by the number of the message they belong to. Inside this
// layer only; for who holds the folder's lock.
#ifndef VM_ASTERISK_SPOOL_FOLDER_H
#define VM_ASTERISK_SPOOL_FOLDER_H

#include "base/error.h"
#include "base/files.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace vm::asterisk {

// app_voicemail's MAXMSGLIMIT is the first number that it does not see.
inline constexpr int kLastNumber = 9998;

// "msg0007.txt" is {7, ".txt"}, "msg0007intro.wav" {7, "intro.wav"}; nullopt: no message's file.
std::optional<std::pair<int, std::string>> parse_file_name(std::string_view name);
std::string file_name(int number, std::string_view rest);
FileStamp stamp_of(const struct stat& status);

struct ListedFolder {
    std::string name;
    std::filesystem::path path;
    UniqueFd fd;
    std::map<int, std::vector<std::string>> files;  // the rests of their names
    // While a comment is recorded before a message, for who it is forwarded to, its recording is
    // another one; these ("-bak.wav") are what it was, and is then again.
    std::map<int, std::vector<std::string>> backups;

    // Reads what is there now.
    Result<> list();
    bool has_envelope(int number) const;
    // nullopt: it is not there any more.
    std::optional<struct stat> look_at(int number, const std::string& rest) const;
    // To read. kMessage: it is no file; kNoInput and the like.
    Result<UniqueFd> open(int number, const std::string& rest) const;
    // The number after the last one.
    int next_number() const { return files.empty() ? 0 : files.rbegin()->first + 1; }
};

// All files of a message, the recording before the envelope: as long as that is there, the rest is
// found again.
Result<> remove_files(ListedFolder& folder, int number);

// Makes the message one of `to` as well, under `target`: the recording before the envelope, by
// which Asterisk sees it. Overwrites nothing.
Result<> link_files(const ListedFolder& from, int number, ListedFolder& to, int target);

// Files in `folder` without an envelope that are the same as those of message `number` of `other`.
Result<> remove_strays(ListedFolder& folder, const ListedFolder& other, int number);

}  // namespace vm::asterisk

#endif
