// The terminal of standard input and output, for a program that draws on it: it is as it was when
// the object goes, and when SIGINT, SIGTERM, SIGHUP or SIGQUIT ends the process. One at a time; the
// main thread.
#ifndef VM_APP_TERMINAL_GUARD_H
#define VM_APP_TERMINAL_GUARD_H

#include <string_view>
#include <termios.h>

namespace vm::app {

// Whether standard output is a terminal that can be drawn on.
bool is_screen();

class TerminalGuard {
  public:
    // `leave` is written when the screen is left; it must live as long.
    explicit TerminalGuard(std::string_view leave);
    ~TerminalGuard();
    TerminalGuard(const TerminalGuard&) = delete;
    TerminalGuard& operator=(const TerminalGuard&) = delete;

    // The settings as they were; nullptr when standard input has none.
    static const termios* before();
    // The screen was left already: `leave` is not written any more.
    static void left();
};

}  // namespace vm::app

#endif
