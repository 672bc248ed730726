// What of a mailbox's options decide() goes by. Pure; any thread.
#ifndef VM_AGENT_PUSH_POLICY_H
#define VM_AGENT_PUSH_POLICY_H

#include "config/config.h"
#include "core/decide.h"

namespace vm::agent {

// The policy decide() gets for this mailbox.
PushPolicy policy_for(const config::MailboxOptions& mailbox, bool account_searchable);

}  // namespace vm::agent

#endif
