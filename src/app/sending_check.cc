#include "app/check_mail.h"
#include "app/server_check.h"

namespace vm::app {

namespace {

using diagnose::Fault;

Fault fault_of(const PushReport& report) {
    switch (report.cause) {
        case PushCause::kReply:
            if (report.code / 100 == 4) return Fault::kTemporary;
            return report.step < PushStep::kAuth ? Fault::kTurnedAway : Fault::kLoginRefused;
        case PushCause::kTls:
            return Fault::kTls;
        case PushCause::kPlugin:
            return Fault::kPlugin;
        default:
            return Fault::kBrokeOff;
    }
}

Fault fault_of_sending(const PushReport& report, const PushOutcome& outcome) {
    if (outcome.event == DeliveryEvent::kReplyLost) return Fault::kUncertain;
    if (report.cause != PushCause::kReply)
        return report.cause == PushCause::kConfig ? Fault::kMessage : fault_of(report);
    // (What servers say who want a login first.)
    if (report.code == 530) return Fault::kLoginRefused;
    if (report.code / 100 == 4) return Fault::kTemporary;
    if (report.step == PushStep::kMail) return Fault::kSender;
    return report.step == PushStep::kRcpt ? Fault::kRecipient : Fault::kMessage;
}

}  // namespace

void SendingCheck::run() {
    if (!reach()) return;
    auto session = all_.plugin.open(limited(agent::push_options(all_.mailbox, {}, all_.tokens)));
    if (!session) {
        fail(Step::kLogin, Fault::kPlugin, session.error().reason);
        return;
    }
    if (const auto report = session->log_in()) {
        const bool options = report->cause == PushCause::kConfig && report->step == PushStep::kAuth;
        fail(Step::kLogin, options ? refusal_of_options() : fault_of(*report), report->text);
        return;
    }
    tell(Step::kLogin, who());
    if (all_.wish.send && !send(*session)) return;
    works((all_.wish.send ? "a test mail was taken by " : "mails can be handed to ") +
          server().host);
}

bool SendingCheck::send(transport::Session& session) {
    if (all_.mailbox.email_name.empty()) return missing("Email Name");
    const std::string mail = test_mail(all_.mailbox);
    transport::OutgoingMessage message;
    message.sender = all_.mailbox.sender_address();
    message.recipient = all_.mailbox.email_name;
    message.size = static_cast<std::int64_t>(mail.size());
    message.memory = mail;
    const PushReport report = session.push(message);
    const PushOutcome outcome = classify(report);
    if (outcome.event != DeliveryEvent::kAccepted)
        return fail(Step::kSend, fault_of_sending(report, outcome), report.text);
    tell(Step::kSend, "to " + all_.mailbox.email_name + ": " + report.text);
    return true;
}

}  // namespace vm::app
