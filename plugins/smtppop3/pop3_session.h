// The POP3 account of one session: each function is a visit of its own, as a maildrop that somebody
// looks at is locked for all others (RFC 1939 section 4). One thread at a time.
#ifndef VM_PLUGINS_SMTPPOP3_POP3_SESSION_H
#define VM_PLUGINS_SMTPPOP3_POP3_SESSION_H

#include "common/account.h"
#include "smtppop3/drop.h"

#include <functional>
#include <memory>
#include <string>

namespace vm::plug::pop3 {

class Pop3Session : public Account {
  public:
    Pop3Session(AccountOptions options, Host host);
    ~Pop3Session() override;
    Pop3Session(const Pop3Session&) = delete;
    Pop3Session& operator=(const Pop3Session&) = delete;

    AccountEnding find(const std::string& id, FoundMessage& found) override;
    AccountEnding visit(const vm_drop& drop, const vm_drop_sink& sink) override;

    const Counters& counters() const override { return counters_; }
    bool connected() const override { return connected_; }
    std::uint32_t features() const override { return 0; }
    std::string hide(std::string_view text) const override { return host_.hide(text); }

  private:
    AccountEnding perform(const std::function<void(Drop&)>& function);

    AccountOptions options_;
    Host host_;
    Counters counters_;
    bool connected_ = false;
};

std::unique_ptr<Account> make_pop3_account(AccountOptions options, Host host);

}  // namespace vm::plug::pop3

#endif
