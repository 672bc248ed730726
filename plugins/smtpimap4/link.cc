#include "smtpimap4/link.h"

#include "common/login.h"
#include "smtpimap4/imap_handshake.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

// More than any account has: looking each up costs the square.
constexpr std::size_t kMostFolders = 5000;

// Takes the part of the untagged responses that is of type Data.
template <class Data, class Function>
Dialogue::Answer each(Function function) {
    return [function](const Response& response) {
        const auto* data = std::get_if<Data>(&response);
        if (data == nullptr) return false;
        function(*data);
        return true;
    };
}

FolderState state_of(const StatusData& data) {
    return {data.uidvalidity.value_or(0), data.uid_next.value_or(0), data.messages.value_or(0),
            data.modseq};
}

bool has(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// The part of a name that tells its use: where all folders are below INBOX, the part behind it.
std::string_view top_level(std::string_view shown) {
    constexpr std::string_view kBelowInbox = "INBOX/";
    if (shown.starts_with(kBelowInbox)) shown.remove_prefix(kBelowInbox.size());
    return shown;
}

// What untagged OK responses say of the folder that is being selected.
void read_code(const Condition& condition, FolderState& state) {
    const std::string_view value = condition.arguments;
    if (condition.code == "UIDVALIDITY") state.uidvalidity = parse_number(value).value_or(0);
    if (condition.code == "UIDNEXT") state.uid_next = parse_number(value).value_or(0);
    if (condition.code == "HIGHESTMODSEQ") state.modseq = parse_modseq(value).value_or(0);
}

}  // namespace

// ---- connecting ----

std::unique_ptr<Link> Link::connect(const AccountOptions& options, const Host& host,
                                    Counters& counters) {
    ImapHandshake handshake;
    auto wire = log_in(options, {"imap", {}}, handshake, host, counters);
    if (!wire) throw Ended(std::move(wire.error()), false);
    std::unique_ptr<Link> link(new Link);
    link->dialogue_ = std::make_unique<Dialogue>(
        std::move(*wire), host, counters, std::min(options.reply_timeout, options.connect_timeout),
        [self = link.get()](const Response& response) { self->on_news(response); });
    link->set_capabilities(handshake.capabilities());
    link->introduce();
    link->dialogue_->set_reply_timeout(options.reply_timeout);
    return link;
}

bool Link::can(const char* capability) const {
    return has(capabilities_, capability);
}

void Link::set_capabilities(std::vector<std::string> names) {
    capabilities_ = std::move(names);
    if (!capabilities_.empty()) return;
    require(dialogue_->run("CAPABILITY", each<CapabilityData>([this](const CapabilityData& data) {
                               capabilities_ = data.names;
                           })),
            "CAPABILITY");
}

// Turns on what there is, asks how folders are named, says who we are.
void Link::introduce() {
    std::vector<Step> steps;
    if (can("ENABLE") && (can("QRESYNC") || can("CONDSTORE")))
        steps.push_back({can("QRESYNC") ? "ENABLE QRESYNC" : "ENABLE CONDSTORE",
                         each<EnabledData>([this](const EnabledData& data) {
                             qresync_ = qresync_ || has(data.names, "QRESYNC");
                         })});
    NamespaceData spaces;
    if (can("NAMESPACE"))
        steps.push_back(
            {"NAMESPACE", each<NamespaceData>([&](const NamespaceData& data) { spaces = data; })});
    else
        steps.push_back({R"(LIST "" "")", each<ListData>([&](const ListData& data) {
                             spaces.personal = {{"", data.delimiter}};
                         })});
    if (can("ID")) steps.push_back({R"(ID ("name" "vmemail"))", {}});
    // A NO to any of them only means doing without.
    dialogue_->run(steps);
    set_namespace(spaces);
}

void Link::set_namespace(const NamespaceData& spaces) {
    if (!spaces.personal.empty())
        names_ = FolderNames(spaces.personal.front().prefix, spaces.personal.front().delimiter);
    for (const NamespaceData::Space& space : spaces.foreign)
        if (!space.prefix.empty() && space.prefix != names_.prefix())
            foreign_.push_back(space.prefix);
}

std::uint32_t Link::features() const {
    std::uint32_t out = 0;
    const auto set = [&](bool on, std::uint32_t feature) { out |= on ? feature : 0; };
    set(can("IDLE"), VM_FEATURE_IDLE);
    set(condstore(), VM_FEATURE_CONDSTORE);
    set(qresync_, VM_FEATURE_QRESYNC);
    set(may_notify() && can("IDLE"), VM_FEATURE_NOTIFY);
    set(can("MOVE"), VM_FEATURE_MOVE);
    set(can("UIDPLUS"), VM_FEATURE_UIDPLUS);
    return out;
}

// ---- names ----

std::string Link::to_server(std::string_view shown) const {
    auto name = names_.to_server(shown);
    if (!name) give_up(VM_CAUSE_CONFIG, "no folder name: " + one_line(shown));
    return std::move(*name);
}

std::string Link::to_host(const std::string& name) const {
    return names_.from_server(name).value_or(name);
}

bool Link::foreign(const std::string& name) const {
    return std::any_of(foreign_.begin(), foreign_.end(), [&](const std::string& prefix) {
        // The prefix ends with the delimiter, which the folder at its root does not have.
        return name.starts_with(prefix) || name == prefix.substr(0, prefix.size() - 1);
    });
}

// ---- the selected folder ----

// Something the server says unasked.
void Link::on_news(const Response& response) {
    if (const auto* status = std::get_if<StatusData>(&response)) {
        if (!selected(status->name)) elsewhere_ = true;
        return;
    }
    if (std::holds_alternative<ListData>(response)) elsewhere_ = true;
    if (const auto* condition = std::get_if<Condition>(&response)) {
        // The server tells of other folders no more (RFC 5465 section 5.8).
        if (condition->code == "NOTIFICATIONOVERFLOW") {
            notifying_ = false;
            elsewhere_ = true;
        }
        return;
    }
    if (!selection_) return;
    if (const auto* exists = std::get_if<ExistsData>(&response)) {
        // (Some servers repeat it. What left meanwhile and what came may make the same number.)
        selection_->changed |= selection_->exists != exists->messages;
        selection_->exists = exists->messages;
        return;
    }
    if (std::holds_alternative<VanishedData>(response) ||
        std::holds_alternative<ExpungeData>(response)) {
        selection_->changed = true;
        selection_->exists.reset();
    }
    if (std::holds_alternative<FetchData>(response) || std::holds_alternative<RecentData>(response))
        selection_->changed = true;
}

const Selection& Link::select(const std::string& name, const std::string& parameters,
                              const Answer& answer) {
    // What comes before CLOSED is still of the folder that was selected (RFC 7162 section 3.2.11).
    bool closed = !selection_ || !qresync_;
    selection_.reset();
    Selection fresh{name, {}, false, {}};
    const Condition done =
        dialogue_->run("SELECT " + quoted(name) + parameters, [&](const Response& response) {
            if (const auto* condition = std::get_if<Condition>(&response)) {
                closed = closed || condition->code == "CLOSED";
                read_code(*condition, fresh.state);
            } else if (const auto* exists = std::get_if<ExistsData>(&response)) {
                fresh.state.messages = exists->messages;
            } else if (std::holds_alternative<StatusData>(response) ||
                       std::holds_alternative<ListData>(response)) {
                return false;
            } else if (closed && answer) {
                answer(response);
            }
            return true;
        });
    require(done, "SELECT " + to_host(name));
    if (fresh.state.uidvalidity == 0)
        give_up(VM_CAUSE_PROTOCOL, "SELECT " + to_host(name) + ": the server gives no UIDVALIDITY");
    fresh.exists = fresh.state.messages;
    selection_ = std::move(fresh);
    return *selection_;
}

// ---- folders ----

std::string Link::status_items() const {
    return std::string("(MESSAGES UIDNEXT UIDVALIDITY") + (condstore() ? " HIGHESTMODSEQ)" : ")");
}

// Servers give the state of a selected folder as it was when they last spoke of it: asked to speak
// (NOOP), they tell what is new instead, and the state is not known until the folder is looked at.
void Link::mind_selected(const std::string& name, std::optional<FolderState>& state) const {
    if (!state || !selected(name) || !selection_->changed) return;
    state->uid_next = 0;
    state->modseq = 0;
}

std::vector<Dialogue::Step> Link::list_steps(const std::string& result,
                                             const Answer& answer) const {
    if (names_.prefix().empty()) return {{"LIST \"\" \"*\"" + result, answer}};
    return {{"LIST \"\" INBOX" + result, answer},
            {"LIST \"\" " + quoted(names_.prefix() + "*") + result, answer}};
}

std::vector<Listed> Link::list(bool states) {
    std::string result;
    if (can("SPECIAL-USE") && (can("LIST-EXTENDED") || can("LIST-STATUS"))) result = "SPECIAL-USE";
    if (states && can("LIST-STATUS"))
        result += (result.empty() ? "STATUS " : " STATUS ") + status_items();
    if (!result.empty()) result = " RETURN (" + result + ")";
    std::vector<Listed> out;
    bool too_many = false;
    const auto find = [&](const std::string& name) {
        return std::find_if(out.begin(), out.end(),
                            [&](const Listed& folder) { return same_mailbox(folder.name, name); });
    };
    const auto add = [&](const ListData& data) {
        if (find(data.name) != out.end() || data.name.empty() || foreign(data.name)) return;
        too_many |= out.size() >= kMostFolders;
        if (too_many) return;
        out.push_back({data.name, names_.from_server(data.name), true, 0, 0, 0, {}});
        out.back().selectable =
            !has(data.attributes, "NOSELECT") && !has(data.attributes, "NONEXISTENT");
        for (const std::string& attribute : data.attributes)
            out.back().declared |= use_of_attribute(attribute);
    };
    const Answer answer = [&](const Response& response) {
        if (const auto* data = std::get_if<ListData>(&response)) {
            add(*data);
            return true;
        }
        const auto* status = std::get_if<StatusData>(&response);
        const auto folder = status == nullptr ? out.end() : find(status->name);
        return folder != out.end() && take_state(response, folder->name, folder->state);
    };
    std::vector<Step> steps = list_steps(result, answer);
    if (states && selection_) steps.push_back({"NOOP", {}});
    for (const Condition& done : dialogue_->run(steps)) require(done, "LIST");
    if (too_many)
        give_up(VM_CAUSE_PROTOCOL, "LIST: more than " + std::to_string(kMostFolders) + " folders");
    if (find("INBOX") == out.end())  // every account has it
        give_up(VM_CAUSE_PROTOCOL, "LIST: the server does not name INBOX");
    for (Listed& folder : out) mind_selected(folder.name, folder.state);
    mark_uses(out);
    const auto trash = std::find_if(out.begin(), out.end(), [](const Listed& folder) {
        return folder.selectable && folder.shown && (folder.use & VM_USE_TRASH) != 0;
    });
    trash_ = trash == out.end() ? std::nullopt : std::optional(trash->name);
    listed_ = out;
    return out;
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
        steps.push_back({"STATUS " + quoted(names[i]) + " " + status_items(),
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
    std::vector<Step> steps{
        {"STATUS " + quoted(name) + " " + status_items(),
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
                                                 !has(data.attributes, "NOSELECT") &&
                                                 !has(data.attributes, "NONEXISTENT"));
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
