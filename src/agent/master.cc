#include "agent/master.h"

#include "agent/control.h"
#include "agent/settings.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "base/trace.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace vm::agent {

namespace {

constexpr int kWorkers = 2;
// A worker that lived this long did not die of its start: it is started again at once.
constexpr std::int64_t kHealthyMs = 10'000;
constexpr std::int64_t kLongestPauseMs = 60'000;
// How long a stop waits for dialogues to end; then what is still running becomes uncertain.
constexpr std::int64_t kStopMs = 30'000;
// How long a start waits for the workers of a killed master.
constexpr int kLockTries = 50;
constexpr int kLockPauseMs = 100;

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status))
        return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
               ")";
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

Result<UniqueFd> take_lock(const Paths& paths) {
    UniqueFd fd(::open(paths.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd)
        return fail(errno_kind(errno), "lock", paths.lock_file().string(), errno_text(errno),
                    errno == ENOENT ? "create the root with `vmconfig init`" : "");
    for (int i = 0; i < kLockTries; ++i) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) {
            const std::string pid = std::to_string(::getpid()) + "\n";
            if (::ftruncate(fd.get(), 0) != 0)
                return fail(errno_kind(errno), "lock", paths.lock_file().string(),
                            errno_text(errno));
            VM_TRY(write_all(fd.get(), pid, paths.lock_file().string()));
            return fd;
        }
        if (errno != EAGAIN && errno != EACCES)
            return fail(errno_kind(errno), "lock", paths.lock_file().string(), errno_text(errno));
        ::poll(nullptr, 0, kLockPauseMs);
    }
    const std::string pid(trim(read_file(paths.lock_file()).value_or("?")));
    return fail(ErrorKind::kUnavailable, "start", paths.root.string(),
                "an agent already runs on this root (process " + pid + ")",
                "it sends by itself; `vmctl queue retry` hurries it");
}

class Master {
  public:
    explicit Master(const MasterOptions& options)
        : options_(options), settings_(options.paths, {}) {}
    Result<int> run();

  private:
    struct Worker {
        int index = 0;
        pid_t pid = -1;  // -1: not running
        UniqueFd control;
        UniqueFd trace;
        std::string partial;  // an unfinished trace line
        std::int64_t started = 0, start_at = 0;
        int early_deaths = 0;
    };

    Result<> take_settings();
    Result<> start(Worker& worker);
    void forward_trace(Worker& worker);
    void reap();
    void stop_workers();
    bool any_running() const {
        return std::any_of(workers_.begin(), workers_.end(),
                           [](const Worker& w) { return w.pid > 0; });
    }

    const MasterOptions& options_;
    const Clock& clock_ = system_clock();
    SettingsReader settings_;
    UniqueFd lock_, socket_, signals_;
    std::vector<Worker> workers_;
    std::int64_t trace_size_ = 0;
    bool stopping_ = false;
    bool crashed_ = false;  // a worker was killed by a signal
    std::int64_t kill_at_ = 0;
    int once_status_ = 0;
};

Result<> Master::take_settings() {
    settings_.refresh(system_clock().steady_ms());
    const auto& misc = *settings_.current()->misc;
    trace_everything(misc.trace_everything);
    if (misc.max_trace_file_size == trace_size_) return {};
    trace_size_ = misc.max_trace_file_size;
    return trace_open(options_.paths.trace_file(), trace_size_, options_.echo);
}

Result<> Master::start(Worker& worker) {
    int control[2], trace_ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
        return fail(ErrorKind::kUnavailable, "start worker", "socketpair", errno_text(errno));
    UniqueFd ours(control[0]), theirs(control[1]);
    if (::pipe2(trace_ends, O_CLOEXEC) != 0)
        return fail(ErrorKind::kUnavailable, "start worker", "pipe", errno_text(errno));
    UniqueFd reading(trace_ends[0]), writing(trace_ends[1]);

    std::fflush(nullptr);
    const pid_t master = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail(ErrorKind::kUnavailable, "start worker", "fork", errno_text(errno));
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != master) ::_exit(1);
        for (Worker& other : workers_) {
            other.control.reset();
            other.trace.reset();
        }
        ours.reset();
        reading.reset();
        socket_.reset();
        signals_.reset();
        trace_to_pipe(writing.get());
        // In the background the caller's pipes must not stay open: a command substitution waits for
        // their end.
        if (!options_.once && !options_.echo) {
            const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
            for (const int fd : {0, 1, 2}) ::dup2(null.get(), fd);
        }
        const WorkerOptions options{
            options_.paths, worker.index,       static_cast<int>(workers_.size()),
            options_.once,  options_.sync_only, options_.only_mailbox,
            theirs.get()};
        const int status = run_worker(options);
        std::fflush(nullptr);
        ::_exit(status);
    }
    ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
    worker.pid = pid;
    worker.control = std::move(ours);
    worker.trace = std::move(reading);
    worker.started = clock_.steady_ms();
    trace(TraceLevel::kInfo, "worker {} started, process {}", worker.index, pid);
    return {};
}

// Copies whole lines into the trace; the rest waits for its end.
void Master::forward_trace(Worker& worker) {
    if (!worker.trace) return;
    char buffer[16384];
    for (;;) {
        const ssize_t n = ::read(worker.trace.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return;
        if (n == 0) break;
        worker.partial.append(buffer, static_cast<std::size_t>(n));
        std::size_t from = 0;
        for (std::size_t end; (end = worker.partial.find('\n', from)) != std::string::npos;
             from = end + 1)
            trace_copy(std::string_view(worker.partial).substr(from, end - from));
        worker.partial.erase(0, from);
    }
    worker.trace.reset();
}

void Master::reap() {
    for (Worker& worker : workers_) {
        if (worker.pid <= 0) continue;
        int status = 0;
        if (::waitpid(worker.pid, &status, WNOHANG) != worker.pid) continue;
        forward_trace(worker);
        const std::int64_t now = clock_.steady_ms();
        const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        trace(stopping_ || options_.once || clean ? TraceLevel::kInfo : TraceLevel::kError,
              "worker {}, process {}, ended: {}", worker.index, worker.pid, how_it_ended(status));
        worker.pid = -1;
        worker.control.reset();
        worker.trace.reset();
        crashed_ |= WIFSIGNALED(status);
        if (options_.once) {
            if (WIFSIGNALED(status)) {
                std::fprintf(
                    stderr,
                    "vmemaild: the worker ended by %s; what it was sending is uncertain now and "
                    "is looked at again by a later run\n",
                    how_it_ended(status).c_str());
                once_status_ =
                    exit_status(stopping_ ? ErrorKind::kUncertain : ErrorKind::kUnavailable);
            } else {
                once_status_ = WEXITSTATUS(status);
            }
            continue;
        }
        worker.early_deaths = now - worker.started < kHealthyMs ? worker.early_deaths + 1 : 0;
        worker.start_at =
            now + (worker.early_deaths == 0
                       ? 0
                       : std::min<std::int64_t>(500LL << std::min(worker.early_deaths - 1, 10),
                                                kLongestPauseMs));
    }
}

void Master::stop_workers() {
    if (!stopping_) kill_at_ = clock_.steady_ms() + kStopMs;
    stopping_ = true;
    for (const Worker& worker : workers_)
        if (worker.pid > 0) ::kill(worker.pid, SIGTERM);
}

Result<int> Master::run() {
    VM_ASSIGN(lock_, take_lock(options_.paths));
    VM_TRY(take_settings());
    if (!options_.once) {
        VM_ASSIGN(socket_, open_control_socket(options_.paths));
    }

    sigset_t handled;
    sigemptyset(&handled);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&handled, signal);
    ::sigprocmask(SIG_BLOCK, &handled, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));

    workers_.resize(options_.once ? 1 : kWorkers);
    for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i].index = static_cast<int>(i);
    for (Worker& worker : workers_) VM_TRY(start(worker));
    if (options_.ready) options_.ready();

    for (;;) {
        std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
        for (const Worker& worker : workers_) fds.push_back({worker.trace.get(), POLLIN, 0});
        ::poll(fds.data(), fds.size(), 1000);

        signalfd_siginfo signal{};
        while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) {
                trace(TraceLevel::kInfo, "stopping");
                stop_workers();
            }
        }
        for (Worker& worker : workers_) forward_trace(worker);
        reap();
        if (stopping_ || options_.once) {
            if (!any_running()) break;
            if (stopping_ && clock_.steady_ms() >= kill_at_)
                for (const Worker& worker : workers_)
                    if (worker.pid > 0) ::kill(worker.pid, SIGKILL);
            continue;
        }
        (void)take_settings();  // a trace file that cannot be re-opened: the old one goes on
        for (const Poke& poke : read_pokes(socket_.get())) {
            const std::string line = worker_line(poke);
            for (const Worker& worker : workers_)
                if (worker.pid > 0 &&
                    in_share(poke.mailbox, worker.index, static_cast<int>(workers_.size())))
                    if (::send(worker.control.get(), line.data(), line.size(),
                               MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                        continue;  // full: the worker has been told already
        }
        for (Worker& worker : workers_)
            if (worker.pid < 0 && clock_.steady_ms() >= worker.start_at)
                if (auto started = start(worker); !started) {
                    trace(TraceLevel::kError, "{}", started.error().text());
                    worker.start_at = clock_.steady_ms() + 1000;
                }
    }
    // No successor will recover what a killed worker left: it is done here, in a child, as ever.
    if (crashed_) (void)run_in_child([&] { return recover_all(options_.paths); });
    if (!options_.once) ::unlink(options_.paths.socket().c_str());
    trace(TraceLevel::kInfo, "stopped");
    return options_.once ? once_status_ : 0;
}

}  // namespace

Result<int> run_master(const MasterOptions& options) {
    return Master(options).run();
}

Result<int> run_in_child(const std::function<int()>& work) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return fail(ErrorKind::kUnavailable, "start child", "fork", errno_text(errno));
    if (pid == 0) {
        const int status = work();
        std::fflush(nullptr);
        ::_exit(status);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        return fail(ErrorKind::kUnavailable, "run", "child process",
                    "died of " + how_it_ended(status));
    return WEXITSTATUS(status);
}

}  // namespace vm::agent
