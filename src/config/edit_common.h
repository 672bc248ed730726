// What the edits of the two files have in common, for edit.cc, edit_misc.cc and the forms that
// judge a field before the edit is made. Any thread.
#ifndef VM_CONFIG_EDIT_COMMON_H
#define VM_CONFIG_EDIT_COMMON_H

#include "base/error.h"
#include "base/files.h"
#include "config/edit.h"
#include "config/ini_document.h"
#include "config/option.h"

#include <string>
#include <vector>

namespace vm::config {

// Behind a note about what is wrong, and was before.
inline constexpr const char* kUntilCorrected =
    " (until it is corrected, the agent keeps to what it had)";

// The text an edit writes for `value`, which is no secret; kConfig when it is not allowed. `option`
// is nullptr for a name that only the file knows.
Result<std::string> text_to_write(const std::string& operation, const std::string& name,
                                  const Option* option, const std::string& value);

// kUsage: `name` is none of `names`; with the one that was meant, or the `list` to look at.
tl::unexpected<Error> unknown_name(const std::string& operation, const std::string& name,
                                   const std::vector<std::string>& names, const char* list);

// The lock of an edit: for one with `seen` (edit.h) it is waited for as long as a person is
// patient.
Result<UniqueFd> lock_for_edit(const Paths& paths, const IniDocument* seen);

// What an edit is about to write.
struct Write {
    std::string section, key, text;
};

// What an option is called by: in misc.ini its section, in a mailbox's file its key.
enum class NamedBy { kSection, kKey };

// For an edit with `seen`: kRetryNow when one of `writes` would undo what somebody else has written
// since, with each in words. The notes say what else has changed.
Result<Notes> changed_meanwhile(const IniDocument* seen, const IniDocument& now,
                                const std::vector<Write>& writes, NamedBy named_by);

}  // namespace vm::config

#endif
