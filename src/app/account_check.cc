#include "agent/sync_run.h"
#include "app/server_check.h"
#include "base/text.h"

namespace vm::app {

using transport::ScopeMode;

AccountCheck::Fault AccountCheck::fault_of(const AccountFailure& failure) const {
    switch (failure.fault) {
        case AccountFault::kConfig:
            return refusal_of_options();
        case AccountFault::kLogin:
            return Fault::kLoginRefused;
        case AccountFault::kTurnedAway:
            return Fault::kTurnedAway;
        case AccountFault::kRefused:
            return Fault::kFolder;
        default:
            return failure.replied ? Fault::kTemporary : Fault::kBrokeOff;
    }
}

bool AccountCheck::fail_account(Step step, const AccountFailure& failure) {
    if (step == Step::kLogin && failure.logged_in) {
        tell(Step::kLogin, who());
        step = Step::kFolder;
    }
    return fail(step, fault_of(failure), failure.text);
}

AccountCheck::AccountCheck(const CheckedMailbox& all)
    : ServerCheck(all, config::transport_kind(all.misc) == config::TransportKind::kPop3
                           ? diagnose::Protocol::kPop3
                           : diagnose::Protocol::kImap4) {}

void AccountCheck::run() {
    // (That there is none was noted with the options.)
    if (!agent::has_account(all_.mailbox, all_.misc) || !reach()) return;
    auto options = limited(agent::session_options(all_.mailbox, all_.misc, {}, all_.tokens));
    options.smtp = {};
    auto account = transport::AccountSession::open(all_.plugin, options);
    if (!account) {
        fail(Step::kLogin, Fault::kPlugin, account.error().reason);
        return;
    }
    if (all_.plugin.can_visit() ? maildrop(*account) : folders(*account))
        works("the account at " + server().host + " can be used");
}

bool AccountCheck::maildrop(transport::AccountSession& account) {
    const transport::DropNews news = account.visit({});
    if (news.failure) return fail_account(Step::kLogin, *news.failure);
    tell(Step::kLogin, who());
    tell(Step::kFolder, "the maildrop can be opened", "of POP3 only deletions at the phone travel");
    return true;
}

bool AccountCheck::folders(transport::AccountSession& account) {
    const auto inbox = account.folders({ScopeMode::kInbox, "", true, false});
    if (!inbox) return fail_account(Step::kLogin, inbox.error());
    tell(Step::kLogin, who());
    const transport::AccountStats able = account.stats();
    if (all_.mailbox.sync_mode != config::SyncMode::kNone && !scope(account)) return false;
    const auto parked = account.park("INBOX");
    if (!parked) return fail_account(Step::kIdle, parked.error());
    if (parked->supported)
        tell(Step::kIdle, "the server tells of changes as they happen");
    else
        tell(Step::kIdle, "not offered",
             "the account is looked at every " + std::to_string(all_.misc.sync_pending_timer_s) +
                 " seconds instead");
    synchronisation(able);
    return true;
}

// The folders that are kept in step, without making any.
bool AccountCheck::scope(transport::AccountSession& account) {
    const bool all = all_.mailbox.sync_mode == config::SyncMode::kAllFolders;
    if (all_.mailbox.sync_mode == config::SyncMode::kInboxOnly) {
        tell(Step::kFolder, "INBOX");
        return true;
    }
    const auto home = account.folders({ScopeMode::kFolder, agent::kVmFolder, true, false});
    const auto listed = all && home ? account.folders({ScopeMode::kAll, "", true, false}) : home;
    if (!listed) return fail_account(Step::kFolder, listed.error());
    const std::size_t count = listed->size();
    std::string words =
        std::string("\"") + agent::kVmFolder + "\" is " + (home->empty() ? "not there" : "there");
    if (all) words = std::to_string(count) + (count == 1 ? " folder; " : " folders; ") + words;
    tell(Step::kFolder, words, home->empty() ? "the agent makes it" : "");
    return true;
}

void AccountCheck::synchronisation(const transport::AccountStats& able) {
    std::vector<std::string> has, lacks;
    const auto look = [&](bool there, const char* name, const char* cost) {
        if (there)
            has.emplace_back(name);
        else
            lacks.push_back(std::string("no ") + name + ": " + cost);
    };
    look(able.condstore, "CONDSTORE", "each look asks about every message of ours");
    look(able.qresync, "QRESYNC", "what is gone has to be asked for");
    look(able.move, "MOVE", "moving is copying and deleting");
    look(able.uidplus, "UIDPLUS", "what is deleted at the phone goes to the trash folder");
    tell(Step::kSynchronisation, has.empty() ? "plain IMAP" : join(has, ", "), join(lacks, "; "));
}

}  // namespace vm::app
