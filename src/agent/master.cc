#include "agent/control.h"
#include "agent/master_state.h"
#include "agent/metrics_text.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/identity.h"
#include "base/text.h"
#include "base/trace.h"
#include "transport/loading_note.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace vm::agent {

namespace {

constexpr int kWorkers = 2;
// How long a stop waits for dialogues to end; then what is still running becomes uncertain.
constexpr std::int64_t kStopMs = 30'000;
// How long a start waits for the workers of a killed master.
constexpr int kLockTries = 50;
constexpr int kLockPauseMs = 100;
constexpr int kGatherMs = 5;  // for lines to trace

Result<UniqueFd> take_lock(const Paths& paths) {
    UniqueFd fd(::open(paths.lock_file().c_str(),
                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (!fd)
        return fail_errno(errno, "lock", paths.lock_file().string(),
                          errno == ENOENT ? "create the root with `vmconfig init`" : "");
    struct stat file {};
    if (::fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode))
        return fail(ErrorKind::kPermission, "lock", paths.lock_file().string(),
                    "it is not a regular file", "remove it");
    for (int i = 0; i < kLockTries; ++i) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) {
            const std::string pid = std::to_string(::getpid()) + "\n";
            if (::ftruncate(fd.get(), 0) != 0)
                return fail_errno(errno, "lock", paths.lock_file().string());
            VM_TRY(write_all(fd.get(), pid, paths.lock_file().string()));
            return fd;
        }
        if (errno != EAGAIN && errno != EACCES)
            return fail_errno(errno, "lock", paths.lock_file().string());
        ::poll(nullptr, 0, kLockPauseMs);
    }
    const std::string pid(trim(read_file(paths.lock_file()).value_or("?")));
    const auto number = parse_int(pid);
    if (number && *number > 1 && ::kill(static_cast<pid_t>(*number), 0) != 0 && errno == ESRCH)
        return fail(ErrorKind::kUnavailable, "start", paths.root.string(),
                    "the agent before (process " + pid +
                        ") was killed, and a worker of it is ending a dialogue",
                    "it is gone in less than a minute; start again then");
    return fail(ErrorKind::kUnavailable, "start", paths.root.string(),
                "an agent already runs on this root (process " + pid + ")",
                "it sends by itself; `vmctl queue retry` hurries it");
}

}  // namespace

Result<> Master::take_settings() {
    settings_.refresh(clock_.steady_ms());
    const auto& misc = *settings_.current()->misc;
    trace_everything(misc.trace_everything);
    if (misc.max_trace_file_size == trace_size_) return {};
    trace_size_ = misc.max_trace_file_size;
    return trace_open(options_.paths.trace_file(), trace_size_, options_.echo);
}

bool Master::any_running() {
    bool any = false;
    each_process([&](const WorkerProcess& process) { any |= process.running(); });
    return any;
}

// ---- the loop -----------------------------------------------------------------------------------

void Master::pass_on(const Poke& poke) {
    const std::string line = worker_line(poke);
    if (quarantine_.holds(poke.mailbox)) {
        const auto alone = alone_.find(poke.mailbox);
        if (alone != alone_.end() && !alone->second.note_only) {
            alone->second.process.tell(line);
        } else if (poke.request != Request::kNothing) {
            // A person asks: it is tried now.
            quarantine_.end_pause(poke.mailbox);
            asked_[poke.mailbox] = line;
        }
        return;
    }
    const int count = static_cast<int>(shares_.size());
    for (int i = 0; i < count; ++i)
        if (in_share(poke.mailbox, i, count))
            shares_[static_cast<std::size_t>(i)].process.tell(line);  // full: it has been told
}

void Master::tell_untold() {
    for (Share& share : shares_)
        if (!share.untold.empty() && share.process.running() && share.process.tell(share.untold))
            share.untold.clear();
}

void Master::stop_workers() {
    if (!stopping_) {
        kill_at_ = clock_.steady_ms() + kStopMs;
        service_manager_.stopping();
    }
    stopping_ = true;
    each_process([](const WorkerProcess& process) { process.signal(SIGTERM); });
}

// Sleeps until a worker, a person or the system has something to say, a second at most.
void Master::wait() {
    std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    metrics_socket_.add_to(fds);
    const std::size_t others = fds.size();
    each_process([&](const WorkerProcess& process) {
        fds.push_back({process.trace_fd(), POLLIN, 0});
    });
    ::poll(fds.data(), fds.size(), 1000);
    // Where there is one line to trace there are more, as a rule: to wake for each would cost as
    // much as writing it.
    ::poll(fds.data(), others, kGatherMs);
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) {
            trace(TraceLevel::kInfo, "stopping");
            stop_workers();
        }
    }
    each_process([](WorkerProcess& process) { process.forward_trace(); });
    metrics_socket_.serve(clock_.steady_ms(), [this] { return metrics(); });
}

std::string Master::metrics() {
    metrics_.set(Metric::kQuarantined, {},
                 static_cast<std::int64_t>(quarantine_.mailboxes().size()));
    return metrics_text(metrics_table_.read(), clock_.now());
}

Result<int> Master::run() {
    VM_TRY(stay_owner());
    VM_ASSIGN(lock_, take_lock(options_.paths));
    VM_TRY(take_settings());
    if (!options_.once) {
        VM_ASSIGN(socket_, open_control_socket(options_.paths));
        VM_TRY(metrics_socket_.open(options_.paths));
        metrics_.set(Metric::kStartTime, {}, clock_.now());
        for (const char* side : {"phone", "account"}) metrics_.add(Metric::kChanges, {side}, 0);
    }

    sigset_t handled;
    sigemptyset(&handled);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&handled, signal);
    ::sigprocmask(SIG_BLOCK, &handled, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));

    for (int i = 0; i < (options_.once ? 1 : kWorkers); ++i) shares_.emplace_back();
    start_shares();
    if (options_.ready) options_.ready();
    service_manager_.ready();

    for (;;) {
        service_manager_.keep(clock_.steady_ms());
        wait();
        take_ends();
        if (stopping_ || options_.once) {
            if (!any_running() && !once_goes_on()) break;
            if (stopping_ && clock_.steady_ms() >= kill_at_)
                each_process([](const WorkerProcess& process) { process.signal(SIGKILL); });
            continue;
        }
        (void)take_settings();  // a trace file that cannot be re-opened: the old one goes on
        for (const Poke& poke : read_pokes(socket_.get())) pass_on(poke);
        start_shares();
        tell_untold();
        start_quarantined();
        metrics_file_.keep(clock_.steady_ms(), settings_.current()->misc->metrics_file,
                           [this] { return metrics(); });
    }
    // No successor will recover what a killed worker left: it is done here, in a child, as ever.
    if (crashed_) (void)run_in_child([&] { return recover_all(options_.paths); });
    metrics_file_.remove();
    if (!options_.once) {
        ::unlink(options_.paths.socket().c_str());
        ::unlink(options_.paths.metrics_socket().c_str());
    }
    trace(TraceLevel::kInfo, "stopped");
    return options_.once ? once_status_ : 0;
}

Result<int> run_master(const MasterOptions& options) {
    return Master(options).run();
}

Result<int> run_in_child(const std::function<int()>& work) {
    std::fflush(nullptr);
    const transport::LoadingNote loading;
    const pid_t pid = ::fork();
    if (pid < 0) return fail(ErrorKind::kUnavailable, "start child", "fork", errno_text(errno));
    if (pid == 0) {
        loading.use();
        const auto owner = stay_owner();
        if (!owner) std::fprintf(stderr, "%s\n", owner.error().text().c_str());
        ::setsid();  // without the caller's terminal, into which a plugin could type
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        int status = owner ? work() : exit_status(owner.error().kind);
        if (std::fflush(stdout) != 0 && status == 0) {
            std::fprintf(stderr, "write: standard output: it takes no more data\n");
            status = exit_status(ErrorKind::kUnavailable);
        }
        ::_exit(status);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (const auto plugin = loading.plugin(); !plugin.empty())
        return fail(transport::crashed_while_loading(plugin, how_it_ended(status)));
    if (WIFSIGNALED(status))
        return fail(ErrorKind::kUnavailable, "run", "child process",
                    "died of " + how_it_ended(status));
    return WEXITSTATUS(status);
}

}  // namespace vm::agent
