#include "store/sync_writer.h"

#include "base/text.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/sync_rows.h"

#include <utility>

namespace vm::store {

namespace {

// Who changed it, when the decision gives no reason of its own.
constexpr const char* kInAccount = "in the mail account";

std::string text_of(const Link& place) {
    return sanitize_line(place.folder) + ", UID " + std::to_string(place.uid);
}

Result<> check(const SyncChange& change) {
    const auto misused = [&](const char* reason) {
        return fail(ErrorKind::kUsage, "commit synchronisation", change.id, reason);
    };
    switch (change.kind) {
        case SyncActionKind::kRecoverMail:
            return misused("such a change is made in the account");
        case SyncActionKind::kHold:
            if (trim(change.reason).empty()) return misused("a hold needs a reason");
            return {};
        case SyncActionKind::kSetState:
            if (change.state == MessageState::kDeleted)
                return misused("deleting is a change of its own");
            return {};
        default:
            return {};
    }
}

}  // namespace

Result<> SyncWriter::write(const SyncCommit& commit) {
    write_copies(sql_, mailbox_, commit.copies);
    for (const SyncChange& change : commit.changes) {
        VM_TRY(check(change));
        VM_TRY(apply(change));
    }
    for (const std::string& id : commit.found) VM_TRY(found(id));
    for (const std::string& id : commit.push_again) VM_TRY(push_again(id));
    for (const NewMail& mail : commit.new_mails) write_new_mail(sql_, mailbox_, mail);
    for (const Link& place : commit.new_mails_gone) remove_new_mail(sql_, mailbox_, place);
    write_state(commit.state);
    sql_ << "UPDATE sync_states SET settled = -1 WHERE mailbox = :mailbox AND settled <> -1",
        soci::use(mailbox_);
    if (changed_) note_change(sql_, mailbox_, ChangedBy::kSync);
    return {};
}

Result<SyncWriter::Subject*> SyncWriter::subject(const std::string& id) {
    auto known = subjects_.find(id);
    if (known == subjects_.end()) {
        VM_ASSIGN(const std::vector<MessageRecord> records,
                  read_records(sql_, kWhereId, {{"id", id}}));
        std::optional<Subject> subject;
        if (!records.empty() && records.front().message.mailbox == mailbox_)
            subject = {records.front(), records.front()};
        known = subjects_.emplace(id, std::move(subject)).first;
    }
    return known->second ? &*known->second : nullptr;
}

Result<> SyncWriter::apply(const SyncChange& change) {
    if (change.kind == SyncActionKind::kHold) {
        hold_ = change.reason;
        return {};
    }
    VM_ASSIGN(Subject* const of, subject(change.id));
    if (!of) return {};
    switch (change.kind) {
        case SyncActionKind::kLink:
        case SyncActionKind::kAgree:
            link(of->now, change);
            return {};
        case SyncActionKind::kUnlink:
            unlink(of->now, change.reason);
            return {};
        case SyncActionKind::kAgreeGone:
            agree_gone(of->now, change.reason);
            return {};
        case SyncActionKind::kReport:
            report(of->now, change);
            return {};
        case SyncActionKind::kStoreFlags:
        case SyncActionKind::kMoveMail:
        case SyncActionKind::kRemoveMail:
            write_doubt(sql_, change.id, change.doubt);
            return {};
        default:
            return change_message(*of, change);
    }
}

void SyncWriter::link(MessageRecord& record, const SyncChange& change) {
    const MailCopy& copy = change.copy;
    const bool follows = !folder_problem(change.agreed_folder);
    write_agreed(sql_, record.message.id,
                 {copy.place, copy.flags.seen, copy.flags.flagged,
                  follows ? change.agreed_folder : record.message.folder, false, change.doubt});
    const bool stays = record.link && record.link->folder == copy.place.folder;
    if (change.kind == SyncActionKind::kLink && !stays)
        note_link(record, copy.place, change.reason);
    record.link = copy.place;
}

void SyncWriter::unlink(MessageRecord& record, const std::string& reason) {
    sql_ << "DELETE FROM links WHERE message_id = :id", soci::use(record.message.id);
    if (record.link) note_link(record, std::nullopt, reason);
    record.link.reset();
}

void SyncWriter::agree_gone(MessageRecord& record, const std::string& reason) {
    sql_ << "UPDATE links SET gone = 1, doubt = 0 WHERE message_id = :id",
        soci::use(record.message.id);
    if (!record.link) return;
    note_link(record, std::nullopt, reason);
    record.link.reset();
}

void SyncWriter::note_link(const MessageRecord& record, const std::optional<Link>& to,
                           const std::string& reason) {
    insert_history(sql_, record.message.id, now_, "link", record.link ? text_of(*record.link) : "",
                   to ? text_of(*to) : "", reason);
}

void SyncWriter::report(const MessageRecord& record, const SyncChange& change) {
    const std::string place = text_of(change.copy.place);
    int times = 0;
    sql_ << kReported, soci::into(times), soci::use(record.message.id, "id"),
        soci::use(place, "place");
    if (times == 0) insert_history(sql_, record.message.id, now_, "copy", "", place, change.reason);
}

Result<> SyncWriter::change_message(Subject& subject, const SyncChange& change) {
    const Message& before = subject.before.message;
    const Message& now = subject.now.message;
    const bool deleted = now.state == MessageState::kDeleted;
    const bool same_state = before.state == change.seen_state;
    const Because because{now_, change.reason.empty() ? kInAccount : change.reason};
    if (change.kind == SyncActionKind::kSetState) {
        if (!same_state || deleted || now.state == change.state) return {};
        change_state(sql_, subject.now, change.state, because);
    } else if (change.kind == SyncActionKind::kSetUrgent) {
        if (before.urgent != change.seen_urgent || now.urgent == change.urgent) return {};
        change_urgent(sql_, subject.now, change.urgent, because);
    } else if (change.kind == SyncActionKind::kSetFolder) {
        if (before.folder != change.seen_folder || now.folder == change.folder ||
            folder_problem(change.folder))
            return {};
        change_folder(sql_, subject.now, change.folder, because);
    } else if (change.kind == SyncActionKind::kDeleteLocal) {
        if (deleted) return {};  // whatever else the phone has done to it: a deletion wins
        change_to_deleted(sql_, subject.now, because);
    } else if (change.kind == SyncActionKind::kRestoreLocal) {
        if (!deleted) return {};
        VM_TRY(change_to_restored(sql_, subject.now, because));
    }
    changed_ = true;
    return {};
}

Result<> SyncWriter::found(const std::string& id) {
    VM_ASSIGN(Subject* const of, subject(id));
    if (!of) return {};
    const auto next = next_state(of->now.delivery.state, DeliveryEvent::kFound);
    if (!next) return {};
    Delivery delivery = of->now.delivery;
    delivery.state = *next;
    delivery.next_attempt = 0;
    delivery.postponed = false;
    delivery.last_reply = "found in the account";
    change_delivery(sql_, of->now, delivery, now_, delivery.last_reply);
    of->now.delivery = std::move(delivery);
    return {};
}

Result<> SyncWriter::push_again(const std::string& id) {
    VM_ASSIGN(Subject* const of, subject(id));
    // The phone may have deleted it once more.
    if (!of || of->now.message.state == MessageState::kDeleted) return {};
    if (of->now.message.kind == MessageKind::kEmail) {
        unlink(of->now, "restored; its mail is gone from the account");
        return {};
    }
    const auto next = next_state(of->now.delivery.state, DeliveryEvent::kResend);
    if (!next) return {};
    const std::string reason = "restored, and its mail is gone from the account";
    unlink(of->now, reason);
    Delivery delivery = of->now.delivery;
    delivery.state = *next;
    delivery.attempts = 0;
    delivery.message_id = resent_message_id(delivery.message_id);
    delivery.queued_at = delivery.next_attempt = now_;
    change_delivery(sql_, of->now, delivery, now_, reason);
    of->now.delivery = std::move(delivery);
    return {};
}

void SyncWriter::write_state(const std::optional<SyncState>& state) {
    if (!state && hold_.empty()) return;
    const SyncState old = read_sync_state(sql_, mailbox_).value_or(SyncState{});
    SyncState next = state.value_or(old);
    // A release that the pass could not know of is the next pass's business: what a person has
    // asked for must not be lost to a decision that was taken before.
    const bool release_waits =
        state ? state->releases != old.releases : old.released || old.released_keep;
    if (release_waits) {
        next.hold = old.hold;
        next.released = old.released;
        next.released_keep = old.released_keep;
    } else if (!hold_.empty()) {
        next.hold = hold_;
        next.released = next.released_keep = false;
    }
    next.releases = old.releases;
    if (next.was_on && !old.on) next.on = false;
    write_sync_state(sql_, mailbox_, next);
    if (state) write_folders(sql_, mailbox_, old.folders, state->folders);
}

}  // namespace vm::store
