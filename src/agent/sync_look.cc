#include "agent/sync_pass.h"
#include "base/trace.h"

#include <algorithm>

namespace vm::agent {

namespace {

// Of many mails that nobody has read, the newest are taken: at the first look, and later.
constexpr std::ptrdiff_t kMostAtFirst = 100;
constexpr std::ptrdiff_t kMostNewMails = 1000;
// How often a mail that is moved on while it is looked for is followed in one pass.
constexpr int kMostMoves = 4;

bool is_email(const SyncMessage& message) {
    return message.record.message.kind == MessageKind::kEmail;
}

transport::AccountScope scope_of(const config::MailboxOptions& mailbox, bool read_only,
                                 bool behind_look) {
    transport::AccountScope out;
    out.folder = kVmFolder;
    out.behind_look = behind_look;
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

}  // namespace

// What the server names of the scope. A folder that was there the last time and is not named is
// asked for once more: as with a mail, two answers have to agree.
bool Pass::list(bool read_only, bool behind_look) {
    if (!list_once(read_only, behind_look)) return false;
    const auto is_listed = [&](const FolderState& state) {
        return std::any_of(listed_.begin(), listed_.end(),
                           [&](const FolderState& folder) { return folder.name == state.name; });
    };
    return std::all_of(state_.folders.begin(), state_.folders.end(), is_listed) ||
           list_once(read_only, false);
}

bool Pass::list_once(bool read_only, bool behind_look) {
    auto folders = context_.account.folders(scope_of(context_.mailbox, read_only, behind_look));
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
bool Pass::nothing_new() {
    if (loaded_ || unit_changed_ || every_ || state_changed_ || state_.released ||
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
    // With g_bUseTTS off they are left as they are, at both ends.
    if (!reads_mail()) std::erase_if(messages_, is_email);
    loaded_ = true;
    by_id_.clear();
    emails_.clear();
    email_places_.clear();
    own_.clear();
    touched_.clear();
    for (std::size_t i = 0; i < messages_.size(); ++i) {
        const MessageRecord& record = messages_[i].record;
        by_id_.emplace(record.message.id, i);
        if (record.message.kind == MessageKind::kEmail)
            for (const MailCopy& copy : messages_[i].copies)
                email_places_.emplace(copy.place, record.message.id);
        if (record.message.kind == MessageKind::kEmail && !record.delivery.message_id.empty())
            emails_.emplace(record.delivery.message_id, record.message.id);
        else if (!record.delivery.message_id.empty())
            own_.insert(record.delivery.message_id);
    }
    return true;
}

// What is remembered of folders that are not what they were is worth nothing.
void Pass::forget_stale() {
    scope_ = {};
    scope_.replaced = state_.account != account_text();
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
                   now->second != copy.place.uidvalidity || copy.place.uid == 0;
        };
        for (const MailCopy& copy : one.copies) {
            if (!stale(copy)) continue;
            note_known(id, copy, !scope_.replaced);
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
    const auto as_before = [this](const FolderState& folder) {
        const FolderState* before = known(folder.name);
        return before != nullptr && *before == folder;
    };
    for (auto folder = listed_.begin(); folder != listed_.end(); ++folder) {
        const bool last = std::all_of(std::next(folder), listed_.end(), as_before);
        if (look_at(*folder, last && context_.mailbox.sync_mode == config::SyncMode::kAllFolders))
            continue;
        for (; folder != listed_.end(); ++folder) refused_looks_.insert(folder->name);
        return false;
    }
    return take_found() && look_for_moved();
}

// A mail that was moved from a folder that was looked at into one that was not yet is seen in both.
// So of a message that is seen in several folders, and was not before, all of them are looked at
// once more: a mail that is there still was copied.
bool Pass::look_for_moved() {
    const auto found_places = [this] {
        std::set<Link> out;
        for (const auto& [found, place] : found_) out.insert(place);
        return out;
    };
    for (int i = 0; i < kMostMoves; ++i) {
        const std::set<std::string> again = folders_to_look_at_again();
        const std::set<Link> before = found_places();
        for (const FolderState& folder : listed_) {
            if (!again.contains(folder.name)) continue;
            set_modseq(folder.name, 0);
            if (!look_at(folder, false)) return false;
        }
        if (found_places() == before) return true;
        if (!take_found()) return false;
    }
    return true;
}

std::set<std::string> Pass::folders_to_look_at_again() const {
    std::set<std::string> out;
    for (const SyncMessage& one : messages_) {
        std::set<std::string> seen_in;
        for (const MailCopy& copy : one.copies)
            if ((copy.fresh || (one.agreed && copy.place == one.agreed->link)) &&
                !refused_looks_.contains(copy.place.folder))
                seen_in.insert(copy.place.folder);
        if (seen_in.size() > 1) out.merge(seen_in);
    }
    return out;
}

// Mails that say to be of a message the unit has. One that was not there when the messages were
// read may have been added and delivered since: nobody would look at its UID again.
bool Pass::take_found() {
    const auto is_unknown = [&](const auto& found) {
        return !found.first.id.empty() && message(found.first.id) == nullptr;
    };
    if (std::any_of(found_.begin(), found_.end(), is_unknown)) {
        auto messages = context_.store.sync_messages(mailbox_);
        if (!messages) {
            result_.store_error = messages.error();
            return false;
        }
        if (!reads_mail()) std::erase_if(*messages, is_email);
        for (SyncMessage& one : *messages)
            if (by_id_.emplace(one.record.message.id, messages_.size()).second)
                messages_.push_back(std::move(one));
    }
    new_mails_.clear();
    same_message_id_.clear();
    for (const auto& [found, place] : found_)
        if (found.id.empty()) ++same_message_id_[found.message_id];
    for (auto& [found, place] : found_) {
        if (found.id.empty() && !recognise(found, place)) {
            // (One that is told for what it says alone, elsewhere than in INBOX, is none of ours.)
            if (place.folder == kInboxFolder && !found.flags.seen && !found.flags.deleted)
                new_mails_.push_back({place, found.message_id, 0});
            continue;
        }
        SyncMessage* one = message(found.id);
        if (one == nullptr) continue;  // another mailbox's, or long gone
        const auto same = [&place = place](const MailCopy& copy) { return copy.place == place; };
        if (std::any_of(one->copies.begin(), one->copies.end(), same)) continue;
        const bool fresh = !was_there(found, place);
        one->copies.push_back({place, found.flags, fresh});
        touched_.insert(found.id);
    }
    // (They came in the order of their UIDs.)
    const std::ptrdiff_t most = first_ ? kMostAtFirst : kMostNewMails;
    if (std::ssize(new_mails_) > most)
        new_mails_.erase(new_mails_.begin(), new_mails_.end() - most);
    return true;
}

// `same_uids`: as long as the folder's UIDVALIDITY is the same, so are they.
void Pass::note_known(const std::string& id, const MailCopy& copy, bool same_uids) {
    MailCopy& noted = known_before_[{id, copy.place.folder}].emplace_back(copy);
    if (!same_uids) noted.place.uidvalidity = 0;
}

// Whether a mail that was found may be one that was known to be there, or even is.
bool Pass::was_there(const FoundMail& found, const Link& place) const {
    const auto known = known_before_.find({found.id, place.folder});
    if (known == known_before_.end()) return false;
    return std::any_of(known->second.begin(), known->second.end(), [&](const MailCopy& copy) {
        // (One whose \Deleted was cleared since is back.)
        const bool cleared = copy.flags.deleted && !found.flags.deleted;
        const bool another =
            copy.place.uidvalidity == place.uidvalidity && copy.place.uid != place.uid;
        return !cleared && !another;
    });
}

// Whether somebody else's mail is the one that is a message already: it lies where that one's lay.
// Others may use a Message-ID again: by it only a message without a mail finds one, and only where
// a single one has it.
bool Pass::recognise(FoundMail& found, const Link& place) {
    if (const auto there = email_places_.find(place); there != email_places_.end()) {
        // (In another account the same place is another mail's.)
        const SyncMessage* one = message(there->second);
        if (one != nullptr && one->record.delivery.message_id == found.message_id) {
            found.id = there->second;
            return true;
        }
    }
    const auto known = emails_.find(found.message_id);
    if (known == emails_.end() || same_message_id_[found.message_id] != 1) return false;
    const SyncMessage* one = message(known->second);
    if (one == nullptr || !one->copies.empty()) return false;
    // What was deleted at the phone before all was looked at anew has not come back since.
    if (first_ && one->record.message.state == MessageState::kDeleted) return false;
    found.id = known->second;
    return true;
}

// Whether somebody else's mail matters: one that is a message already, or is to become one.
bool Pass::wants(const FoundMail& mail, const std::string& folder) const {
    if (emails_.count(mail.message_id) > 0) return true;
    // (A mail of ours that has lost its id on the way is none of others.)
    return own_.count(mail.message_id) == 0 && folder == kInboxFolder && !mail.flags.seen &&
           !mail.flags.deleted;
}

void Pass::set_modseq(const std::string& folder, std::uint64_t modseq) {
    FolderState* state = known(folder);
    if (state == nullptr || state->modseq == modseq) return;
    state->modseq = modseq;
    state_changed_ = true;
}

// False: the pass cannot go on. A folder that refuses leaves the listing incomplete.
// `last`: no other is looked at after it.
bool Pass::look_at(const FolderState& listed, bool last) {
    transport::FolderLook look;
    look.then_folders = last;  // see something_came()
    look.since.name = listed.name;
    look.every = every_;
    if (reads_mail()) look.others = [&](const FoundMail& mail) { return wants(mail, listed.name); };
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
        // (A mod-sequence that is not known now: a look makes it known, once a connection.)
        const bool no_matter = look.uids.empty() && (listed.modseq != 0 || before->modseq == 0);
        if (same_messages && (same_flags || no_matter)) {
            set_modseq(listed.name, listed.modseq);
            return true;
        }
    }
    auto news = context_.account.look(look);
    if (news) {
        take_news(listed, *news);
        if (!news->failure) return true;
        partly_ = true;
        fail_with(std::move(*news->failure));
        return false;
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
            if (anew) note_known(id, copy, false);
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
    std::erase_if(found_, [&](const auto& found) {
        return found.second.folder == listed.name && (anew || gone.contains(found.second.uid));
    });
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

}  // namespace vm::agent
