#include "app/full_screen.h"

#include "base/files.h"

#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace vm::app {

namespace {

// The other screen, without a cursor; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

}  // namespace

FullScreen::FullScreen() : guard_(kLeave) {
    if (const termios* before = TerminalGuard::before()) {
        termios settings = *before;
        settings.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
        settings.c_iflag &= static_cast<tcflag_t>(~IXON);
        settings.c_cc[VSUSP] = _POSIX_VDISABLE;
        settings.c_cc[VMIN] = 0;
        settings.c_cc[VTIME] = 0;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    }
    (void)write_all(STDOUT_FILENO, kEnter, "terminal");
}

FullScreen::Size FullScreen::size() {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
        window.ws_row == 0)
        return {};
    return {window.ws_col, window.ws_row};
}

bool FullScreen::draw(const std::vector<std::string>& lines) const {
    // Behind a line as wide as the screen nothing may be cleared: it would be that line's end.
    const auto to_row = [](std::size_t row) { return "\x1b[" + std::to_string(row + 1) + ";1H"; };
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) text += to_row(i) + "\x1b[2K" + lines[i];
    if (lines.size() < size().height) text += to_row(lines.size()) + "\x1b[J";
    return write_all(STDOUT_FILENO, text, "terminal").has_value();
}

char FullScreen::wait_for_key(int milliseconds) {
    pollfd input{has_keys_ ? STDIN_FILENO : -1, POLLIN, 0};
    if (::poll(&input, 1, milliseconds) <= 0 || input.revents == 0) return 0;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) == 1) return key;
    has_keys_ = false;
    return 0;
}

}  // namespace vm::app
