// The class behind sync_mailbox() and plan_sync(), private to sync_run.cc (the pass and what it
// decides), sync_look.cc (what there is on both sides), sync_apply.cc (what is done in the account)
// and new_mail.cc (e-mails that become messages).
#ifndef VM_AGENT_SYNC_PASS_H
#define VM_AGENT_SYNC_PASS_H

#include "agent/sync_run.h"

#include <map>
#include <set>

namespace vm::agent {

// One pass; its members are what the steps share.
class Pass {
  public:
    explicit Pass(const SyncContext& context)
        : context_(context), mailbox_(context.mailbox.number) {}
    SyncResult run();
    Result<std::vector<std::string>> plan();

  private:
    enum class Round {
        kQuiet,     // nothing is left to do
        kAgain,     // what was done is to be looked at
        kRestless,  // the same, but not now
        kStop,      // it cannot go on
    };

    Round round(int number);
    bool settled() const;
    bool list(bool read_only, bool behind_look = false);
    bool list_once(bool read_only, bool behind_look);
    bool nothing_new();
    bool load();
    void forget_stale();
    void set_stale_aside();
    void note_known(const std::string& id, const MailCopy& copy, bool same_uids);
    bool was_there(const FoundMail& found, const Link& place) const;
    std::vector<MailCopy> copies_of(const SyncMessage& one) const;
    bool look_at_all();
    bool look_for_moved();
    std::set<std::string> folders_to_look_at_again() const;
    bool take_found();
    void set_modseq(const std::string& folder, std::uint64_t modseq);
    bool look_at(const FolderState& listed, bool last);
    void take_news(const FolderState& listed, const FolderNews& news);
    bool wants(const FoundMail& mail, const std::string& folder) const;
    bool recognise(FoundMail& found, const Link& place);
    void read_new_mails();
    bool forget_new_mails();
    bool read_new_mail(store::NewMail mail);
    bool is_taken(const std::string& id);
    bool take_known(const store::NewMail& mail, const std::string& id);
    void link_email(const std::string& id, const MailCopy& copy, store::SyncCommit& commit);
    void decide();
    void begin(const SyncAction& action, store::SyncCommit& commit);
    bool misses_mails() const;
    std::optional<bool> something_came();
    bool commit_decided();
    store::SyncChange change_of(const SyncAction& action);
    bool execute();
    bool execute_in(const Link& folder, const std::vector<SyncAction>& actions);
    void settle(const SyncAction& action, const MailChangeResult& result,
                store::SyncCommit& commit);
    void settle_cannot(const SyncAction& action, const MailChangeResult& result,
                       store::SyncCommit& commit);
    void settle_move(const SyncAction& action, const Link& to, const std::string& unit_folder,
                     store::SyncCommit& commit);
    bool recover(const SyncAction& action);
    bool still_wanted(const SyncAction& action);
    bool commit(const store::SyncCommit& commit);
    void fail_with(AccountFailure failure) { result_.failure = std::move(failure); }
    std::string account_text() const;
    std::string scope_text() const;
    // Another account was configured, or other folders of it.
    bool reads_mail() const { return context_.misc.use_tts; }
    bool is_elsewhere() const {
        return state_.account != account_text() || state_.scope != scope_text();
    }
    void note(const std::string& line);
    std::string busiest() const;
    SyncMessage* message(const std::string& id) {
        const auto found = by_id_.find(id);
        return found == by_id_.end() ? nullptr : &messages_[found->second];
    }
    // What was known of that folder; nullptr: nothing.
    FolderState* known(const std::string& folder) {
        for (FolderState& state : state_.folders)
            if (state.name == folder) return &state;
        return nullptr;
    }

    const SyncContext& context_;
    const std::string mailbox_;
    SyncResult result_;

    store::SyncState state_;  // as committed, and what this round learned
    std::vector<FolderState> listed_;
    SyncScope scope_;
    SyncPolicy policy_;
    bool every_ = false;        // look at every linked message
    bool unit_changed_ = true;  // since the last pass that left nothing to do
    bool loaded_ = false;
    bool first_ = false;  // look at this account, or at these folders of it
    std::vector<SyncMessage> messages_;
    std::map<std::string, std::size_t> by_id_;
    std::set<std::string> touched_;                  // ids whose copies are not as committed
    std::vector<std::pair<FoundMail, Link>> found_;  // by the looks of this round
    std::map<std::string, std::string> emails_;      // ids of e-mails, by Message-ID
    std::map<Link, std::string> email_places_;       // ids of e-mails, by where their mails lay
    std::map<std::string, int> same_message_id_;     // of others' mails that this round has found
    std::set<std::string> own_;                      // Message-IDs of the other messages
    std::vector<store::NewMail> new_mails_;          // that this round has found
    // By id and folder: copies that were known before all there was looked at anew; one that is
    // found there again has not come back, it was there.
    std::map<std::pair<std::string, std::string>, std::vector<MailCopy>> known_before_;
    // By message: copies in folders that are not what they were, and must be found there anew; with
    // UID 0, any that may be in a folder that could not be looked at.
    std::map<std::string, std::vector<MailCopy>> stale_;
    std::set<std::string> refused_looks_;  // folders, in this round
    bool state_changed_ = false;
    std::vector<SyncAction> actions_;
    bool partly_ = false;   // a folder was looked at in part
    bool refused_ = false;  // something in the account cannot be done now
};

}  // namespace vm::agent

#endif
