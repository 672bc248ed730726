// What others than the agent do in a schedule: persons, servers, the machine; and what the
// reference is told of it.
#include "story.h"

#include <algorithm>
#include <array>

namespace vm::sim {

namespace {

constexpr std::array<const char*, 4> kFolders{"INBOX", "Work", "Archive", agent::kVmFolder};
constexpr std::int64_t kSecond = 1000, kHour = 3'600'000, kDay = 24 * kHour;

std::string folder_of(unsigned number) {
    return kFolders.at(number % kFolders.size());
}

}  // namespace

unsigned Story::any_box(const Event& event) const {
    return event.a % schedule_.setting.mailboxes;
}

Truth* Story::any_message(const Event& event) {
    std::vector<Truth*> there;
    for (Truth& one : model_.messages)
        if (!one.purged) there.push_back(&one);
    return there.empty() ? nullptr : there.at(event.a % there.size());
}

std::optional<Story::Found> Story::any_mail(const Event& event) {
    std::vector<Found> there;
    for (Truth& one : model_.messages)
        for (const Model::Place& place : model_.mails(one, false))
            there.push_back({&one, box(one.box).account, place.folder, place.uid});
    if (there.empty()) return std::nullopt;
    return there.at(event.a % there.size());
}

// ---- the phone
// -----------------------------------------------------------------------------------

void Story::phone(const Event& event) {
    const Who before = std::exchange(who_, Who::kPhone);
    phone_dies_ = event.b % 8 == 1;
    // What the agent has done in the meantime, and a person sees now.
    for (const Began* began : began_) model_.observe(*began);
    try {
        if (event.what == Doing::kAdd) {
            add(event);
        } else if (event.what == Doing::kRelease || event.what == Doing::kReleaseKeeping) {
            const unsigned number = any_box(event);
            if (unit_.store().release(box(number).number, event.what == Doing::kReleaseKeeping))
                model_.muddle(number);
        } else if (Truth* one = any_message(event)) {
            do_on_phone(event, *one);
        }
    } catch (const Killed&) {
        tell("the phone's program dies");
    }
    who_ = before;
}

void Story::add(const Event& event) {
    const unsigned number = any_box(event);
    const MessageKind kind = event.c % 4 == 0 ? MessageKind::kFax : MessageKind::kVoice;
    const bool urgent = event.c % 8 == 3;
    unit_.clock().advance(1);  // ids begin with the time
    if (const auto id = unit_.add(box(number), kind, urgent))
        tell("  it is " + model_.added(number, *id, kind, urgent).name);
    else
        model_.wrong("a message cannot be added: " + id.error().text());
}

void Story::do_on_phone(const Event& event, Truth& one) {
    store::Store& store = unit_.store();
    const bool was_deleted = one.state == MessageState::kDeleted;
    tell("  " + one.name);
    Result<> done;
    switch (event.what) {
        case Doing::kHear:
        case Doing::kMarkNew: {
            const bool read = event.what == Doing::kHear;
            const auto to = read ? MessageState::kRead : MessageState::kNew;
            const bool same = one.state == to;
            done = store.mark(one.id, to);
            if (done && !same) one.read.phone = read;
            break;
        }
        case Doing::kUrgent:
        case Doing::kNotUrgent: {
            const bool urgent = event.what == Doing::kUrgent;
            const bool same = one.urgent == urgent;
            done = store.set_urgent(one.id, urgent);
            if (done && !same) one.flagged.phone = urgent;
            break;
        }
        case Doing::kFile: {
            // (Some folders cannot be in the account.)
            const std::string to = event.c % 16 == 15 ? "Junk" : folder_of(event.c);
            const bool same = one.folder == to;
            done = store.move(one.id, to);
            if (!done || same) break;
            one.filed.phone = to;
            one.muddled |= to == "Junk" || !schedule_.setting.uidplus;
            break;
        }
        case Doing::kDelete:
            done = store.remove(one.id);
            if (!done || was_deleted) break;
            one.phone_deleted = one.phone_touched_deletion = true;
            one.phone_deleted_at = model_.now;
            one.removed_since = 0;
            one.deleted_time = unit_.clock().now();
            break;
        case Doing::kRestore:
            done = store.restore(one.id);
            if (!done || !was_deleted) break;
            one.phone_deleted = false;
            one.phone_touched_deletion = one.muddled = true;
            break;
        default:
            done = store.retry(one.id);
            break;
    }
    if (const auto record = store.get(one.id)) {
        one.state = record->message.state;
        one.folder = record->message.folder;
        one.urgent = record->message.urgent;
    }
}

// ---- the subscriber
// ------------------------------------------------------------------------------

void Story::subscriber(const Event& event) {
    if (event.what == Doing::kForeign || event.what == Doing::kForeignDeleted)
        return foreign(event);
    const auto found = any_mail(event);
    if (!found) return;
    Truth& one = *found->of;
    FakeAccount& account = outside_.account(found->account);
    const FakeMail mail = account.folders.at(found->folder).mails.at(found->uid);
    MailTruth& truth = outside_.truth(mail);
    tell("  " + one.name + " in " + found->folder + ", UID " + std::to_string(found->uid));
    const auto set = [&](std::uint32_t add, std::uint32_t remove) {
        account.set_flags(found->folder, found->uid, add, remove);
    };
    const bool seen = (mail.flags & VM_FLAG_SEEN) != 0,
               flagged = (mail.flags & VM_FLAG_FLAGGED) != 0;
    const bool marked = (mail.flags & VM_FLAG_DELETED) != 0;
    // Only of what it knew can the agent say that it is gone; and nothing that happens while the
    // integration is off deletes anything, but for a pass that began before.
    const auto deletes = [&](bool known) {
        bool on = box(one.box).options->integration;
        for (const Began* began : began_)
            on = on || (began->box == one.box && began->options->integration);
        if (known && on) one.mail_deleted_at = model_.now;
    };
    const auto is_in_scope = [&](const std::string& folder) {
        bool in = model_.in_scope(folder, *box(one.box).options);
        for (const Began* began : began_)
            in = in && (began->box != one.box || model_.in_scope(folder, *began->options));
        return in;
    };
    // An option that is set back before a pass has seen it was never set, to the agent.
    const auto in_known_scope = [&](const std::string& folder) {
        const auto known = unit_.store().sync_state(box(one.box).number);
        config::MailboxOptions options = *box(one.box).options;
        if (known && known->scope.starts_with("Inbox Only"))
            options.sync_mode = config::SyncMode::kInboxOnly;
        if (known && known->scope.starts_with("VM Folder Only"))
            options.sync_mode = config::SyncMode::kVmFolderOnly;
        return model_.in_scope(folder, options);
    };
    std::string to = event.what == Doing::kTrashMail ? "Trash" : folder_of(event.c);
    switch (event.what) {
        case Doing::kSee:
        case Doing::kUnsee:
            if (seen == (event.what == Doing::kSee)) return;
            one.read.mail = !seen;
            return set(seen ? 0 : VM_FLAG_SEEN, seen ? VM_FLAG_SEEN : 0);
        case Doing::kFlag:
        case Doing::kUnflag:
            if (flagged == (event.what == Doing::kFlag)) return;
            one.flagged.mail = !flagged;
            return set(flagged ? 0 : VM_FLAG_FLAGGED, flagged ? VM_FLAG_FLAGGED : 0);
        case Doing::kMarkDeleted:
            if (marked) return;
            deletes(true);
            return set(VM_FLAG_DELETED, 0);
        case Doing::kUnmarkDeleted:
            if (!marked) return;
            truth.since = model_.now;
            return set(0, VM_FLAG_DELETED);
        case Doing::kExpunge:
            deletes(truth.told);
            account.take(found->folder, found->uid);
            return;
        case Doing::kCopyMail: {
            FakeMail copy = mail;
            copy.content = outside_.next_serial();
            ++one.mails;
            one.muddled = true;
            outside_.put(found->account, to, copy, model_.now);
            return;
        }
        default:  // kMoveMail, kTrashMail
            if (to == found->folder) return;
            if (is_in_scope(to)) one.filed.mail = to;
            if (!is_in_scope(to) || !in_known_scope(to)) deletes(truth.told);
            truth.since = model_.now;
            account.move(found->folder, found->uid, to);
    }
}

void Story::foreign(const Event& event) {
    const std::uint32_t flags = event.what == Doing::kForeignDeleted ? VM_FLAG_DELETED : 0;
    FakeMail mail{"", "foreign", flags, 0, outside_.next_serial()};
    mail.message_id += mail.content;
    const unsigned account = box(any_box(event)).account;
    const std::string folder = folder_of(event.c);
    outside_.put(account, folder, mail, model_.now);
    model_.foreign(account, mail, folder);
}

void Story::account_changes(const Event& event) {
    const unsigned number = any_box(event);
    FakeAccount& account = outside_.account(box(number).account);
    const std::string folder = folder_of(event.c);
    const auto in = account.folders.find(folder);
    if (in == account.folders.end()) return;
    tell("  " + folder);
    for (Truth& one : model_.messages) one.lost_place |= one.box == number;
    if (event.what == Doing::kRenumber) return account.renumber(folder);
    if (folder == "INBOX") return;  // it cannot be deleted
    for (const auto& [uid, mail] : in->second.mails) {
        if (Truth* one = model_.find(mail.id)) {
            one->muddled = true;
            // It may be gone from where the agent knows it to be, too, and that is a deletion.
            if (outside_.truth(mail).told) one->mail_deleted_at = model_.now;
        }
        if (mail.id.empty()) model_.foreign_gone(mail.content);
    }
    account.folders.erase(in);
    if (event.what == Doing::kRecreateFolder) account.folder(folder);
}

// ---- mails on their way
// --------------------------------------------------------------------------

void Story::arrive(const Outside::OnItsWay& mail, const std::string& folder) {
    if (Truth* one = model_.find(mail.mail.id)) {
        ++one->mails;
        tell("  of " + one->name + " into " + folder);
    }
    outside_.put(mail.account, folder, mail.mail, model_.now);
}

void Story::delivery(const Event& event) {
    auto& waiting = outside_.on_its_way;
    if (waiting.empty()) return;
    const std::size_t which = event.a % waiting.size();
    Outside::OnItsWay mail = waiting.at(which);
    // A rule of the subscriber's, or the server's filter, may put it elsewhere.
    std::string folder = "INBOX";
    if (event.c % 4 == 0) folder = folder_of(event.c / 4);
    if (event.c % 32 == 1) folder = "Junk";
    if (schedule_.setting.drop) folder = "INBOX";
    if (event.what == Doing::kDeliverTwice) {
        arrive(mail, folder);
        mail.mail.content = outside_.next_serial();
    }
    if (event.what != Doing::kLose) arrive(mail, folder);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(which));
}

bool Story::deliver_all(unsigned number) {
    const unsigned first = box(number).first_account;
    bool any = false;
    for (auto it = outside_.on_its_way.begin(); it != outside_.on_its_way.end();) {
        if (it->account / 2 != first / 2) {
            ++it;
            continue;
        }
        ++model_.now;
        arrive(*it, "INBOX");
        it = outside_.on_its_way.erase(it);
        any = true;
    }
    return any;
}

// ---- servers, the machine, the options
// -----------------------------------------------------------

void Story::servers(const Event& event) {
    const unsigned number = any_box(event);
    FakeAccount& account = outside_.account(box(number).account);
    const Truth* one = any_message(event);
    switch (event.what) {
        case Doing::kPushAnswer:
            outside_.answers.push_back(push_answer(event.c));
            return;
        case Doing::kRefuseFolder:
            account.refused_folders.insert(folder_of(event.c));
            // A mail that is moved out of it meanwhile is taken for a second copy, and left alone.
            for (Truth& of : model_.messages) {
                of.muddled |= of.box == number;
                of.copy_left |= of.box == number;
            }
            return;
        case Doing::kRefuseMail:
            if (one != nullptr) account.refused_ids.insert(one->id);
            return;
        case Doing::kDenyMail:
            if (one != nullptr) account.denied_ids.insert(one->id);
            return;
        case Doing::kHideFolder:
            // (One that the agent has not heard of is made, for it, when it is named.)
            if (const auto state = unit_.store().sync_state(box(number).number))
                for (const FolderState& folder : state->folders)
                    if (folder.name == folder_of(event.c))
                        account.unnamed_folders.insert(folder.name);
            return;
        case Doing::kLie:
            outside_.lie = true;
            return;
        default:
            return outside_.restart_servers();
    }
}

void Story::machine(const Event& event) {
    static constexpr std::array<std::int64_t, 10> kJumps{
        kSecond, 70 * kSecond, 600 * kSecond, kHour,  3 * kHour,
        kDay,    4 * kDay,     20 * kDay,     -kHour, -2 * kDay};
    if (event.what == Doing::kClock) {
        const std::int64_t jump = kJumps.at(event.c % kJumps.size());
        tell("  by " + std::to_string(jump / kSecond) + " s");
        unit_.clock().advance(jump);
        for (Truth& one : model_.messages) {
            // What is queued later, by a clock that was set back, has waited since then.
            if (jump < 0) one.added += jump;
            one.may_fail |=
                unit_.clock().now() - one.added >= schedule_.setting.timeout_min * 60 * kSecond;
        }
        return;
    }
    if (depth_ > 0) return;
    if (event.what == Doing::kKill) return restart();
    for (Box& one : unit_.boxes()) one.memory.session.reset();
}

void Story::options(const Event& event) {
    const unsigned number = any_box(event);
    Box& in = box(number);
    config::MailboxOptions options = *in.options;
    Model::BoxTruth& truth = model_.boxes[number];
    switch (event.what) {
        case Doing::kSyncMode:
            options.sync_mode = static_cast<config::SyncMode>(event.c % 3);
            truth.rescoped = true;
            break;
        case Doing::kDeleteMode:
            options.delete_mode = static_cast<config::DeleteMode>(event.c % 2);
            break;
        case Doing::kSendMode:
            options.send_mode = static_cast<config::SendMode>(event.c % 3);
            truth.limited = true;
            break;
        case Doing::kSwitchOff:
            options.integration = false;
            truth.limited = true;
            // What is deleted while it is off, or was not seen before, deletes nothing.
            for (Truth& one : model_.messages)
                if (one.box == number && !in.passing) one.mail_deleted_at = 0;
            break;
        case Doing::kSwitchOn:
            if (options.integration) return;
            options.integration = true;
            break;
        default:
            in.account = in.first_account + (in.account - in.first_account + 1) % 2;
            set_account(options, in.account);
            truth.rescoped = true;
            break;
    }
    if (event.what != Doing::kSendMode && event.what != Doing::kDeleteMode) model_.muddle(number);
    unit_.edit(in, options);
}

}  // namespace vm::sim
