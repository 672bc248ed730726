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

// A server that has let us in goes on at once; only what drops the rest of a flight needs longer.
constexpr std::chrono::seconds kOpeningPatience{10};

Dialogue::Step identify() {
    return {R"(ID ("name" "vmemail"))", {}};
}

}  // namespace

// ---- connecting ----

std::unique_ptr<Link> Link::connect(const AccountOptions& options, bool inbox_wanted,
                                    const Host& host, Counters& counters) {
    for (int tries = 0; tries < 2; ++tries) {
        std::unique_ptr<Link> link(new Link);
        if (link->connect_once(options, inbox_wanted, host, counters)) return link;
        host.trace("-- ", "the server does not go on with what came with the login");
        send_no_opening(options);
    }
    give_up(VM_CAUSE_PROTOCOL, "the server does not go on behind the login");
}

// False: that is what the opening did, see send_no_opening().
bool Link::connect_once(const AccountOptions& options, bool inbox_wanted, const Host& host,
                        Counters& counters) {
    ImapHandshake handshake;
    std::vector<Step> steps;
    const Opening opening_text = [&](const std::vector<std::string>& can) {
        steps = opening(can, inbox_wanted);
        return Dialogue::text_of(steps);
    };
    auto login = quick_log_in(options, opening_text, handshake, host, counters);
    if (!login) {
        auto wire = log_in(options, {"imap", {}}, handshake, host, counters);
        if (!wire) throw Ended(std::move(wire.error()), false);
        login.emplace(QuickLink{std::move(*wire), {}, false});
    }
    if (!*login) throw Ended(std::move(login->error()), false);
    QuickLink& open = **login;
    dialogue_ =
        std::make_unique<Dialogue>(std::move(open.wire), std::move(open.received), host, counters,
                                   std::min(options.reply_timeout, options.connect_timeout),
                                   [this](const Response& response) { on_news(response); });
    if (open.opened && !take_opening(steps, options)) return false;
    set_capabilities(handshake.capabilities());
    // (Some do what they do not announce, and not well.)
    qresync_ = qresync_ && can("QRESYNC");
    if (inbox_ && !condstore()) inbox_->modseq = 0;
    if (!open.opened) {
        introduce();
    } else if (!named_) {  // a server without NAMESPACE
        dialogue_->precede({ask_delimiter()});
        introduced();
    }
    opened_ = dialogue_->sent();
    dialogue_->set_reply_timeout(options.reply_timeout);
    return true;
}

// The answers to what went with the login.
bool Link::take_opening(const std::vector<Step>& steps, const AccountOptions& options) {
    try {
        const auto patience =
            std::min<std::chrono::milliseconds>(kOpeningPatience, options.reply_timeout);
        if (dialogue_->answers_to(steps, patience).back().status != Status::kOk) inbox_.reset();
        return true;
    } catch (const Ended& end) {
        const vm_cause cause = end.ending().cause;
        if (cause != VM_CAUSE_PROTOCOL && (dialogue_->answered() || cause == VM_CAUSE_CANCELLED))
            throw;
        return false;
    }
}

bool Link::condstore() const {
    return can("CONDSTORE") || can("QRESYNC");
}

bool Link::qresync() {
    introduced();
    return qresync_;
}

bool Link::can(const char* capability) const {
    return capabilities_.find(' ' + std::string(capability) + ' ') != std::string::npos;
}

void Link::set_capabilities(const std::vector<std::string>& names) {
    std::string joined(names.empty() ? "" : " ");
    for (const std::string& name : names) joined += name + ' ';
    capabilities_.assign(joined);  // without the room that it grew by
    if (!names.empty()) return;
    std::vector<std::string> told;
    require(dialogue_->run("CAPABILITY", each<CapabilityData>([&](const CapabilityData& data) {
                               told = data.names;
                           })),
            "CAPABILITY");
    if (!told.empty()) set_capabilities(told);
}

// What goes with the login, as far as the server has said that it knows such commands. What it does
// not know after all, it refuses, at no harm.
std::vector<Dialogue::Step> Link::opening(const std::vector<std::string>& can, bool inbox_wanted) {
    if (!has(can, "ENABLE")) return {};
    // (It ignores those it has not got, RFC 5161 section 3.1.)
    std::vector<Step> steps{enable("CONDSTORE QRESYNC"), ask_namespace()};
    if (has(can, "ID")) steps.push_back(identify());
    if (inbox_wanted)
        steps.push_back(
            {"STATUS " + quoted("INBOX") + " " + status_items(true),
             [this](const Response& response) { return take_state(response, "INBOX", inbox_); }});
    return steps;
}

// Turns on what there is, asks how folders are named, says who we are. All of it goes with the
// first command that needs none of the answers, see introduced().
void Link::introduce() {
    std::vector<Step> steps;
    if (can("ENABLE") && (can("QRESYNC") || can("CONDSTORE")))
        steps.push_back(enable(can("QRESYNC") ? "QRESYNC" : "CONDSTORE"));
    steps.push_back(can("NAMESPACE") ? ask_namespace() : ask_delimiter());
    if (can("ID")) steps.push_back(identify());
    // A NO to any of them only means doing without.
    dialogue_->precede(std::move(steps));
    // (Its answer would be mixed up with that to another LIST.)
    if (!can("NAMESPACE")) introduced();
}

Dialogue::Step Link::enable(const char* what) {
    return {std::string("ENABLE ") + what, each<EnabledData>([this](const EnabledData& data) {
                qresync_ = qresync_ || has(data.names, "QRESYNC");
            })};
}

Dialogue::Step Link::ask_namespace() {
    return {"NAMESPACE",
            each<NamespaceData>([this](const NamespaceData& data) { set_namespace(data); })};
}

Dialogue::Step Link::ask_delimiter() {
    return {R"(LIST "" "")", each<ListData>([this](const ListData& data) {
                NamespaceData spaces;
                spaces.personal = {{"", data.delimiter}};
                set_namespace(spaces);
            })};
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
