// What lies outside of the unit: the SMTP server, mails on their way, and accounts in memory
// (tests/plugins/fixtures/account.h), behind a table as a plugin has it.
//
// Every call goes through points: at each it may be cut, or the process that made it may be dead;
// and before and after each of its effects there is one. A connection is cut at a byte, but what
// the two ends can know of each other changes only with what was done and with what was told: a cut
// at any byte is one of these.
#ifndef VM_TESTS_SIM_OUTSIDE_H
#define VM_TESTS_SIM_OUTSIDE_H

#include "../plugins/fixtures/account.h"
#include "schedule.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace vm::sim {

using testing::FakeAccount;
using testing::FakeFolder;
using testing::FakeMail;

// Looks on, and does what happens in the midst of a call.
class Witness {
  public:
    virtual ~Witness() = default;
    virtual void at_point(const std::string& point) = 0;
    // The server has taken responsibility for a mail.
    virtual void taken(unsigned account, const std::string& id, const std::string& message_id) = 0;
    // It has refused one for good.
    virtual void refused(const std::string& id) = 0;
    // The agent was told that the message is not in the account; by a recovery, in Trash, after
    // which it sends it again.
    virtual void told_absent(unsigned account, const std::string& id, bool by_recovery) = 0;
    // It asks to have this done, at that moment; `mail` is what lies there, or nothing.
    virtual void asked(unsigned account, const vm_change& change, const FakeMail* mail) = 0;
    // A mail of a maildrop is to be deleted.
    virtual void asked_to_drop(unsigned account, const FakeMail& mail, const std::string& id) = 0;
};

// What only somebody who sees everything knows of a mail; FakeMail::content is its serial.
struct MailTruth {
    unsigned long since = 0;  // when it came to where it is by another's hand, or became live
    bool told = false;        // the agent was told of it
};

// How the server ends the next push.
struct PushAnswer {
    std::uint8_t step = VM_STEP_DOT, cause = VM_CAUSE_REPLY;
    std::uint16_t code = 250;
    bool taken = true;  // the mail, whatever the answer says
};
PushAnswer push_answer(unsigned number);

class Outside {
  public:
    static constexpr unsigned kAccounts = 4;  // two for each mailbox

    // One at a time: the plugins' tables lead to it.
    Outside(const Setting& setting, Witness& witness);
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;
    ~Outside();

    FakeAccount& account(unsigned which);
    // Puts a mail there that nobody has seen yet.
    void put(unsigned account, const std::string& folder, FakeMail mail, unsigned long now);
    MailTruth& truth(const FakeMail& mail) { return truths_[mail.content]; }
    std::string next_serial() { return std::to_string(++serials_); }
    void restart_servers();  // all that is not well is well again

    struct OnItsWay {
        unsigned account;
        FakeMail mail;
    };
    std::vector<OnItsWay> on_its_way;
    std::deque<PushAnswer> answers;
    bool lie = false;   // the next search finds nothing
    bool lied = false;  // one did
    bool cut = false;   // the call in hand ends at this point
    unsigned cut_kind = 0;
    bool dead = false;  // the process is: its calls do nothing any more
    const Setting& setting() const { return setting_; }
    Witness& witness() { return witness_; }

    // For the tables: the account in hand. Calls nest when another thread runs at a point.
    class InHand {
      public:
        explicit InHand(unsigned account);
        InHand(const InHand&) = delete;
        InHand& operator=(const InHand&) = delete;
        ~InHand();

      private:
        int before_;
    };
    // True: the call ends here.
    bool ends_at(const std::string& point);

  private:
    void show(int account);

    const Setting setting_;
    Witness& witness_;
    FakeAccount& shown_;  // the plugin's own
    int showing_ = -1;
    std::vector<FakeAccount> accounts_;
    std::map<std::string, MailTruth> truths_;
    unsigned serials_ = 0;
};

}  // namespace vm::sim

// What the two plugins of the simulation (tests/sim/plugins) hand to the host.
extern "C" __attribute__((visibility("default"))) const vm_transport* sim_imap_transport();
extern "C" __attribute__((visibility("default"))) const vm_transport* sim_drop_transport();

#endif
