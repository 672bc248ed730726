#include "agent/worker_process.h"

#include "base/clock.h"
#include "base/trace.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vm::agent {

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status))
        return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
               ")";
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

Result<> WorkerProcess::start(WorkerOptions options, bool silent,
                              const std::function<void()>& in_child) {
    int control[2], trace_ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
        return fail(ErrorKind::kUnavailable, "start worker", "socketpair", errno_text(errno));
    UniqueFd ours(control[0]), theirs(control[1]);
    if (::pipe2(trace_ends, O_CLOEXEC) != 0)
        return fail(ErrorKind::kUnavailable, "start worker", "pipe", errno_text(errno));
    UniqueFd reading(trace_ends[0]), writing(trace_ends[1]);
    table_.clear();
    loading_.clear();
    plugin_crashes_ = options.plugin_crash ? options.plugin_crash->times : 0;

    std::fflush(nullptr);
    const pid_t master = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail(ErrorKind::kUnavailable, "start worker", "fork", errno_text(errno));
    if (pid == 0) {
        // Without the caller's terminal, into which a plugin could type.
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != master) ::_exit(1);
        in_child();
        ours.reset();
        reading.reset();
        trace_to_pipe(writing.get());
        // In the background the caller's pipes must not stay open: a command substitution waits for
        // their end.
        if (silent) {
            const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
            for (const int fd : {0, 1, 2}) ::dup2(null.get(), fd);
        }
        options.control_fd = theirs.get();
        options.in_hand = &table_;
        loading_.use();
        const int status = run_worker(options);
        std::fflush(nullptr);
        ::_exit(status);
    }
    ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
    pid_ = pid;
    control_ = std::move(ours);
    trace_ = std::move(reading);
    partial_.clear();
    started_ = system_clock().steady_ms();
    return {};
}

void WorkerProcess::signal(int number) const {
    if (running()) ::kill(pid_, number);
}

bool WorkerProcess::tell(std::string_view line) const {
    return ::send(control_.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(line.size());
}

void WorkerProcess::forward_trace(int most) {
    if (!trace_) return;
    char buffer[16384];
    for (int reads = 0; reads < most; ++reads) {
        const ssize_t n = ::read(trace_.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return;
        if (n == 0) {
            trace_.reset();
            return;
        }
        partial_.append(buffer, static_cast<std::size_t>(n));
        std::size_t from = 0;
        for (std::size_t end; (end = partial_.find('\n', from)) != std::string::npos;
             from = end + 1)
            trace_copy(std::string_view(partial_).substr(from, end - from));
        partial_.erase(0, from);
    }
}

std::optional<WorkerProcess::End> WorkerProcess::reap() {
    int status = 0;
    if (!running() || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    forward_trace(std::numeric_limits<int>::max());
    End end{pid_,
            how_it_ended(status),
            WIFSIGNALED(status),
            WIFSIGNALED(status) ? 0 : WEXITSTATUS(status),
            table_.read(),
            loading_.plugin(),
            loading_.stamp(),
            plugin_crashes_};
    forget();
    return end;
}

void WorkerProcess::forget() {
    pid_ = -1;
    control_.reset();
    trace_.reset();
}

}  // namespace vm::agent
