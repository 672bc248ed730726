// A unit with one mailbox, a real store and an account in memory
// (tests/plugins/fixtures/account.h), for tests of a pass.
#ifndef VM_TESTS_AGENT_SYNC_RIG_H
#define VM_TESTS_AGENT_SYNC_RIG_H

#include "../plugins/fixtures/account.h"
#include "agent/session_options.h"
#include "agent/sync_run.h"
#include "unit_root.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::testing {

transport::Plugin account_plugin();

// Everything in an account, to be taken over by another process.
std::string dump_account(const FakeAccount& account);
void restore_account(FakeAccount& account, const std::string& dump);

class SyncRig {
  public:
    static constexpr const char* kNumber = "101";

    SyncRig();
    // With the store of another rig, which must be closed; the account stays as it is.
    explicit SyncRig(const SyncRig& from);

    void open();
    void close() { store_.reset(); }
    store::Store& store() { return *store_; }

    // A message that was sent; its mail has not arrived.
    std::string add_sent();
    // Its mail arrives.
    std::uint32_t deliver(const std::string& id, const std::string& folder = "INBOX",
                          std::uint32_t flags = 0);
    // Both, and a pass.
    std::string add_linked(const std::string& folder = "INBOX");
    // Somebody else's mail.
    std::uint32_t foreign(const std::string& folder);

    agent::SyncResult pass();
    // Passes until one of them has nothing to do; how many did something. Fails when they do not
    // end, or when one of them cannot be ended.
    int settle();

    MessageRecord get(const std::string& id);
    std::string state_of(const std::string& id);  // "read", "new", "deleted"
    // "state new>read", in their order; only changes of the message and its delivery.
    std::vector<std::string> changes(const std::string& id);
    // "" when it has none, else "INBOX 7".
    std::string link(const std::string& id);
    // The only mail of the message in the account; fails when there is none, or more of them.
    FakeMail& mail(const std::string& id);
    std::string folder_of(const std::string& id);  // its only mail's
    // What both sides are, but for UIDs and times.
    std::string both_sides();
    store::SyncState sync_state();
    std::size_t called(const std::string& prefix) const;
    // `deed` once, at the first point that begins with `where`.
    void at(const std::string& where, std::function<void()> deed);

    UnitRoot root;
    ManualClock clock{1'800'000'000'000};
    config::MailboxOptions mailbox;
    config::MiscSetup misc;
    FakeAccount& account;
    bool unit_changed = true;
    std::filesystem::path mail_reader = UnitRoot::build() / "bin" / "vmreadmail";
    std::function<bool()> cancelled = [] { return false; };

  private:
    std::unique_ptr<store::Store> store_;
    std::optional<transport::AccountSession> session_;
};

}  // namespace vm::testing

#endif
