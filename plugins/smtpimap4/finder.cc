#include "smtpimap4/finder.h"

#include "smtpimap4/identity.h"
#include "smtpimap4/mover.h"

#include <algorithm>
#include <set>

namespace vm::plug::imap {

namespace {

using Step = Dialogue::Step;

constexpr std::size_t kFoldersAtOnce = 25;
// A server that does not search the header it was asked for may name them all.
constexpr std::size_t kMostHits = 1000;
constexpr std::size_t kFetchedAtOnce = 100;

struct Hits {
    std::set<std::uint32_t> uids;
    bool answered = false;
};

// One search for the id of each kind it may be found by; `key`: what else must hold.
std::vector<std::string> searches(const std::string& id, const std::string& message_id,
                                  bool by_text, const std::string& key = {}) {
    const std::string search = "UID SEARCH " + key;
    std::vector<std::string> out{search + "HEADER X-VM-Message-Id " + quoted(id)};
    if (by_text) out.push_back(search + "TEXT " + quoted("[VM:" + id + "]"));
    // Our Message-IDs begin with the id. (Servers that do not search for any header search for
    // this.)
    out.push_back(search + "HEADER Message-ID " + quoted(message_id.empty() ? id : message_id));
    return out;
}

Step search_step(const std::string& command, Hits& hits) {
    return {command, [&hits](const Response& response) {
                const auto* search = std::get_if<SearchData>(&response);
                if (search == nullptr || hits.answered) return false;  // the next one's
                hits.answered = true;
                hits.uids.insert(search->uids.begin(), search->uids.end());
                return true;
            }};
}

// Those of `hits`, of the selected folder, that are the message.
std::vector<std::uint32_t> verified(Link& link, const Hits& hits, const std::string& id,
                                    const std::string& message_id, bool by_text,
                                    const std::string& folder) {
    std::vector<std::uint32_t> out;
    if (hits.uids.size() > kMostHits)
        give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder + ": names " +
                                       std::to_string(hits.uids.size()) + " messages for one id");
    std::set<std::uint32_t> seen;
    std::vector<Step> steps;
    for (const auto& piece : chunks({hits.uids.begin(), hits.uids.end()}, kFetchedAtOnce))
        steps.push_back({"UID FETCH " + uid_set(piece) + " " + identity_items(by_text),
                         [&](const Response& response) {
                             const auto* fetch = std::get_if<FetchData>(&response);
                             if (fetch == nullptr || hits.uids.count(fetch->uid) == 0) return false;
                             if (fetch->section("HEADER.FIELDS") == nullptr) return true;
                             seen.insert(fetch->uid);
                             const Identity identity = identify(*fetch, by_text);
                             const bool same =
                                 !identity.has_id_field &&
                                 (message_id.empty() ? is_message_id_of(identity.message_id, id)
                                                     : identity.message_id == message_id);
                             if (identity.id == id || (identity.id.empty() && same))
                                 out.push_back(fetch->uid);
                             return true;
                         }});
    if (steps.empty()) return out;
    for (const Condition& done : link.dialogue().run(steps))
        require(done, "UID FETCH in " + folder);
    // A message the server named and did not show may be the one; that it was not found is no fact.
    if (out.empty() && seen.size() < hits.uids.size())
        give_up(VM_CAUSE_PROTOCOL, "UID FETCH in " + folder + ": messages are missing");
    return out;
}

// What EXAMINE says of its folder.
bool of_examine(const Response& response) {
    return !std::holds_alternative<SearchData>(response) &&
           !std::holds_alternative<StatusData>(response) &&
           !std::holds_alternative<ListData>(response);
}

void require_hits(const Hits& hits, const std::string& folder) {
    if (!hits.answered)
        give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder + ": OK without a result");
}

class Everywhere {
  public:
    Everywhere(Link& link, std::string id, bool by_text)
        : link_(link), id_(std::move(id)), by_text_(by_text) {}

    FoundMessage run() {
        FoundMessage out;
        const std::vector<std::string> names = folders();
        for (std::size_t from = 0; from < names.size() && !out.found; from += kFoldersAtOnce)
            search({names.begin() + static_cast<std::ptrdiff_t>(from),
                    names.begin() +
                        static_cast<std::ptrdiff_t>(std::min(names.size(), from + kFoldersAtOnce))},
                   out);
        return out;
    }

  private:
    // INBOX first, and last those that only show the messages of others.
    std::vector<std::string> folders() {
        std::vector<std::string> first, out, last;
        for (const Listed& folder : link_.list(false)) {
            if (!folder.selectable) continue;
            const bool inbox = same_mailbox(folder.name, "INBOX");
            const bool shows = (folder.use & VM_USE_VIRTUAL) != 0;
            (inbox ? first : shows ? last : out).push_back(folder.name);
        }
        out.insert(out.begin(), first.begin(), first.end());
        out.insert(out.end(), last.begin(), last.end());
        return out;
    }

    // Selects and searches each in one round trip, read-only; then looks at what was named.
    void search(const std::vector<std::string>& names, FoundMessage& out) {
        const auto commands = searches(id_, {}, by_text_);
        const std::size_t stride = commands.size() + 1;
        std::vector<Hits> hits(names.size() * commands.size());
        std::vector<Step> steps;
        for (std::size_t i = 0; i < names.size(); ++i) {
            steps.push_back({"EXAMINE " + quoted(names[i]), of_examine});
            for (std::size_t k = 0; k < commands.size(); ++k)
                steps.push_back(search_step(commands[k], hits[i * commands.size() + k]));
        }
        link_.forget_selection();
        const auto done = link_.dialogue().run(steps);
        for (std::size_t i = 0; i < names.size() && !out.found; ++i) {
            const std::string shown = link_.to_host(names[i]);
            if (done[i * stride].status != Status::kOk) {
                // Only what is gone meanwhile need not be searched.
                if (link_.exists(names[i])) require(done[i * stride], "EXAMINE " + shown);
                continue;
            }
            Hits all;
            for (std::size_t k = 0; k < commands.size(); ++k) {
                require(done[i * stride + 1 + k], "UID SEARCH in " + shown);
                const Hits& some = hits[i * commands.size() + k];
                require_hits(some, shown);
                all.uids.insert(some.uids.begin(), some.uids.end());
            }
            if (!all.uids.empty()) look_at(names[i], all, out);
        }
    }

    void look_at(const std::string& name, const Hits& hits, FoundMessage& out) {
        const std::string shown = link_.to_host(name);
        const std::uint32_t uidvalidity = link_.select(name).state.uidvalidity;
        const auto found = verified(link_, hits, id_, {}, by_text_, shown);
        if (found.empty()) return;
        out = {true, uidvalidity, found.front(), shown};
    }

    Link& link_;
    const std::string id_;
    const bool by_text_;
};

}  // namespace

FoundMessage find_everywhere(Link& link, const std::string& id, bool by_text) {
    if (!plausible_id(id)) give_up(VM_CAUSE_CONFIG, "no message id: " + id);
    return Everywhere(link, id, by_text).run();
}

namespace {

// In the selected folder, `folder` for error texts; every copy's UID, ascending.
std::vector<std::uint32_t> find_in_selected(Link& link, const std::string& id,
                                            const std::string& message_id, bool by_text,
                                            const std::string& folder,
                                            const std::string& key = {}) {
    const auto commands = searches(id, message_id, by_text, key);
    std::vector<Hits> some(commands.size());
    std::vector<Step> steps;
    for (std::size_t i = 0; i < commands.size(); ++i)
        steps.push_back(search_step(commands[i], some[i]));
    for (const Condition& done : link.dialogue().run(steps))
        require(done, "UID SEARCH in " + folder);
    Hits hits;
    for (const Hits& one : some) {
        require_hits(one, folder);
        hits.uids.insert(one.uids.begin(), one.uids.end());
    }
    return verified(link, hits, id, message_id, by_text, folder);
}

}  // namespace

std::uint32_t find_live(Link& link, const std::string& folder, const std::string& id,
                        const std::string& message_id, bool by_text) {
    const auto found =
        find_in_selected(link, id, message_id, by_text, link.to_host(folder), "UNDELETED ");
    return found.empty() ? 0 : found.back();
}

vm_change_result recover_from_trash(Link& link, const std::string& id,
                                    const std::string& message_id, const std::string& to,
                                    bool by_text) {
    if (!plausible_id(id)) give_up(VM_CAUSE_CONFIG, "no message id: " + id);
    vm_change_result out{};
    out.outcome = VM_CHANGE_MISSING;
    const std::string target = link.to_server(to);
    if (!link.is_in_scope(target)) {
        out.outcome = VM_CHANGE_CANNOT;
        copy_text(out.text, sizeof out.text, out_of_scope(link, target));
        return out;
    }
    const auto trash = link.trash();
    if (!trash) return out;
    link.select(*trash);
    auto found = find_in_selected(link, id, message_id, by_text, link.to_host(*trash));
    if (found.empty()) return out;
    found.resize(1);  // of copies one will do
    const Moved moved = Mover(link).move(found, target, true);
    if (moved.answer.status != Status::kOk) {
        out.outcome = moved.no_target ? VM_CHANGE_CANNOT : VM_CHANGE_REFUSED;
        copy_text(out.text, sizeof out.text, "NO " + moved.answer.text);
        return out;
    }
    if (moved.left_out(found.front())) return out;
    out.outcome = VM_CHANGE_DONE;
    out.uidvalidity = moved.uidvalidity;
    out.uid = moved.uid_of(found.front());
    copy_text(out.folder, sizeof out.folder, to);
    return out;
}

}  // namespace vm::plug::imap
