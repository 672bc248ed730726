#include "core/sync.h"

#include <algorithm>

namespace vm {

namespace {

using Kind = SyncActionKind;

std::string place_text(const Link& place) {
    return place.folder + ", UID " + std::to_string(place.uid);
}

std::string flags_text(const MailFlags& flags) {
    std::string out;
    const auto add = [&](bool set, const char* name) {
        if (set) out += (out.empty() ? "" : " ") + std::string(name);
    };
    add(flags.seen, "\\Seen");
    add(flags.flagged, "\\Flagged");
    add(flags.deleted, "\\Deleted");
    return out;
}

bool is_deleted(const SyncMessage& message) {
    return message.record.message.state == MessageState::kDeleted;
}

const MailCopy* copy_at(const SyncMessage& message, const Link& place) {
    for (const MailCopy& copy : message.copies)
        if (copy.place == place) return &copy;
    return nullptr;
}

// A copy that is not flagged \Deleted.
const MailCopy* live_copy(const SyncMessage& message) {
    for (const MailCopy& copy : message.copies)
        if (!copy.flags.deleted) return &copy;
    return nullptr;
}

// Where a message's mail went that was linked to `from`: it has another number in the same folder,
// or was found just now. Not a second copy that was known before, which did not take its place.
const MailCopy* moved_copy(const SyncMessage& message, const Link& from, bool deleted) {
    const MailCopy* found = nullptr;
    for (const MailCopy& copy : message.copies) {
        if (copy.flags.deleted != deleted) continue;
        if (copy.place.folder == from.folder && copy.place.uidvalidity != from.uidvalidity)
            return &copy;
        if (copy.fresh && found == nullptr) found = &copy;
    }
    return found;
}

// The live copy that is the message's mail. When the linked one is gone, a second copy may stand in
// for it, when a complete listing says that it is there still; but not to be deleted with it.
const MailCopy* its_mail(const SyncMessage& message, bool complete) {
    const Link link = message.agreed ? message.agreed->link : Link{};
    const MailCopy* copy = copy_at(message, link);
    if (copy != nullptr && !copy->flags.deleted) return copy;
    copy = moved_copy(message, link, false);
    if (copy != nullptr || !complete || (message.agreed && is_deleted(message))) return copy;
    return live_copy(message);
}

// The copy flagged \Deleted that is the message's mail, when it has no live one.
const MailCopy* marked_mail(const SyncMessage& message) {
    if (message.agreed) {
        const MailCopy* copy = copy_at(message, message.agreed->link);
        return copy != nullptr ? copy : moved_copy(message, message.agreed->link, true);
    }
    // One that was seen so before, and kept, stays.
    const bool seen_before = std::any_of(message.copies.begin(), message.copies.end(),
                                         [](const MailCopy& copy) { return !copy.fresh; });
    return seen_before || message.copies.empty() ? nullptr : &message.copies.front();
}

// What to do about one attribute that exists on both sides.
enum class Merge { kSame, kPush, kPull };

template <class Value>
Merge merge(const Value& unit, const Value& agreed, const Value& mail, bool doubt) {
    if (unit == mail) return Merge::kSame;
    return doubt || unit != agreed ? Merge::kPush : Merge::kPull;
}

class Decider {
  public:
    Decider(const std::vector<SyncMessage>& messages, const SyncScope& scope,
            const SyncPolicy& policy)
        : messages_(messages), scope_(scope), policy_(policy) {}

    std::vector<SyncAction> run() {
        for (const SyncMessage& message : messages_) classify(message);
        judge_missing();
        for (const SyncMessage* message : present_) present(*message);
        for (const SyncMessage* message : gone_) after_deletion(*message);
        return std::move(actions_);
    }

  private:
    // What is known about a message whose mail is not where it was.
    struct Missing {
        const SyncMessage* message;
        bool lost_place;  // its folder is gone, or is another one by the same name
    };

    bool is_lost(const Link& place) const;
    void classify(const SyncMessage& message);
    void judge_missing();
    void settle_missing(const Missing& missing);
    void present(const SyncMessage& message);
    void merge_live(const SyncMessage& message, const Agreed& base, const MailCopy& copy);
    void after_deletion(const SyncMessage& message);
    void report_others(const SyncMessage& message, const MailCopy& linked);
    SyncAction& act(Kind kind, const SyncMessage& message, std::string reason = {});
    void link(const SyncMessage& message, const Agreed& to, std::string reason);
    void delete_local(const SyncMessage& message, const std::string& reason);
    void remove_mail(const SyncMessage& message, const MailCopy& copy, bool again);

    const std::vector<SyncMessage>& messages_;
    const SyncScope& scope_;
    const SyncPolicy& policy_;
    std::vector<const SyncMessage*> present_, gone_;
    std::vector<Missing> missing_;
    bool hold_ = false;  // by this pass, or before
    std::vector<SyncAction> actions_;
};

SyncAction& Decider::act(Kind kind, const SyncMessage& message, std::string reason) {
    SyncAction action{};
    action.kind = kind;
    action.id = message.record.message.id;
    action.reason = std::move(reason);
    return actions_.emplace_back(std::move(action));
}

void Decider::link(const SyncMessage& message, const Agreed& to, std::string reason) {
    const bool moved = !message.agreed || message.agreed->gone || message.agreed->link != to.link;
    const bool agrees =
        !moved && message.agreed->seen == to.seen && message.agreed->flagged == to.flagged &&
        message.agreed->unit_folder == to.unit_folder && message.agreed->doubt == to.doubt;
    if (agrees) return;
    SyncAction& action = act(moved ? Kind::kLink : Kind::kAgree, message, std::move(reason));
    action.copy = {to.link, {to.seen, to.flagged, false}, false};
    action.folder = to.unit_folder;
    action.doubt = to.doubt;
}

void Decider::delete_local(const SyncMessage& message, const std::string& reason) {
    if (!is_deleted(message)) act(Kind::kDeleteLocal, message, reason);
    act(Kind::kAgreeGone, message, reason);
}

void Decider::remove_mail(const SyncMessage& message, const MailCopy& copy, bool again) {
    SyncAction& action = act(Kind::kRemoveMail, message);
    action.copy = copy;
    action.again = again;
}

// Whether a mail that lies there cannot be seen there: not looked at any more, or renumbered.
bool Decider::is_lost(const Link& place) const {
    const auto folder = scope_.folders.find(place.folder);
    return scope_.replaced || folder == scope_.folders.end() || folder->second != place.uidvalidity;
}

// Sorts a message by what became of its mail.
void Decider::classify(const SyncMessage& message) {
    if (message.agreed && message.agreed->gone) {
        gone_.push_back(&message);
        return;
    }
    const bool live = its_mail(message, scope_.complete) != nullptr;
    const bool lost = message.agreed && is_lost(message.agreed->link);
    if (!live && message.agreed && message.agreed->doubt.removed && !is_deleted(message) && !lost &&
        !policy_.keep_missing) {
        // Removed for the phone, which has restored it before that was known.
        gone_.push_back(&message);
        return;
    }
    if (live || marked_mail(message) != nullptr) {
        present_.push_back(&message);
        return;
    }
    if (message.agreed) missing_.push_back({&message, lost});
}

// Whether the guards count it. (E-mails come and go by the dozen, and the account has them.)
bool counts(const SyncMessage& message) {
    return !is_deleted(message) && message.record.message.kind != MessageKind::kEmail;
}

// Whether what is missing may be taken for deletions, as the guards see it.
void Decider::judge_missing() {
    hold_ = policy_.on_hold;
    if (!scope_.complete) return;
    std::size_t linked = 0, lost = 0, vanished = 0;
    for (const SyncMessage& message : messages_)
        if (counts(message) && message.agreed && !message.agreed->gone) ++linked;
    for (const Missing& missing : missing_)
        if (counts(*missing.message)) ++(missing.lost_place ? lost : vanished);
    for (const SyncMessage* message : present_) {
        if (!counts(*message) || its_mail(*message, true) != nullptr) continue;
        ++vanished;
        if (!message->agreed) ++linked;  // by this pass
    }

    const bool free = policy_.released || policy_.keep_missing || hold_;
    const std::size_t missing = lost + vanished;
    std::string reason;
    if (!free && lost > 0 && 2 * (linked - missing) < linked)
        reason = "the account's folders are not the ones they were, and of " +
                 std::to_string(linked) + " linked messages only " +
                 std::to_string(linked - missing) + " were found again";
    else if (!free && 2 * missing > linked &&
             static_cast<std::int64_t>(vanished) > policy_.mass_deletion_limit)
        reason = std::to_string(vanished) + " of " + std::to_string(linked) +
                 " linked messages are gone from the account at once (g_nMassDeletionLimit is " +
                 std::to_string(policy_.mass_deletion_limit) + ")";
    if (!reason.empty()) {
        hold_ = true;
        SyncAction action{};
        action.kind = Kind::kHold;
        action.reason = std::move(reason);
        actions_.push_back(std::move(action));
    }
    if (hold_) return;
    for (const Missing& one : missing_) settle_missing(one);
}

void Decider::settle_missing(const Missing& missing) {
    const SyncMessage& message = *missing.message;
    if (is_deleted(message) && live_copy(message) != nullptr) {
        act(Kind::kAgreeGone, message, "its mail is gone; a second copy is left alone");
        return;
    }
    if (policy_.keep_missing || (missing.lost_place && !policy_.released)) {
        act(Kind::kUnlink, message,
            missing.lost_place
                ? "its folder in the account is gone or another one, and it was not found elsewhere"
                : "its mail is gone; kept");
        return;
    }
    delete_local(message, "its mail is gone from the account");
}

// A message that has a copy where the account can be seen.
void Decider::present(const SyncMessage& message) {
    Agreed base;
    if (message.agreed) {
        base = *message.agreed;
    } else {
        // As it was pushed: what is different on either side is that side's change.
        base.unit_folder = kInboxFolder;
    }
    if (const MailCopy* copy = its_mail(message, scope_.complete)) {
        report_others(message, *copy);
        if (is_deleted(message)) {
            // Also one that is linked only now: the phone was faster than the mail.
            base.link = copy->place;
            link(message, base, "");
            if (!hold_) remove_mail(message, *copy, base.doubt.removed);
            return;
        }
        merge_live(message, base, *copy);
        return;
    }
    const bool keep = policy_.keep_missing && !is_deleted(message);
    // Linked at once: another pass would not know it for the message's any more.
    if (!keep) {
        base.link = marked_mail(message)->place;
        link(message, base, "");
    }
    // One elsewhere may have taken its place, which only a complete listing can tell.
    if (!scope_.complete || hold_) return;
    // Marked for the phone, and the connection was cut before it was expunged. (In the trash folder
    // there is a copy by then.)
    if (is_deleted(message) && base.doubt.removed && !policy_.remove_to_trash)
        remove_mail(message, *marked_mail(message), true);
    else if (!keep)
        delete_local(message, "its mail is marked as deleted in the account");
    else if (message.agreed)
        act(Kind::kUnlink, message, "its mail is marked as deleted; kept");
}

void Decider::report_others(const SyncMessage& message, const MailCopy& linked) {
    for (const MailCopy& copy : message.copies) {
        if (!copy.fresh || copy.flags.deleted || copy.place == linked.place) continue;
        act(Kind::kReport, message, "a second copy in the account; left alone").copy = copy;
    }
}

// The three-way merge of a message and its mail, both of which are there.
void Decider::merge_live(const SyncMessage& message, const Agreed& base, const MailCopy& copy) {
    const Message& unit = message.record.message;
    Agreed after = base;
    after.link = copy.place;
    after.gone = false;
    // As long as not everything could be looked at, the copy may be one that was seen before what
    // is in doubt was begun.
    const bool unseen = !scope_.complete;
    after.doubt = {.removed = base.doubt.removed && unseen};
    MailFlags add, remove;

    const bool read = unit.state == MessageState::kRead;
    Merge seen = merge(read, base.seen, copy.flags.seen, base.doubt.seen);
    if (policy_.rejoined && seen == Merge::kPull) {
        seen = Merge::kPush;
        after.seen = copy.flags.seen;  // so that any later pass sees the unit's change in it, too
    }
    if (seen == Merge::kPush) (read ? add : remove).seen = true;
    if (seen != Merge::kPush) after.seen = copy.flags.seen;
    after.doubt.seen = base.doubt.seen && (seen == Merge::kPush || unseen);

    const Merge urgent = merge(unit.urgent, base.flagged, copy.flags.flagged, base.doubt.flagged);
    if (urgent == Merge::kPush) (unit.urgent ? add : remove).flagged = true;
    if (urgent != Merge::kPush) after.flagged = copy.flags.flagged;
    after.doubt.flagged = base.doubt.flagged && (urgent == Merge::kPush || unseen);

    Merge folder = Merge::kSame;
    if (policy_.folders) {
        // A folder that is no name on the phone is not followed.
        const bool nameable = !folder_problem(copy.place.folder);
        const std::string& there = nameable ? copy.place.folder : base.unit_folder;
        folder = merge(unit.folder, base.unit_folder, there, base.doubt.folder);
        if (folder != Merge::kPush) after.unit_folder = there;
        after.doubt.folder = base.doubt.folder && (folder == Merge::kPush || unseen);
    }

    link(message, after, "");
    if (seen == Merge::kPull)
        act(Kind::kSetState, message).state =
            copy.flags.seen ? MessageState::kRead : MessageState::kNew;
    if (urgent == Merge::kPull) act(Kind::kSetUrgent, message).urgent = copy.flags.flagged;
    if (folder == Merge::kPull) act(Kind::kSetFolder, message).folder = copy.place.folder;
    if (add != MailFlags{} || remove != MailFlags{}) {
        SyncAction& action = act(Kind::kStoreFlags, message);
        action.copy = copy;
        action.add = add;
        action.remove = remove;
    }
    if (folder == Merge::kPush) {
        SyncAction& action = act(Kind::kMoveMail, message);
        action.copy = copy;
        action.folder = unit.folder;
        action.again = base.doubt.folder;
    }
}

// A message whose mail both sides agreed to be gone.
void Decider::after_deletion(const SyncMessage& message) {
    const Link& place = message.agreed->link;
    const MailCopy* at_link = copy_at(message, place);
    const MailCopy* back = at_link != nullptr && !at_link->flags.deleted ? at_link : nullptr;
    const bool deleted = is_deleted(message);
    // A second copy that was known before did not come back; it may stand in for a restored one,
    // when it is known to be there still.
    if (back == nullptr) back = moved_copy(message, Link{}, false);
    if (back == nullptr && !deleted && scope_.complete) back = live_copy(message);
    Agreed after = *message.agreed;
    after.gone = false;
    after.doubt = {};
    if (back != nullptr) {
        after.link = back->place;
        // Restored and deleted again on the phone: of what both sides did, the deletion wins.
        after.doubt.removed = deleted && message.agreed->doubt.removed;
        link(message, after, "its mail is back");
        if (!after.doubt.removed) {
            if (deleted) act(Kind::kRestoreLocal, message, "its mail is back");
        } else if (!hold_) {
            remove_mail(message, *back, true);
        }
        return;
    }
    if (!scope_.complete) return;
    const MailCopy* marked = at_link;
    for (const MailCopy& copy : message.copies)
        if (marked == nullptr && copy.flags.deleted) marked = &copy;
    if (deleted) {
        // Followed, so that it is known when \Deleted is cleared.
        if (marked == at_link || hold_) {
            if (message.agreed->doubt.removed)
                act(Kind::kAgreeGone, message, "deleted again on the phone");
            return;
        }
        after.link = marked->place;
        link(message, after, "its mail is marked as deleted in the account");
        act(Kind::kAgreeGone, message, "its mail is marked as deleted in the account");
        return;
    }
    if (policy_.rejoined) {
        act(Kind::kUnlink, message, "it was restored while Email Integration was off");
        return;
    }
    SyncAction& action = act(Kind::kRecoverMail, message, "it was restored");
    action.folder = policy_.folders ? message.record.message.folder : place.folder;
    if (marked != nullptr) action.copy = *marked;
}

}  // namespace

const char* to_string(SyncActionKind kind) {
    switch (kind) {
        case Kind::kLink:
            return "link";
        case Kind::kUnlink:
            return "unlink";
        case Kind::kAgree:
            return "agree";
        case Kind::kAgreeGone:
            return "agree that the mail is gone";
        case Kind::kSetState:
            return "mark";
        case Kind::kSetUrgent:
            return "urgent";
        case Kind::kSetFolder:
            return "move";
        case Kind::kDeleteLocal:
            return "delete";
        case Kind::kRestoreLocal:
            return "restore";
        case Kind::kReport:
            return "second copy";
        case Kind::kHold:
            return "hold";
        case Kind::kStoreFlags:
            return "flag the mail";
        case Kind::kMoveMail:
            return "move the mail";
        case Kind::kRemoveMail:
            return "delete the mail";
        case Kind::kRecoverMail:
            return "bring the mail back";
    }
    return "unknown";
}

bool in_account(SyncActionKind kind) {
    switch (kind) {
        case Kind::kStoreFlags:
        case Kind::kMoveMail:
        case Kind::kRemoveMail:
        case Kind::kRecoverMail:
            return true;
        default:
            return false;
    }
}

Doubt doubt_of(const SyncAction& action) {
    Doubt out;
    out.seen = action.add.seen || action.remove.seen;
    out.flagged = action.add.flagged || action.remove.flagged;
    out.folder = action.kind == Kind::kMoveMail;
    out.removed = action.kind == Kind::kRemoveMail;
    return out;
}

std::string describe(const SyncAction& action) {
    std::string out = to_string(action.kind);
    const std::string at = " (" + place_text(action.copy.place) + ")";
    switch (action.kind) {
        case Kind::kLink:
        case Kind::kAgree:
        case Kind::kReport:
        case Kind::kRemoveMail:
            out += at;
            break;
        case Kind::kSetState:
            out += std::string(" as ") + to_string(action.state);
            break;
        case Kind::kSetUrgent:
            out += action.urgent ? ": set" : ": cleared";
            break;
        case Kind::kSetFolder:
            out += " to folder " + action.folder;
            break;
        case Kind::kStoreFlags:
            if (const std::string add = flags_text(action.add); !add.empty()) out += " +" + add;
            if (const std::string remove = flags_text(action.remove); !remove.empty())
                out += " -" + remove;
            out += at;
            break;
        case Kind::kMoveMail:
            out += " to " + action.folder + at;
            break;
        case Kind::kRecoverMail:
            out += " to " + action.folder;
            break;
        default:
            break;
    }
    if (!action.reason.empty()) out += ": " + action.reason;
    return out;
}

std::vector<SyncAction> decide_sync(const std::vector<SyncMessage>& messages,
                                    const SyncScope& scope, const SyncPolicy& policy) {
    return Decider(messages, scope, policy).run();
}

}  // namespace vm
