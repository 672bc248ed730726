// A schedule: what a unit, its subscribers, their servers and the machine do, in which order. Made
// from one number, and from nothing else.
//
// An event's `at` says when it happens: 0 at its turn; n > 0 in the midst of the next thing that
// the agent does, at the n-th point where another thread, another process, a server or the network
// can come in between (every step of every call of the account, and every commit). Which message,
// mail or folder it means is what its numbers come to when it happens, so that events can be left
// out of a schedule and the rest still has a meaning (shrink.h).
#ifndef VM_TESTS_SIM_SCHEDULE_H
#define VM_TESTS_SIM_SCHEDULE_H

#include <cstdint>
#include <string>
#include <vector>

namespace vm::sim {

enum class Doing {
    // the phone; `b` odd: its program dies before its commit
    kAdd,
    kHear,
    kMarkNew,
    kUrgent,
    kNotUrgent,
    kFile,  // to another folder
    kDelete,
    kRestore,
    kRetry,
    kRelease,
    kReleaseKeeping,
    // the subscriber, with one of the mails of a message
    kSee,
    kUnsee,
    kFlag,
    kUnflag,
    kMarkDeleted,
    kUnmarkDeleted,
    kExpunge,
    kMoveMail,   // to another folder
    kTrashMail,  // to Trash
    kCopyMail,
    kForeign,         // somebody else's mail arrives
    kForeignDeleted,  // and one that is marked as deleted
    kDropFolder,
    kRecreateFolder,  // by the same name, empty, with another UIDVALIDITY
    kRenumber,        // another UIDVALIDITY, all UIDs are others
    // what was handed over arrives, twice, or never
    kDeliver,
    kDeliverTwice,
    kLose,
    // what the servers will do
    kPushAnswer,    // to the next push
    kRefuseFolder,  // it cannot be selected
    kRefuseMail,    // to change it
    kDenyMail,      // says that it is missing
    kHideFolder,    // leaves it out of the next listing
    kLie,           // does not find what it has, once
    kServersWell,
    // the network, the machine
    kCut,
    kKill,
    kDiskFull,
    kClock,
    // the options
    kSyncMode,
    kDeleteMode,
    kSendMode,
    kSwitchOff,
    kSwitchOn,
    kOtherAccount,
    // the agent
    kTurn,
    kPass,
    kPurge,
    kQuiet,  // until nothing changes any more; then everything must be in step
};
constexpr int kDoings = static_cast<int>(Doing::kQuiet) + 1;

struct Event {
    Doing what = Doing::kPass;
    unsigned at = 0;
    unsigned a = 0, b = 0, c = 0;
};
std::string to_text(const Event& event);

// What stays the same through a schedule.
struct Setting {
    unsigned mailboxes = 1;
    bool drop = false;  // the accounts are maildrops
    bool modseqs = true, uidplus = true;
    unsigned found_a_call = 1000;
    unsigned limit = 50;  // g_nMassDeletionLimit
    unsigned timeout_min = 7200;
    unsigned sync_mode = 0;
    bool to_trash = false;
};
std::string to_text(const Setting& setting);

struct Schedule {
    std::uint64_t seed = 0;
    Setting setting;
    std::vector<Event> events;
};
Schedule make_schedule(std::uint64_t seed);

}  // namespace vm::sim

#endif
