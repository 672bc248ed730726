// A small world for decide_sync: a unit, an account and an agent's memory of it, all in memory.
// What happens is a list of steps; on each pass the world looks at what was decided before it does
// it, with the eyes of one who sees both sides, and keeps the first thing that may not be.
#ifndef VM_TESTS_CORE_SYNC_WORLD_H
#define VM_TESTS_CORE_SYNC_WORLD_H

#include "core/sync.h"

#include <array>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace vm::testing {

enum class Doing {
    // the phone
    kHear,
    kMarkNew,
    kUrgent,
    kNotUrgent,
    kDelete,
    kRestore,
    kToFolder,
    // the subscriber, with one of the copies of a message
    kSee,
    kUnsee,
    kFlag,
    kUnflag,
    kMarkDeleted,
    kUnmarkDeleted,
    kExpunge,
    kMove,     // to another folder of the scope
    kMoveOut,  // to Trash, or to a folder that is not in the scope
    kMoveIn,   // back from there
    kCopy,
    kForeign,  // somebody else's mail arrives
    // the account's folders
    kRenumber,  // another UIDVALIDITY, all UIDs are others
    kRename,
    kDropFolder,
    // the agent
    kDeliver,      // what was handed over arrives in the account
    kPass,         // complete
    kPartialPass,  // some folders are not looked at
    kCrashedPass,  // dies in the middle
    kWorstPass,    // both
    // a person
    kRelease,
    kReleaseKeeping,
    kRejoin,  // Email Integration off, and on again
};

struct Step {
    Doing doing;
    unsigned message, which, where;
};
std::ostream& operator<<(std::ostream& out, const Step& step);
void showValue(const Step& step, std::ostream& out);

class SyncWorld {
  public:
    // `messages` of them, all delivered, which have not arrived yet.
    SyncWorld(unsigned messages, SyncPolicy policy);

    void run(const Step& step);
    // Complete passes until one decides nothing; a person releases what is held. How many passes
    // decided something, more than `most` being a problem.
    int settle(bool keeping = false, int most = 4);

    const std::string& problem() const { return problem_; }  // "" when all is well
    std::string story() const;                               // what happened

    struct Mail {
        std::string id;  // "" somebody else's
        MailFlags flags;
        unsigned serial;
    };
    struct Folder {
        std::uint32_t uidvalidity, next_uid;
        std::map<std::uint32_t, Mail> mails;
    };
    struct UnitMessage {
        Message message;
        MessageState before = MessageState::kNew;  // it was deleted
        std::optional<Agreed> agreed;
        std::vector<MailCopy> known;
        bool on_its_way = false;
        // What the watch knows.
        bool phone_deleted = false;  // by the phone, and so it is still
        bool mail_deleted = false;   // a copy, by the subscriber, and nothing has settled it yet
        std::set<unsigned> others;   // second copies that were reported, by their serials
    };
    UnitMessage& message(unsigned i) { return unit_.at(i % unit_.size()); }
    std::size_t messages() const { return unit_.size(); }
    // The message's mails in the scope that are not marked as deleted.
    std::vector<Link> live(const UnitMessage& message) const;
    std::size_t mails(const UnitMessage& message) const;  // also those out of the scope
    Mail& mail(const Link& place) { return account_.at(place.folder).mails.at(place.uid); }
    static bool in_scope(const std::string& folder);
    static inline const std::array<std::string, 3> kFolders{"INBOX", "Work", "Archive"};
    static inline const std::array<std::string, 2> kOutside{"Trash", "Private"};

    SyncPolicy policy;

  private:
    using Skipped = std::set<std::string>;
    // The actions it decided on; does at most `limit` things.
    std::size_t pass(const Skipped& skipped, std::optional<unsigned> limit);
    std::vector<SyncMessage> look(const Skipped& skipped, SyncScope& scope) const;
    void watch(const std::vector<SyncAction>& actions, const SyncScope& scope);
    void commit(const SyncAction& action);
    void in_account(const SyncAction& action, bool recorded);
    void recover(const SyncAction& action, UnitMessage& message, bool recorded);
    void phone(const Step& step);
    void subscriber(const Step& step);
    void folders(const Step& step);
    UnitMessage& by_id(const std::string& id);
    std::vector<Link> places(const UnitMessage& message, bool scope) const;
    static bool knows(const UnitMessage& message, const Link& place);
    Link put(const std::string& folder, const Mail& mail);
    Mail* find(const Link& place);
    std::optional<Mail> take(const Link& place);
    void wrong(const std::string& what);
    void check_settled();
    std::map<unsigned, std::string> foreign() const;

    std::vector<UnitMessage> unit_;
    std::map<std::string, Folder> account_;
    std::map<std::string, std::uint32_t> known_folders_;
    std::uint32_t next_uidvalidity_ = 1;
    unsigned next_serial_ = 1;
    std::vector<std::string> story_;
    std::string problem_;
};

}  // namespace vm::testing

#endif
