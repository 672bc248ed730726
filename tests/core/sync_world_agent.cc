// What the agent of the small world does, and what may not be done.
#include "sync_world.h"

#include <algorithm>

namespace vm::testing {

namespace {

bool has(const MailFlags& flags) {
    return flags != MailFlags{};
}

void change(MailFlags& flags, const MailFlags& add, const MailFlags& remove) {
    flags.seen = (flags.seen || add.seen) && !remove.seen;
    flags.flagged = (flags.flagged || add.flagged) && !remove.flagged;
    flags.deleted = (flags.deleted || add.deleted) && !remove.deleted;
}

}  // namespace

std::vector<SyncMessage> SyncWorld::look(const Skipped& skipped, SyncScope& scope) const {
    scope.complete = true;
    for (const auto& [name, uidvalidity] : known_folders_)
        if (skipped.count(name) > 0) scope.folders[name] = uidvalidity;
    for (const auto& [name, folder] : account_) {
        if (!in_scope(name)) continue;
        if (skipped.count(name) == 0) scope.folders[name] = folder.uidvalidity;
    }
    for (const std::string& name : skipped)
        if (account_.count(name) > 0 || known_folders_.count(name) > 0) scope.complete = false;

    std::vector<SyncMessage> out;
    for (const UnitMessage& one : unit_) {
        SyncMessage& message = out.emplace_back();
        message.record.message = one.message;
        message.agreed = one.agreed;
        for (const MailCopy& copy : one.known)
            if (skipped.count(copy.place.folder) > 0) message.copies.push_back(copy);
        for (const Link& place : places(one, true)) {
            if (skipped.count(place.folder) > 0) continue;
            const auto was = std::find_if(one.known.begin(), one.known.end(), [&](const auto& k) {
                // The same, or the same under another number.
                return k.place == place ||
                       (k.place.folder == place.folder && k.place.uidvalidity != place.uidvalidity);
            });
            message.copies.push_back({place, account_.at(place.folder).mails.at(place.uid).flags,
                                      was == one.known.end()});
        }
    }
    return out;
}

std::size_t SyncWorld::pass(const Skipped& skipped, std::optional<unsigned> limit) {
    const auto theirs = foreign();
    SyncScope scope;
    const auto messages = look(skipped, scope);
    const auto actions = decide_sync(messages, scope, policy);
    for (const SyncAction& action : actions)
        story_.push_back("    " + action.id + " " + describe(action));
    watch(actions, scope);
    if (limit == 0U) return actions.size();

    // What was learned and what is the unit's: at once.
    for (std::size_t i = 0; i < unit_.size(); ++i) {
        unit_[i].known = messages[i].copies;
        for (MailCopy& copy : unit_[i].known) copy.fresh = false;
    }
    known_folders_ = scope.folders;
    for (const SyncAction& action : actions)
        if (!vm::in_account(action.kind)) commit(action);
    if (scope.complete && !policy.on_hold) {
        for (UnitMessage& one : unit_)
            if (policy.keep_missing || !live(one).empty()) one.mail_deleted = false;
        policy.rejoined = policy.keep_missing = policy.released = false;
    }
    // Each of the account's, and then its record.
    unsigned done = 1;
    for (const SyncAction& action : actions) {
        if (!vm::in_account(action.kind)) continue;
        if (limit && done >= *limit) break;
        in_account(action, !limit || done + 1 < *limit);
        done += 2;
    }
    if (foreign() != theirs) wrong("somebody else's mail was touched");
    return actions.size();
}

// What may be decided at all, seen from above.
void SyncWorld::watch(const std::vector<SyncAction>& actions, const SyncScope& scope) {
    bool hold = policy.on_hold;
    for (const SyncAction& action : actions) hold |= action.kind == SyncActionKind::kHold;
    for (const SyncAction& action : actions) {
        if (action.kind == SyncActionKind::kHold) {
            if (policy.released || policy.keep_missing) wrong("held what was released");
            continue;
        }
        const UnitMessage& one = by_id(action.id);
        switch (action.kind) {
            case SyncActionKind::kDeleteLocal:
                if (!live(one).empty()) wrong("deleted though its mail is live");
                if (!one.mail_deleted && !policy.released) wrong("deleted though nobody deleted");
                if (policy.keep_missing) wrong("deleted what is to be kept");
                [[fallthrough]];
            case SyncActionKind::kAgreeGone:
                if (!scope.complete) wrong("deleted on an incomplete listing");
                if (hold) wrong("deleted on hold");
                break;
            case SyncActionKind::kRemoveMail:
                if (!one.phone_deleted) wrong("removed the mail of what the phone did not delete");
                if (hold) wrong("removed on hold");
                break;
            default:
                break;
        }
    }
}

void SyncWorld::commit(const SyncAction& action) {
    if (action.kind == SyncActionKind::kHold) {
        policy.on_hold = true;
        return;
    }
    UnitMessage& one = by_id(action.id);
    switch (action.kind) {
        case SyncActionKind::kLink:
        case SyncActionKind::kAgree:
            if (action.kind == SyncActionKind::kAgree &&
                (!one.agreed || one.agreed->gone || one.agreed->link != action.copy.place))
                wrong("agrees on what is not linked");
            if (const Mail* mail = find(action.copy.place);
                mail != nullptr && one.message.state != MessageState::kDeleted)
                one.others.erase(mail->serial);
            one.agreed = Agreed{action.copy.place, action.copy.flags.seen,
                                action.copy.flags.flagged, action.folder, false};
            break;
        case SyncActionKind::kUnlink:
            one.agreed.reset();
            one.others.clear();  // which was which is forgotten
            break;
        case SyncActionKind::kAgreeGone:
            if (!one.agreed) return wrong("gone what was never there");
            one.agreed->gone = true;
            break;
        case SyncActionKind::kSetState:
            one.message.state = action.state;
            break;
        case SyncActionKind::kSetUrgent:
            one.message.urgent = action.urgent;
            break;
        case SyncActionKind::kSetFolder:
            one.message.folder = action.folder;
            break;
        case SyncActionKind::kDeleteLocal:
            one.before = one.message.state;
            one.message.state = MessageState::kDeleted;
            one.phone_deleted = false;
            break;
        case SyncActionKind::kRestoreLocal:
            one.message.state = one.before;
            one.phone_deleted = false;
            if (const Mail* mail = one.agreed ? find(one.agreed->link) : nullptr)
                one.others.erase(mail->serial);
            break;
        case SyncActionKind::kReport:
            if (const Mail* mail = find(action.copy.place)) one.others.insert(mail->serial);
            break;
        default:
            break;
    }
}

void SyncWorld::in_account(const SyncAction& action, bool recorded) {
    UnitMessage& one = by_id(action.id);
    if (action.kind == SyncActionKind::kRecoverMail) return recover(action, one, recorded);
    const Link& place = action.copy.place;
    // Of several copies one is linked, the others are not touched.
    if (!one.agreed || one.agreed->link != place) wrong("an action on what is not linked");
    const auto known = std::find_if(one.known.begin(), one.known.end(),
                                    [&](const MailCopy& copy) { return copy.place == place; });
    std::optional<Mail> mail = take(place);
    if (!mail) {  // kMissing; the action before may have found that out
        if (recorded && known != one.known.end()) one.known.erase(known);
        return;
    }
    if (known == one.known.end()) return wrong("an action on what is not known");
    if (mail->id != one.message.id) wrong("an action on another message's mail");
    switch (action.kind) {
        case SyncActionKind::kStoreFlags:
            if (!has(action.add) && !has(action.remove)) wrong("nothing to store");
            if (action.add.deleted || action.remove.deleted) wrong("\\Deleted was stored");
            change(mail->flags, action.add, action.remove);
            account_.at(place.folder).mails[place.uid] = *mail;
            if (!recorded) return;
            known->flags = mail->flags;
            one.agreed->seen = (one.agreed->seen || action.add.seen) && !action.remove.seen;
            one.agreed->flagged =
                (one.agreed->flagged || action.add.flagged) && !action.remove.flagged;
            return;
        case SyncActionKind::kMoveMail: {
            const Link to = put(action.folder, *mail);
            if (!recorded) return;
            known->place = to;
            one.agreed->link = to;
            one.agreed->unit_folder = action.folder;
            return;
        }
        default:  // kRemoveMail
            if (one.others.count(mail->serial) > 0) wrong("removed a second copy");
            if (policy.remove_to_trash) put(kOutside[0], *mail);
            // Restored before the next pass, it looks as if the subscriber had deleted it.
            one.mail_deleted |= !recorded;
            if (!recorded) return;
            one.known.erase(known);
            one.agreed->gone = true;
    }
}

void SyncWorld::recover(const SyncAction& action, UnitMessage& one, bool recorded) {
    Link back = action.copy.place;
    if (std::optional<Mail> mail = take(back)) {
        mail->flags.deleted = false;
        one.others.erase(mail->serial);  // it stands in from now on
        account_.at(back.folder).mails[back.uid] = *mail;
    } else {
        back = {};
        for (const Link& place : places(one, false))
            if (place.folder == kOutside[0] && back.uid == 0) {
                Mail trashed = *take(place);
                trashed.flags.deleted = false;
                back = put(action.folder, trashed);
            }
    }
    if (!recorded) return;
    if (back.uid == 0) {  // sent again
        one.agreed.reset();
        one.on_its_way = true;
        return;
    }
    std::erase_if(one.known, [&](const MailCopy& copy) { return copy.place == back; });
    one.known.push_back({back, mail(back).flags, false});
    one.agreed->gone = false;
    one.agreed->link = back;
    if (policy.folders) one.agreed->unit_folder = action.folder;
}

}  // namespace vm::testing
