#include "smtpimap4/link.h"

#include "common/login.h"
#include "smtpimap4/quick_login.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

bool has(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
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
    auto quick = quick_log_in(options, handshake, host, counters);
    auto wire =
        quick ? std::move(*quick) : log_in(options, {"imap", {}}, handshake, host, counters);
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

bool Link::condstore() const {
    return can("CONDSTORE") || can("QRESYNC");
}

bool Link::qresync() {
    introduced();
    return qresync_;
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

// Turns on what there is, asks how folders are named, says who we are. All of it goes with the
// first command that needs none of the answers, see introduced().
void Link::introduce() {
    std::vector<Step> steps;
    if (can("ENABLE") && (can("QRESYNC") || can("CONDSTORE")))
        steps.push_back({can("QRESYNC") ? "ENABLE QRESYNC" : "ENABLE CONDSTORE",
                         each<EnabledData>([this](const EnabledData& data) {
                             qresync_ = qresync_ || has(data.names, "QRESYNC");
                         })});
    if (can("NAMESPACE"))
        steps.push_back({"NAMESPACE", each<NamespaceData>([this](const NamespaceData& data) {
                             set_namespace(data);
                         })});
    else
        steps.push_back({R"(LIST "" "")", each<ListData>([this](const ListData& data) {
                             NamespaceData spaces;
                             spaces.personal = {{"", data.delimiter}};
                             set_namespace(spaces);
                         })});
    if (can("ID")) steps.push_back({R"(ID ("name" "vmemail"))", {}});
    // A NO to any of them only means doing without.
    dialogue_->precede(std::move(steps));
    // (Its answer would be mixed up with that to another LIST.)
    if (!can("NAMESPACE")) introduced();
}

void Link::introduced() {
    if (dialogue_->precedes()) dialogue_->run(std::vector<Step>());
}

void Link::set_namespace(const NamespaceData& spaces) {
    named_ = true;
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

std::string Link::to_server(std::string_view shown) {
    if (shown != "INBOX") introduced();
    auto name = names_.to_server(shown);
    if (!name) give_up(VM_CAUSE_CONFIG, "no folder name: " + one_line(shown));
    return std::move(*name);
}

std::string Link::to_host(const std::string& name) {
    if (!same_mailbox(name, "INBOX")) introduced();
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
        if (!selected(status->name)) ++elsewhere_;
        return;
    }
    if (std::holds_alternative<ListData>(response)) ++elsewhere_;
    if (const auto* condition = std::get_if<Condition>(&response)) {
        // The server tells of other folders no more (RFC 5465 section 5.8).
        if (condition->code == "NOTIFICATIONOVERFLOW") {
            notifying_ = false;
            ++elsewhere_;
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

}  // namespace vm::plug::imap
