// The terminal of standard input and output as one screen that is drawn over and over. It is as it
// was when the object goes, and when SIGINT, SIGTERM, SIGHUP or SIGQUIT ends the process. One at a
// time; the main thread.
#ifndef VM_APP_FULL_SCREEN_H
#define VM_APP_FULL_SCREEN_H

#include <cstddef>
#include <string>
#include <vector>

namespace vm::app {

// Whether standard output is a terminal that can be drawn on.
bool is_screen();

class FullScreen {
  public:
    FullScreen();
    ~FullScreen();
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
    bool has_keys_ = true;  // standard input can be read
};

}  // namespace vm::app

#endif
