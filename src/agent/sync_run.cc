#include "agent/sync_run.h"

#include "agent/session_options.h"
#include "base/text.h"
#include "base/trace.h"

#include <algorithm>
#include <map>
#include <set>

namespace vm::agent {

namespace {

// What a pass has done is looked at again; so often at most before it waits for the next one.
constexpr int kRounds = 4;
// Every linked message is looked at so often even where the server tells what changed: there are
// servers whose mod-sequences forget things.
constexpr std::int64_t kEveryMs = 24 * 3600 * std::int64_t{1000};
constexpr std::size_t kNotes = 10;

using Kind = SyncActionKind;

transport::AccountScope scope_of(const config::MailboxOptions& mailbox, bool read_only) {
    transport::AccountScope out;
    out.folder = kVmFolder;
    out.read_only = read_only;
    switch (mailbox.sync_mode) {
        case config::SyncMode::kInboxOnly:
            out.mode = transport::ScopeMode::kInbox;
            break;
        case config::SyncMode::kVmFolderOnly:
            out.mode = transport::ScopeMode::kFolder;
            break;
        case config::SyncMode::kAllFolders:
        case config::SyncMode::kNone:
            break;
    }
    return out;
}

// Whose account it is; with another text, places are in another account.
std::string account_text(const config::MailboxOptions& mailbox, const config::MiscSetup& misc) {
    return account_server_of(mailbox, misc) + " " + mailbox.imap4.account;
}

// Which folders of it.
std::string scope_text(const config::MailboxOptions& mailbox) {
    static constexpr const char* kModes[] = {"All Folders", "Inbox Only", "VM Folder Only", "None"};
    return kModes[static_cast<std::size_t>(mailbox.sync_mode)];
}

// One pass; its members are what the steps share.
class Pass {
  public:
    explicit Pass(const SyncContext& context)
        : context_(context), mailbox_(context.mailbox.number) {}
    SyncResult run();
    Result<std::vector<std::string>> plan();

  private:
    enum class Round {
        kQuiet,     // nothing is left to do
        kAgain,     // what was done is to be looked at
        kRestless,  // the same, but not now
        kStop,      // it cannot go on
    };

    Round round(int number);
    bool settled() const;
    bool list(bool read_only);
    bool nothing_new() const;
    bool load();
    void forget_stale();
    void set_stale_aside();
    std::vector<MailCopy> copies_of(const SyncMessage& one) const;
    bool look_at_all();
    bool take_found();
    bool look_at(const FolderState& listed);
    void take_news(const FolderState& listed, const FolderNews& news);
    void decide();
    bool commit_decided();
    store::SyncChange change_of(const SyncAction& action);
    bool execute();
    bool execute_in(const Link& folder, const std::vector<SyncAction>& actions);
    void settle(const SyncAction& action, const MailChangeResult& result,
                store::SyncCommit& commit);
    void settle_move(const SyncAction& action, const Link& to, const std::string& unit_folder,
                     store::SyncCommit& commit);
    bool recover(const SyncAction& action);
    bool still_wanted(const SyncAction& action);
    bool commit(const store::SyncCommit& commit);
    void fail_with(AccountFailure failure) { result_.failure = std::move(failure); }
    // Another account was configured, or other folders of it.
    bool is_elsewhere() const {
        return state_.account != account_text(context_.mailbox, context_.misc) ||
               state_.scope != scope_text(context_.mailbox);
    }
    void note(const std::string& line);
    std::string busiest() const;
    SyncMessage* message(const std::string& id) {
        const auto found = by_id_.find(id);
        return found == by_id_.end() ? nullptr : &messages_[found->second];
    }
    FolderState* known(const std::string& folder) {
        for (FolderState& state : state_.folders)
            if (state.name == folder) return &state;
        return nullptr;
    }
    const FolderState* known(const std::string& folder) const {
        return const_cast<Pass*>(this)->known(folder);
    }

    const SyncContext& context_;
    const std::string mailbox_;
    SyncResult result_;

    store::SyncState state_;  // as committed, and what this round learned
    std::vector<FolderState> listed_;
    SyncScope scope_;
    SyncPolicy policy_;
    bool every_ = false;  // look at every linked message
    bool loaded_ = false;
    std::vector<SyncMessage> messages_;
    std::map<std::string, std::size_t> by_id_;
    std::set<std::string> touched_;                  // ids whose copies are not as committed
    std::vector<std::pair<FoundMail, Link>> found_;  // by the looks of this round
    // Ids and the folders in which they had a copy, before all there was looked at anew: a copy
    // found there again has not come back, it was there.
    std::set<std::pair<std::string, std::string>> known_before_;
    // By message: copies in folders that are not what they were, and must be found there anew.
    std::map<std::string, std::vector<MailCopy>> stale_;
    std::set<std::string> refused_looks_;  // folders, in this round
    bool state_changed_ = false;
    std::vector<SyncAction> actions_;
    bool refused_ = false;  // something in the account cannot be done now
};

void Pass::note(const std::string& line) {
    if (result_.notes.size() < kNotes) result_.notes.push_back(line);
    trace(TraceLevel::kWarning, "{}: sync: {}", mailbox_, line);
}

// ---- what there is ------------------------------------------------------------------------------

bool Pass::list(bool read_only) {
    auto folders = context_.account.folders(scope_of(context_.mailbox, read_only));
    if (!folders) {
        fail_with(std::move(folders.error()));
        return false;
    }
    listed_ = std::move(*folders);
    // Of a folder that the server does not speak of, what was known holds until it is looked at.
    for (FolderState& folder : listed_)
        if (const FolderState* before = known(folder.name);
            folder.uidvalidity == 0 && before != nullptr)
            folder.uidvalidity = before->uidvalidity;
    return true;
}

// Whether neither side has anything new, as far as a listing tells.
bool Pass::nothing_new() const {
    if (loaded_ || context_.unit_changed || every_ || state_changed_ || state_.released ||
        state_.released_keep || !state_.on || listed_.size() != state_.folders.size())
        return false;
    return std::all_of(listed_.begin(), listed_.end(), [&](const FolderState& folder) {
        const FolderState* before = known(folder.name);
        return before != nullptr && *before == folder && folder.modseq != 0;
    });
}

// Reads the unit's messages as they are now.
bool Pass::load() {
    auto messages = context_.store.sync_messages(mailbox_);
    if (!messages) {
        result_.store_error = messages.error();
        return false;
    }
    messages_ = std::move(*messages);
    loaded_ = true;
    by_id_.clear();
    touched_.clear();
    for (std::size_t i = 0; i < messages_.size(); ++i)
        by_id_.emplace(messages_[i].record.message.id, i);
    return true;
}

// What is remembered of folders that are not what they were is worth nothing.
void Pass::forget_stale() {
    scope_ = {};
    scope_.replaced = state_.account != account_text(context_.mailbox, context_.misc);
    for (const FolderState& folder : listed_) scope_.folders[folder.name] = folder.uidvalidity;
    set_stale_aside();
    state_changed_ |= std::erase_if(state_.folders, [&](const FolderState& state) {
                          return !scope_.folders.contains(state.name);
                      }) > 0;
}

void Pass::set_stale_aside() {
    stale_.clear();
    for (SyncMessage& one : messages_) {
        const std::string& id = one.record.message.id;
        const auto stale = [&](const MailCopy& copy) {
            const FolderState* before = known(copy.place.folder);
            const auto now = scope_.folders.find(copy.place.folder);
            return before == nullptr || now == scope_.folders.end() ||
                   now->second != copy.place.uidvalidity;
        };
        for (const MailCopy& copy : one.copies) {
            if (!stale(copy)) continue;
            known_before_.emplace(id, copy.place.folder);
            stale_[id].push_back(copy);
        }
        if (std::erase_if(one.copies, stale) > 0) touched_.insert(id);
    }
}

// What is to be remembered of a message's copies. Those in a folder that could not be looked at
// too: when it can be, what is found there has not come back, it was there.
std::vector<MailCopy> Pass::copies_of(const SyncMessage& one) const {
    std::vector<MailCopy> out = one.copies;
    if (const auto stale = stale_.find(one.record.message.id); stale != stale_.end())
        for (const MailCopy& copy : stale->second)
            if (refused_looks_.contains(copy.place.folder)) out.push_back(copy);
    return out;
}

bool Pass::look_at_all() {
    scope_.complete = true;
    refused_looks_.clear();
    found_.clear();
    for (const FolderState& folder : listed_)
        if (!look_at(folder)) return false;
    return take_found();
}

// Mails that say to be of a message the unit has. One that was not there when the messages were
// read may have been added and delivered since: nobody would look at its UID again.
bool Pass::take_found() {
    const auto is_unknown = [&](const auto& found) { return message(found.first.id) == nullptr; };
    if (std::any_of(found_.begin(), found_.end(), is_unknown)) {
        auto messages = context_.store.sync_messages(mailbox_);
        if (!messages) {
            result_.store_error = messages.error();
            return false;
        }
        for (SyncMessage& one : *messages)
            if (by_id_.emplace(one.record.message.id, messages_.size()).second)
                messages_.push_back(std::move(one));
    }
    for (const auto& [found, place] : found_) {
        SyncMessage* one = message(found.id);
        if (one == nullptr) continue;  // another mailbox's, or long gone
        const auto same = [&place = place](const MailCopy& copy) { return copy.place == place; };
        if (std::any_of(one->copies.begin(), one->copies.end(), same)) continue;
        const bool fresh = !known_before_.contains({found.id, place.folder});
        one->copies.push_back({place, found.flags, fresh});
        touched_.insert(found.id);
    }
    return true;
}

// False: the pass cannot go on. A folder that refuses leaves the listing incomplete.
bool Pass::look_at(const FolderState& listed) {
    transport::FolderLook look;
    look.since.name = listed.name;
    look.every = every_;
    for (const SyncMessage& one : messages_)
        for (const MailCopy& copy : one.copies)
            if (copy.place.folder == listed.name) look.uids.push_back(copy.place.uid);
    std::sort(look.uids.begin(), look.uids.end());
    look.uids.erase(std::unique(look.uids.begin(), look.uids.end()), look.uids.end());
    if (const FolderState* before = known(listed.name)) {
        look.since = *before;
        const bool same_messages =
            before->uidvalidity == listed.uidvalidity && before->uid_next == listed.uid_next;
        const bool same_flags = before->modseq == listed.modseq && listed.modseq != 0 && !every_;
        if (same_messages && (same_flags || look.uids.empty())) return true;
    }
    auto news = context_.account.look(look);
    if (news) {
        take_news(listed, *news);
        return true;
    }
    if (news.error().fault != AccountFault::kRefused) {
        fail_with(std::move(news.error()));
        return false;
    }
    scope_.complete = false;
    refused_looks_.insert(listed.name);
    note("folder " + listed.name + " cannot be looked at: " + news.error().text +
         "; until it can, no mail is taken for deleted");
    return true;
}

void Pass::take_news(const FolderState& listed, const FolderNews& news) {
    scope_.folders[listed.name] = news.state.uidvalidity;
    FolderState* before = known(listed.name);
    // Under another UIDVALIDITY, or one that is not trusted, all there is has been found anew.
    const bool anew = before == nullptr || before->uidvalidity != news.state.uidvalidity;
    const std::map<std::uint32_t, MailFlags> flags(news.flags.begin(), news.flags.end());
    const std::set<std::uint32_t> gone(news.gone.begin(), news.gone.end());
    for (SyncMessage& one : messages_) {
        const std::string& id = one.record.message.id;
        const auto here = [&](const MailCopy& copy) { return copy.place.folder == listed.name; };
        for (MailCopy& copy : one.copies) {
            if (!here(copy)) continue;
            if (anew) known_before_.emplace(id, listed.name);
            const auto changed = flags.find(copy.place.uid);
            if (changed == flags.end() || changed->second == copy.flags) continue;
            copy.flags = changed->second;
            touched_.insert(id);
        }
        if (std::erase_if(one.copies, [&](const MailCopy& copy) {
                return here(copy) && (anew || gone.contains(copy.place.uid));
            }) > 0)
            touched_.insert(id);
    }
    for (const FoundMail& found : news.found)
        found_.emplace_back(found, Link{listed.name, news.state.uidvalidity, found.uid});
    if (before != nullptr) {
        state_changed_ |= *before != news.state;
        *before = news.state;
    } else {
        state_.folders.push_back(news.state);
        state_changed_ = true;
    }
}

// ---- what it means ------------------------------------------------------------------------------

void Pass::decide() {
    policy_ = {};
    policy_.folders = context_.mailbox.sync_mode == config::SyncMode::kAllFolders;
    policy_.remove_to_trash = context_.mailbox.delete_mode == config::DeleteMode::kTrash;
    policy_.mass_deletion_limit = context_.misc.mass_deletion_limit;
    policy_.rejoined = !state_.on;
    policy_.keep_missing =
        !state_.on || state_.released_keep || state_.scope != scope_text(context_.mailbox);
    policy_.released = state_.released;
    policy_.on_hold = !state_.hold.empty();
    actions_ = decide_sync(messages_, scope_, policy_);
    for (const SyncAction& action : actions_)
        trace(action.kind == Kind::kAgree ? TraceLevel::kDebug : TraceLevel::kInfo, "{}: {}{}{}",
              mailbox_, action.id, action.id.empty() ? "" : " ", describe(action));
}

store::SyncChange Pass::change_of(const SyncAction& action) {
    store::SyncChange change{};
    change.kind = action.kind;
    change.id = action.id;
    change.copy = action.copy;
    change.agreed_folder = action.folder;
    change.folder = action.folder;
    change.state = action.state;
    change.urgent = action.urgent;
    change.reason = action.reason;
    if (const SyncMessage* one = message(action.id)) {
        change.seen_state = one->record.message.state;
        change.seen_urgent = one->record.message.urgent;
        change.seen_folder = one->record.message.folder;
    }
    return change;
}

bool Pass::commit(const store::SyncCommit& commit) {
    if (auto done = context_.store.commit_sync(mailbox_, commit); !done) {
        result_.store_error = done.error();
        return false;
    }
    return true;
}

// Commits what the looks told together with what it means on the unit's side.
bool Pass::commit_decided() {
    store::SyncCommit out;
    for (const std::string& id : touched_) out.copies.emplace_back(id, copies_of(*message(id)));
    for (const SyncAction& action : actions_) {
        if (in_account(action.kind)) continue;
        if (action.kind == Kind::kHold)
            state_.hold = action.reason;
        else
            out.changes.push_back(change_of(action));
        if (action.kind != Kind::kAgree) ++result_.changed_here;
        state_changed_ |= action.kind == Kind::kHold;
    }
    for (const SyncMessage& one : messages_) {
        const DeliveryState state = one.record.delivery.state;
        const bool open = state == DeliveryState::kUncertain || state == DeliveryState::kDeferred ||
                          state == DeliveryState::kQueued || state == DeliveryState::kFailed;
        if (open && !one.copies.empty()) out.found.push_back(one.record.message.id);
    }
    result_.push_again |= !out.found.empty();

    if (scope_.complete) {
        const bool settled =
            state_.on && !state_.released && !state_.released_keep && !is_elsewhere() && !every_;
        state_changed_ |= !settled;
        state_.on = true;
        state_.released = state_.released_keep = false;
        state_.account = account_text(context_.mailbox, context_.misc);
        state_.scope = scope_text(context_.mailbox);
        if (every_) state_.last_every = context_.clock.now();
        every_ = false;
        if (state_changed_) state_.last_pass = context_.clock.now();
    }
    if (state_changed_) out.state = state_;
    if (out.copies.empty() && out.changes.empty() && out.found.empty() && !out.state) return true;
    if (!commit(out)) return false;
    state_changed_ = false;
    touched_.clear();
    return true;
}

// ---- what is to be done in the account ----------------------------------------------------------

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
        case MailChangeOutcome::kCannot: {
            // A folder that the account cannot have: the message goes back to where its mail is.
            const bool known_place = one.agreed && one.record.message.folder == action.folder;
            if (!known_place) return;
            store::SyncChange& back = add(Kind::kSetFolder, result.text);
            back.folder = one.agreed->unit_folder;
            note(action.id + ": " + describe(action) + ": " + result.text);
            return;
        }
        case MailChangeOutcome::kMissing:
            // Somebody was faster; the next round sees what it means.
            forget_copy();
            commit.copies.emplace_back(action.id, copies_of(one));
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
        case MailChangeOutcome::kDone:
            break;
    }
    ++result_.changed_there;
    switch (action.kind) {
        case Kind::kStoreFlags:
        case Kind::kRecoverMail: {
            for (MailCopy& copy : one.copies) {
                if (copy.place != action.copy.place) continue;
                const auto set = [&](bool& flag, bool added, bool removed) {
                    flag = (flag || added) && !removed;
                };
                set(copy.flags.seen, action.add.seen, action.remove.seen);
                set(copy.flags.flagged, action.add.flagged, action.remove.flagged);
                if (action.kind == Kind::kRecoverMail) copy.flags.deleted = false;
            }
            const bool recovered = action.kind == Kind::kRecoverMail;
            store::SyncChange& change =
                add(recovered ? Kind::kLink : Kind::kAgree, recovered ? action.reason : "");
            Agreed agreed = one.agreed.value_or(Agreed{});
            const auto set = [](bool& flag, bool added, bool removed) {
                flag = (flag || added) && !removed;
            };
            set(agreed.seen, action.add.seen, action.remove.seen);
            set(agreed.flagged, action.add.flagged, action.remove.flagged);
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
            add(Kind::kAgreeGone, "deleted on the phone");
            return;
    }
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
    MailCopy copy = action.copy;
    copy.place = to;
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
    } else {
        out.push_again.push_back(action.id);
        result_.push_again = true;
    }
    out.copies.emplace_back(action.id, copies_of(one));
    return commit(out);
}

// ---- the pass -----------------------------------------------------------------------------------

Pass::Round Pass::round(int number) {
    if (!list(false)) return Round::kStop;
    if (nothing_new()) return Round::kQuiet;
    if (!load()) return Round::kStop;
    forget_stale();
    if (!look_at_all()) return Round::kStop;
    // What was committed on the unit's side may call for more; for that the account need not be
    // looked at again. What is agreed on is read anew before anything is done there on the strength
    // of it.
    for (int i = 0; i < kRounds; ++i) {
        decide();
        if (!commit_decided()) return Round::kStop;
        if (settled()) return Round::kQuiet;
        if (!load()) return Round::kStop;
        set_stale_aside();
        if (std::any_of(actions_.begin(), actions_.end(),
                        [](const SyncAction& action) { return in_account(action.kind); }))
            break;
    }
    if (!execute()) return Round::kStop;
    const bool go_on = number + 1 < kRounds && !refused_ && !context_.cancelled();
    return go_on ? Round::kAgain : Round::kRestless;
}

// Whether nothing was decided that something may follow from.
bool Pass::settled() const {
    return std::none_of(actions_.begin(), actions_.end(), [](const SyncAction& action) {
        return action.kind != Kind::kHold && action.kind != Kind::kReport;
    });
}

std::string Pass::busiest() const {
    std::map<std::string, int> copies;
    for (const SyncMessage& one : messages_)
        for (const MailCopy& copy : one.copies) ++copies[copy.place.folder];
    const auto most =
        std::max_element(copies.begin(), copies.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == copies.end() ? "" : most->first;
}

SyncResult Pass::run() {
    auto state = context_.store.sync_state(mailbox_);
    if (!state) {
        result_.store_error = state.error();
        return std::move(result_);
    }
    state_ = std::move(*state);
    if (is_elsewhere()) {
        // Everything is looked at anew.
        state_.folders.clear();
        state_changed_ = true;
    }
    // (A clock that was set back makes it due, too.)
    const std::int64_t since = context_.clock.now() - state_.last_every;
    every_ = since > kEveryMs || since < 0 || !state_.on;
    Round last = Round::kAgain;
    for (int i = 0; last == Round::kAgain; ++i) last = round(i);
    result_.hold = state_.hold;
    result_.complete = last == Round::kQuiet && (!loaded_ || scope_.complete) && !refused_;
    if (loaded_) result_.busiest = busiest();
    return std::move(result_);
}

Result<std::vector<std::string>> Pass::plan() {
    VM_ASSIGN(state_, context_.store.sync_state(mailbox_));
    if (is_elsewhere()) state_.folders.clear();
    every_ = !state_.on;
    if (list(true) && load()) {
        forget_stale();
        if (look_at_all()) decide();
    }
    if (result_.store_error) return fail(*result_.store_error);
    if (result_.failure)
        return fail(ErrorKind::kRetryLater, "sync " + mailbox_,
                    account_server_of(context_.mailbox, context_.misc), result_.failure->text);
    std::vector<std::string> out = result_.notes;
    if (!state_.hold.empty()) out.push_back("on hold: " + state_.hold);
    for (const SyncAction& action : actions_)
        out.push_back((action.id.empty() ? "" : action.id + ": ") + describe(action));
    if (state_.hold.empty()) return out;
    policy_.on_hold = false;
    policy_.released = true;
    for (const SyncAction& action : decide_sync(messages_, scope_, policy_))
        if (action.kind == Kind::kDeleteLocal || action.kind == Kind::kRemoveMail)
            out.push_back("when released: " + action.id + ": " + describe(action));
    return out;
}

}  // namespace

std::string why_not_synchronised(const config::MailboxOptions& mailbox,
                                 const config::MiscSetup& misc) {
    if (!mailbox.integration) return "Email Integration is No";
    if (config::transport_kind(misc) == config::TransportKind::kPop3)
        return "g_szEmailDllPath names the POP3 plugin, which does not synchronise";
    if (mailbox.sync_mode == config::SyncMode::kNone) return "Email Integration Sync Mode is None";
    if (!has_account(mailbox, misc)) return "Imap4 Server is not set";
    return "";
}

SyncResult sync_mailbox(const SyncContext& context) {
    return Pass(context).run();
}

Result<std::vector<std::string>> plan_sync(const SyncContext& context) {
    return Pass(context).plan();
}

}  // namespace vm::agent
