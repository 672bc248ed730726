// One server's part of a check (mailbox_check.h): SMTP, or the account by the plugin in force. One
// thread; each object for one run.
#ifndef VM_APP_SERVER_CHECK_H
#define VM_APP_SERVER_CHECK_H

#include "agent/session_options.h"
#include "app/mailbox_check.h"
#include "core/account.h"
#include "diagnose/probe.h"
#include "transport/account.h"

#include <functional>
#include <string>

namespace vm::app {

// What all parts share.
struct CheckedMailbox {
    const CheckWish& wish;
    const config::MailboxOptions& mailbox;
    const config::MiscSetup& misc;
    const transport::Plugin& plugin;
    const agent::Tokens& tokens;
    const std::function<void(const CheckedStep&)>& tell;
    CheckSummary& summary;
};

class ServerCheck {
  protected:
    using Fault = diagnose::Fault;
    using Finding = diagnose::Finding;
    using Step = diagnose::Step;

    ServerCheck(const CheckedMailbox& all, diagnose::Protocol protocol)
        : all_(all), protocol_(protocol) {}

    // Up to where a login comes. False: that failed, and was told.
    bool reach();

    // A step that took since the last one was told.
    void tell(Step step, std::string words, std::string note = {});
    // All return false.
    bool fail(Step step, Fault fault, std::string words, std::string note = {});
    bool missing(const std::string& key, const char* value = "...");
    void works(const std::string& what);

    std::string option(const char* name) const;
    const config::Server& server() const { return diagnose::server_of(all_.mailbox, protocol_); }
    transport::SessionOptions limited(transport::SessionOptions options) const;
    // Why the plugin does not log in with these options.
    Fault refusal_of_options() const;
    // As whom.
    std::string who() const;

    const CheckedMailbox& all_;

  private:
    Finding finding(Step step, std::string words, std::string note) const;
    void tell(const Finding& found);

    diagnose::Protocol protocol_;
    diagnose::Abilities able_;
    std::int64_t since_ = system_clock().steady_ms();
};

class SendingCheck : private ServerCheck {
  public:
    explicit SendingCheck(const CheckedMailbox& all)
        : ServerCheck(all, diagnose::Protocol::kSmtp) {}
    void run();

  private:
    bool send(transport::Session& session);
};

class AccountCheck : private ServerCheck {
  public:
    explicit AccountCheck(const CheckedMailbox& all);
    void run();

  private:
    Fault fault_of(const AccountFailure& failure) const;
    bool fail_account(Step step, const AccountFailure& failure);
    bool maildrop(transport::AccountSession& account);
    bool folders(transport::AccountSession& account);
    bool scope(transport::AccountSession& account);
    void synchronisation(const transport::AccountStats& able);
};

}  // namespace vm::app

#endif
