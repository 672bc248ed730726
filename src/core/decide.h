// Decides what to do about one mailbox. Pure: no I/O, no clock, no globals; a dry run prints the
// answer. The push half; the sync half (remote listing, agreed state) joins it here.
//
// Invariants:
// - a delivery in `sending` yields nothing: another attempt owns it;
// - a deleted message is never sent;
// - an uncertain delivery is searched for when the account can be searched, and sent again only
//   when it was not found or cannot be searched (same Message-ID: a duplicate, never a loss);
// - nothing happens before next_attempt, but see is_due();
// - only a voice message that is not private, and whose mail was not tried yet, is transcribed.
#ifndef VM_CORE_DECIDE_H
#define VM_CORE_DECIDE_H

#include "core/message.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vm {

// What of a mailbox's options and of Misc Setup the decision depends on.
struct PushPolicy {
    bool integration = false;  // Email Integration = Yes
    bool send_voice = true;    // Email Integration Send Mode
    bool send_fax = true;
    bool account_searchable = false;         // the plugin can look for a message in the account
    bool transcribe = false;                 // Transcript = Yes, and there is a command
    std::set<std::string> transcribed = {};  // of these messages it is settled; only then asked
};

enum class ActionKind {
    kSend,        // push it
    kSearch,      // look for an uncertain one in the account
    kSwitchOff,   // take it out of the queue, with the reason
    kTranscribe,  // have written down what is said in it; it is sent when that is settled
};
const char* to_string(ActionKind kind);

struct Action {
    ActionKind kind;
    std::string message_id;  // our id, not the RFC 5322 one
    std::string reason;
};

struct Plan {
    std::vector<Action> actions;  // oldest message first
    // When the next delivery falls due, or is to be looked at; nullopt: nothing waits.
    std::optional<TimeMs> wake_at;
};

// Why this mailbox does not push the message, naming the option; nullopt: it does.
std::optional<std::string> why_not_pushed(const Message& message, const PushPolicy& policy);

Plan decide(const std::vector<MessageRecord>& pending, const PushPolicy& policy, TimeMs now);

}  // namespace vm

#endif
