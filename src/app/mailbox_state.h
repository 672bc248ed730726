// The state of a mailbox as vmctl tells it, and what it means for a message: what the agent last
// found out, which is in the store, corrected by the configuration as it is now. Works without an
// agent.
#ifndef VM_APP_MAILBOX_STATE_H
#define VM_APP_MAILBOX_STATE_H

#include "agent/deaths.h"
#include "base/error.h"
#include "base/paths.h"
#include "config/config.h"
#include "core/message.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace vm::app {

struct MailboxState {
    std::string state = "ok";  // ok | hold | error | off
    std::string reason;        // "" with ok
    bool idle = false, condstore = false, qresync = false;
    TimeMs last_sync = 0;
    // When the agent found it so; 0 when it looks still, or it was not the agent.
    TimeMs looked = 0;
};
// The reason for people: one that may have been mended says when it was found.
std::string reason_for_people(const MailboxState& state);

// What holds for all mailboxes.
struct UnitState {
    bool agent_running = false;
    std::string problem;  // with Misc Setup, "" when none
    agent::RecentDeaths deaths;
    bool misc_valid = true;
    config::MiscSetup misc;                     // the defaults when it is not valid
    std::set<std::string> refused;              // mailboxes that have no seat
    std::map<std::string, MailboxState> known;  // by the agent
};
Result<UnitState> look_at_unit(const Paths& paths, store::Store& store);
// As far as it concerns these mailboxes: `known` has no others. Costs nothing for the rest of the
// unit, but where seats are limited.
Result<UnitState> look_at_unit(const Paths& paths, store::Store& store,
                               const std::set<std::string>& mailboxes);

MailboxState state_of(const Paths& paths, const UnitState& unit, const std::string& mailbox);

// What can be done about a delivery that is not settled, in words that name what is in its way: the
// mailbox, an option, an agent that does not run. "" when nothing is to be done.
std::string next_step(const Paths& paths, const UnitState& unit, const MessageRecord& record);

// "101 is on hold: …" or the like; "" when the mailbox is ok.
std::string words_of(const std::string& mailbox, const MailboxState& state);

}  // namespace vm::app

#endif
