// The terminal of standard input and output as one screen that is drawn over and over. One at a
// time; the main thread.
#ifndef VM_APP_FULL_SCREEN_H
#define VM_APP_FULL_SCREEN_H

#include "app/terminal_guard.h"

#include <cstddef>
#include <string>
#include <vector>

namespace vm::app {

class FullScreen {
  public:
    FullScreen();
    FullScreen(const FullScreen&) = delete;
    FullScreen& operator=(const FullScreen&) = delete;

    // In characters, as it is now.
    struct Size {
        std::size_t width = 80, height = 24;
    };
    static Size size();

    // False when the terminal is gone.
    bool draw(const std::vector<std::string>& lines) const;
    // Waits for a key; 0 when none came.
    char wait_for_key(int milliseconds);

  private:
    TerminalGuard guard_;
    bool has_keys_ = true;  // standard input can be read
};

}  // namespace vm::app

#endif
