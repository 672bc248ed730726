#include "agent/sync_run.h"

#include "agent/counting.h"
#include "agent/session_options.h"
#include "agent/sync_pass.h"
#include "base/text.h"
#include "base/trace.h"

#include <algorithm>
#include <utility>

namespace vm::agent {

namespace {

// What a pass has done is looked at again; so often at most before it waits for the next one.
constexpr int kRounds = 4;
// Every linked message is looked at so often even where the server tells what changed: there are
// servers whose mod-sequences forget things.
constexpr std::int64_t kEveryMs = 24 * std::int64_t{3'600'000};
constexpr std::size_t kNotes = 10;
// In place of an account's or a scope's text: none that options have.
constexpr const char* kUnsettled = "unsettled";

using Kind = SyncActionKind;

}  // namespace

void Pass::note(const std::string& line) {
    if (result_.notes.size() < kNotes) result_.notes.push_back(line);
    trace(TraceLevel::kWarning, "{}: sync: {}", mailbox_, line);
}

// Whose account it is; with another text, places are in another account.
std::string Pass::account_text() const {
    return account_server_of(context_.mailbox, context_.misc) + " " +
           context_.mailbox.imap4.account;
}

// Which folders of it.
std::string Pass::scope_text() const {
    static constexpr const char* kModes[] = {"All Folders", "Inbox Only", "VM Folder Only", "None"};
    return std::string(kModes[static_cast<std::size_t>(context_.mailbox.sync_mode)]) +
           (reads_mail() ? ", e-mail" : "");
}

void Pass::decide() {
    policy_ = {};
    policy_.folders = context_.mailbox.sync_mode == config::SyncMode::kAllFolders;
    policy_.remove_to_trash = context_.mailbox.delete_mode == config::DeleteMode::kTrash;
    policy_.mass_deletion_limit = context_.misc.mass_deletion_limit;
    policy_.rejoined = !state_.on;
    policy_.keep_missing = !state_.on || state_.released_keep || state_.scope != scope_text();
    policy_.released = state_.released;
    policy_.on_hold = !state_.hold.empty();
    actions_ = decide_sync(messages_, scope_, policy_);
    for (const SyncAction& action : actions_)
        trace(action.kind == Kind::kAgree ? TraceLevel::kDebug : TraceLevel::kInfo, "{}: {}{}{}",
              mailbox_, action.id, action.id.empty() ? "" : " ", describe(action));
}

// Whether something was decided because a mail was found nowhere.
bool Pass::misses_mails() const {
    return std::any_of(actions_.begin(), actions_.end(), [](const SyncAction& action) {
        return action.kind == Kind::kDeleteLocal || action.kind == Kind::kAgreeGone ||
               action.kind == Kind::kUnlink || action.kind == Kind::kRecoverMail ||
               action.kind == Kind::kHold;
    });
}

// Whether a folder has got a mail since it was looked at, or listed; nothing: the pass cannot go
// on.
std::optional<bool> Pass::something_came() {
    const std::vector<FolderState> before = std::move(listed_);
    if (!list(false, true)) return std::nullopt;
    const auto is_as_it_was = [&](const FolderState& now) {
        const auto same = [&](const FolderState& then) {
            return then.name == now.name && then.uidvalidity == now.uidvalidity &&
                   then.uid_next == now.uid_next && now.uid_next != 0;
        };
        const FolderState* looked = known(now.name);
        return (looked != nullptr && same(*looked)) ||
               std::any_of(before.begin(), before.end(), same);
    };
    return !std::all_of(listed_.begin(), listed_.end(), is_as_it_was);
}

store::SyncChange Pass::change_of(const SyncAction& action) {
    store::SyncChange change{};
    change.kind = action.kind;
    change.id = action.id;
    change.copy = action.copy;
    change.doubt = action.doubt;
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
    result_.settled.reset();  // by what was committed before
    for (const store::SyncChange& change : commit.changes)
        if (change.kind == Kind::kLink && message(change.id) && !message(change.id)->agreed)
            count_link(context_.metrics, context_.store, change.id);
    return true;
}

// Before it is done: if this process dies, or the connection, nobody knows whether it was.
void Pass::begin(const SyncAction& action, store::SyncCommit& commit) {
    const SyncMessage* one = message(action.id);
    const Doubt known = one && one->agreed ? one->agreed->doubt : Doubt{};
    const Doubt now = doubt_of(action);
    if (action.kind == Kind::kRecoverMail ||
        ((known.seen || !now.seen) && (known.flagged || !now.flagged) &&
         (known.folder || !now.folder) && (known.removed || !now.removed)))
        return;
    store::SyncChange& change = commit.changes.emplace_back(change_of(action));
    change.doubt = now;
}

// Commits what the looks told together with what it means on the unit's side.
bool Pass::commit_decided() {
    store::SyncCommit out;
    for (const std::string& id : touched_) out.copies.emplace_back(id, copies_of(*message(id)));
    for (const SyncAction& action : actions_) {
        if (in_account(action.kind)) {
            begin(action, out);
            continue;
        }
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
        state_.account = account_text();
        state_.scope = scope_text();
        if (every_) state_.last_every = context_.clock.now();
        every_ = false;
        if (state_changed_) state_.last_pass = context_.clock.now();
    } else if (!state_.account.empty()) {
        // What was looked at is not what the last complete pass speaks of, and not all of it.
        // Should the options be set back meanwhile, it must not be taken for what was there before.
        if (state_.account != account_text()) state_.account = kUnsettled;
        if (state_.scope != scope_text()) state_.scope = kUnsettled;
    }
    if (state_changed_) out.state = state_;
    out.new_mails = std::exchange(new_mails_, {});
    if (out.copies.empty() && out.changes.empty() && out.found.empty() && out.new_mails.empty() &&
        !out.state)
        return true;
    if (!commit(out)) return false;
    if (out.state) state_.was_on = state_.on;
    state_changed_ = false;
    touched_.clear();
    return true;
}

Pass::Round Pass::round(int number) {
    if (!list(false)) return Round::kStop;
    if (nothing_new()) return Round::kQuiet;
    if (!load()) return Round::kStop;
    forget_stale();
    if (!look_at_all()) {
        // What a long look has found is not to be looked for again.
        scope_.complete = false;
        if (partly_ && take_found()) {
            if (state_.account.empty()) {  // else this pass's beginning must stay to be seen
                state_.account = account_text();
                state_.scope = scope_text();
            }
            decide();
            commit_decided();
        }
        return Round::kStop;
    }
    const bool last = number + 1 == kRounds || context_.cancelled();
    const Round again = last ? Round::kRestless : Round::kAgain;
    // What was committed on the unit's side may call for more; for that the account need not be
    // looked at again. What is agreed on is read anew before anything is done there on the strength
    // of it.
    for (int i = 0; i < kRounds; ++i) {
        decide();
        if (scope_.complete && policy_.folders && misses_mails()) {
            // Folders are looked at one after the other: a mail that is moved meanwhile, into one
            // that was looked at before, or that was made meanwhile, is found nowhere. So nothing
            // may have come to any since.
            const auto came = something_came();
            if (!came) return Round::kStop;
            if (*came) {
                scope_.complete = false;
                decide();
                return commit_decided() ? again : Round::kStop;
            }
        }
        if (!commit_decided()) return Round::kStop;
        if (settled()) return Round::kQuiet;
        if (!load()) return Round::kStop;
        set_stale_aside();
        if (std::any_of(actions_.begin(), actions_.end(),
                        [](const SyncAction& action) { return in_account(action.kind); }))
            break;
    }
    if (!execute()) return Round::kStop;
    return refused_ ? Round::kRestless : again;
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
    unit_changed_ = context_.unit_changed && !state_.is_settled();
    result_.busiest_before = state_.busiest;
    first_ = is_elsewhere();
    if (first_) {
        // Everything is looked at anew.
        if (!forget_new_mails()) return std::move(result_);
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
    if (loaded_ && result_.complete && state_.hold.empty())
        result_.settled = store::Settled{mailbox_, state_.phone_sequence, *result_.busiest};
    if (last != Round::kStop && !result_.store_error && reads_mail()) read_new_mails();
    return std::move(result_);
}

Result<std::vector<std::string>> Pass::plan() {
    VM_ASSIGN(state_, context_.store.sync_state(mailbox_));
    first_ = is_elsewhere();
    if (first_) state_.folders.clear();
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
    for (const store::NewMail& mail : new_mails_)
        out.push_back("a mail in " + mail.place.folder + ", UID " + std::to_string(mail.place.uid) +
                      ": make it a message");
    if (state_.hold.empty()) return out;
    policy_.on_hold = false;
    policy_.released = true;
    for (const SyncAction& action : decide_sync(messages_, scope_, policy_))
        if (action.kind == Kind::kDeleteLocal || action.kind == Kind::kRemoveMail)
            out.push_back("when released: " + action.id + ": " + describe(action));
    return out;
}

std::string why_not_synchronised(const config::MailboxOptions& mailbox,
                                 const config::MiscSetup& misc) {
    if (!mailbox.integration) return "Email Integration is No";
    const bool pop3 = config::transport_kind(misc) == config::TransportKind::kPop3;
    // (Of a drop there is nothing to choose, and only deletions travel.)
    if (!pop3 && mailbox.sync_mode == config::SyncMode::kNone)
        return "Email Integration Sync Mode is None";
    if (!has_account(mailbox, misc))
        return pop3 ? "Pop3 Server is not set" : "Imap4 Server is not set";
    return "";
}

SyncResult sync_mailbox(const SyncContext& context) {
    return Pass(context).run();
}

Result<std::vector<std::string>> plan_sync(const SyncContext& context) {
    return Pass(context).plan();
}

}  // namespace vm::agent
