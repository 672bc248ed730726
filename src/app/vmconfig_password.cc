#include "app/vmconfig_password.h"

#include "base/files.h"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace vm::app {

namespace {

constexpr std::size_t kLimit = 64U << 10;

// No echo on the terminal of standard input for as long as the object lives. Signals that end or
// stop the program wait meanwhile, and take effect in wait() with the echo on again.
class Silence {
  public:
    explicit Silence(const std::string& name) : name_(name) {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;  // no terminal
        sigemptyset(&held_);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP})
            sigaddset(&held_, signal);
        ::sigprocmask(SIG_BLOCK, &held_, &mask_before_);
        signals_.reset(::signalfd(-1, &held_, SFD_CLOEXEC));
        hide();
    }
    ~Silence() {
        if (!signals_) return;
        show();
        ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

    // Until there is something to read.
    void wait() {
        while (signals_) {
            pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
            if (::poll(fds, 2, -1) < 0) continue;
            if (fds[1].revents == 0) return;
            signalfd_siginfo signal{};
            if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) continue;
            show();
            ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
            ::raise(static_cast<int>(signal.ssi_signo));
            // It was ignored, or the program was stopped and goes on: from the start.
            ::sigprocmask(SIG_BLOCK, &held_, nullptr);
            hide();
        }
    }

  private:
    void hide() {
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
        std::cerr << name_ << ": " << std::flush;
    }
    void show() {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        std::cerr << std::endl;
    }

    const std::string& name_;
    termios before_{};
    sigset_t held_{}, mask_before_{};
    UniqueFd signals_;  // none: no terminal
};

}  // namespace

Result<Secret> read_password(const std::string& name) {
    Silence silence(name);
    std::string line;
    bool any = false;
    for (;;) {
        silence.wait();
        char c = 0;
        const ssize_t n = ::read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "read", "standard input");
        any = any || n == 1;
        if (n == 0 || c == '\n') break;
        if (line.size() == kLimit)
            return fail(ErrorKind::kUsage, "read", "standard input",
                        "the line for " + name + " is too long");
        line += c;
    }
    if (!any)
        return fail(ErrorKind::kNoInput, "read", "standard input", "there is no line for " + name);
    if (line.ends_with('\r')) line.pop_back();
    return Secret(std::move(line));
}

}  // namespace vm::app
