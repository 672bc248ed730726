// A maildrop (POP3): which mails are to be deleted from it, and what its answers mean. There is no
// other synchronisation with one: what is deleted on the phone is deleted there, nothing else
// travels. Pure: no I/O, no clock.
//
// Invariants:
// - only mails of messages that are deleted on the phone are deleted;
// - a mail that the subscriber's client has fetched and removed is done with; one that was never
//   seen may still be on its way, and is looked for until kDropGraceMs after the deletion.
#ifndef VM_CORE_DROP_H
#define VM_CORE_DROP_H

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vm {

// A mail that was looked at. Its unique-id (RFC 1939 UIDL) is all that lasts.
struct DropMail {
    std::string unique_id;
    std::string id;          // the message's; "" when it is none of the unit's
    std::string message_id;  // RFC 5322, without <>
};

// A message that is deleted on the phone, and whose mail may still be there.
struct DropMessage {
    std::string id, message_id;
    TimeMs deleted_at = 0;
    std::vector<std::string> unique_ids;  // of its mails, as far as they were looked at
};

struct DropRemoval {
    std::string unique_id;  // "": not known
    std::string id, message_id;
};
enum class DropOutcome { kDone, kMissing, kOther, kRefused, kUnwanted };
struct DropResult {
    DropOutcome outcome = DropOutcome::kMissing;
    std::string text;  // kRefused: the server's words
};

inline constexpr std::int64_t kDropGraceMs = 3'600'000;

std::vector<DropRemoval> removals_for(const std::vector<DropMessage>& messages);

struct DropDecision {
    // Messages whose mail is not there any more, each with the reason.
    std::vector<std::pair<std::string, std::string>> settled;
    std::vector<std::string> forget;       // unique-ids that mean nothing any more
    std::vector<std::string> notes;        // what the server refused, a line each
    std::optional<std::int64_t> again_ms;  // look again after so long; nothing: no need to
};
// `results` are those of `removals`, which removals_for(messages) gave, one for one.
DropDecision decide_drop(const std::vector<DropMessage>& messages,
                         const std::vector<DropRemoval>& removals,
                         const std::vector<DropResult>& results, TimeMs now);

}  // namespace vm

#endif
