// The delivery state machine and the backoff: what one push attempt's end means. Pure.
//
//   off       | requeue     -> queued       Email Integration was off, now a person asks
//   queued    | intent      -> sending      committed before the first byte to the server
//   queued    | switch_off  -> off          Email Integration or Send Mode changed
//   queued    | give_up     -> failed       its server was down all the time
//   sending   | accepted    -> sent         the server took responsibility (2xx to the final dot)
//   sending   | deferral    -> deferred     temporary; the table of N4.7
//   sending   | failure     -> failed       permanent
//   sending   | reply_lost  -> uncertain    connection lost after the final dot, before its reply
//   sending   | restart     -> uncertain    the process died between intent and outcome
//   sending   | give_up     -> failed       a deferral after g_nRetryDeliveryTimeoutMin
//   deferred  | intent      -> sending
//   deferred  | requeue     -> queued
//   deferred  | switch_off  -> off
//   deferred  | give_up     -> failed
//   uncertain | intent      -> sending      not found in the account, or it cannot be searched
//   uncertain | found       -> sent
//   uncertain | requeue     -> uncertain    due at once; what is not known stays not known
//   uncertain | deferral    -> uncertain    the account could not be searched
//   uncertain | give_up     -> failed
//   failed    | requeue     -> queued
//   failed    | look_again  -> uncertain    a person asks, and an earlier attempt may have arrived
//   queued    | postpone    -> deferred     a person wants it later
//   deferred  | postpone    -> deferred
//   uncertain | postpone    -> uncertain
//   queued    | abandon     -> failed       a person gives it up
//   deferred  | abandon     -> failed
//   uncertain | abandon     -> failed       it may have arrived
//   sent      | resend      -> queued       restored on the phone, and gone from the account
//   queued    | found       -> sent         seen in the account: an earlier attempt had arrived
//   deferred  | found       -> sent         after all
//   failed    | found       -> sent
//
// Every other pair is refused. tests/core enumerates all of them.
#ifndef VM_CORE_DELIVERY_H
#define VM_CORE_DELIVERY_H

#include "core/message.h"

#include <optional>
#include <string>

namespace vm {

enum class DeliveryEvent {
    kIntent,
    kAccepted,
    kDeferral,
    kFailure,
    kReplyLost,
    kRestart,
    kFound,
    kRequeue,
    kLookAgain,
    kSwitchOff,
    kGiveUp,
    kResend,
    kPostpone,
    kAbandon,
};
const char* to_string(DeliveryEvent event);

// Whether the delivery timeout is over. Ask at the end of an attempt only: a unit that was switched
// off for a week tries before it gives a message up.
bool is_over(const Delivery& delivery, std::int64_t timeout_ms, TimeMs now);

// What the end of an attempt amounts to when the delivery was in `before` at its beginning. One
// that was uncertain stays so, whatever refusal the next attempt met: the first may have arrived.
DeliveryEvent outcome_after(DeliveryState before, DeliveryEvent event);

// Whether a waiting delivery may be attempted. A queued one always may; a time that lies further
// ahead than any pause is one that a clock set back has left behind, unless a person has set it.
bool is_due(const Delivery& delivery, TimeMs now);
bool is_due(TimeMs next_attempt, TimeMs now);
// No pause is longer. What is postponed further is looked at once in a while.
extern const std::int64_t kLongestPauseMs;

// The Message-ID (without <>) of a message that is sent once more on purpose, after its mail was
// deleted: another one, since servers drop a mail whose Message-ID they have delivered before.
// "ID@DOMAIN" becomes "ID.1@DOMAIN", that "ID.2@DOMAIN".
std::string resent_message_id(const std::string& message_id);

// The state after `event`, or nullopt when the event cannot happen in `state`.
std::optional<DeliveryState> next_state(DeliveryState state, DeliveryEvent event);

// When to try again after `attempts` failed attempts: 30 s doubling to 2 h, times a factor in
// [0.75, 1.25) taken from `jitter` in [0, 1), so that a server's return is not met by all at once.
std::int64_t backoff_ms(int attempts, double jitter);

// An uncertain message most likely arrived: what is sent again without a look may be a duplicate,
// so its pauses are so many times those after a plain deferral.
constexpr std::int64_t kUncertainFactor = 10;

}  // namespace vm

#endif
