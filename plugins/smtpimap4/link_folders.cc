// The folders of an account: Link's lists, states, creation, and what folders are for.
#include "smtpimap4/link.h"

#include <algorithm>
#include <utility>

namespace vm::plug::imap {

namespace {

// More than any account has: looking each up costs the square.
constexpr std::size_t kMostFolders = 5000;

FolderState state_of(const StatusData& data) {
    return {data.uidvalidity.value_or(0), data.uid_next.value_or(0), data.messages.value_or(0),
            data.modseq};
}

// The part of a name that tells its use: where all folders are below INBOX, the part behind it.
std::string_view top_level(std::string_view shown) {
    constexpr std::string_view kBelowInbox = "INBOX/";
    if (shown.starts_with(kBelowInbox)) shown.remove_prefix(kBelowInbox.size());
    return shown;
}

}  // namespace

std::string Link::status_items(bool condstore) {
    return std::string("(MESSAGES UIDNEXT UIDVALIDITY") + (condstore ? " HIGHESTMODSEQ)" : ")");
}

// Servers give the state of a selected folder as it was when they last spoke of it: asked to speak
// (NOOP), they tell what is new instead, and the state is not known until the folder is looked at.
void Link::mind_selected(const std::string& name, std::optional<FolderState>& state) const {
    if (!state || !selected(name) || !selection_->changed) return;
    state->uid_next = 0;
    state->modseq = 0;
}

// What a list that is under way has brought so far.
struct Link::Asked {
    std::vector<Listed> folders;
    bool too_many = false;
    bool states = false;
    bool unnamed = false;    // names were taken before it was known how they are spelled
    unsigned elsewhere = 0;  // as of the asking
    unsigned sent = 0;       // commands, as of the answer

    auto find(const std::string& name) {
        return std::find_if(folders.begin(), folders.end(),
                            [&](const Listed& folder) { return same_mailbox(folder.name, name); });
    }
};

void Link::add(const ListData& data, Asked& asked) const {
    if (asked.find(data.name) != asked.folders.end() || data.name.empty() || foreign(data.name))
        return;
    asked.too_many |= asked.folders.size() >= kMostFolders;
    if (asked.too_many) return;
    Listed& folder = asked.folders.emplace_back();
    asked.unnamed |= !named_;
    folder.name = data.name;
    folder.shown = names_.from_server(data.name);
    folder.selectable = !data.has("NOSELECT") && !data.has("NONEXISTENT");
    for (const std::string& attribute : data.attributes)
        folder.declared |= use_of_attribute(attribute);
}

std::shared_ptr<Link::Asked> Link::ask_for_list(bool states, std::vector<Step>& steps) {
    auto asked = std::make_shared<Asked>();
    asked->states = states;
    asked->elsewhere = elsewhere_;
    std::string result;
    if (can("SPECIAL-USE") && (can("LIST-EXTENDED") || can("LIST-STATUS"))) result = "SPECIAL-USE";
    if (states && can("LIST-STATUS"))
        result += (result.empty() ? "STATUS " : " STATUS ") + status_items(condstore());
    if (!result.empty()) result = " RETURN (" + result + ")";
    const Answer answer = [this, asked](const Response& response) {
        if (const auto* data = std::get_if<ListData>(&response)) {
            add(*data, *asked);
            return true;
        }
        const auto* status = std::get_if<StatusData>(&response);
        const auto folder = status == nullptr ? asked->folders.end() : asked->find(status->name);
        return folder != asked->folders.end() && take_state(response, folder->name, folder->state);
    };
    if (names_.prefix().empty()) {
        steps.push_back({"LIST \"\" \"*\"" + result, answer});
    } else {
        steps.push_back({"LIST \"\" INBOX" + result, answer});
        steps.push_back({"LIST \"\" " + quoted(names_.prefix() + "*") + result, answer});
    }
    if (states && selection_) steps.push_back({"NOOP", {}});
    return asked;
}

// When all that was to be sent has been answered.
std::vector<Listed> Link::take_list(Asked& asked) {
    if (asked.too_many)
        give_up(VM_CAUSE_PROTOCOL, "LIST: more than " + std::to_string(kMostFolders) + " folders");
    if (asked.find("INBOX") == asked.folders.end())  // every account has it
        give_up(VM_CAUSE_PROTOCOL, "LIST: the server does not name INBOX");
    if (asked.states) elsewhere_told_ = asked.elsewhere;
    for (Listed& folder : asked.folders) mind_selected(folder.name, folder.state);
    mark_uses(asked.folders);
    const auto trash =
        std::find_if(asked.folders.begin(), asked.folders.end(), [](const Listed& folder) {
            return folder.selectable && folder.shown && (folder.use & VM_USE_TRASH) != 0;
        });
    trash_ = trash == asked.folders.end() ? std::nullopt : std::optional(trash->name);
    listed_ = asked.folders;
    return listed_;
}

std::vector<Listed> Link::list(bool states) {
    // On a new connection: as if the account's folders had no prefix, which they seldom have.
    const bool guess = dialogue_->precedes();
    std::vector<Step> steps;
    const auto asked = ask_for_list(states, steps);
    const std::vector<Condition> all = dialogue_->run(steps);
    if (guess && (asked->unnamed || !names_.prefix().empty())) return list(states);
    for (const Condition& done : all) require(done, "LIST");
    return take_list(*asked);
}

std::vector<Condition> Link::run_and_list(std::vector<Step> steps) {
    const std::size_t own = steps.size();
    auto asked = ask_for_list(true, steps);
    std::vector<Condition> done = dialogue_->run(steps);
    const auto behind = done.begin() + static_cast<std::ptrdiff_t>(own);
    // (One that was refused is asked for again when it is wanted.)
    if (std::all_of(behind, done.end(),
                    [](const Condition& answer) { return answer.status == Status::kOk; })) {
        asked->sent = dialogue_->sent();
        behind_ = std::move(asked);
    }
    done.erase(behind, done.end());
    return done;
}

std::vector<Listed> Link::list_behind() {
    const auto asked = std::exchange(behind_, nullptr);
    return asked && asked->sent == dialogue_->sent() ? take_list(*asked) : list(true);
}

// By SPECIAL-USE; for a use that the server gives to no folder, by usual names.
void Link::mark_uses(std::vector<Listed>& folders) const {
    std::uint32_t said = 0;
    for (const Listed& folder : folders) said |= folder.declared;
    for (Listed& folder : folders) {
        folder.use = folder.declared;
        if (folder.shown) folder.use |= use_of_name(top_level(*folder.shown)) & ~said;
    }
    for (const Listed& above : folders) {
        const std::uint32_t inherited = above.use & (VM_USE_TRASH | VM_USE_JUNK);
        if (inherited == 0 || !above.shown) continue;
        for (Listed& folder : folders)
            if (folder.shown && folder.shown->starts_with(*above.shown + "/"))
                folder.inside |= inherited;
    }
}

bool Link::take_state(const Response& response, const std::string& name,
                      std::optional<FolderState>& out) {
    const auto* status = std::get_if<StatusData>(&response);
    if (status == nullptr || !same_mailbox(status->name, name)) return false;
    // (0 is what Dovecot says of a folder that is being made: it has no state yet.)
    if (status->uidvalidity.value_or(0) != 0) out = state_of(*status);
    return true;
}

std::vector<std::optional<FolderState>> Link::states(const std::vector<std::string>& names) {
    std::vector<std::optional<FolderState>> out(names.size());
    std::vector<Step> steps;
    for (std::size_t i = 0; i < names.size(); ++i)
        steps.push_back({"STATUS " + quoted(names[i]) + " " + status_items(condstore()),
                         [this, &names, &out, i](const Response& response) {
                             return take_state(response, names[i], out[i]);
                         }});
    std::vector<Condition> done = dialogue_->run(steps);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (done[i].status != Status::kOk) out[i].reset();
        mind_selected(names[i], out[i]);
    }
    return out;
}

Condition Link::state(const std::string& name, std::optional<FolderState>& out) {
    // (Once: it is as of the login.)
    const auto known = std::exchange(inbox_, std::nullopt);
    if (known && dialogue_->sent() == opened_ && same_mailbox(name, "INBOX")) {
        out = known;
        Condition done;
        done.status = Status::kOk;
        return done;
    }
    std::vector<Step> steps{
        {"STATUS " + quoted(name) + " " + status_items(condstore()),
         [&](const Response& response) { return take_state(response, name, out); }}};
    if (selection_) steps.push_back({"NOOP", {}});
    Condition done = dialogue_->run(steps).front();
    if (done.status != Status::kOk) out.reset();
    mind_selected(name, out);
    return done;
}

bool Link::exists(const std::string& name) {
    bool found = false;
    require(dialogue_->run("LIST \"\" " + quoted(name), each<ListData>([&](const ListData& data) {
                               found = found || (same_mailbox(data.name, name) &&
                                                 !data.has("NOSELECT") && !data.has("NONEXISTENT"));
                           })),
            "LIST " + to_host(name));
    return found;
}

void Link::create(const std::string& name) {
    require(try_create(name), "CREATE " + to_host(name));
}

Condition Link::try_create(const std::string& name) {
    Condition done =
        dialogue_->run({{"CREATE " + quoted(name), {}}, {"SUBSCRIBE " + quoted(name), {}}}).front();
    if (done.code == "ALREADYEXISTS") done.status = Status::kOk;
    return done;
}

bool Link::is_in_scope(const std::string& name) {
    if (same_mailbox(name, "INBOX")) return true;
    if (!trash_) list(false);
    std::vector<Listed> folders = listed_;
    const auto known = std::find_if(folders.begin(), folders.end(), [&](const Listed& folder) {
        return same_mailbox(folder.name, name);
    });
    if (known != folders.end()) return (known->use | known->inside) == 0;
    // As it would be listed when it was made.
    folders.push_back({name, names_.from_server(name), true, 0, 0, 0, {}});
    mark_uses(folders);
    return (folders.back().use | folders.back().inside) == 0;
}

std::optional<std::string> Link::trash() {
    if (!trash_) list(false);
    return *trash_;
}

std::string Link::make_trash() {
    if (const auto name = trash()) return *name;
    std::string name = to_server("Trash");
    create(name);
    trash_ = name;
    return name;
}

}  // namespace vm::plug::imap
