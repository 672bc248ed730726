#include "smtpimap4/apply.h"

#include "smtpimap4/finder.h"
#include "smtpimap4/identity.h"
#include "smtpimap4/mover.h"
#include "smtpimap4/uid_check.h"

#include <algorithm>
#include <map>
#include <set>

namespace vm::plug::imap {

namespace {

using Step = Dialogue::Step;

// A pipeline's commands are sent before anything is read: few enough for the server to take them
// all while it already answers.
constexpr std::size_t kChangesAtOnce = 100;

std::string flag_names(std::uint32_t flags) {
    std::string out;
    const auto add = [&](std::uint32_t flag, const char* name) {
        if ((flags & flag) != 0) out += (out.empty() ? "" : " ") + std::string(name);
    };
    add(VM_FLAG_SEEN, "\\Seen");
    add(VM_FLAG_FLAGGED, "\\Flagged");
    add(VM_FLAG_DELETED, "\\Deleted");
    return "(" + out + ")";
}

std::string words_of(const Condition& answer) {
    return (answer.status == Status::kBad ? "BAD " : "NO ") + answer.text;
}

std::string text_of(const char* text) {
    return text == nullptr ? "" : text;
}

void require_uidvalidity(const Selection& selection, std::uint32_t uidvalidity,
                         const std::string& folder) {
    if (const std::uint32_t now = selection.state.uidvalidity; now != uidvalidity)
        give_up(VM_CAUSE_REPLY, "SELECT " + folder + ": UIDVALIDITY is " + std::to_string(now) +
                                    ", not " + std::to_string(uidvalidity) +
                                    "; the messages are not those that were meant");
}

// At most kChangesAtOnce changes, of the selected folder.
class Batch {
  public:
    Batch(Link& link, const std::string& name, std::uint32_t uidvalidity, const vm_change* changes,
          std::size_t from, std::size_t to, bool by_text, const ChangeSink& sink)
        : link_(link),
          name_(name),
          uidvalidity_(uidvalidity),
          folder_(link.to_host(name)),
          changes_(changes),
          from_(from),
          to_(to),
          by_text_(by_text),
          sink_(sink) {}

    // Flags, a look at what is to be moved or removed, and which of them all are there, in one
    // round trip; then the rest.
    void run() {
        std::vector<Step> steps;
        store_flags(steps);
        const std::size_t flag_steps = steps.size();
        ask_identities(steps);
        ask_presence(steps);
        const auto done = link_.dialogue().run(steps);
        check_.require_answers(done, folder_);
        for (std::size_t i = flag_steps; i < done.size(); ++i)
            require(done[i], "UID FETCH in " + folder_);
        tell_flags(done);
        move_and_remove();
    }

  private:
    // ---- results ----
    void tell(std::size_t index, vm_change_outcome outcome, const std::string& text = {}) {
        vm_change_result result{};
        result.outcome = static_cast<std::uint8_t>(outcome);
        copy_text(result.text, sizeof result.text, text);
        tell(index, result);
    }
    void tell(std::size_t index, vm_change_result result) {
        result.struct_size = sizeof result;
        sink_(index, result);
    }

    // ---- flags ----
    struct Store {
        std::vector<std::size_t> indices;
        std::vector<std::uint32_t> uids;  // ascending
        std::size_t first_step = 0, steps = 0;
    };

    void store_flags(std::vector<Step>& steps) {
        std::map<std::pair<std::uint32_t, std::uint32_t>, Store> groups;
        for (std::size_t i = from_; i < to_; ++i) {
            if (changes_[i].kind != VM_CHANGE_FLAGS) continue;
            Store& store = groups[{changes_[i].add, changes_[i].remove}];
            store.indices.push_back(i);
            store.uids.push_back(changes_[i].uid);
        }
        for (auto& [flags, store] : groups) {
            std::sort(store.uids.begin(), store.uids.end());
            store.first_step = steps.size();
            if (flags.first != 0) steps.push_back(store_step(store, "+FLAGS.SILENT ", flags.first));
            if (flags.second != 0)
                steps.push_back(store_step(store, "-FLAGS.SILENT ", flags.second));
            store.steps = steps.size() - store.first_step;
            stores_.push_back(store);
        }
    }

    static Step store_step(const Store& store, const char* how, std::uint32_t flags) {
        return {"UID STORE " + uid_set(store.uids) + " " + how + flag_names(flags),
                Mover::echo(store.uids)};
    }

    void tell_flags(const std::vector<Condition>& done) {
        for (const Store& store : stores_)
            for (const std::size_t index : store.indices) tell_flag(store, index, done);
    }

    void tell_flag(const Store& store, std::size_t index, const std::vector<Condition>& done) {
        if (!check_.there(changes_[index].uid)) return tell(index, VM_CHANGE_MISSING);
        for (std::size_t i = 0; i < store.steps; ++i)
            if (const Condition& answer = done[store.first_step + i]; answer.status != Status::kOk)
                return tell(index, VM_CHANGE_REFUSED, words_of(answer));
        tell(index, VM_CHANGE_DONE);
    }

    // ---- moving and removing ----
    void ask_identities(std::vector<Step>& steps) {
        std::set<std::uint32_t> uids;
        for (std::size_t i = from_; i < to_; ++i)
            if (changes_[i].kind != VM_CHANGE_FLAGS) uids.insert(changes_[i].uid);
        if (uids.empty()) return;
        steps.push_back(
            {"UID FETCH " + uid_set({uids.begin(), uids.end()}) + " " + identity_items(by_text_),
             [this, uids](const Response& response) {
                 const auto* fetch = std::get_if<FetchData>(&response);
                 if (fetch == nullptr || uids.count(fetch->uid) == 0) return false;
                 if (fetch->section("HEADER.FIELDS") != nullptr)
                     identities_[fetch->uid] = identify(*fetch, by_text_);
                 return true;
             }});
    }

    void move_and_remove() {
        std::map<std::string, std::vector<std::size_t>> moves;  // by target
        std::vector<std::size_t> removals;
        for (std::size_t i = from_; i < to_; ++i) {
            const vm_change& change = changes_[i];
            if (change.kind == VM_CHANGE_FLAGS) continue;
            const auto identity = identities_.find(change.uid);
            const bool shown = identity != identities_.end();
            if (!shown && !check_.there(change.uid))
                tell(i, VM_CHANGE_MISSING);
            else if (!shown)
                give_up(VM_CAUSE_PROTOCOL, "UID FETCH in " + folder_ + ": no answer for UID " +
                                               std::to_string(change.uid) + ", which is there");
            else if (!is_message(identity->second, text_of(change.id), text_of(change.message_id)))
                tell(i, VM_CHANGE_OTHER);
            else if (change.kind == VM_CHANGE_EXPUNGE && link_.can("UIDPLUS") &&
                     !link_.can("X-GM-EXT-1"))  // there it only takes a label off
                removals.push_back(i);
            else if (change.kind != VM_CHANGE_MOVE)
                moves[trash()].push_back(i);
            else
                add_move(i, moves);
        }
        for (const auto& [target, indices] : moves) move(target, indices);
        if (!removals.empty()) remove(removals);
    }

    void ask_presence(std::vector<Step>& steps) {
        std::set<std::uint32_t> uids;
        for (std::size_t i = from_; i < to_; ++i) uids.insert(changes_[i].uid);
        check_.add({uids.begin(), uids.end()}, steps);
    }

    void add_move(std::size_t index, std::map<std::string, std::vector<std::size_t>>& moves) {
        const std::string target = link_.to_server(text_of(changes_[index].to));
        if (link_.is_in_scope(target))
            moves[target].push_back(index);
        else
            tell(index, VM_CHANGE_CANNOT, out_of_scope(link_, target));
    }

    const std::string& trash() {
        if (trash_target_.empty()) trash_target_ = link_.make_trash();
        return trash_target_;
    }

    std::vector<std::uint32_t> uids_of(const std::vector<std::size_t>& indices) const {
        std::set<std::uint32_t> uids;
        for (const std::size_t index : indices) uids.insert(changes_[index].uid);
        return {uids.begin(), uids.end()};
    }

    void move(const std::string& target, const std::vector<std::size_t>& indices) {
        if (same_mailbox(target, name_)) {
            for (const std::size_t index : indices)
                tell_moved(index, target, uidvalidity_, changes_[index].uid);
            return;
        }
        const std::vector<std::size_t> rest = end_begun(target, indices);
        if (rest.empty()) return;
        const Moved moved = Mover(link_).move(uids_of(rest), target);
        for (const std::size_t index : rest) {
            const std::uint32_t uid = changes_[index].uid;
            if (moved.answer.status != Status::kOk)
                tell(index, moved.no_target ? VM_CHANGE_CANNOT : VM_CHANGE_REFUSED,
                     words_of(moved.answer));
            else if (moved.left_out(uid))
                tell(index, VM_CHANGE_MISSING);
            else if (moved.removed.marked && changes_[index].kind != VM_CHANGE_MOVE)
                tell_marked(index, moved.removed);
            else
                tell_moved(index, target, moved.uidvalidity, moved.uid_of(uid));
        }
    }

    void tell_moved(std::size_t index, const std::string& target, std::uint32_t uidvalidity,
                    std::uint32_t uid) {
        vm_change_result result{};
        result.uidvalidity = uidvalidity;
        result.uid = uid;
        copy_text(result.folder, sizeof result.folder, link_.to_host(target));
        tell(index, result);
    }

    void tell_marked(std::size_t index, const Removed& removed) {
        const bool refused = removed.expunge.status != Status::kOk;
        tell(index, VM_CHANGE_MARKED, refused ? words_of(removed.expunge) : "");
    }

    // Without MOVE, those of `indices` that were begun before and are in the target by now only
    // have to leave this folder. The others are left.
    std::vector<std::size_t> end_begun(const std::string& target,
                                       const std::vector<std::size_t>& indices) {
        std::vector<std::size_t> begun, rest, there;
        std::vector<std::uint32_t> copies;  // those of `there`
        for (const std::size_t index : indices)
            (changes_[index].again != 0 && !link_.can("MOVE") ? begun : rest).push_back(index);
        if (begun.empty() || !link_.exists(target)) return indices;
        const std::uint32_t uidvalidity = link_.select(target).state.uidvalidity;
        for (const std::size_t index : begun) {
            const std::uint32_t copy = find_live(link_, target, text_of(changes_[index].id),
                                                 text_of(changes_[index].message_id), by_text_);
            (copy == 0 ? rest : there).push_back(index);
            if (copy != 0) copies.push_back(copy);
        }
        require_uidvalidity(link_.select(name_), uidvalidity_, folder_);
        if (there.empty()) return rest;
        const Removed removed = Mover(link_).remove(uids_of(there));
        for (std::size_t i = 0; i < there.size(); ++i) {
            if (removed.answer.status != Status::kOk)
                tell(there[i], VM_CHANGE_REFUSED, words_of(removed.answer));
            else if (removed.marked && changes_[there[i]].kind != VM_CHANGE_MOVE)
                tell_marked(there[i], removed);
            else
                tell_moved(there[i], target, uidvalidity, copies[i]);
        }
        return rest;
    }

    void remove(const std::vector<std::size_t>& indices) {
        const Removed removed = Mover(link_).remove(uids_of(indices));
        for (const std::size_t index : indices) {
            if (removed.answer.status != Status::kOk)
                tell(index, VM_CHANGE_REFUSED, words_of(removed.answer));
            else if (removed.marked)
                tell_marked(index, removed);
            else
                tell(index, VM_CHANGE_DONE);
        }
    }

    Link& link_;
    const std::string& name_;
    const std::uint32_t uidvalidity_;
    const std::string folder_;  // the same for error texts
    const vm_change* changes_;
    const std::size_t from_, to_;
    const bool by_text_;
    const ChangeSink& sink_;

    std::string trash_target_;
    std::vector<Store> stores_;
    UidCheck check_;
    std::map<std::uint32_t, Identity> identities_;
};

}  // namespace

void apply_changes(Link& link, const std::string& folder, std::uint32_t uidvalidity,
                   const vm_change* changes, std::size_t count, bool by_text,
                   const ChangeSink& sink) {
    const std::string name = link.to_server(folder);
    if (!link.selected(name)) link.select(name);
    require_uidvalidity(*link.selection(), uidvalidity, folder);
    for (std::size_t from = 0; from < count; from += kChangesAtOnce)
        Batch(link, name, uidvalidity, changes, from, std::min(count, from + kChangesAtOnce),
              by_text, sink)
            .run();
}

}  // namespace vm::plug::imap
