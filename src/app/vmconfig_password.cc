#include "app/vmconfig_password.h"

#include <cerrno>
#include <iostream>
#include <termios.h>
#include <unistd.h>

namespace vm::app {

namespace {

constexpr std::size_t kLimit = 64U << 10;

// No echo on the terminal of standard input for as long as the object lives.
class Silence {
  public:
    explicit Silence(const std::string& name) {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;  // no terminal
        std::cerr << name << ": " << std::flush;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        active_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    }
    ~Silence() {
        if (!active_) return;
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        std::cerr << '\n';
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

  private:
    termios before_{};
    bool active_ = false;
};

}  // namespace

Result<Secret> read_password(const std::string& name) {
    const Silence silence(name);
    std::string line;
    bool any = false;
    for (;;) {
        char c = 0;
        const ssize_t n = ::read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(errno_kind(errno), "read", "standard input", errno_text(errno));
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
