// The terminal as newt has it, for the forms of vmconfig: nothing but newt_*.cc sees newt. A screen
// keeps the size it began with, 80x24 at least; when the terminal's changes, it is drawn again. The
// main thread; one at a time.
#ifndef VM_APP_NEWT_SCREEN_H
#define VM_APP_NEWT_SCREEN_H

#include "app/terminal_guard.h"
#include "base/error.h"

#include <initializer_list>

#include <newt.h>
#include <string>

namespace vm::app {

inline constexpr int kLeastWidth = 80, kLeastHeight = 24;

// Whether a form can be drawn: kUsage without a terminal, kUnavailable on one that is too small or
// of a kind that is not known; naming the command that does without, `instead`.
Result<> check_terminal(const std::string& instead);

class NewtScreen {
  public:
    // `heading` stands in the first line, `keys` in the last.
    NewtScreen(const std::string& heading, const std::string& keys);
    ~NewtScreen();
    NewtScreen(const NewtScreen&) = delete;
    NewtScreen& operator=(const NewtScreen&) = delete;

    int width() const { return width_; }
    int height() const { return height_; }

  private:
    TerminalGuard guard_;
    int width_ = 0, height_ = 0;
};

// How a window was left.
struct Pressed {
    newtComponent component = nullptr;  // a button, or a field in which Enter was pressed
    bool escaped = false;               // Esc or F12
    bool gone = false;                  // the terminal was closed
};

// A window in the middle of the screen with one form, for as long as it lives.
class NewtWindow {
  public:
    // Inside the frame.
    NewtWindow(const NewtScreen& screen, int width, int height, const std::string& title);
    ~NewtWindow();
    NewtWindow(const NewtWindow&) = delete;
    NewtWindow& operator=(const NewtWindow&) = delete;

    // Puts `component` into the form, which owns it then.
    newtComponent add(newtComponent component);
    // A text that is wrapped; `height` lines of the window.
    newtComponent add_text(int left, int top, int width, int height, const std::string& text);
    // Compact buttons side by side, in the middle of line `top`, in the order of `names`.
    std::vector<newtComponent> add_buttons(int top, std::initializer_list<const char*> names);
    void focus(newtComponent component);
    // Until a button is pressed. Ctrl-C ends the program as SIGINT does. On a terminal that has
    // become too small for the window: escaped, at once.
    Pressed run();

  private:
    const int width_;
    bool open_ = false;
    newtComponent form_;
};

// `text` in the colour of what is wrong.
void mark_as_wrong(newtComponent text);

// What the terminal can show of foreign text: no controls; nothing but ASCII where its locale has
// nothing else.
std::string for_screen(const std::string& text);
// The locale has all of Unicode.
bool is_unicode();
// `text` in so many columns, filled with blanks; where it has more, "..." stands for its end, or of
// a path, whose end tells more, for its beginning.
std::string fitted(const std::string& text, int cells);
// How many lines of `width` columns `text` takes.
int wrapped_height(const std::string& text, int width);

// Says something, and waits until it was read. False when the terminal is gone.
bool tell(const NewtScreen& screen, const std::string& title, const std::string& text);
// A question with two buttons; whether it is the first.
Pressed ask(const NewtScreen& screen, const std::string& title, const std::string& text,
            const char* yes, const char* no, bool& is_yes);

}  // namespace vm::app

#endif
