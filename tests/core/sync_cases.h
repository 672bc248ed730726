// The cases of the tests of core/sync.h, short enough for tables.
#ifndef VM_TESTS_CORE_SYNC_CASES_H
#define VM_TESTS_CORE_SYNC_CASES_H

#include "core/sync.h"

#include <cppunit/TestAssert.h>

#include <functional>
#include <string>
#include <vector>

namespace vm::testing {

using Messages = std::vector<SyncMessage>;

inline constexpr MailFlags kSeen{true, false, false}, kFlagged{false, true, false},
    kMarked{false, false, true}, kNone{};

inline Link place(std::uint32_t uid, const std::string& folder = "INBOX",
                  std::uint32_t uidvalidity = 1) {
    return {folder, uidvalidity, uid};
}
inline MailCopy copy(const Link& at, const MailFlags& flags = kNone, bool fresh = false) {
    return {at, flags, fresh};
}

inline SyncMessage message(const std::string& id, MessageState state = MessageState::kNew) {
    SyncMessage out;
    out.record.message.id = id;
    out.record.message.state = state;
    return out;
}
// Agreed to be new, not urgent, in INBOX; its mail is so too.
inline SyncMessage linked(const std::string& id, std::uint32_t uid = 1) {
    SyncMessage out = message(id);
    out.agreed = Agreed{place(uid), false, false, kInboxFolder, false};
    out.copies = {copy(place(uid))};
    return out;
}
inline SyncMessage vanished(const std::string& id) {
    SyncMessage out = linked(id);
    out.copies.clear();
    return out;
}
inline SyncMessage lost(const std::string& id) {
    SyncMessage out = vanished(id);
    out.agreed->link.uidvalidity = 9;
    return out;
}
// Deleted on both sides.
inline SyncMessage gone(const std::string& id) {
    SyncMessage out = vanished(id);
    out.record.message.state = MessageState::kDeleted;
    out.agreed->gone = true;
    return out;
}
inline SyncMessage deleted(SyncMessage from) {
    from.record.message.state = MessageState::kDeleted;
    return from;
}
inline SyncMessage marked(SyncMessage from) {
    for (MailCopy& one : from.copies) one.flags.deleted = true;
    return from;
}
inline SyncMessage in_folder(SyncMessage from, const std::string& unit, const std::string& mail) {
    from.record.message.folder = unit;
    from.copies = {copy(place(5, mail), kNone, true)};
    return from;
}

inline SyncScope scope(bool complete = true) {
    SyncScope out;
    out.complete = complete;
    out.folders = {{"INBOX", 1}, {"Work", 1}, {"Archive", 1}};
    return out;
}
inline SyncPolicy with(const std::function<void(SyncPolicy&)>& set) {
    SyncPolicy out;
    set(out);
    return out;
}
inline const SyncPolicy kFolders = with([](SyncPolicy& p) { p.folders = true; });
inline const SyncPolicy kHeld = with([](SyncPolicy& p) { p.on_hold = true; });
inline const SyncPolicy kReleased = with([](SyncPolicy& p) { p.released = true; });
inline const SyncPolicy kKeep = with([](SyncPolicy& p) { p.keep_missing = true; });
inline const SyncPolicy kRejoined = with([](SyncPolicy& p) { p.rejoined = p.keep_missing = true; });

// "A link INBOX:1 seen; A mark as read": all that an action says but for its reason.
inline std::string told(const std::vector<SyncAction>& actions) {
    std::string out;
    for (SyncAction action : actions) {
        action.reason.clear();
        out += (out.empty() ? "" : "; ") + action.id + (action.id.empty() ? "" : " ") +
               describe(action);
        if (action.kind != SyncActionKind::kLink && action.kind != SyncActionKind::kAgree) continue;
        if (action.copy.flags.seen) out += " seen";
        if (action.copy.flags.flagged) out += " flagged";
        if (action.folder != kInboxFolder) out += " as " + action.folder;
    }
    return out;
}
inline void expect(const std::string& what, const Messages& messages, const SyncPolicy& policy = {},
                   const SyncScope& seen = scope()) {
    CPPUNIT_ASSERT_EQUAL(what, told(decide_sync(messages, seen, policy)));
}
inline void expect(const std::string& what, const SyncMessage& one, const SyncPolicy& policy = {},
                   const SyncScope& seen = scope()) {
    expect(what, Messages{one}, policy, seen);
}

}  // namespace vm::testing

#endif
