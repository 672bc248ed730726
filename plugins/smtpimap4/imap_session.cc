#include "smtpimap4/imap_session.h"

#include "common/bearer.h"
#include "smtpimap4/apply.h"
#include "smtpimap4/fetch.h"
#include "smtpimap4/finder.h"
#include "smtpimap4/look.h"

#include <stdexcept>

namespace vm::plug::imap {

namespace {

constexpr const char* kNotify =
    "NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) "
    "(personal (MailboxName MessageNew MessageExpunge FlagChange))";

// What is 0 on either side is not known there.
bool is_like(const FolderState& a, const FolderState& b) {
    const auto like = [](auto one, auto other) { return one == 0 || other == 0 || one == other; };
    return like(a.uidvalidity, b.uidvalidity) && like(a.uid_next, b.uid_next) &&
           like(a.modseq, b.modseq) && a.messages == b.messages;
}

}  // namespace

ImapSession::ImapSession(AccountOptions options, Host host)
    : options_(std::move(options)), host_(std::move(host)) {}

ImapSession::~ImapSession() {
    try {
        if (link_) link_->dialogue().log_out();
    } catch (const std::exception&) {
        // Closing is all that is left.
    }
    wipe(options_.password);
}

void ImapSession::drop() {
    link_.reset();
}

std::unique_ptr<Link> ImapSession::connect() {
    Bearer bearer(options_, host_);
    if (auto ending = bearer.ask()) throw Ended(std::move(*ending), false);
    try {
        return Link::connect(options_, inbox_wanted_, host_, counters_);
    } catch (const Ended& end) {
        Ending ending = end.ending();
        if (!bearer.ask_another(ending)) throw Ended(std::move(ending), end.usable());
    }
    return Link::connect(options_, inbox_wanted_, host_, counters_);
}

// One try. `stale`: a kept connection turned out to be dead before it did anything.
AccountEnding ImapSession::attempt(const std::function<void()>& function, bool& stale) {
    const bool kept = link_ != nullptr;
    try {
        if (!kept) {
            connected_ = true;
            link_ = connect();
        }
        link_->dialogue().start();
        features_ = link_->features();
        function();
        features_ = link_->features();
        return {};
    } catch (const Ended& end) {
        const vm_cause cause = end.ending().cause;
        stale = kept && !end.usable() && !link_->dialogue().answered() &&
                (cause == VM_CAUSE_LOST || cause == VM_CAUSE_REPLY);
        if (!end.usable()) drop();
        return {VM_FAILED, end.ending()};
    } catch (const std::invalid_argument& problem) {
        return {VM_FAILED, ending_of(VM_STEP_ACCOUNT, VM_CAUSE_CONFIG, problem.what())};
    } catch (...) {
        drop();
        throw;
    }
}

AccountEnding ImapSession::perform(const std::function<void()>& function) {
    counters_ = {};
    connected_ = false;
    if (options_.host.empty())
        return {VM_FAILED, ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no IMAP4 server is set")};
    if (options_.user.empty())
        return {VM_FAILED, ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no IMAP4 account is set")};
    bool stale = false;
    AccountEnding end = attempt(function, stale);
    if (stale) {
        host_.trace("-- ", "the kept connection was closed: " + end.ending.text);
        end = attempt(function, stale);
    }
    if (link_) link_->dialogue().rest();
    return end;
}

AccountEnding ImapSession::find(const std::string& id, FoundMessage& found) {
    return perform([&] { found = find_everywhere(*link_, id, options_.search_text); });
}

AccountEnding ImapSession::folders(const vm_scope& scope, const FolderSink& sink) {
    all_folders_ = scope.mode == VM_SCOPE_ALL;
    inbox_wanted_ = scope.mode == VM_SCOPE_INBOX;
    AccountEnding end = perform([&] { give_folders(*link_, scope, told_, sink); });
    inbox_wanted_ = false;
    return end;
}

AccountEnding ImapSession::look(const vm_look& look, const vm_look_sink& sink,
                                vm_look_result& result) {
    return perform([&] { look_at(*link_, look, options_.search_text, told_, sink, result); });
}

AccountEnding ImapSession::apply(const std::string& folder, std::uint32_t uidvalidity,
                                 const vm_change* changes, std::size_t count,
                                 const ChangeSink& sink) {
    return perform([&] {
        apply_changes(*link_, folder, uidvalidity, changes, count, options_.search_text, sink);
    });
}

AccountEnding ImapSession::recover(const std::string& id, const std::string& message_id,
                                   const std::string& to, vm_change_result& result) {
    return perform(
        [&] { result = recover_from_trash(*link_, id, message_id, to, options_.search_text); });
}

AccountEnding ImapSession::fetch(const std::string& folder, std::uint32_t uidvalidity,
                                 std::uint32_t uid, std::uint32_t size, const FetchSink& sink) {
    std::optional<Beginning> found;
    AccountEnding end =
        perform([&] { found = fetch_beginning(*link_, folder, uidvalidity, uid, size); });
    if (end.status == VM_OK && found) sink(found->flags, found->bytes);
    return end;
}

// ---- waiting ----

// False: the server does not do IDLE.
bool ImapSession::start_waiting(const std::string& name) {
    unlike_ = false;
    if (!link_->selected(name)) {
        const auto told = told_.find(name);
        const Selection& selection = link_->select(name);
        // On a new connection a folder that keeps no mod-sequence cannot show that it is as it was.
        unlike_ = told == told_.end() || !is_like(selection.state, told->second.state) ||
                  (connected_ && selection.state.modseq == 0);
    }
    std::vector<Dialogue::Step> steps;
    // The end of IDLE need not tell what has happened (RFC 2177); NOOP asks (RFC 3501
    // section 6.1.2).
    if (link_->dialogue().idling()) steps.push_back({"NOOP", {}});
    const bool notify = all_folders_ && link_->may_notify() && !link_->notifying();
    if (notify) steps.push_back({kNotify, {}});
    const auto done = link_->dialogue().idle(steps);
    if (notify) link_->set_notifying(done[done.size() - 2].status == Status::kOk);
    if (done.back().status != Status::kOk) return false;
    // What came right behind the answer is in no socket any more: nobody would be woken for it.
    link_->dialogue().poll();
    return true;
}

bool ImapSession::changed() const {
    const Selection* selection = link_->selection();
    return unlike_ || link_->elsewhere() || selection == nullptr || selection->changed;
}

AccountEnding ImapSession::park(const std::string& folder, int& fd, bool& news) {
    bool supported = true;
    AccountEnding end = perform([&] {
        supported = link_->can("IDLE") && start_waiting(link_->to_server(folder));
        if (!supported) return;
        fd = link_->dialogue().descriptor();
        news = changed();
    });
    if (end.status != VM_OK || supported) return end;
    return {VM_NOT_SUPPORTED,
            ending_of(VM_STEP_ACCOUNT, VM_CAUSE_REPLY, "the server does not do IDLE")};
}

// With the connection there is; none is opened.
AccountEnding ImapSession::attempt_parked(const std::function<void(Dialogue&)>& function) {
    counters_ = {};
    connected_ = false;
    if (!link_)
        return {VM_FAILED, ending_of(VM_STEP_ACCOUNT, VM_CAUSE_LOST, "there is no connection")};
    try {
        function(link_->dialogue());
        link_->dialogue().rest();
        return {};
    } catch (const Ended& end) {
        drop();
        return {VM_FAILED, end.ending()};
    }
}

AccountEnding ImapSession::peek(bool& news) {
    return attempt_parked([&](Dialogue& dialogue) {
        dialogue.poll();
        news = changed();
    });
}

AccountEnding ImapSession::ask(bool& waits, bool& news) {
    return attempt_parked([&](Dialogue& dialogue) {
        if (dialogue.asked()) {
            const auto taken = dialogue.take_answer();
            const bool all = taken == Dialogue::Taken::kAll;
            if (all && dialogue.idling()) dialogue.poll();
            // (It waits no longer when it does not do IDLE any more. Of what is too much the rest
            // may be in no socket, which would wake nobody.)
            news = changed() || taken == Dialogue::Taken::kTooMuch || (all && !dialogue.idling());
            waits = !all && !news;
        } else if (dialogue.idling()) {
            dialogue.start();
            dialogue.ask("NOOP");
            waits = true;
        } else {
            give_up(VM_CAUSE_LOST, "it is not parked");
        }
    });
}

std::unique_ptr<Account> make_imap_account(AccountOptions options, Host host) {
    return std::make_unique<ImapSession>(std::move(options), std::move(host));
}

}  // namespace vm::plug::imap
