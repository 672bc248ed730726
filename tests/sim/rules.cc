// What may never happen, whatever else does.
#include "model.h"

#include <algorithm>
#include <utility>

namespace vm::sim {

Truth* Model::find(const std::string& id) {
    for (Truth& one : messages)
        if (one.id == id) return &one;
    return nullptr;
}

Truth& Model::added(unsigned box, const std::string& id, MessageKind kind, bool urgent) {
    Truth& one = messages.emplace_back();
    one.id = id;
    one.name = "m" + std::to_string(messages.size());
    one.box = box;
    one.kind = kind;
    one.added = unit_.clock().now();
    one.folder = kInboxFolder;
    one.urgent = urgent;
    return one;
}

void Model::muddle(unsigned box) {
    for (Truth& one : messages)
        if (one.box == box) one.muddled = true;
}

bool Model::in_scope(const std::string& folder, const config::MailboxOptions& options) const {
    switch (options.sync_mode) {
        case config::SyncMode::kInboxOnly:
            return folder == "INBOX";
        case config::SyncMode::kVmFolderOnly:
            return folder == agent::kVmFolder;
        default:
            return folder != "Trash" && folder != "Junk" && folder != "Drafts" && folder != "Sent";
    }
}

std::vector<Model::Place> Model::mails(const Truth& truth, bool live) const {
    const Box& box = unit_.boxes().at(truth.box);
    std::vector<Place> out;
    for (const auto& [name, in] : outside_.account(box.account).folders) {
        if (live && !in_scope(name, *box.options)) continue;
        for (const auto& [uid, mail] : in.mails)
            if (mail.id == truth.id && !(live && (mail.flags & VM_FLAG_DELETED) != 0))
                out.push_back({name, uid, &mail});
    }
    return out;
}

bool Model::left_behind(const Truth& one) const {
    const auto box = boxes.find(one.box);
    if (box != boxes.end() && box->second.rescoped) return false;
    const auto live = mails(one, true);
    return one.in_step && !one.muddled && !one.lost_place && one.phone_deleted && one.mails == 1 &&
           live.size() == 1 && outside_.truth(*live[0].mail).since < one.phone_deleted_at;
}

// ---- what the agent has done to messages
// ---------------------------------------------------------

Began Model::begin(unsigned number) {
    Began out;
    out.when = running_since_ = now;
    out.box = number;
    const Box& box = unit_.boxes().at(number);
    out.options = box.options;
    if (const auto state = unit_.store().sync_state(box.number)) {
        out.hold = !state->hold.empty();
        out.released = state->released;
    }
    for (const Truth& one : messages)
        if (one.box == number && one.state != MessageState::kDeleted && one.mails > 0) ++out.linked;
    return out;
}

void Model::observe(const Began& began) {
    deleted_in_run_ = 0;
    const Box& box = unit_.boxes().at(began.box);
    const auto records = unit_.store().list({box.number, std::nullopt, true});
    if (!records) return wrong("the store cannot be read: " + records.error().text());
    std::map<std::string, const MessageRecord*> by_id;
    for (const MessageRecord& record : *records) by_id.emplace(record.message.id, &record);
    for (Truth& one : messages) {
        if (one.box != began.box || one.purged) continue;
        const auto found = by_id.find(one.id);
        if (found != by_id.end())
            saw(one, *found->second, began);
        else
            wrong(one.name + " is gone, and nobody purged it");
    }
    const auto limit = static_cast<std::size_t>(outside_.setting().limit);
    if (began.alone && !began.released && deleted_in_run_ > limit &&
        2 * deleted_in_run_ > began.linked)
        wrong("deleted " + std::to_string(deleted_in_run_) + " of " + std::to_string(began.linked) +
              " messages at once, without a hold");
}

void Model::saw(Truth& one, const MessageRecord& record, const Began& began) {
    const Message& message = record.message;
    const bool was_deleted = one.state == MessageState::kDeleted;
    const bool is_deleted = message.state == MessageState::kDeleted;
    one.state = message.state;
    one.urgent = message.urgent;
    one.folder = message.folder;
    if (is_deleted && !was_deleted) deleted_by_agent(one, began);
    if (was_deleted && !is_deleted) restored_by_agent(one, began);
}

void Model::deleted_by_agent(Truth& one, const Began& began) {
    ++deleted_in_run_;
    one.deleted_time = unit_.clock().now();
    one.phone_deleted = false;
    if (began.released) return;  // a person let everything go that was not found
    if (began.hold) return wrong(one.name + " was deleted on the phone while on hold");
    if (outside_.setting().drop)
        return wrong(one.name + " was deleted on the phone, by a maildrop");
    // A mail that lies where it lay when the agent began to look.
    for (const Place& place : mails(one, true))
        if (outside_.truth(*place.mail).since < began.when &&
            began.options->sync_mode == unit_.boxes().at(one.box).options->sync_mode &&
            !boxes[one.box].rescoped)
            return wrong(one.name + " was deleted on the phone, though its mail in " +
                         place.folder + " is live");
    bool marked = false;
    for (const Place& place : mails(one, false))
        marked |= (place.mail->flags & VM_FLAG_DELETED) != 0;
    if (one.mail_deleted_at == 0 && !marked)
        return wrong(one.name + " was deleted on the phone, and nobody deleted its mail");
    if (one.mail_deleted_at < began.when) one.mail_deleted_at = 0;
}

void Model::restored_by_agent(Truth& one, const Began& began) {
    const bool by_phone = one.phone_deleted;
    one.phone_deleted = false;
    if (!by_phone || boxes[one.box].rescoped || !began.alone) return;
    const auto live = mails(one, true);
    if (live.empty()) return wrong(one.name + " was restored, and there is no mail of it");
    // What comes while a mail is removed may be taken for one that comes after it.
    Moment since = one.phone_deleted_at;
    if (one.removed_since > 0) since = std::min(since, one.removed_since);
    for (const Place& place : live)
        if (outside_.truth(*place.mail).since >= since) return;
    wrong(one.name + " was deleted on the phone, and restored for a mail that was there before");
}

// ---- what it does outside
// ------------------------------------------------------------------------

void Model::taken(unsigned account, const std::string& id, const std::string& message_id) {
    Truth* one = find(id);
    if (one == nullptr) return wrong("a mail of an unknown message was sent: " + id);
    // What a person restored is sent once, and not looked for a second time when the account has
    // become another one in between: an account it was in before may have it yet.
    const bool wanted = std::exchange(one->to_send_again, false);
    for (const Truth::Push& push : one->pushes)
        if (push.account == account && !push.absent && !outside_.lied && !wanted)
            return wrong(one->name +
                         " was sent again, though nobody has found it missing since a server took "
                         "it");
    one->pushes.push_back({account, message_id, false});
}

void Model::told_absent(unsigned account, const std::string& id, bool by_recovery) {
    Truth* one = find(id);
    if (one == nullptr) return;
    one->to_send_again |= by_recovery;
    for (Truth::Push& push : one->pushes)
        if (push.account == account) push.absent = true;
}

void Model::asked(unsigned, const vm_change& change, const FakeMail* mail) {
    Truth* one = find(change.id);
    if (one == nullptr) return wrong("a change for an unknown message was asked for");
    if (mail != nullptr && mail->id != change.id)
        return wrong("a change for " + one->name + " was asked for at another mail's UID");
    const bool removes = change.kind == VM_CHANGE_TRASH || change.kind == VM_CHANGE_EXPUNGE;
    const auto record = unit_.store().get(one->id);
    if (removes && (!record || record->message.state != MessageState::kDeleted))
        return wrong("the mail of " + one->name + " was to be removed, which is not deleted");
    // What the phone has not deleted, the subscriber has, whose mails are left as they are.
    if (removes && !one->phone_deleted)
        return wrong("the mail of " + one->name +
                     " was to be removed, which the phone did not "
                     "delete");
    if ((change.add & VM_FLAG_DELETED) != 0) wrong("\\Deleted was to be stored");
    if (removes) one->removed_since = running_since_;
}

void Model::asked_to_drop(unsigned, const FakeMail& mail, const std::string& id) {
    const Truth* one = find(id);
    if (one == nullptr || mail.id != id) return wrong("another mail was to be deleted from a drop");
    if (!one->phone_deleted)
        wrong("the mail of " + one->name + " was to be deleted, which the phone did not delete");
}

void Model::foreign(unsigned account, const FakeMail& mail, const std::string& folder) {
    foreign_[mail.content] = {account, folder, mail.flags};
}

void Model::check_foreign() {
    std::size_t found = 0;
    for (unsigned i = 0; i < Outside::kAccounts; ++i)
        for (const auto& [name, in] : outside_.account(i).folders)
            for (const auto& [uid, mail] : in.mails) {
                if (!mail.id.empty()) continue;
                const auto was = foreign_.find(mail.content);
                if (was == foreign_.end() || was->second.account != i ||
                    was->second.folder != name || was->second.flags != mail.flags)
                    return wrong("somebody else's mail was touched");
                ++found;
            }
    if (found != foreign_.size()) wrong("somebody else's mail is gone");
}

}  // namespace vm::sim
