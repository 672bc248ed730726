#include "base/process.h"

#include "base/files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vm {

namespace {

constexpr std::size_t kDiagnosticsLimit = 4096;

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<ProcessOutput> run_process(const std::vector<std::string>& argv,
                                  std::chrono::milliseconds limit) {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0)
        return fail(ErrorKind::kUnavailable, "run", argv.front(), errno_text(errno));
    const UniqueFd reading(pipe_ends[0]);
    UniqueFd writing(pipe_ends[1]);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

    std::vector<char*> arguments;
    for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    const char* inherited = std::getenv("PATH");
    std::string path =
        std::string("PATH=") + (inherited ? inherited : "/usr/local/bin:/usr/bin:/bin");
    char lang[] = "LANG=C", zone[] = "TZ=UTC";
    char* environment[] = {path.data(), lang, zone, nullptr};

    pid_t pid = -1;
    const int error = ::posix_spawnp(&pid, argv.front().c_str(), &actions, &attributes,
                                     arguments.data(), environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
        return fail(ErrorKind::kConfig, "run", argv.front(), errno_text(error),
                    error == ENOENT ? "install the program or correct its name" : "");
    writing.reset();

    ProcessOutput output;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd waiting{reading.get(), POLLIN, 0};
        const int ready =
            left.count() > 0 ? ::poll(&waiting, 1, static_cast<int>(left.count())) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            ::kill(-pid, SIGKILL);
            wait_for(pid);
            return fail(ErrorKind::kUnavailable, "run", argv.front(),
                        "no end after " + std::to_string(limit.count() / 1000) + " s, stopped");
        }
        char buffer[1024];
        const ssize_t n = ::read(reading.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        output.diagnostics.append(buffer, static_cast<std::size_t>(n));
        if (output.diagnostics.size() > kDiagnosticsLimit)
            output.diagnostics.erase(0, output.diagnostics.size() - kDiagnosticsLimit);
    }
    output.exit_code = wait_for(pid);
    return output;
}

}  // namespace vm
