// What unit and spool are to do about one message: a merge of the unit's state, the spool's, and
// what both agreed on last. States are folders of Asterisk's, which is what it has instead of
// marks: INBOX and Urgent are new, Old is heard, the others are a subscriber's; kGone is none.
// Pure.
//
//   unit      spool     agreed
//   x         x         any      nothing is to be done but to agree on it
//   x         a         a        the unit changed: the spool follows
//   gone      a         a        ... it is removed there
//   x         gone      gone     ... nothing, it is not brought back; unless it lies in Deleted
//   a         y         a        the spool changed: the unit follows
//   gone      y         a        both: the deletion wins
//   x         gone      a        ... also that one
//   x         y         a        ... otherwise the unit
#ifndef VM_ASTERISK_MERGE_H
#define VM_ASTERISK_MERGE_H

#include "store/store.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace vm::asterisk {

inline constexpr const char* kInbox = "INBOX";
inline constexpr const char* kUrgent = "Urgent";
inline constexpr const char* kOld = "Old";
inline constexpr const char* kDeleted = "Deleted";
// All there are (app_voicemail's mailbox_folders), in the order in which they are locked.
inline constexpr std::array<std::string_view, 12> kFolders{kInbox,   kUrgent,   kOld,    "Work",
                                                           "Family", "Friends", "Cust1", "Cust2",
                                                           "Cust3",  "Cust4",   "Cust5", kDeleted};
bool is_folder(std::string_view name);
// Not one that says whether a message was heard.
bool is_own_folder(std::string_view name);

// The folder that says what `unit` is; kGone: it is deleted, or (nullopt) purged. With
// `move_heard` false a message that was heard stays in `lies_in`, when that is one for new ones.
std::string folder_for(const std::optional<store::Placement>& unit, std::string_view lies_in,
                       bool move_heard);
// The opposite: what a message is that is found in `folder`, or kGone, and was `before`. A folder
// that only the unit has is kept, as Asterisk knows nothing of it.
store::Placement placement_for(std::string_view folder, const store::Placement& before);

enum class Step {
    kNothing,
    kAgree,   // as both are
    kFollow,  // the unit takes over what the spool has
    kRemove,  // from the spool
    kMove,    // within the spool, to `folder`
};
struct Decision {
    Step step = Step::kNothing;
    std::string folder;  // that is agreed on then; kGone
    bool operator==(const Decision&) const = default;
};

// `spool`: kGone only when that is certain. `in_deleted`: it lies in Deleted, being gone.
Decision decide(const std::string& unit, const std::string& spool, const std::string& agreed,
                bool in_deleted);

}  // namespace vm::asterisk

#endif
