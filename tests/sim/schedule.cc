#include "schedule.h"

#include "random.h"

#include <array>

namespace vm::sim {

namespace {

struct Weighted {
    Doing what;
    const char* name;
    unsigned between;  // how often between two things the agent does
    unsigned within;   // and in the midst of one
};

// In the order of Doing. What meets often in life, and what is known to be hard, is frequent.
constexpr std::array<Weighted, kDoings> kWeights{{
    {Doing::kAdd, "phone: add", 8, 6},
    {Doing::kHear, "phone: mark read", 6, 4},
    {Doing::kMarkNew, "phone: mark new", 4, 3},
    {Doing::kUrgent, "phone: urgent", 4, 2},
    {Doing::kNotUrgent, "phone: not urgent", 2, 2},
    {Doing::kFile, "phone: move", 6, 4},
    {Doing::kDelete, "phone: delete", 8, 8},
    {Doing::kRestore, "phone: restore", 6, 6},
    {Doing::kRetry, "person: queue retry", 2, 1},
    {Doing::kRelease, "person: release", 1, 1},
    {Doing::kReleaseKeeping, "person: release --keep", 1, 1},
    {Doing::kSee, "mail: seen", 6, 4},
    {Doing::kUnsee, "mail: not seen", 3, 2},
    {Doing::kFlag, "mail: flagged", 4, 2},
    {Doing::kUnflag, "mail: not flagged", 2, 1},
    {Doing::kMarkDeleted, "mail: \\Deleted", 5, 5},
    {Doing::kUnmarkDeleted, "mail: not \\Deleted", 4, 4},
    {Doing::kExpunge, "mail: expunged", 7, 7},
    {Doing::kMoveMail, "mail: moved", 8, 8},
    {Doing::kTrashMail, "mail: to Trash", 5, 5},
    {Doing::kCopyMail, "mail: copied", 2, 2},
    {Doing::kForeign, "mail: somebody else's arrives", 3, 2},
    {Doing::kForeignDeleted, "mail: somebody else's, \\Deleted", 3, 2},
    {Doing::kDropFolder, "account: folder deleted", 2, 1},
    {Doing::kRecreateFolder, "account: folder re-created", 1, 1},
    {Doing::kRenumber, "account: another UIDVALIDITY", 2, 2},
    {Doing::kDeliver, "delivery: arrives", 9, 8},
    {Doing::kDeliverTwice, "delivery: arrives twice", 1, 1},
    {Doing::kLose, "delivery: lost after acceptance", 1, 1},
    {Doing::kPushAnswer, "smtp: next answer", 9, 3},
    {Doing::kRefuseFolder, "account: a folder refuses", 3, 2},
    {Doing::kRefuseMail, "account: a mail refuses", 1, 1},
    {Doing::kDenyMail, "account: a mail is denied", 1, 1},
    {Doing::kHideFolder, "account: a folder is not listed", 1, 0},
    {Doing::kLie, "account: a search omits", 1, 0},
    {Doing::kServersWell, "servers: well again", 4, 1},
    {Doing::kCut, "network: cut", 0, 24},
    {Doing::kKill, "machine: kill", 2, 24},
    {Doing::kDiskFull, "machine: disk full", 0, 4},
    {Doing::kClock, "machine: clock", 10, 3},
    {Doing::kSyncMode, "option: sync mode", 1, 0},
    {Doing::kDeleteMode, "option: delete mode", 1, 0},
    {Doing::kSendMode, "option: send mode", 1, 0},
    {Doing::kSwitchOff, "option: integration off", 1, 1},
    {Doing::kSwitchOn, "option: integration on", 2, 1},
    {Doing::kOtherAccount, "option: other account", 1, 0},
    {Doing::kTurn, "agent: push turn", 16, 6},
    {Doing::kPass, "agent: pass", 26, 4},
    {Doing::kPurge, "agent: purge", 1, 1},
    {Doing::kQuiet, "all is quiet", 3, 0},
}};

Doing pick(Random& random, unsigned Weighted::*weight) {
    unsigned sum = 0;
    for (const Weighted& one : kWeights) sum += one.*weight;
    unsigned at = random.below(sum);
    for (const Weighted& one : kWeights) {
        if (at < one.*weight) return one.what;
        at -= one.*weight;
    }
    return Doing::kPass;
}

Event any_event(Random& random, unsigned Weighted::*weight) {
    Event event;
    event.what = pick(random, weight);
    event.a = random.below(64);
    event.b = random.below(64);
    event.c = random.below(64);
    return event;
}

Setting any_setting(Random& random) {
    Setting out;
    out.mailboxes = random.one_in(6) ? 2 : 1;
    out.drop = random.one_in(10);
    out.modseqs = !random.one_in(4);
    out.uidplus = !random.one_in(6);
    out.found_a_call = random.one_in(3) ? 1 + random.below(2) : 1000;
    out.limit = random.one_in(3) ? 1 + random.below(2) : 50;
    out.timeout_min = random.one_in(4) ? 60 : 7200;
    out.sync_mode = random.one_in(4) ? random.below(3) : 0;
    out.to_trash = random.one_in(4);
    return out;
}

bool is_agents(Doing what) {
    return what == Doing::kTurn || what == Doing::kPass || what == Doing::kPurge;
}

}  // namespace

std::string to_text(const Event& event) {
    std::string out = kWeights.at(static_cast<std::size_t>(event.what)).name;
    out += " (" + std::to_string(event.a) + " " + std::to_string(event.b) + " " +
           std::to_string(event.c) + ")";
    if (event.at > 0) out += " at point " + std::to_string(event.at) + " of what comes next";
    return out;
}

std::string to_text(const Setting& setting) {
    constexpr std::array<const char*, 3> kModes{"All Folders", "Inbox Only", "VM Folder Only"};
    std::string out = std::to_string(setting.mailboxes) + " mailbox(es)";
    out += setting.drop ? ", maildrop" : std::string(", ") + kModes.at(setting.sync_mode);
    if (!setting.modseqs) out += ", no CONDSTORE";
    if (!setting.uidplus) out += ", no UIDPLUS";
    if (setting.found_a_call < 1000)
        out += ", " + std::to_string(setting.found_a_call) + " new mail(s) a look";
    out += ", deletion limit " + std::to_string(setting.limit);
    out += ", delivery timeout " + std::to_string(setting.timeout_min) + " min";
    return out + (setting.to_trash ? ", deletes to Trash" : "");
}

Schedule make_schedule(std::uint64_t seed) {
    Random random(seed);
    Schedule out;
    out.seed = seed;
    out.setting = any_setting(random);
    const auto add = [&](Doing what) {
        out.events.push_back({what, 0, random.below(64), 2 * random.below(32), random.below(64)});
    };
    // Most begin with messages that both sides know: without them little can go wrong.
    if (!random.one_in(4)) {
        const unsigned messages = 1 + random.below(4);
        for (unsigned i = 0; i < messages; ++i) add(Doing::kAdd);
        add(Doing::kTurn);
        add(random.one_in(3) ? Doing::kPass : Doing::kQuiet);
    }
    const unsigned length = 4 + random.below(20);
    for (unsigned i = 0; i < length; ++i) {
        const Event event = any_event(random, &Weighted::between);
        if (is_agents(event.what) && random.one_in(2)) {
            const unsigned traps = 1 + random.below(3);
            for (unsigned trap = 0; trap < traps; ++trap) {
                Event within = any_event(random, &Weighted::within);
                within.at = 1 + random.below(random.one_in(3) ? 24 : 8);
                out.events.push_back(within);
            }
        }
        out.events.push_back(event);
    }
    return out;
}

}  // namespace vm::sim
