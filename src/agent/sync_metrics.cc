// What a SyncSchedule counts of the passes that ended.
#include "agent/counting.h"
#include "agent/session_options.h"
#include "agent/sync_schedule.h"

namespace vm::agent {

void SyncSchedule::count(const Job& job) const {
    if (!options_.metrics) return;
    Metrics& metrics = *options_.metrics;
    const std::string server = account_server_of(*job.options, *job.misc);
    if (job.session)
        count_traffic(&metrics, server, job.plugin->can_visit() ? "pop3" : "imap",
                      job.session->take_traffic());
    const SyncResult& result = job.result;
    if (result.failure && result.failure->fault == AccountFault::kCancelled) return;
    const bool failed = result.failure || result.store_error;
    const bool answered = result.failure ? result.failure->fault != AccountFault::kConfig &&
                                               result.failure->fault != AccountFault::kServer
                                         : result.asked && !failed;
    if (answered) metrics.set(Metric::kServerDownUntil, {server}, 0);
    if (!job.passed && !failed) return;  // a sign of life
    metrics.add(Metric::kPasses, {server, failed            ? "failed"
                                          : result.complete ? "complete"
                                                            : "incomplete"});
    metrics.add(Metric::kChanges, {"phone"}, result.changed_here);
    metrics.add(Metric::kChanges, {"account"}, result.changed_there);
}

void SyncSchedule::count_down(const Job& job) const {
    if (options_.metrics)
        options_.metrics->set(Metric::kServerDownUntil,
                              {account_server_of(*job.options, *job.misc)},
                              pause_end(gate_.down_until(job.server), options_.clock));
}

}  // namespace vm::agent
