#include "agent/drop_run.h"

#include "agent/session_options.h"
#include "base/trace.h"
#include "core/drop.h"

#include <algorithm>
#include <map>

namespace vm::agent {

namespace {

// Whose drop it is; with another text, unique-ids mean nothing.
std::string account_text(const SyncContext& context) {
    return account_server_of(context.mailbox, context.misc) + " " + context.mailbox.pop3.account;
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

// What a visit learned; without results, that none of the removals was confirmed.
store::DropCommit learned(const std::string& account, const transport::DropNews& news) {
    store::DropCommit out;
    out.account = account;
    out.looked = news.mails;
    out.gone = news.gone;
    return out;
}

}  // namespace

SyncResult visit_drop(const SyncContext& context) {
    SyncResult out;
    const std::string& number = context.mailbox.number;
    const std::string account = account_text(context);
    auto state = context.store.drop_state(number, account);
    if (!state) {
        out.store_error = state.error();
        return out;
    }
    const std::vector<DropMessage> messages = doomed(*state);
    if (messages.empty()) {
        out.complete = true;
        return out;
    }
    transport::DropVisit visit;
    for (const DropMail& mail : state->mails) visit.known.push_back(mail.unique_id);
    std::sort(visit.known.begin(), visit.known.end());
    visit.removals = removals_for(messages);
    // What the phone has restored meanwhile stays.
    visit.confirm = [&](std::size_t index) {
        const auto record = context.store.get(visit.removals[index].id);
        return record && record->message.state == MessageState::kDeleted;
    };
    transport::DropNews news = context.account.visit(visit);
    store::DropCommit commit = learned(account, news);
    if (news.failure) {
        out.failure = std::move(news.failure);
    } else {
        DropDecision decision =
            decide_drop(messages, visit.removals, news.results, context.clock.now());
        commit.settled = std::move(decision.settled);
        commit.gone.insert(commit.gone.end(), decision.forget.begin(), decision.forget.end());
        out.changed_there = static_cast<int>(std::count_if(
            news.results.begin(), news.results.end(),
            [](const DropResult& result) { return result.outcome == DropOutcome::kDone; }));
        out.notes = std::move(decision.notes);
        out.again_ms = decision.again_ms;
        // (A mail that is late is waited for; nothing is out of step because of it.)
        out.complete = out.notes.empty();
        for (const std::string& note : out.notes)
            trace(TraceLevel::kWarning, "{}: {}", number, note);
    }
    if (auto done = context.store.commit_drop(number, commit); !done)
        out.store_error = done.error();
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
