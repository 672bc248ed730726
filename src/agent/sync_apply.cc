#include "agent/sync_pass.h"

#include <algorithm>

namespace vm::agent {

using Kind = SyncActionKind;

namespace {

// What is remembered of a mail's flags, after the STORE.
void store_flags(const SyncAction& action, bool& seen, bool& flagged) {
    seen = (seen || action.add.seen) && !action.remove.seen;
    flagged = (flagged || action.add.flagged) && !action.remove.flagged;
}

// What is still in doubt when the action is known to have been done.
Doubt confirmed(Doubt doubt, const SyncAction& action) {
    const Doubt of = doubt_of(action);
    doubt.seen &= !of.seen;
    doubt.flagged &= !of.flagged;
    // A mail that was brought back is there, and where it is wanted.
    const bool back = action.kind == Kind::kRecoverMail;
    doubt.folder &= !of.folder && !back;
    doubt.removed &= !of.removed && !back;
    return doubt;
}

}  // namespace

// What the phone has changed meanwhile is left for the next round: nothing is deleted for a message
// that is not. Asked right before it is done, as what is done before may take long.
bool Pass::still_wanted(const SyncAction& action) {
    const bool removes = action.kind == Kind::kRemoveMail;
    if (!removes && action.kind != Kind::kRecoverMail) return true;
    const auto record = context_.store.get(action.id);
    return record && (record->message.state == MessageState::kDeleted) == removes;
}

bool Pass::execute() {
    std::map<std::pair<std::string, std::uint32_t>, std::vector<SyncAction>> by_folder;
    for (const SyncAction& action : actions_) {
        // (Purged meanwhile: it has no mail any more.)
        if (!in_account(action.kind) || message(action.id) == nullptr) continue;
        if (action.kind == Kind::kRecoverMail && action.copy.place.uid == 0) {
            if (context_.cancelled()) return false;
            if (still_wanted(action) && !recover(action)) return false;
            continue;
        }
        by_folder[{action.copy.place.folder, action.copy.place.uidvalidity}].push_back(action);
    }
    for (auto& [folder, actions] : by_folder) {
        if (context_.cancelled()) return false;
        std::erase_if(actions, [&](const SyncAction& action) { return !still_wanted(action); });
        if (actions.empty()) continue;
        if (!execute_in({folder.first, folder.second, 0}, actions)) return false;
    }
    return true;
}

bool Pass::execute_in(const Link& folder, const std::vector<SyncAction>& actions) {
    std::vector<MailChange> changes;
    for (const SyncAction& action : actions) {
        MailChange change;
        change.uid = action.copy.place.uid;
        change.id = action.id;
        change.message_id = message(action.id)->record.delivery.message_id;
        change.again = action.again;
        change.add = action.add;
        change.remove = action.remove;
        switch (action.kind) {
            case Kind::kMoveMail:
                change.kind = MailChangeKind::kMove;
                change.to = action.folder;
                break;
            case Kind::kRemoveMail:
                change.kind =
                    policy_.remove_to_trash ? MailChangeKind::kTrash : MailChangeKind::kExpunge;
                break;
            case Kind::kRecoverMail:
                change.remove.deleted = true;
                break;
            default:
                break;
        }
        changes.push_back(std::move(change));
    }
    std::vector<std::optional<MailChangeResult>> results;
    auto failure = context_.account.apply(folder.folder, folder.uidvalidity, changes, results);
    // What was confirmed before a failure is confirmed.
    store::SyncCommit out;
    for (std::size_t i = 0; i < results.size(); ++i)
        if (results[i]) settle(actions[i], *results[i], out);
    for (const auto& change : out.changes)
        out.copies.emplace_back(change.id, copies_of(*message(change.id)));
    if (!out.changes.empty() || !out.copies.empty()) {
        if (state_changed_) out.state = state_;
        state_changed_ = false;
        if (!commit(out)) return false;
    }
    if (!failure) return true;
    if (failure->fault != AccountFault::kRefused) {
        fail_with(std::move(*failure));
        return false;
    }
    // What one folder refuses must not keep the others' changes from the account.
    refused_ = true;
    note("folder " + folder.folder + ": " + failure->text);
    return true;
}

// What a result means for what both sides agree on.
void Pass::settle(const SyncAction& action, const MailChangeResult& result,
                  store::SyncCommit& commit) {
    SyncMessage& one = *message(action.id);
    const auto forget_copy = [&] {
        std::erase_if(one.copies,
                      [&](const MailCopy& copy) { return copy.place == action.copy.place; });
        touched_.insert(action.id);
    };
    const auto add = [&](Kind kind, std::string reason = {}) -> store::SyncChange& {
        SyncAction done{};
        done.kind = kind;
        done.id = action.id;
        done.reason = std::move(reason);
        return commit.changes.emplace_back(change_of(done));
    };
    switch (result.outcome) {
        case MailChangeOutcome::kRefused:
            refused_ = true;
            note(action.id + ": " + describe(action) + ": " + result.text);
            return;
        case MailChangeOutcome::kCannot:
            settle_cannot(action, result, commit);
            return;
        case MailChangeOutcome::kMissing:
            // Somebody was faster, it seems; the next round asks for every message there.
            set_modseq(action.copy.place.folder, 0);
            return;
        case MailChangeOutcome::kOther:
            // The UIDs are not what they were: everything there is looked at anew.
            forget_copy();
            if (FolderState* state = known(action.copy.place.folder)) {
                state->uidvalidity = 0;
                state_changed_ = true;
            }
            add(Kind::kUnlink, "its UID is another message's");
            note(action.id + ": " + describe(action) + ": the UID is another message's");
            return;
        case MailChangeOutcome::kMarked:
            // That is deleted, too; and it is back when somebody clears \Deleted.
            ++result_.changed_there;
            for (MailCopy& copy : one.copies)
                if (copy.place == action.copy.place) copy.flags.deleted = true;
            if (!result.text.empty())
                note(action.id + ": " + describe(action) +
                     ": it stays, marked \\Deleted: " + result.text);
            add(Kind::kAgreeGone, "deleted on the phone; marked as deleted in the account");
            return;
        case MailChangeOutcome::kDone:
            break;
    }
    ++result_.changed_there;
    switch (action.kind) {
        case Kind::kStoreFlags:
        case Kind::kRecoverMail: {
            for (MailCopy& copy : one.copies) {
                if (copy.place != action.copy.place) continue;
                store_flags(action, copy.flags.seen, copy.flags.flagged);
                if (action.kind == Kind::kRecoverMail) copy.flags.deleted = false;
            }
            const bool recovered = action.kind == Kind::kRecoverMail;
            store::SyncChange& change =
                add(recovered ? Kind::kLink : Kind::kAgree, recovered ? action.reason : "");
            Agreed agreed = one.agreed.value_or(Agreed{});
            store_flags(action, agreed.seen, agreed.flagged);
            change.doubt = confirmed(agreed.doubt, action);
            change.copy = {action.copy.place, {agreed.seen, agreed.flagged, false}, false};
            change.agreed_folder = agreed.unit_folder;
            return;
        }
        case Kind::kMoveMail:
            forget_copy();
            settle_move(action, result.place, action.folder, commit);
            return;
        default:
            forget_copy();
            // Where nobody could look there may be a copy, which will not have come back either.
            for (const std::string& folder : refused_looks_)
                stale_[action.id].push_back({{folder, 0, 0}, {}, false});
            add(Kind::kAgreeGone, "deleted on the phone");
            return;
    }
}

// A folder that the account cannot have: the message goes back to where its mail is, or was.
void Pass::settle_cannot(const SyncAction& action, const MailChangeResult& result,
                         store::SyncCommit& commit) {
    const SyncMessage& one = *message(action.id);
    note(action.id + ": " + describe(action) + ": " + result.text);
    const bool files = action.kind == Kind::kMoveMail || action.kind == Kind::kRecoverMail;
    const std::string home = one.agreed ? one.agreed->unit_folder : std::string();
    if (!files || one.record.message.folder != action.folder || home == action.folder) {
        refused_ = true;
        return;
    }
    SyncAction back{};
    back.kind = Kind::kSetFolder;
    back.id = action.id;
    back.folder = home;
    back.reason = result.text;
    commit.changes.push_back(change_of(back));
}

// The mail is at `to` now. Where the server does not say under which UID, it is found like a new
// one.
void Pass::settle_move(const SyncAction& action, const Link& to, const std::string& unit_folder,
                       store::SyncCommit& commit) {
    SyncMessage& one = *message(action.id);
    SyncAction done{};
    done.id = action.id;
    if (to.uid == 0 || to.uidvalidity == 0) {
        done.kind = Kind::kUnlink;
        done.reason = "moved to " + unit_folder + "; to be found there";
        commit.changes.push_back(change_of(done));
        return;
    }
    const Agreed agreed = one.agreed.value_or(Agreed{});
    done.doubt = confirmed(agreed.doubt, action);
    MailCopy copy = action.copy;
    copy.place = to;
    if (action.copy.place.uid == 0) copy.flags = {agreed.seen, agreed.flagged, false};
    copy.flags.deleted = false;
    copy.fresh = false;
    if (scope_.folders.contains(to.folder)) one.copies.push_back(copy);
    done.kind = Kind::kLink;
    done.copy = {to, {agreed.seen, agreed.flagged, false}, false};
    done.folder = unit_folder;
    commit.changes.push_back(change_of(done));
}

// Brings the mail of a restored message back from Trash, or has it pushed again.
bool Pass::recover(const SyncAction& action) {
    const SyncMessage& one = *message(action.id);
    auto result =
        context_.account.recover(action.id, one.record.delivery.message_id, action.folder);
    if (!result && result.error().fault == AccountFault::kRefused) {
        refused_ = true;
        note(action.id + ": " + describe(action) + ": " + result.error().text);
        return true;
    }
    if (!result) {
        fail_with(std::move(result.error()));
        return false;
    }
    store::SyncCommit out;
    if (result->outcome == MailChangeOutcome::kDone) {
        ++result_.changed_there;
        settle_move(action, result->place, action.folder, out);
    } else if (result->outcome == MailChangeOutcome::kRefused) {
        refused_ = true;
        note(action.id + ": " + describe(action) + ": " + result->text);
        return true;
    } else if (result->outcome == MailChangeOutcome::kCannot) {
        settle_cannot(action, *result, out);
    } else {
        out.push_again.push_back(action.id);
        result_.push_again = true;
    }
    out.copies.emplace_back(action.id, copies_of(one));
    return commit(out);
}

}  // namespace vm::agent
