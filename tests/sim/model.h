// The reference: what may be expected of unit and account from what was done by whom. It looks at
// the store only as a person at the phone does, and never at what the agent remembers.
//
// Time is counted in events (`now`), so that it can be said what was done before what.
#ifndef VM_TESTS_SIM_MODEL_H
#define VM_TESTS_SIM_MODEL_H

#include "outside.h"
#include "unit.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vm::sim {

using Moment = unsigned long;

// An attribute that both sides have, since all was quiet the last time.
template <class Value>
struct Shared {
    Value agreed{};
    std::optional<Value> phone, mail;  // what each side has made of it
    void agree(const Value& value) {
        agreed = value;
        phone.reset();
        mail.reset();
    }
};

struct Truth {
    std::string id, name;  // name: "m3", the same in every run of a schedule
    unsigned box = 0;
    MessageKind kind = MessageKind::kVoice;
    TimeMs added = 0;
    // As it was seen on the phone the last time.
    bool purged = false;
    MessageState state = MessageState::kNew;
    std::string folder;
    bool urgent = false;

    bool phone_deleted = false;  // by the phone, and so it is still
    Moment phone_deleted_at = 0;
    Moment removed_since = 0;  // when the pass began that removed a mail of it last
    TimeMs deleted_time = 0;
    // When the subscriber last deleted a mail of it that the agent knew of; 0: that is settled.
    Moment mail_deleted_at = 0;

    struct Push {
        unsigned account;
        std::string message_id;
        bool absent = false;  // the agent was told since that it is not there
    };
    std::vector<Push> pushes;    // that a server took
    bool to_send_again = false;  // it was restored, and the account of then had no mail of it
    bool copy_left = false;      // it was deleted, and a second copy was left alone
    bool may_fail = false;       // a server refused it for good, or it waited for too long
    unsigned mails = 0;          // that ever were in the account
    // Since all was quiet:
    bool in_step = false;     // then it had one mail, linked and the same as the message
    bool muddled = false;     // things happened whose outcome is not foretold
    bool lost_place = false;  // its folder has another UIDVALIDITY: nothing there says "deleted"
    bool phone_touched_deletion = false;
    Shared<bool> read, flagged;
    Shared<std::string> filed;
};

// What was the case when something of the agent's began.
struct Began {
    Moment when = 0;
    unsigned box = 0;
    bool hold = false, released = false, complete = true;
    bool alone = true;  // nothing else has happened since
    std::size_t linked = 0;
    std::shared_ptr<const config::MailboxOptions> options;
};

class Model {
  public:
    Model(Unit& unit, Outside& outside) : unit_(unit), outside_(outside) {}

    Moment now = 1;
    std::vector<Truth> messages;
    std::string violation;  // the first one; "" when all is well
    void wrong(const std::string& what) {
        if (violation.empty()) violation = what;
    }
    Truth* find(const std::string& id);
    Truth& added(unsigned box, const std::string& id, MessageKind kind, bool urgent);

    // Box flags: things after which less can be foretold.
    struct BoxTruth {
        bool limited = false;   // not everything was to be sent
        bool rescoped = false;  // other folders, another account, a folder that was not listed
        bool off = false;       // Email Integration
    };
    std::map<unsigned, BoxTruth> boxes;
    void muddle(unsigned box);

    // ---- while it goes on (rules.cc)
    Began begin(unsigned box);
    // What of the messages is different now, which nobody but the agent can have done.
    void observe(const Began& began);
    void taken(unsigned account, const std::string& id, const std::string& message_id);
    void told_absent(unsigned account, const std::string& id, bool by_recovery);
    void asked(unsigned account, const vm_change& change, const FakeMail* mail);
    void asked_to_drop(unsigned account, const FakeMail& mail, const std::string& id);
    void foreign(unsigned account, const FakeMail& mail, const std::string& folder);
    void foreign_gone(const std::string& serial) { foreign_.erase(serial); }
    void check_foreign();

    // ---- when all is quiet (quiet.cc)
    void check_in_step(unsigned box);
    void check_delivered(unsigned box);
    void new_epoch(unsigned box);

    struct Place {
        std::string folder;
        std::uint32_t uid;
        const FakeMail* mail;
    };
    // The message's mails in the account that is configured; `live`: in the scope, not \Deleted.
    std::vector<Place> mails(const Truth& truth, bool live) const;
    bool in_scope(const std::string& folder, const config::MailboxOptions& options) const;
    // Both sides were in step when the phone deleted it, and its only mail lies where it lay then.
    bool left_behind(const Truth& truth) const;

  private:
    void saw(Truth& truth, const MessageRecord& record, const Began& began);
    void deleted_by_agent(Truth& truth, const Began& began);
    void restored_by_agent(Truth& truth, const Began& began);
    void check_message(Truth& truth, const MessageRecord& record);
    void check_winner(Truth& truth, const MessageRecord& record);

    Unit& unit_;
    Outside& outside_;
    struct Foreign {
        unsigned account;
        std::string folder;
        std::uint32_t flags;
    };
    std::map<std::string, Foreign> foreign_;  // by serial
    std::size_t deleted_in_run_ = 0;
    Moment running_since_ = 0;
};

}  // namespace vm::sim

#endif
