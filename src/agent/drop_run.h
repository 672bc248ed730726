// One pass over a mailbox whose account is a maildrop (POP3): what was deleted on the phone is
// deleted there. Without anything to delete the server is not asked at all: whoever looks at a drop
// keeps others from it.
//
// The order: read what is deleted -> visit -> commit what was looked at and what is gone. A process
// that dies in between visits again, and finds what it has deleted missing.
#ifndef VM_AGENT_DROP_RUN_H
#define VM_AGENT_DROP_RUN_H

#include "agent/sync_run.h"

namespace vm::agent {

SyncResult visit_drop(const SyncContext& context);

// What visit_drop() would delete, a line each; the server is not asked.
Result<std::vector<std::string>> plan_drop(const SyncContext& context);

}  // namespace vm::agent

#endif
