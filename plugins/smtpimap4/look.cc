#include "smtpimap4/look.h"

#include "smtpimap4/identity.h"
#include "smtpimap4/uid_check.h"

#include <algorithm>
#include <set>

namespace vm::plug::imap {

namespace {

using Step = Dialogue::Step;

// So many new messages are fetched outright; of more the server is asked first which are ours.
constexpr std::uint32_t kFetchedOutright = 100;
// Where the search cannot be trusted all of them are, so many in one call.
constexpr std::size_t kHeadersACall = 10'000;
constexpr std::size_t kTextsACall = 1000;
constexpr std::size_t kFetchedAtOnce = 200;

class Look {
  public:
    Look(Link& link, const vm_look& look, bool by_text, const vm_look_sink& sink)
        : link_(link),
          look_(look),
          by_text_(by_text),
          sink_(sink),
          folder_(look.folder == nullptr ? "" : look.folder),
          known_(look.uids, look.uids + look.uid_count) {}

    // The folder's state for the next look; `told.state` is the one the server gave.
    FolderState run(ToldFolder& told) {
        const bool goes_on = told.go_on != 0 && told.go_on == look_.uid_next && known_.empty();
        // One SELECT is for the whole look: the next look has to tell what happened since.
        if (!goes_on || !keep_selected()) select();
        if (!goes_on) told.state = state_;
        told.go_on = 0;
        const std::uint32_t messages = state_.messages;
        std::vector<Step> steps;
        ask_for_known(steps);
        const std::string range = new_uids();
        const bool search = last_ - first_ >= kFetchedOutright;
        if (!range.empty() && !search) steps.push_back(fetch_step(range));
        if (!steps.empty()) {
            const bool list_too = look_.then_folders != 0 && !suspects_.empty();
            const auto done = list_too ? link_.run_and_list(steps) : link_.dialogue().run(steps);
            check_.require_answers(done, folder_);
            for (const Condition& answer : done) require(answer, "UID FETCH in " + folder_);
        }
        if (!range.empty() && search) search_new(range);
        if (!range.empty() && !search) check_outright(range);
        tell_known();
        if (!goes_on)
            told.looked_messages = messages;
        else if (!kept_)
            link_.selection()->changed = true;
        told.go_on = go_on_;
        return state_;
    }

    // Where the next call is to go on; 0: everything was looked at.
    std::uint32_t go_on() const { return go_on_; }

  private:
    // ---- the folder ----

    // The server is asked for what changed since the mod-sequence of the last look.
    bool by_modseq() const {
        return look_.every == 0 && look_.modseq != 0 && look_.uidvalidity != 0 && !known_.empty();
    }

    void select() {
        const std::string name = link_.to_server(folder_);
        std::string parameters;
        const bool resync = link_.qresync() && by_modseq();
        if (resync)
            // The range, not the UIDs: it is short, and leaves out all that came since.
            parameters = " (QRESYNC (" + std::to_string(look_.uidvalidity) + " " +
                         std::to_string(look_.modseq) + " " +
                         uid_range(known_.front(), known_.back()) + "))";
        else if (link_.can("CONDSTORE") && !link_.can("ENABLE"))
            parameters = " (CONDSTORE)";
        std::set<std::uint32_t> vanished;
        std::map<std::uint32_t, std::uint32_t> flags;
        state_ =
            link_
                .select(name, parameters,
                        [&](const Response& response) {
                            if (const auto* fetch = std::get_if<FetchData>(&response)) {
                                if (fetch->flags && is_known(fetch->uid))
                                    flags[fetch->uid] = *fetch->flags;
                            } else if (const auto* gone = std::get_if<VanishedData>(&response)) {
                                for (const std::uint32_t uid : gone->uids.among(known_))
                                    vanished.insert(uid);
                            }
                            return true;
                        })
                .state;
        if (state_.uid_next == 0) ask_for_uid_next(name);
        same_ = look_.uidvalidity == state_.uidvalidity;
        // A mod-sequence that went back (a restored backup) tells nothing.
        resynced_ = resync && same_ && state_.modseq >= look_.modseq;
        if (!resynced_) return;
        flags_ = std::move(flags);
        suspects_.assign(vanished.begin(), vanished.end());
    }

    // Goes on with the folder as the first call has selected it. Where that is not possible, what
    // happened before the SELECT that follows is news.
    bool keep_selected() {
        const Selection* selection = link_.selection();
        kept_ = selection != nullptr && link_.selected(link_.to_server(folder_)) &&
                selection->state.uidvalidity == look_.uidvalidity && selection->state.uid_next != 0;
        if (kept_) state_ = selection->state;
        same_ = kept_;
        return kept_;
    }

    // Servers of before RFC 3501 do not say it with SELECT. What STATUS counts is shown only by a
    // SELECT after it.
    void ask_for_uid_next(const std::string& name) {
        const auto state = link_.states({name}).front();
        const FolderState again = link_.select(name).state;
        if (!state || state->uid_next == 0 || state->uidvalidity != state_.uidvalidity ||
            again.uidvalidity != state_.uidvalidity)
            give_up(VM_CAUSE_PROTOCOL, "SELECT " + folder_ + ": the server gives no UIDNEXT");
        state_.uid_next = state->uid_next;
    }

    bool is_known(std::uint32_t uid) const {
        return std::binary_search(known_.begin(), known_.end(), uid);
    }

    // ---- messages the host knows ----
    void ask_for_known(std::vector<Step>& steps) {
        if (!same_ || known_.empty()) return;
        if (!resynced_) {
            suspects_ = known_;
            ask_for_flags(steps);
        }
        if (!suspects_.empty()) check_.add(suspects_, steps);
    }

    void ask_for_flags(std::vector<Step>& steps) {
        const bool since = by_modseq() && state_.modseq != 0 && state_.modseq >= look_.modseq;
        if (since && state_.modseq == look_.modseq) return;
        const std::string condition =
            since ? " (CHANGEDSINCE " + std::to_string(look_.modseq) + ")" : "";
        add_flag_steps(known_, condition, steps);
    }

    void add_flag_steps(const std::vector<std::uint32_t>& uids, const std::string& condition,
                        std::vector<Step>& steps) {
        for (const auto& piece : chunks(uids, kUidsPerCommand))
            steps.push_back({"UID FETCH " + uid_set(piece) + " (FLAGS)" + condition,
                             [this](const Response& response) {
                                 const auto* fetch = std::get_if<FetchData>(&response);
                                 if (fetch == nullptr || !fetch->flags || !is_known(fetch->uid))
                                     return false;
                                 flags_[fetch->uid] = *fetch->flags;
                                 return true;
                             }});
    }

    void tell_known() {
        std::vector<std::uint32_t> gone;
        for (const std::uint32_t uid : suspects_)
            if (!check_.there(uid)) gone.push_back(uid);
        // (One that was there at the begin of the round trip may have left at its end.)
        for (const std::uint32_t uid : gone) flags_.erase(uid);
        if (!resynced_) prove(gone);
        for (const std::uint32_t uid : gone) sink_.gone(sink_.context, uid);
        for (const auto& [uid, flags] : flags_) sink_.flags(sink_.context, uid, flags);
    }

    // That a search does not name a message is no proof by itself: VANISHED must have told, or a
    // FETCH of it must bring nothing. A server that contradicts itself is not believed.
    void prove(const std::vector<std::uint32_t>& gone) {
        std::vector<Step> steps;
        add_flag_steps(gone, "", steps);
        if (steps.empty()) return;
        for (const Condition& done : link_.dialogue().run(steps))
            require(done, "UID FETCH in " + folder_);
        for (const std::uint32_t uid : gone)
            if (flags_.count(uid) != 0)
                give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder_ + " does not name UID " +
                                               std::to_string(uid) + ", which UID FETCH shows");
    }

    // ---- messages new to the host ----

    // Their range; "" when there are none.
    std::string new_uids() {
        first_ = same_ && look_.uid_next != 0 ? look_.uid_next : 1;
        last_ = state_.uid_next - 1;
        if (state_.messages == 0 || last_ < first_) return {};
        return uid_range(first_, last_);
    }

    static std::string uid_range(std::uint32_t first, std::uint32_t last) {
        const std::string out = std::to_string(first);
        return first == last ? out : out + ":" + std::to_string(last);
    }

    // (In a round trip of its own: answers to two searches cannot be told apart.)
    void search_new(const std::string& range) {
        if (look_.others != 0) {
            // A search for ours would leave them out.
            look_at_all(range);
            return;
        }
        const char* key = by_text_ ? R"( TEXT "[VM:")" : R"( HEADER X-VM-Message-Id "")";
        const Condition done =
            link_.dialogue().run("UID SEARCH UID " + range + key, collect_hits());
        const bool answered = done.status == Status::kOk && searched_;
        fetch_hits();
        if (!told_.empty()) link_.trust_search();
        if (answered && link_.search_is_trusted()) {
            // Its index may be behind: the newest are looked at outright.
            search_all(uid_range(last_ - kFetchedOutright + 1, last_));
        } else {
            // Servers answer a search they cannot do with nothing: one that never found anything
            // proves nothing, and all that are there are looked at.
            look_at_all(range);
            return;
        }
        fetch_hits();
    }

    void look_at_all(const std::string& range) {
        search_all(range);
        keep_oldest(by_text_ ? kTextsACall : kHeadersACall);
        fetch_hits();
    }

    void search_all(const std::string& range) {
        hits_.clear();
        searched_ = false;
        require(link_.dialogue().run("UID SEARCH UID " + range, collect_hits()),
                "UID SEARCH in " + folder_);
        if (!searched_)
            give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder_ + ": OK without a result");
    }

    void keep_oldest(std::size_t count) {
        if (hits_.size() <= count) return;
        const auto rest = std::next(hits_.begin(), static_cast<std::ptrdiff_t>(count));
        go_on_ = *rest;
        hits_.erase(rest, hits_.end());
    }

    // A message of which the server showed nothing must not be taken for one that is not ours: what
    // comes before it is all that was looked at.
    void stop_before_hidden() {
        for (const std::uint32_t uid : hits_)
            if (shown_.count(uid) == 0) state_.uid_next = std::min(state_.uid_next, uid);
    }

    // Of UIDs that were fetched outright, those without an answer are gone, or hidden.
    void check_outright(const std::string& range) {
        if (shown_.size() == last_ - first_ + 1) return;
        search_all(range);
        stop_before_hidden();
    }

    Dialogue::Answer collect_hits() {
        return [this](const Response& response) {
            const auto* search = std::get_if<SearchData>(&response);
            if (search == nullptr) return false;
            searched_ = true;
            for (const std::uint32_t uid : search->uids)
                if (uid >= first_ && uid <= last_) hits_.insert(uid);
            return true;
        };
    }

    void fetch_hits() {
        std::vector<std::uint32_t> hits;
        for (const std::uint32_t uid : hits_)
            if (shown_.count(uid) == 0) hits.push_back(uid);
        std::vector<Step> steps;
        for (const auto& piece : chunks(hits, kFetchedAtOnce))
            steps.push_back(fetch_step(uid_set(piece)));
        if (steps.empty()) return;
        for (const Condition& done : link_.dialogue().run(steps))
            require(done, "UID FETCH in " + folder_);
        stop_before_hidden();
    }

    Step fetch_step(const std::string& set) {
        return {"UID FETCH " + set + " " + identity_items(by_text_),
                [this](const Response& response) {
                    const auto* fetch = std::get_if<FetchData>(&response);
                    if (fetch == nullptr || fetch->section("HEADER.FIELDS") == nullptr)
                        return false;
                    if (fetch->uid < first_ || fetch->uid > last_) return true;
                    shown_.insert(fetch->uid);
                    tell_new(*fetch);
                    return true;
                }};
    }

    void tell_new(const FetchData& fetch) {
        const Identity identity = identify(fetch, by_text_);
        const bool known = same_ && is_known(fetch.uid);
        if ((identity.id.empty() && look_.others == 0) || known || !told_.insert(fetch.uid).second)
            return;
        vm_found found{};
        found.struct_size = sizeof found;
        found.uid = fetch.uid;
        found.flags = fetch.flags.value_or(0);
        found.id = identity.id.c_str();
        found.message_id = identity.message_id.c_str();
        sink_.found(sink_.context, &found);
    }

    Link& link_;
    const vm_look& look_;
    const bool by_text_;
    const vm_look_sink& sink_;
    const std::string folder_;
    const std::vector<std::uint32_t> known_;

    FolderState state_;      // as of the SELECT
    bool same_ = false;      // known_ means something
    bool kept_ = false;      // the folder is selected since the look's first call
    bool resynced_ = false;  // the SELECT told all that changed
    std::map<std::uint32_t, std::uint32_t> flags_;
    std::vector<std::uint32_t> suspects_;  // may be gone
    UidCheck check_;
    std::uint32_t first_ = 1, last_ = 0;  // the UIDs that are new to the host
    std::uint32_t go_on_ = 0;
    bool searched_ = false;
    std::set<std::uint32_t> hits_;
    std::set<std::uint32_t> shown_;  // of these the server showed what they are
    std::set<std::uint32_t> told_;
};

}  // namespace

void look_at(Link& link, const vm_look& look, bool by_text, Told& told, const vm_look_sink& sink,
             vm_look_result& result) {
    Look one(link, look, by_text, sink);
    const FolderState state = one.run(told[link.to_server(look.folder)]);
    result.uidvalidity = state.uidvalidity;
    result.uid_next = state.uid_next;
    result.modseq = state.modseq;
    result.go_on = one.go_on();
}

}  // namespace vm::plug::imap
