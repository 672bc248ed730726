// A worker process as its master sees it: started by fork(), told things by lines, its trace lines
// copied, and what it had in hand read when it has ended. The master's thread.
#ifndef VM_AGENT_WORKER_PROCESS_H
#define VM_AGENT_WORKER_PROCESS_H

#include "agent/in_hand.h"
#include "agent/worker.h"
#include "base/error.h"
#include "base/files.h"
#include "transport/loading_note.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace vm::agent {

class WorkerProcess {
  public:
    // Starts it. `in_child` closes what is the master's; with `silent` the worker has no terminal.
    // control_fd and in_hand of `options` are filled in.
    Result<> start(WorkerOptions options, bool silent, const std::function<void()>& in_child);

    bool running() const { return pid_ > 0; }
    pid_t pid() const { return pid_; }
    // Steady time of its start.
    std::int64_t started() const { return started_; }
    void signal(int number) const;
    // False when it cannot take the line now.
    bool tell(std::string_view line) const;

    // Readable when there are trace lines.
    int trace_fd() const { return trace_.get(); }
    // Copies whole lines into the trace; the rest waits for its end. A worker that writes without
    // end does not keep the master from all else: after `most` reads the rest waits for the next
    // call.
    void forward_trace(int most = 16);

    struct End {
        pid_t pid = -1;
        std::string how;  // "signal 11 (Segmentation fault)", "exit status 0"
        bool killed = false;
        int status = 0;  // when not killed
        std::map<std::string, std::vector<Work>> in_hand;
        std::filesystem::path loading;  // the plugin that it was loading; "" when none
        FileStamp loading_stamp;
        int plugin_crashes = 0;  // that it was told of at its start
    };
    // How it ended, once; nullopt while it runs.
    std::optional<End> reap();
    // In a child of the master's: this one is none of its business.
    void forget();

  private:
    pid_t pid_ = -1;
    UniqueFd control_, trace_;
    std::string partial_;  // an unfinished trace line
    std::int64_t started_ = 0;
    InHandTable table_;
    transport::LoadingNote loading_;
    int plugin_crashes_ = 0;
};

// "signal 11 (Segmentation fault)" or "exit status 3", of a waitpid() status.
std::string how_it_ended(int status);

}  // namespace vm::agent

#endif
