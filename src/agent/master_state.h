// The class behind run_master(), private to master.cc (the loop) and master_workers.cc (which
// worker is started when, and what its end means).
#ifndef VM_AGENT_MASTER_STATE_H
#define VM_AGENT_MASTER_STATE_H

#include "agent/control.h"
#include "agent/master.h"
#include "agent/metrics.h"
#include "agent/metrics_file.h"
#include "agent/metrics_socket.h"
#include "agent/plugin_slot.h"
#include "agent/quarantine.h"
#include "agent/service_manager.h"
#include "agent/settings.h"
#include "agent/worker_process.h"
#include "base/clock.h"
#include "base/files.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace vm::agent {

class Master {
  public:
    explicit Master(const MasterOptions& options)
        : options_(options), settings_(options.paths, {}) {}
    Result<int> run();

  private:
    struct Share {
        WorkerProcess process;
        RestartPause pause;
        std::int64_t start_at = 0;
        std::string untold;  // lines that the worker must get, as soon as it takes them
    };
    // What tells an edit that may have mended what a mailbox's worker died of: of its options, of
    // Misc Setup, or of the plugin.
    using Mark = std::array<FileStamp, 3>;
    // The worker of a mailbox in quarantine; with `note_only` it only says so in the store.
    struct Alone {
        WorkerProcess process;
        bool note_only = false;
    };

    Result<> take_settings();
    template <class Do>
    void each_process(Do act) {
        for (Share& share : shares_) act(share.process);
        for (auto& [mailbox, alone] : alone_) act(alone.process);
    }
    bool any_running();
    std::string metrics();
    void wait();
    void stop_workers();
    void take_ends();
    void share_ended(int index, const WorkerProcess::End& end);
    void alone_ended(const std::string& mailbox, bool note_only, const WorkerProcess::End& end);
    void note_end(const std::string& who, const WorkerProcess::End& end, bool good);
    bool note_plugin(const WorkerProcess::End& end, std::int64_t lived_ms);
    Mark mark_of(const std::string& mailbox) const;
    void put_aside(int index, const WorkerProcess::End& end);
    void take_back(const std::string& mailbox);
    WorkerOptions options_of(int index);
    Result<> start(WorkerProcess& process, const WorkerOptions& options, const std::string& who);
    void start_shares();
    void start_alone(const std::string& mailbox, bool note_only);
    void start_quarantined();
    void pass_on(const Poke& poke);
    void tell_untold();
    bool once_goes_on();
    void once_ended(int status);
    void once_not_started(const Error& error);

    const MasterOptions& options_;
    const Clock& clock_ = system_clock();
    ServiceManager service_manager_;
    SettingsReader settings_;
    UniqueFd lock_, socket_, signals_;
    MetricsTable metrics_table_;
    Metrics metrics_{options_.once ? nullptr : &metrics_table_};
    MetricsSocket metrics_socket_;
    MetricsFile metrics_file_;
    std::deque<Share> shares_;
    std::map<std::string, Alone> alone_;  // by mailbox, those whose process runs
    Quarantine quarantine_;
    std::map<std::string, Mark> marks_;         // by mailbox: mark_of() at its worker's death
    std::map<std::string, std::string> asked_;  // by mailbox in quarantine: lines for its worker
    std::optional<PluginCrash> plugin_crash_;
    std::int64_t trace_size_ = 0;
    bool stopping_ = false;
    bool crashed_ = false;  // a worker was killed by a signal
    std::int64_t kill_at_ = 0;
    int once_status_ = 0;
    bool once_share_done_ = false;
    std::set<std::string> once_tried_;  // alone
};

}  // namespace vm::agent

#endif
