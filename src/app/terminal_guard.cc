#include "app/terminal_guard.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <unistd.h>

namespace vm::app {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// For the signal handler as well.
termios g_before;
std::string_view g_leave;
volatile std::sig_atomic_t g_has_settings = 0;
volatile std::sig_atomic_t g_entered = 0;
struct sigaction g_actions[std::size(kSignals)];

// Nothing here but what a signal handler may call.
void leave() {
    if (!g_entered) return;
    g_entered = 0;
    if (g_has_settings) ::tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
    if (::write(STDOUT_FILENO, g_leave.data(), g_leave.size()) < 0) return;  // it is gone
}

void on_signal(int signal) {
    const int error = errno;
    leave();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    errno = error;
}

}  // namespace

bool is_screen() {
    const char* const terminal = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) != 0 && terminal && std::string_view(terminal) != "dumb" &&
           *terminal != '\0';
}

TerminalGuard::TerminalGuard(std::string_view leave) {
    g_leave = leave;
    g_has_settings = ::tcgetattr(STDIN_FILENO, &g_before) == 0 ? 1 : 0;
    g_entered = 1;
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
        struct sigaction action {};
        action.sa_handler = on_signal;
        sigemptyset(&action.sa_mask);
        ::sigaction(kSignals[i], &action, &g_actions[i]);
        // Who started it wants it to be left alone by this one (nohup).
        if (g_actions[i].sa_handler == SIG_IGN) ::sigaction(kSignals[i], &g_actions[i], nullptr);
    }
}

TerminalGuard::~TerminalGuard() {
    leave();
    for (std::size_t i = 0; i < std::size(kSignals); ++i)
        ::sigaction(kSignals[i], &g_actions[i], nullptr);
}

const termios* TerminalGuard::before() {
    return g_has_settings ? &g_before : nullptr;
}

void TerminalGuard::left() {
    g_leave = {};
}

}  // namespace vm::app
