#include "diagnose/finding.h"

#include <array>

namespace vm::diagnose {

namespace {

struct StepName {
    const char *id, *name;
};
// In the order of enum Step.
constexpr std::array<StepName, 11> kSteps{{{"options", "options"},
                                           {"dns", "DNS"},
                                           {"tcp", "TCP"},
                                           {"tls", "TLS"},
                                           {"greeting", "greeting"},
                                           {"capabilities", "capabilities"},
                                           {"login", "login"},
                                           {"folder", "folder"},
                                           {"idle", "IDLE"},
                                           {"synchronisation", "synchronisation"},
                                           {"send", "test mail"}}};

const StepName& entry(Step step) {
    return kSteps.at(static_cast<std::size_t>(step));
}

}  // namespace

const char* name_of(Protocol protocol) {
    if (protocol == Protocol::kSmtp) return "SMTP";
    return protocol == Protocol::kImap4 ? "IMAP" : "POP3";
}

const char* prefix_of(Protocol protocol) {
    if (protocol == Protocol::kSmtp) return "Smtp";
    return protocol == Protocol::kImap4 ? "Imap4" : "Pop3";
}

const char* id_of(Step step) {
    return entry(step).id;
}

const char* name_of(Step step) {
    return entry(step).name;
}

}  // namespace vm::diagnose
