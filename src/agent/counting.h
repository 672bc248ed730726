// What happens, in terms of the metrics. `metrics` may be null: nothing is counted. Any thread.
#ifndef VM_AGENT_COUNTING_H
#define VM_AGENT_COUNTING_H

#include "agent/metrics.h"
#include "base/clock.h"
#include "config/config.h"
#include "core/delivery.h"
#include "store/store.h"
#include "transport/plugin.h"

#include <optional>
#include <string>
#include <vector>

namespace vm::agent {

// An outcome that was committed. The label is the server as persons know it, host and port; "" for
// a mailbox that has none.
void count_delivery(Metrics* metrics, const config::MailboxOptions& mailbox, DeliveryEvent event);

// `protocol`: "smtp", "imap" or "pop3".
void count_traffic(Metrics* metrics, const std::string& server, const std::string& protocol,
                   const transport::Traffic& traffic);

// For Metric::kServerDownUntil: the wall time of the end of a pause, given in steady time; 0 when
// it is over, or there is none.
TimeMs pause_end(std::int64_t until, const Clock& clock);

// A message that was linked for the first time since it was sent, right after the commit. What the
// store cannot tell now is not counted.
void count_link(Metrics* metrics, store::Store& store, const std::string& id);
// Of a message's history: from the last time it was sent to its first link since; nullopt when
// there is none, as the mail was found before anybody knew that it was sent.
std::optional<std::int64_t> link_latency_ms(const std::vector<store::HistoryEntry>& history);

}  // namespace vm::agent

#endif
