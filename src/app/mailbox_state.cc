#include "app/mailbox_state.h"

#include "agent/control.h"
#include "agent/mailbox_run.h"
#include "app/vmctl_output.h"
#include "core/decide.h"

namespace vm::app {

namespace {

// All but `known`.
UnitState look_at_configuration(const Paths& paths) {
    UnitState unit;
    unit.agent_running = agent::agent_running(paths);
    unit.deaths = agent::recent_deaths(paths, system_clock().now());
    auto misc = config::load_misc(paths);
    if (!misc) {
        unit.misc_valid = false;
        unit.problem = misc.error().text();
        return unit;
    }
    unit.misc = std::move(*misc);
    if (!unit.misc.use_email_integration) unit.problem = "g_bUseEmailIntegration is False";
    if (auto refused = config::refused_seats(paths, unit.misc))
        unit.refused = std::move(*refused);
    else
        unit.problem = refused.error().text();
    return unit;
}

MailboxState known_state(const store::MailboxStatus& status) {
    return {status.state,   status.reason,    status.idle,   status.condstore,
            status.qresync, status.last_sync, status.changed};
}

}  // namespace

Result<UnitState> look_at_unit(const Paths& paths, store::Store& store) {
    UnitState unit = look_at_configuration(paths);
    VM_ASSIGN(const std::vector<store::MailboxStatus> statuses, store.statuses());
    for (const store::MailboxStatus& status : statuses)
        unit.known[status.mailbox] = known_state(status);
    return unit;
}

Result<UnitState> look_at_unit(const Paths& paths, store::Store& store,
                               const std::set<std::string>& mailboxes) {
    UnitState unit = look_at_configuration(paths);
    for (const std::string& mailbox : mailboxes) {
        VM_ASSIGN(const std::optional<store::MailboxStatus> status, store.status(mailbox));
        if (status) unit.known[mailbox] = known_state(*status);
    }
    return unit;
}

MailboxState state_of(const Paths& paths, const UnitState& unit, const std::string& mailbox) {
    const auto options = config::load_mailbox(paths, mailbox);
    if (!options && options.error().kind == ErrorKind::kNoInput)
        return {
            "error",
            "its Mailbox Options were deleted while messages were not delivered; `vmconfig mailbox "
            "create " +
                mailbox +
                "` makes new ones; when these are set, `vmctl queue retry` with the ids sends "
                "them"};
    if (!options) return {"error", options.error().text()};
    if (!options->integration) return {"off", "Email Integration is No"};
    if (unit.refused.contains(mailbox))
        return {"error", "no seat: g_nUnifiedMessagingSeats allows " +
                             std::to_string(unit.misc.seats) +
                             (unit.misc.seats == 1 ? " mailbox" : " mailboxes") +
                             "; raise it, or set Email Integration = No elsewhere"};
    if (!unit.misc.use_email_integration) return {"off", unit.problem};
    const auto known = unit.known.find(mailbox);
    // What the agent said before Email Integration was set to Yes is of no use now.
    if (known == unit.known.end() || known->second.state == "off") return {"ok", ""};
    MailboxState state = known->second;
    if (unit.agent_running)
        state.looked = 0;
    else
        state.idle = false;  // nobody waits
    return state;
}

std::string reason_for_people(const MailboxState& state) {
    if (state.state != "error" || state.looked == 0) return state.reason;
    return state.reason + "; found at " + short_time(state.looked) +
           ", and no agent has looked since";
}

std::string words_of(const std::string& mailbox, const MailboxState& state) {
    if (state.state == "ok") return {};
    const std::string is = state.state == "hold"  ? " is on hold: "
                           : state.state == "off" ? " is off: "
                                                  : " is in trouble: ";
    return "mailbox " + mailbox + is + reason_for_people(state);
}

namespace {

// Which option keeps the message from being pushed and what sets it otherwise; "" when none does.
std::string option_in_the_way(const Paths& paths, const UnitState& unit, const Message& message) {
    const auto mailbox = config::load_mailbox(paths, message.mailbox);
    if (!mailbox || !unit.misc_valid) return {};
    if (const auto why = why_not_pushed(message, agent::policy_for(*mailbox, false))) {
        const std::string setting = mailbox->integration ? "Email Integration Send Mode=Voice/Fax"
                                                         : "Email Integration=Yes";
        return *why + ": `vmconfig mailbox set " + message.mailbox + " \"" + setting + "\"`";
    }
    if (!unit.misc.use_email_integration)
        return unit.problem + ": `vmconfig misc set g_bUseEmailIntegration True`";
    return {};
}

}  // namespace

std::string next_step(const Paths& paths, const UnitState& unit, const MessageRecord& record) {
    const Delivery& d = record.delivery;
    const std::string& mailbox = record.message.mailbox;
    const std::string retry = "`vmctl queue retry " + record.message.id + "`";
    if (record.message.state == MessageState::kDeleted ||
        record.message.kind == MessageKind::kEmail || d.state == DeliveryState::kSending ||
        d.state == DeliveryState::kSent)
        return {};
    if (const std::string option = option_in_the_way(paths, unit, record.message);
        !option.empty()) {
        if (d.state == DeliveryState::kUncertain)
            return "it may have arrived, but is not looked for, since " + option + ", then " +
                   retry;
        return "it is not sent, since " + option + ", then " + retry;
    }
    const MailboxState state = state_of(paths, unit, mailbox);
    std::string but;
    if (!unit.misc_valid)
        but = "; but Misc Setup is not valid: " + unit.problem;
    else if (state.state == "error")
        but = "; but " + words_of(mailbox, state);
    if (!unit.agent_running) but += "; but no agent runs; `vmemaild` starts it";
    switch (d.state) {
        case DeliveryState::kOff:
            return retry + " queues it" + but;
        case DeliveryState::kQueued:
            return but.empty()
                       ? "it waits for its turn; `vmctl status` says why when that does not come"
                       : "it waits for its turn" + but;
        case DeliveryState::kDeferred:
            return "tried again at " + short_time(d.next_attempt) + "; " + retry + " tries it now" +
                   but;
        case DeliveryState::kUncertain:
            return "it may have arrived: looked for, or sent again, at " +
                   short_time(d.next_attempt) + "; " + retry + " does so now" + but;
        case DeliveryState::kFailed:
            return retry + " sends it again" + but;
        case DeliveryState::kSending:
        case DeliveryState::kSent:
            break;
    }
    return {};
}

}  // namespace vm::app
