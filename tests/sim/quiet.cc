// What must hold when nothing more happens, the servers are well and the agent has had its time.
#include "model.h"

#include <filesystem>

namespace vm::sim {

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

// Only one side's change is that side's; of two, which came first is not always known.
template <class Value>
bool may_be(const Shared<Value>& shared, const Value& value) {
    if (!shared.phone && !shared.mail) return value == shared.agreed;
    return (shared.phone && value == *shared.phone) || (shared.mail && value == *shared.mail);
}

}  // namespace

void Model::check_in_step(unsigned number) {
    if (outside_.setting().drop) return;
    const Box& box = unit_.boxes().at(number);
    const auto records = unit_.store().list({box.number, std::nullopt, true});
    if (!records) return wrong("the store cannot be read: " + records.error().text());
    for (const MessageRecord& record : *records) {
        Truth* one = find(record.message.id);
        if (one == nullptr) return wrong("a message that nobody added: " + record.message.id);
        check_message(*one, record);
        check_winner(*one, record);
    }
}

void Model::check_message(Truth& one, const MessageRecord& record) {
    const Message& message = record.message;
    const auto live = mails(one, true);
    if (message.state == MessageState::kDeleted) {
        if (record.link)
            wrong(one.name + " is deleted and has a mail yet, in " + record.link->folder);
        if (one.mails == 1 && !one.copy_left && !live.empty())
            wrong(one.name + " is deleted on the phone, and its mail is live in " + live[0].folder);
        return;
    }
    if (!record.link) {
        if (!live.empty())
            wrong(one.name + " has a live mail in " + live[0].folder + " and is not linked to it");
        return;
    }
    const Box& box = unit_.boxes().at(one.box);
    const FakeMail* mail = nullptr;
    for (const Place& place : live)
        if (place.folder == record.link->folder && place.uid == record.link->uid) mail = place.mail;
    if (mail == nullptr)
        return wrong(one.name + " is linked to a mail that is not there: " + record.link->folder +
                     ", UID " + std::to_string(record.link->uid));
    if (((mail->flags & VM_FLAG_SEEN) != 0) != (message.state == MessageState::kRead))
        wrong(one.name + " is " + to_string(message.state) + ", and its mail is not");
    if (((mail->flags & VM_FLAG_FLAGGED) != 0) != message.urgent)
        wrong(one.name + " and its mail are not both urgent, or not");
    if (box.options->sync_mode == config::SyncMode::kAllFolders &&
        message.folder != record.link->folder)
        wrong(one.name + " is in " + message.folder + ", and its mail in " + record.link->folder);
}

// Whose change it is that holds, where that is known.
void Model::check_winner(Truth& one, const MessageRecord& record) {
    if (!one.in_step || one.muddled || one.mails != 1) return;
    const Message& message = record.message;
    const auto live = mails(one, true);
    const bool deleted = message.state == MessageState::kDeleted;
    if (one.phone_touched_deletion) {
        const bool brought_back =
            !live.empty() && outside_.truth(*live[0].mail).since >= one.phone_deleted_at;
        if (one.phone_deleted && !deleted && !brought_back)
            wrong(one.name + " was deleted on the phone, and is not");
        return;
    }
    if (live.empty() && !deleted && !one.lost_place)
        wrong(one.name + " is there, and its mail was deleted in the account");
    if (!live.empty() && deleted) wrong(one.name + " is deleted, and nobody has deleted it");
    if (deleted || live.empty()) return;
    if (!may_be(one.read, message.state == MessageState::kRead))
        wrong(one.name + " is " + to_string(message.state) + ", which nobody has made it");
    if (!may_be(one.flagged, message.urgent))
        wrong(one.name + (message.urgent ? " is urgent" : " is not urgent") +
              ", which nobody has made it");
    if (unit_.boxes().at(one.box).options->sync_mode == config::SyncMode::kAllFolders &&
        !may_be(one.filed, message.folder))
        wrong(one.name + " is in " + message.folder + ", where nobody has put it");
}

void Model::check_delivered(unsigned number) {
    const Box& box = unit_.boxes().at(number);
    const auto records = unit_.store().list({box.number, std::nullopt, true});
    if (!records) return wrong("the store cannot be read: " + records.error().text());
    for (const MessageRecord& record : *records) {
        Truth& one = *find(record.message.id);
        std::error_code missing;
        if (!std::filesystem::exists(unit_.media(record.message), missing))
            wrong(one.name + " has lost its recording");
        if (record.message.state == MessageState::kDeleted) continue;
        const std::string state = to_string(record.delivery.state);
        switch (record.delivery.state) {
            case DeliveryState::kSent:
                if (one.pushes.empty()) wrong(one.name + " is sent, and no server ever took it");
                break;
            case DeliveryState::kFailed:
                if (!one.may_fail &&
                    unit_.clock().now() - one.added < outside_.setting().timeout_min * kMinuteMs)
                    wrong(one.name + " has failed, and no server has refused it");
                break;
            case DeliveryState::kOff:
                if (!boxes[number].limited) wrong(one.name + " is off, and was to be sent");
                break;
            case DeliveryState::kUncertain:
                // One that is not to be sent any more stays what it is.
                if (boxes[number].limited) break;
                [[fallthrough]];
            default:
                wrong(one.name + " is " + state + " yet, though all is well");
        }
    }
}

void Model::new_epoch(unsigned number) {
    const Box& box = unit_.boxes().at(number);
    const auto records = unit_.store().list({box.number, std::nullopt, true});
    if (!records) return wrong("the store cannot be read: " + records.error().text());
    for (const MessageRecord& record : *records) {
        Truth& one = *find(record.message.id);
        const Message& message = record.message;
        one.mails = 0;
        for (unsigned i = 0; i < Outside::kAccounts; ++i)
            one.mails += static_cast<unsigned>(outside_.account(i).places(one.id).size());
        one.copy_left = message.state == MessageState::kDeleted && one.mails > 0;
        one.in_step = message.state != MessageState::kDeleted && record.link &&
                      mails(one, true).size() == 1 && one.mails == 1;
        one.muddled = one.lost_place = one.phone_touched_deletion = false;
        one.mail_deleted_at = 0;
        one.read.agree(message.state == MessageState::kRead);
        one.flagged.agree(message.urgent);
        one.filed.agree(message.folder);
    }
}

}  // namespace vm::sim
