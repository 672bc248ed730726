#include "agent/push_policy.h"

namespace vm::agent {

PushPolicy policy_for(const config::MailboxOptions& mailbox, bool account_searchable) {
    PushPolicy policy;
    policy.integration = mailbox.integration;
    policy.send_voice = mailbox.sends_voice();
    policy.send_fax = mailbox.sends_fax();
    policy.account_searchable = account_searchable;
    return policy;
}

}  // namespace vm::agent
