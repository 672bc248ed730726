// An SmtpSession against a scripted server, for tests.
#ifndef VM_TESTS_PLUGINS_SMTP_FIXTURE_H
#define VM_TESTS_PLUGINS_SMTP_FIXTURE_H

#include "common/smtp_session.h"
#include "core/push.h"
#include "fake_host.h"
#include "scripted_server.h"
#include "test_message.h"
#include "transport/report.h"

#include <memory>
#include <string>

namespace vm::testing {

inline plug::SmtpOptions options_for(const ScriptedServer& server) {
    plug::SmtpOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.domain = "sun.af.mil";
    options.connect_timeout = std::chrono::seconds(30);
    options.reply_timeout = std::chrono::seconds(30);
    options.dot_timeout = std::chrono::seconds(30);
    return options;
}

inline plug::SmtpOptions with_password(plug::SmtpOptions options, vm_auth auth = VM_AUTH_PLAIN) {
    options.auth = auth;
    options.user = "driver";
    options.password = "chariots of fire";
    options.allow_cleartext_password = true;
    return options;
}

// What the rest of the program makes of an ending.
inline DeliveryEvent event_of(const plug::Ending& ending) {
    PushReport report;
    vm_push_report abi{};
    abi.step = static_cast<std::uint8_t>(ending.step);
    abi.cause = static_cast<std::uint8_t>(ending.cause);
    abi.code = static_cast<std::uint16_t>(ending.code);
    return classify(transport::judge_report(abi, "server")).event;
}

inline std::string describe(const plug::Ending& ending) {
    return "step " + std::to_string(ending.step) + " cause " + std::to_string(ending.cause) +
           " code " + std::to_string(ending.code) + " [" + ending.enhanced + "] " + ending.text;
}

}  // namespace vm::testing

#endif
