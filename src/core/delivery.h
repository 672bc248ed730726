// The delivery state machine and the backoff: what one push attempt's end means. Pure.
//
//   off       | requeue     -> queued       Email Integration was off, now a person asks
//   queued    | intent      -> sending      committed before the first byte to the server
//   queued    | switch_off  -> off          Email Integration or Send Mode changed
//   queued    | deferral    -> deferred     postponed untried: its server is down
//   sending   | accepted    -> sent         the server took responsibility (2xx to the final dot)
//   sending   | deferral    -> deferred     temporary; the table of N4.7
//   sending   | failure     -> failed       permanent
//   sending   | reply_lost  -> uncertain    connection lost after the final dot, before its reply
//   sending   | restart     -> uncertain    the process died between intent and outcome
//   sending   | give_up     -> failed       a deferral after g_nRetryDeliveryTimeoutMin
//   deferred  | intent      -> sending
//   deferred  | requeue     -> queued
//   deferred  | switch_off  -> off
//   deferred  | deferral    -> deferred     postponed untried
//   deferred  | give_up     -> failed
//   uncertain | intent      -> sending      not found in the account, or it cannot be searched
//   uncertain | found       -> sent
//   uncertain | requeue     -> uncertain    due at once; what is not known stays not known
//   uncertain | deferral    -> uncertain    postponed untried
//   uncertain | give_up     -> failed
//   failed    | requeue     -> queued
//
// Every other pair is refused. tests/core enumerates all of them.
#ifndef VM_CORE_DELIVERY_H
#define VM_CORE_DELIVERY_H

#include "core/message.h"

#include <optional>

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
    kSwitchOff,
    kGiveUp,
};
const char* to_string(DeliveryEvent event);

// What a deferral (or a lost reply) at time `now` amounts to: kGiveUp once the delivery timeout is
// over, else `event` itself. Never for a queued one, which was not tried yet. Judged at an
// attempt's end, never before one: a unit that was switched off for a week tries once more before
// it gives a message up.
DeliveryEvent with_timeout(DeliveryEvent event, const Delivery& delivery, std::int64_t timeout_ms,
                           TimeMs now);

// The state after `event`, or nullopt when the event cannot happen in `state`.
std::optional<DeliveryState> next_state(DeliveryState state, DeliveryEvent event);

// When to try again after `attempts` failed attempts: 30 s doubling to 2 h, times a factor in
// [0.75, 1.25) taken from `jitter` in [0, 1), so that a server's return is not met by all at once.
std::int64_t backoff_ms(int attempts, double jitter);

}  // namespace vm

#endif
