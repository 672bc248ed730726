// The IMAP4 account of one session: connects when needed, keeps the connection, replaces a dead one
// once, and does what the ABI's account functions promise. One thread at a time.
#ifndef VM_PLUGINS_SMTPIMAP4_IMAP_SESSION_H
#define VM_PLUGINS_SMTPIMAP4_IMAP_SESSION_H

#include "common/account.h"
#include "smtpimap4/folders.h"
#include "smtpimap4/link.h"

#include <functional>
#include <memory>
#include <string>

namespace vm::plug::imap {

class ImapSession : public Account {
  public:
    ImapSession(AccountOptions options, Host host);
    ~ImapSession() override;
    ImapSession(const ImapSession&) = delete;
    ImapSession& operator=(const ImapSession&) = delete;

    AccountEnding find(const std::string& id, FoundMessage& found) override;
    AccountEnding folders(const vm_scope& scope, const FolderSink& sink) override;
    AccountEnding look(const vm_look& look, const vm_look_sink& sink,
                       vm_look_result& result) override;
    AccountEnding apply(const std::string& folder, std::uint32_t uidvalidity,
                        const vm_change* changes, std::size_t count,
                        const ChangeSink& sink) override;
    AccountEnding recover(const std::string& id, const std::string& message_id,
                          const std::string& to, vm_change_result& result) override;
    AccountEnding fetch(const std::string& folder, std::uint32_t uidvalidity, std::uint32_t uid,
                        std::uint32_t size, const FetchSink& sink) override;
    AccountEnding park(const std::string& folder, int& fd, bool& changed) override;
    AccountEnding peek(bool& changed) override;
    AccountEnding ask(bool& waits, bool& changed) override;

    const Counters& counters() const override { return counters_; }
    bool connected() const override { return connected_; }
    std::uint32_t features() const override { return features_; }
    std::string hide(std::string_view text) const override { return host_.hide(text); }

  private:
    AccountEnding perform(const std::function<void()>& function);
    std::unique_ptr<Link> connect();
    AccountEnding attempt(const std::function<void()>& function, bool& stale);
    bool start_waiting(const std::string& name);
    AccountEnding attempt_parked(const std::function<void(Dialogue&)>& function);
    bool changed() const;
    void drop();

    AccountOptions options_;
    Host host_;
    Counters counters_;
    bool connected_ = false;
    std::uint32_t features_ = 0;
    std::unique_ptr<Link> link_;  // null: not connected
    Told told_;
    bool all_folders_ = false;   // the scope last given to folders()
    bool inbox_wanted_ = false;  // what is to be done begins with the state of INBOX
    bool unlike_ = false;        // the parked folder was not as the host was told
};

std::unique_ptr<Account> make_imap_account(AccountOptions options, Host host);

}  // namespace vm::plug::imap

#endif
