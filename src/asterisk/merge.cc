#include "asterisk/merge.h"

#include <algorithm>

namespace vm::asterisk {

using store::kGone;
using store::Placement;

bool is_folder(std::string_view name) {
    return std::find(kFolders.begin(), kFolders.end(), name) != kFolders.end();
}

bool is_own_folder(std::string_view name) {
    return is_folder(name) && name != kInbox && name != kUrgent && name != kOld && name != kDeleted;
}

std::string folder_for(const std::optional<Placement>& unit, std::string_view lies_in,
                       bool move_heard) {
    if (!unit || unit->state == MessageState::kDeleted) return kGone;
    if (is_own_folder(unit->folder)) return unit->folder;
    if (unit->state == MessageState::kNew) return unit->urgent ? kUrgent : kInbox;
    const bool stays = !move_heard && (lies_in == kInbox || lies_in == kUrgent);
    return stays ? std::string(lies_in) : kOld;
}

Placement placement_for(std::string_view folder, const Placement& before) {
    Placement out = before;
    if (folder == kGone) {
        out.state = MessageState::kDeleted;
        return out;
    }
    if (is_own_folder(folder))
        out.folder = folder;
    else if (out.folder.empty() || is_own_folder(out.folder))
        out.folder = kInboxFolder;
    const bool is_new = folder == kInbox || folder == kUrgent;
    out.state = is_new ? MessageState::kNew : MessageState::kRead;
    if (is_new) out.urgent = folder == kUrgent;
    return out;
}

Decision decide(const std::string& unit, const std::string& spool, const std::string& agreed,
                bool in_deleted) {
    if (unit == spool) return {unit == agreed ? Step::kNothing : Step::kAgree, unit};
    const bool unit_changed = unit != agreed, spool_changed = spool != agreed;
    if (spool_changed && (!unit_changed || (spool == kGone && unit != kGone)))
        return {Step::kFollow, spool};
    if (unit == kGone) return {Step::kRemove, kGone};
    if (spool == kGone && !in_deleted) return {};
    return {Step::kMove, unit};
}

}  // namespace vm::asterisk
