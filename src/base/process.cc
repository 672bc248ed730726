#include "base/process.h"

#include "base/files.h"
#include "base/sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vm {

namespace {

constexpr std::size_t kDiagnosticsLimit = 4096;
constexpr const char* kOperation = "run";
constexpr std::int64_t kAskMs = 100;  // between two questions whether to stop

struct Pipe {
    UniqueFd reading, writing;
};

Result<Pipe> new_pipe(const std::string& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(ErrorKind::kUnavailable, kOperation, program, errno_text(errno));
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What becomes of the child between fork and exec.
struct Confinement {
    std::vector<sock_filter> filter;
    SandboxLimits limits;
};

struct Start {
    char* const* argv;
    char* const* environment;
    int in, out, diagnostics;        // become its 0, 1 and 2; all above 2
    int report;                      // closed by exec; else a Failure is written to it
    const Confinement* confinement;  // null: none
    pid_t parent;
};

struct Failure {
    bool confining = false;
    int error = 0;
};

// (32-bit machines have the other ones for 16-bit ids.)
#ifdef SYS_setresuid32
constexpr long kSetGroups = SYS_setresgid32, kSetUsers = SYS_setresuid32;
#else
constexpr long kSetGroups = SYS_setresgid, kSetUsers = SYS_setresuid;
#endif

// The child between fork and exec, where another thread may have held any lock: system calls only.
[[noreturn]] void become_program(const Start& start) {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &usual, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    // Root may be the real user yet (base/identity.h). (The library's functions are for all
    // threads.)
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    Failure failure;
    const bool prepared = ::syscall(kSetGroups, group, group, group) == 0 &&
                          ::syscall(kSetUsers, user, user, user) == 0 && ::setsid() >= 0 &&
                          ::dup2(start.in, 0) == 0 && ::dup2(start.out, 1) == 1 &&
                          ::dup2(start.diagnostics, 2) == 2 &&
                          ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
    if (prepared && start.confinement != nullptr) {
        // The second test: the parent may have ended before the first line.
        failure.confining = ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
                            ::getppid() != start.parent ||
                            !enter_sandbox(start.confinement->filter, start.confinement->limits);
    }
    if (prepared && !failure.confining) ::execvpe(start.argv[0], start.argv, start.environment);
    failure.error = errno;
    (void)!::write(start.report, &failure, sizeof failure);
    ::_exit(127);
}

// A started program. Killed, with its process group, unless it was waited for.
class Child {
  public:
    explicit Child(pid_t pid)
        : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ < 0) return;
        kill_group();
        (void)wait();
    }

    int handle() const { return handle_.get(); }  // readable once it has ended; -1: none to be had
    void kill_group() const { ::kill(-pid_, SIGKILL); }

    // 128 + signal when it was killed. Waits without limit.
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

  private:
    pid_t pid_;
    UniqueFd handle_;
};

// Starts `argv` with these descriptors, which stay the caller's.
Result<pid_t> start_program(const std::vector<std::string>& argv, int in, int out, int diagnostics,
                            const Confinement* confinement) {
    VM_ASSIGN(Pipe report, new_pipe(argv.front()));
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    const char* inherited = std::getenv("PATH");
    std::string path =
        std::string("PATH=") + (inherited ? inherited : "/usr/local/bin:/usr/bin:/bin");
    char lang[] = "LANG=C", zone[] = "TZ=UTC";
    // What sanitizers do besides, the sandbox forbids: looking for leaks from another process, and
    // setting limits.
    char address[] = "ASAN_OPTIONS=detect_leaks=0:disable_coredump=0",
         thread[] = "TSAN_OPTIONS=disable_coredump=0";
    char* const environment[] = {path.data(), lang,   zone, confinement ? address : nullptr,
                                 thread,      nullptr};
    const Start start{arguments.data(), environment,          in,          out,
                      diagnostics,      report.writing.get(), confinement, ::getpid()};

    // No handler of this process may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    if (pid == 0) become_program(start);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return fail(ErrorKind::kUnavailable, kOperation, argv.front(), errno_text(error));

    report.writing.reset();
    Failure failure;
    ssize_t n = 0;
    while ((n = ::read(report.reading.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    if (n == 0) return pid;
    (void)Child(pid).wait();
    if (failure.confining)
        return fail(ErrorKind::kUnavailable, kOperation, argv.front(),
                    "no sandbox: " + errno_text(failure.error),
                    "the kernel must have seccomp filters");
    return fail(ErrorKind::kConfig, kOperation, argv.front(), errno_text(failure.error),
                failure.error == ENOENT ? "install the program or correct its name" : "");
}

// A stream of the child's: what has come of it, in `text`.
struct Stream {
    UniqueFd fd;  // reset at its end
    std::string text = {};
};

void keep_end(std::string& text) {
    if (text.size() > kDiagnosticsLimit) text.erase(0, text.size() - kDiagnosticsLimit);
}

// Reads what is there; false at the end of the stream.
bool read_some(Stream& stream) {
    std::array<char, 16384> buffer;
    const ssize_t n = ::read(stream.fd.get(), buffer.data(), buffer.size());
    if (n < 0) return errno == EINTR;
    stream.text.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0;
}

// Takes what the program writes until both streams and the program have ended, and leaves it to be
// waited for. `out` may be closed from the start.
Result<> attend(const Child& child, const std::string& program, Stream& out,
                std::size_t output_limit, Stream& diagnostics, std::chrono::milliseconds limit,
                const std::function<bool()>& cancelled = {}) {
    const std::int64_t longest = cancelled ? kAskMs : 1'000'000;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    bool ended = child.handle() < 0;
    while (!ended || out.fd || diagnostics.fd) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        // poll() passes over descriptors that are negative.
        std::array<pollfd, 3> waiting{{{out.fd.get(), POLLIN, 0},
                                       {diagnostics.fd.get(), POLLIN, 0},
                                       {ended ? -1 : child.handle(), POLLIN, 0}}};
        const int ready =
            left.count() > 0
                ? ::poll(waiting.data(), waiting.size(),
                         static_cast<int>(std::min<std::int64_t>(left.count(), longest)))
                : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (cancelled && cancelled())
            return fail(ErrorKind::kUnavailable, kOperation, program, "stopped before its end");
        if (ready <= 0 && std::chrono::steady_clock::now() >= deadline)
            return fail(ErrorKind::kUnavailable, kOperation, program,
                        "no end after " +
                            std::to_string(std::chrono::ceil<std::chrono::seconds>(limit).count()) +
                            " s, stopped");
        if (waiting[0].revents != 0 && !read_some(out)) out.fd.reset();
        if (waiting[1].revents != 0 && !read_some(diagnostics)) diagnostics.fd.reset();
        if (waiting[2].revents != 0) ended = true;
        keep_end(diagnostics.text);
        if (out.text.size() > output_limit)
            return fail(ErrorKind::kMessage, kOperation, program,
                        "wrote more than " + std::to_string(output_limit) + " bytes, stopped");
    }
    return {};
}

// `content` as a file in memory: a child that does not read its input, or only some of it, keeps
// nobody waiting and sends no SIGPIPE.
Result<UniqueFd> input_file(const std::string& program, std::string_view content) {
    UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
    if (!file) return fail(ErrorKind::kUnavailable, kOperation, program, errno_text(errno));
    VM_TRY(write_all(file.get(), content, "the input of " + program));
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return fail(ErrorKind::kUnavailable, kOperation, program, errno_text(errno));
    return file;
}

// run_sandboxed(), and run_with_input() when there is no confinement.
Result<SandboxOutput> converse(const std::vector<std::string>& argv, int input_fd,
                               const SandboxLimits& limits, const Confinement* confinement,
                               const std::function<bool()>& cancelled) {
    const std::string& program = argv.front();
    VM_ASSIGN(Pipe out_pipe, new_pipe(program));
    VM_ASSIGN(Pipe diagnostics_pipe, new_pipe(program));
    VM_ASSIGN(const pid_t pid, start_program(argv, input_fd, out_pipe.writing.get(),
                                             diagnostics_pipe.writing.get(), confinement));
    Child child(pid);
    out_pipe.writing.reset();
    diagnostics_pipe.writing.reset();
    Stream out{std::move(out_pipe.reading)}, diagnostics{std::move(diagnostics_pipe.reading)};
    VM_TRY(attend(child, program, out, limits.output_bytes, diagnostics, limits.time, cancelled));
    // Not yet waited for, its number still is the group's: nothing that it started stays.
    child.kill_group();
    SandboxOutput output;
    output.output = std::move(out.text);
    output.diagnostics = std::move(diagnostics.text);
    output.exit_code = child.wait();
    return output;
}

}  // namespace

std::filesystem::path program_beside(const std::string& name) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path(name) : self.parent_path() / name;
}

Result<ProcessOutput> run_process(const std::vector<std::string>& argv,
                                  std::chrono::milliseconds limit) {
    const std::string& program = argv.front();
    const UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!in) return fail(ErrorKind::kUnavailable, kOperation, program, errno_text(errno));
    VM_ASSIGN(Pipe pipe, new_pipe(program));
    const int writing = pipe.writing.get();
    VM_ASSIGN(const pid_t pid, start_program(argv, in.get(), writing, writing, nullptr));
    Child child(pid);
    pipe.writing.reset();
    Stream none{UniqueFd()}, diagnostics{std::move(pipe.reading)};
    VM_TRY(attend(child, program, none, 0, diagnostics, limit));
    ProcessOutput output;
    output.diagnostics = std::move(diagnostics.text);
    output.exit_code = child.wait();
    return output;
}

Result<SandboxOutput> run_sandboxed(const std::vector<std::string>& argv, std::string_view input,
                                    const SandboxLimits& limits) {
    VM_ASSIGN(const UniqueFd in, input_file(argv.front(), input));
    return run_sandboxed(argv, in.get(), limits);
}

Result<SandboxOutput> run_sandboxed(const std::vector<std::string>& argv, int input_fd,
                                    const SandboxLimits& limits,
                                    const std::function<bool()>& cancelled) {
    VM_ASSIGN(auto filter, sandbox_filter());
    const Confinement confinement{std::move(filter), limits};
    return converse(argv, input_fd, limits, &confinement, cancelled);
}

Result<SandboxOutput> run_with_input(const std::vector<std::string>& argv, std::string_view input,
                                     const SandboxLimits& limits) {
    VM_ASSIGN(const UniqueFd in, input_file(argv.front(), input));
    return converse(argv, in.get(), limits, nullptr, {});
}

}  // namespace vm
