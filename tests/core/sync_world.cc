#include "sync_world.h"

#include <algorithm>
#include <utility>

namespace vm::testing {

namespace {

constexpr const char* kNames[] = {
    "hear",    "mark new", "urgent",        "not urgent",  "delete",          "restore",
    "folder",  "see",      "unsee",         "flag",        "unflag",          "mark deleted",
    "unmark",  "expunge",  "move",          "move out",    "move in",         "copy",
    "foreign", "renumber", "rename",        "drop folder", "deliver",         "pass",
    "partial", "crash",    "partial+crash", "release",     "release keeping", "rejoin"};

std::string text(const Link& place) {
    return place.folder + ":" + std::to_string(place.uidvalidity) + ":" + std::to_string(place.uid);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << kNames[static_cast<int>(step.doing)] << " " << step.message << " " << step.which
               << " " << step.where;
}
void showValue(const Step& step, std::ostream& out) {
    out << step;
}

SyncWorld::SyncWorld(unsigned messages, SyncPolicy rules) : policy(rules) {
    for (unsigned i = 0; i < messages; ++i) {
        UnitMessage& one = unit_.emplace_back();
        one.message.id = std::string(1, static_cast<char>('A' + i));
        one.on_its_way = true;
    }
    for (const std::string& folder : kFolders) account_[folder] = {next_uidvalidity_++, 1, {}};
    for (const std::string& folder : kOutside) account_[folder] = {next_uidvalidity_++, 1, {}};
}

bool SyncWorld::in_scope(const std::string& folder) {
    return folder != kOutside[0] && folder != kOutside[1];
}

void SyncWorld::wrong(const std::string& what) {
    story_.push_back("!! " + what);
    if (problem_.empty()) problem_ = what;
}

std::string SyncWorld::story() const {
    std::string out;
    for (const std::string& line : story_) out += line + "\n";
    return out;
}

SyncWorld::UnitMessage& SyncWorld::by_id(const std::string& id) {
    return unit_.at(static_cast<std::size_t>(id.at(0) - 'A'));
}

std::vector<Link> SyncWorld::places(const UnitMessage& message, bool scope) const {
    std::vector<Link> out;
    for (const auto& [name, folder] : account_)
        for (const auto& [uid, mail] : folder.mails)
            if (mail.id == message.message.id && in_scope(name) == scope)
                out.push_back({name, folder.uidvalidity, uid});
    return out;
}

std::vector<Link> SyncWorld::live(const UnitMessage& message) const {
    std::vector<Link> out = places(message, true);
    std::erase_if(out, [&](const Link& place) {
        return account_.at(place.folder).mails.at(place.uid).flags.deleted;
    });
    return out;
}

std::size_t SyncWorld::mails(const UnitMessage& message) const {
    return places(message, true).size() + places(message, false).size();
}

bool SyncWorld::knows(const UnitMessage& message, const Link& place) {
    return std::any_of(message.known.begin(), message.known.end(),
                       [&](const MailCopy& copy) { return copy.place == place; });
}

Link SyncWorld::put(const std::string& name, const Mail& mail) {
    if (account_.count(name) == 0) account_[name] = {next_uidvalidity_++, 1, {}};
    Folder& folder = account_.at(name);
    folder.mails[folder.next_uid] = mail;
    return {name, folder.uidvalidity, folder.next_uid++};
}

SyncWorld::Mail* SyncWorld::find(const Link& place) {
    const auto folder = account_.find(place.folder);
    if (folder == account_.end() || folder->second.uidvalidity != place.uidvalidity) return nullptr;
    const auto found = folder->second.mails.find(place.uid);
    return found == folder->second.mails.end() ? nullptr : &found->second;
}

std::optional<SyncWorld::Mail> SyncWorld::take(const Link& place) {
    const Mail* found = find(place);
    if (found == nullptr) return {};
    Mail mail = *found;
    account_.at(place.folder).mails.erase(place.uid);
    return mail;
}

// Somebody else's mails with their places and flags.
std::map<unsigned, std::string> SyncWorld::foreign() const {
    std::map<unsigned, std::string> out;
    for (const auto& [name, folder] : account_)
        for (const auto& [uid, mail] : folder.mails)
            if (mail.id.empty())
                out[mail.serial] = text({name, folder.uidvalidity, uid}) +
                                   (mail.flags.seen ? "S" : "") + (mail.flags.flagged ? "F" : "") +
                                   (mail.flags.deleted ? "D" : "");
    return out;
}

// ---- what others do --------------------------------------------------------------------------

void SyncWorld::run(const Step& step) {
    std::string line = kNames[static_cast<int>(step.doing)];
    if (step.doing < Doing::kForeign) line += " " + message(step.message).message.id;
    story_.push_back(line);
    Skipped skipped;
    if (step.doing == Doing::kPartialPass || step.doing == Doing::kWorstPass) {
        unsigned i = step.where;  // at least one
        skipped.insert(kFolders.at(i % kFolders.size()));
        if (step.which % 2 == 0) skipped.insert(kFolders.at((i + 1) % kFolders.size()));
    }
    switch (step.doing) {
        case Doing::kDeliver: {
            UnitMessage& one = message(step.message);
            if (!one.on_its_way) return;
            one.on_its_way = false;
            // A rule of the subscriber's may put it elsewhere.
            put(step.which % 2 == 0 ? "INBOX" : kFolders.at(step.where % kFolders.size()),
                {one.message.id, {}, next_serial_++});
            return;
        }
        case Doing::kPass:
        case Doing::kPartialPass:
            pass(skipped, {});
            return;
        case Doing::kCrashedPass:
        case Doing::kWorstPass:
            pass(skipped, step.message % 6);
            return;
        case Doing::kRelease:
        case Doing::kReleaseKeeping:
            if (!policy.on_hold) return;
            policy.on_hold = false;
            (step.doing == Doing::kRelease ? policy.released : policy.keep_missing) = true;
            return;
        case Doing::kRejoin:
            policy.rejoined = policy.keep_missing = true;
            return;
        default:
            break;
    }
    if (step.doing <= Doing::kToFolder)
        phone(step);
    else if (step.doing <= Doing::kForeign)
        subscriber(step);
    else
        folders(step);
}

void SyncWorld::phone(const Step& step) {
    UnitMessage& one = message(step.message);
    Message& message = one.message;
    if (step.doing == Doing::kRestore) {
        if (message.state != MessageState::kDeleted) return;
        message.state = one.before;
        one.phone_deleted = false;
        // What was deleted in the account before is settled, as far as the agent has seen it.
        if (one.agreed && one.agreed->gone) {
            one.mail_deleted = false;
            for (const Link& place : places(one, true))
                one.mail_deleted |= mail(place).flags.deleted && !knows(one, place);
        }
        return;
    }
    if (message.state == MessageState::kDeleted) return;
    switch (step.doing) {
        case Doing::kHear:
            message.state = MessageState::kRead;
            break;
        case Doing::kMarkNew:
            message.state = MessageState::kNew;
            break;
        case Doing::kUrgent:
        case Doing::kNotUrgent:
            message.urgent = step.doing == Doing::kUrgent;
            break;
        case Doing::kToFolder:
            message.folder = kFolders.at(step.where % kFolders.size());
            break;
        default:  // kDelete
            one.before = message.state;
            message.state = MessageState::kDeleted;
            one.phone_deleted = true;
    }
}

void SyncWorld::subscriber(const Step& step) {
    if (step.doing == Doing::kForeign) {
        put(kFolders.at(step.where % kFolders.size()), {"", {}, next_serial_++});
        return;
    }
    UnitMessage& one = message(step.message);
    const auto choice = places(one, step.doing != Doing::kMoveIn);
    if (choice.empty()) return;
    const Link place = choice.at(step.which % choice.size());
    story_.back() += " at " + text(place);
    MailFlags& flags = mail(place).flags;
    // What is marked as deleted arrives so wherever it is put.
    if (step.doing >= Doing::kMove) one.mail_deleted |= flags.deleted;
    // What is put elsewhere may be the one that was linked, for all the agent knows.
    if (step.doing >= Doing::kMove && step.doing != Doing::kCopy)
        one.others.erase(mail(place).serial);
    const std::string& folder = kFolders.at(step.where % kFolders.size());
    switch (step.doing) {
        case Doing::kSee:
        case Doing::kUnsee:
            flags.seen = step.doing == Doing::kSee;
            break;
        case Doing::kFlag:
        case Doing::kUnflag:
            flags.flagged = step.doing == Doing::kFlag;
            break;
        case Doing::kMarkDeleted:
            one.mail_deleted |= !flags.deleted;
            flags.deleted = true;
            break;
        case Doing::kUnmarkDeleted:
            flags.deleted = false;
            break;
        case Doing::kExpunge:
            one.mail_deleted = true;
            take(place);
            break;
        case Doing::kCopy: {
            Mail copy = mail(place);
            copy.serial = next_serial_++;
            put(folder, copy);
            break;
        }
        case Doing::kMoveOut:
            one.mail_deleted = true;
            put(kOutside.at(step.where % kOutside.size()), *take(place));
            break;
        default:  // kMove, kMoveIn
            if (folder != place.folder) put(folder, *take(place));
    }
}

void SyncWorld::folders(const Step& step) {
    const std::string& name = kFolders.at(step.where % kFolders.size());
    const auto found = account_.find(name);
    if (found == account_.end()) return;
    story_.back() += " " + name;
    if (step.doing == Doing::kDropFolder) {
        if (name == "INBOX") return;
        // What was moved there and not seen there since is gone from where it is thought to be.
        for (UnitMessage& one : unit_)
            for (const Link& place : places(one, true))
                one.mail_deleted |= place.folder == name && one.agreed && one.agreed->link != place;
        account_.erase(found);
        return;
    }
    // Nobody can tell any more which of several is which.
    for (UnitMessage& one : unit_)
        for (const auto& [uid, mail] : found->second.mails) one.others.erase(mail.serial);
    if (step.doing == Doing::kRename) {
        const std::string& to = kFolders.at((step.where + 1) % kFolders.size());
        if (name == "INBOX" || account_.count(to) > 0) return;
        // A copy that was marked before and is not linked: under a new name it looks like one that
        // was marked just now.
        for (UnitMessage& one : unit_)
            for (const Link& place : places(one, true))
                one.mail_deleted |= place.folder == name && mail(place).flags.deleted;
        story_.back() += " to " + to;
        account_[to] = found->second;
        account_.erase(name);
        if (step.which % 2 == 0) return;  // its UIDVALIDITY is another one, or not
        account_.at(to).uidvalidity = next_uidvalidity_++;
        return;
    }
    Folder after{next_uidvalidity_++, 1, {}};
    for (const auto& [uid, mail] : found->second.mails) after.mails[after.next_uid++] = mail;
    found->second = after;
}

// ---- the end -----------------------------------------------------------------------------------

int SyncWorld::settle(bool keeping, int most) {
    story_.push_back("settle");
    int passes = 0;
    for (bool held = true; held;) {
        held = false;
        for (passes = 0; problem_.empty(); ++passes) {
            for (UnitMessage& one : unit_)
                if (std::exchange(one.on_its_way, false))
                    put("INBOX", {one.message.id, {}, next_serial_++});
            const bool again = policy.on_hold;
            if (pass({}, {}) == 0) break;
            if (policy.on_hold && !again) held = true;
            if (passes >= most) wrong("it does not settle");
        }
        if (policy.on_hold && problem_.empty()) {
            run({keeping ? Doing::kReleaseKeeping : Doing::kRelease, 0, 0, 0});
            held = true;
        }
    }
    if (problem_.empty()) check_settled();
    return passes;
}

void SyncWorld::check_settled() {
    // Nor does it depend on the order of what it is told.
    SyncScope scope;
    auto messages = look({}, scope);
    std::reverse(messages.begin(), messages.end());
    for (SyncMessage& message : messages)
        std::reverse(message.copies.begin(), message.copies.end());
    if (!decide_sync(messages, scope, policy).empty()) wrong("another order, another decision");

    for (const UnitMessage& one : unit_) {
        const Message& message = one.message;
        const bool deleted = message.state == MessageState::kDeleted;
        const auto there = live(one);
        const std::string id = message.id + ": ";
        if (!one.agreed) {
            if (!there.empty()) wrong(id + "its mail is there and not linked");
            continue;
        }
        if (one.agreed->gone != deleted) wrong(id + "deleted on one side");
        if (deleted) continue;
        const Link& place = one.agreed->link;
        if (std::find(there.begin(), there.end(), place) == there.end()) {
            wrong(id + "linked to what is not there");
            continue;
        }
        const MailFlags& flags = mail(place).flags;
        if (flags.seen != (message.state == MessageState::kRead)) wrong(id + "\\Seen");
        if (flags.flagged != message.urgent) wrong(id + "\\Flagged");
        if (policy.folders && place.folder != message.folder) wrong(id + "the folder");
    }
}

}  // namespace vm::testing
