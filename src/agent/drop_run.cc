#include "agent/drop_run.h"

#include "agent/new_mail.h"
#include "agent/session_options.h"
#include "base/trace.h"
#include "core/drop.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace vm::agent {

namespace {

constexpr std::size_t kIdSize = 26;  // of a message's id, a ULID

// Whose drop it is; with another text, unique-ids mean nothing.
std::string account_text(const SyncContext& context) {
    return account_server_of(context.mailbox, context.misc) + " " + context.mailbox.pop3.account +
           (context.misc.use_tts ? ", e-mail" : "");
}

// With the unique-ids of the mails that are known to be the messages'.
std::vector<DropMessage> doomed(store::DropState& state) {
    std::map<std::string, std::vector<std::string>> unique_ids;
    for (const DropMail& mail : state.mails)
        if (!mail.id.empty()) unique_ids[mail.id].push_back(mail.unique_id);
    std::vector<DropMessage> out = std::move(state.deleted);
    for (DropMessage& message : out) message.unique_ids = unique_ids[message.id];
    return out;
}

// A mail that has lost its header fields on its way is known by its Message-ID, which begins with
// the message's id.
void recognise(const SyncContext& context, DropMail& mail) {
    if (!mail.id.empty() || mail.message_id.size() <= kIdSize) return;
    const auto record = context.store.get(mail.message_id.substr(0, kIdSize));
    if (record && record->message.mailbox == context.mailbox.number &&
        record->delivery.message_id == mail.message_id)
        mail.id = record->message.id;
}

// For g_bUseTTS: which of the drop's mails become messages, and their making.
class Mails {
  public:
    Mails(const SyncContext& context, bool first) : context_(context), first_(first) {}

    // Whether the content is wanted, of a mail that is new. One that has to wait stays new; of
    // those that were there before anybody looked, only the newest are wanted.
    bool wants(DropMail mail) {
        recognise(context_, mail);
        if (!mail.id.empty()) return false;
        if (wanted_.size() < kMailsAVisit) return wanted_.insert(mail.unique_id).second;
        if (!first_) later_.insert(mail.unique_id);
        return false;
    }
    void take(const std::string& unique_id, std::string_view bytes) {
        contents_.emplace_back(unique_id, bytes);
    }

    // Adds what was fetched; what was not, and what cannot be added now, stays new.
    Result<int> add(const std::vector<DropMail>& mails) {
        VM_ASSIGN(std::set<std::string> known, known_ids());
        std::map<std::string, std::string> names;
        for (const DropMail& mail : mails)
            names[mail.unique_id] =
                mail.message_id.empty() ? "uidl " + mail.unique_id : mail.message_id;
        later_.merge(wanted_);
        const std::int64_t until = context_.clock.steady_ms() + kReadingMs;
        int added = 0;
        for (const auto& [unique_id, bytes] : contents_) {
            if (context_.cancelled() || context_.clock.steady_ms() > until) break;
            if (known.insert(names[unique_id]).second) {
                const auto id = add_email(context_, bytes, names[unique_id], false);
                if (!id) {
                    problem_ = id.error().text();
                    break;  // the next one would fare no better
                }
                added += id->has_value() ? 1 : 0;
            }
            later_.erase(unique_id);
        }
        return added;
    }

    bool is_open(const DropMail& mail) const {
        return wanted_.count(mail.unique_id) + later_.count(mail.unique_id) > 0;
    }
    bool more() const { return !later_.empty(); }
    const std::string& problem() const { return problem_; }

  private:
    static constexpr std::size_t kMailsAVisit = 20;

    // Message-IDs of those that are messages already.
    Result<std::set<std::string>> known_ids() const {
        std::set<std::string> out;
        if (contents_.empty()) return out;
        VM_ASSIGN(const std::vector<MessageRecord> records,
                  context_.store.list({context_.mailbox.number, std::nullopt, true}));
        for (const MessageRecord& record : records)
            if (record.message.kind == MessageKind::kEmail) out.insert(record.delivery.message_id);
        return out;
    }

    const SyncContext& context_;
    const bool first_;
    std::set<std::string> wanted_, later_;  // unique-ids
    std::vector<std::pair<std::string, std::string>> contents_;
    std::string problem_;
};

// With g_bUseTTS a drop is looked at so often at most: who does so keeps others from it.
constexpr std::int64_t kLeastPollMs = 60'000;

// Makes messages of the mails that a visit has fetched.
void read_mails(const SyncContext& context, const std::string& account,
                const std::vector<DropMail>& found, Mails& mails, SyncResult& out) {
    std::vector<DropMail> open;
    std::copy_if(found.begin(), found.end(), std::back_inserter(open),
                 [&](const DropMail& mail) { return mails.is_open(mail); });
    const auto added = mails.add(open);
    if (!added) {
        out.store_error = added.error();
        return;
    }
    out.changed_here = *added;
    if (!mails.problem().empty()) out.notes.push_back(mails.problem());
    store::DropCommit commit;
    commit.account = account;
    std::remove_copy_if(open.begin(), open.end(), std::back_inserter(commit.looked),
                        [&](const DropMail& mail) { return mails.is_open(mail); });
    if (auto done = context.store.commit_drop(context.mailbox.number, commit); !done)
        out.store_error = done.error();
    const std::int64_t poll =
        mails.more() ? 0 : std::max(kLeastPollMs, context.misc.sync_pending_timer_s * 1000);
    out.again_ms = std::min(out.again_ms.value_or(poll), poll);
}

}  // namespace

SyncResult visit_drop(const SyncContext& context) {
    SyncResult out;
    const std::string& number = context.mailbox.number;
    store::DropCommit commit;
    commit.account = account_text(context);
    auto state = context.store.drop_state(number, commit.account);
    if (!state) {
        out.store_error = state.error();
        return out;
    }
    const std::vector<DropMessage> messages = doomed(*state);
    const bool reads_mail = context.misc.use_tts;
    if (messages.empty() && !reads_mail) {
        out.complete = true;
        out.asked = false;
        return out;
    }
    Mails mails(context, !state->begun);
    transport::DropVisit visit;
    if (reads_mail) {
        visit.every = true;
        visit.content_size = kMailBytes;
        visit.wanted = [&](const DropMail& mail) { return mails.wants(mail); };
        visit.content = [&](const std::string& unique_id, std::string_view bytes) {
            mails.take(unique_id, bytes);
        };
    }
    for (const DropMail& mail : state->mails) visit.known.push_back(mail.unique_id);
    std::sort(visit.known.begin(), visit.known.end());
    visit.removals = removals_for(messages);
    // What the phone has restored meanwhile stays.
    visit.confirm = [&](std::size_t index) {
        const auto record = context.store.get(visit.removals[index].id);
        return record && record->message.state == MessageState::kDeleted;
    };
    transport::DropNews news = context.account.visit(visit);
    for (DropMail& mail : news.mails) recognise(context, mail);

    // What is settled is committed before anything else takes its time.
    const auto is_open = [&](const DropMail& mail) { return mails.is_open(mail); };
    std::remove_copy_if(news.mails.begin(), news.mails.end(), std::back_inserter(commit.looked),
                        is_open);
    commit.gone = news.gone;
    commit.begun = !news.failure;
    if (news.failure) {
        out.failure = std::move(news.failure);
    } else {
        // Where all unique-ids are other ones, those we knew say nothing of what is missing.
        if (news.gone.size() == visit.known.size() && !news.mails.empty())
            for (DropRemoval& removal : visit.removals) removal.unique_id.clear();
        DropDecision decision =
            decide_drop(messages, visit.removals, news.results, context.clock.now());
        commit.settled = std::move(decision.settled);
        commit.gone.insert(commit.gone.end(), decision.forget.begin(), decision.forget.end());
        out.changed_there = static_cast<int>(std::count_if(
            news.results.begin(), news.results.end(),
            [](const DropResult& result) { return result.outcome == DropOutcome::kDone; }));
        out.notes = std::move(decision.notes);
        out.again_ms = decision.again_ms;
    }
    if (auto done = context.store.commit_drop(number, commit); !done) {
        out.store_error = done.error();
        return out;
    }
    if (reads_mail) read_mails(context, commit.account, news.mails, mails, out);
    // (A mail that is late is waited for; nothing is out of step because of it.)
    out.complete = !out.failure && !out.store_error && out.notes.empty();
    for (const std::string& note : out.notes) trace(TraceLevel::kWarning, "{}: {}", number, note);
    return out;
}

Result<std::vector<std::string>> plan_drop(const SyncContext& context) {
    VM_ASSIGN(store::DropState state,
              context.store.drop_state(context.mailbox.number, account_text(context)));
    std::vector<std::string> out;
    for (const DropMessage& message : doomed(state))
        out.push_back(message.id + ": delete its mail from the account (deleted on the phone)");
    return out;
}

}  // namespace vm::agent
