#include "app/newt_screen.h"

#include "app/full_screen.h"
#include "app/output.h"
#include "base/text.h"

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cwchar>
#include <langinfo.h>
#include <slang.h>
#include <unistd.h>
#include <vector>

namespace vm::app {

namespace {

// Out of newt's screen when a signal ends the program: plain characters of the first set, the
// keypad as usual, the cursor in sight below all that was drawn, and the first screen where there
// are two. Terminals that do not know one of them pass over it.
constexpr std::string_view kLeave =
    "\x0f\x1b(B\x1b[m\x1b[?1l\x1b>\x1b[?25h\x1b[999;1H\r\n\x1b[?1049l";
constexpr int kCtrlC = 3, kWrong = NEWT_COLORSET_CUSTOM(0);
// newt's handler of SIGWINCH; newtFormRun() takes it out when it ends, with what it did about the
// mouse.
struct sigaction g_on_resize;
constexpr int kBoxWidth = 64, kTextLines = 14;

// The terminal shows what the locale says. A unit has seldom the locale that ssh brings along, but
// whose name says whether the terminal takes UTF-8.
void take_locale() {
    if (std::setlocale(LC_CTYPE, "") != nullptr && is_unicode()) return;
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(variable);
        if (value == nullptr || *value == '\0') continue;
        const std::string name = to_lower(value);
        if (name.ends_with("utf-8") || name.ends_with("utf8")) std::setlocale(LC_CTYPE, "C.UTF-8");
        return;
    }
}

// What has become of the size meanwhile, and again what will become of it.
void watch_size() {
    ::sigaction(SIGWINCH, &g_on_resize, nullptr);
    int width = 0, height = 0;
    newtGetScreenSize(&width, &height);
    const FullScreen::Size now = FullScreen::size();
    if (now.width != static_cast<std::size_t>(width) ||
        now.height != static_cast<std::size_t>(height))
        newtResizeScreen(1);
}

// Ctrl-Z: the shell is back until the program is in the foreground again.
void suspend(void*) {
    newtSuspend();
    ::raise(SIGTSTP);
    newtResume();
}

// A character and the columns it takes.
struct Character {
    std::string bytes;
    int cells = 1;
};
std::vector<Character> characters_of(const std::string& text) {
    std::vector<Character> characters;
    for (std::size_t at = 0; at < text.size(); at += characters.back().bytes.size()) {
        std::mbstate_t state{};
        wchar_t wide = 0;
        const std::size_t n = std::mbrtowc(&wide, text.data() + at, text.size() - at, &state);
        if (n == 0 || n > text.size())
            characters.push_back({text.substr(at, 1), 1});
        else
            characters.push_back({text.substr(at, n), std::max(::wcwidth(wide), 0)});
    }
    return characters;
}

}  // namespace

bool is_unicode() {
    return std::string_view(::nl_langinfo(CODESET)) == "UTF-8";
}

Result<> check_terminal(const std::string& instead) {
    if (::isatty(STDIN_FILENO) == 0 || !is_screen())
        return fail(ErrorKind::kUsage, "edit", "terminal",
                    "the form needs a terminal as standard input and output, with TERM set",
                    "without one: " + instead);
    const char* const kind = std::getenv("TERM");
    if (kind == nullptr || ::SLtt_initialize(nullptr) != 0)
        return fail(ErrorKind::kUnavailable, "edit", "terminal",
                    "TERM=" + std::string(kind ? kind : "") + " is not known on this machine",
                    "try TERM=vt100, or " + instead);
    const FullScreen::Size size = FullScreen::size();
    if (size.width < kLeastWidth || size.height < kLeastHeight)
        return fail(ErrorKind::kUnavailable, "edit", "terminal",
                    "it has " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                        " characters, and the form needs " + std::to_string(kLeastWidth) + "x" +
                        std::to_string(kLeastHeight),
                    "make it larger, or " + instead);
    return {};
}

NewtScreen::NewtScreen(const std::string& heading, const std::string& keys) : guard_(kLeave) {
    take_locale();
    newtInit();
    ::sigaction(SIGWINCH, nullptr, &g_on_resize);
    newtCls();
    newtGetScreenSize(&width_, &height_);
    char red[] = "red", grey[] = "lightgray";
    newtSetColor(kWrong, red, grey);
    newtSetSuspendCallback(suspend, nullptr);
    newtDrawRootText(1, 0, fitted(heading, width_ - 2).c_str());
    newtDrawRootText(1, height_ - 1, fitted(keys, width_ - 2).c_str());
}

NewtScreen::~NewtScreen() {
    newtFinished();
    TerminalGuard::left();
}

NewtWindow::NewtWindow(const NewtScreen& screen, int width, int height, const std::string& title)
    : width_(width), form_(newtForm(nullptr, nullptr, 0)) {
    int columns = 0, rows = 0;
    newtGetScreenSize(&columns, &rows);
    // newt writes beyond its buffer for a window that does not fit.
    open_ = columns >= screen.width() && rows >= screen.height() &&
            newtOpenWindow((screen.width() - width) / 2, (screen.height() - height) / 2,
                           static_cast<unsigned>(width), static_cast<unsigned>(height),
                           for_screen(title).c_str()) == 0;
    if (!open_) newtBell();
    for (const int key : {static_cast<int>('\033'), kCtrlC, NEWT_KEY_RESIZE})
        newtFormAddHotKey(form_, key);
}

NewtWindow::~NewtWindow() {
    newtFormDestroy(form_);
    if (open_) newtPopWindow();
}

newtComponent NewtWindow::add(newtComponent component) {
    newtFormAddComponent(form_, component);
    return component;
}

newtComponent NewtWindow::add_text(int left, int top, int width, int height,
                                   const std::string& text) {
    newtComponent box = newtTextbox(left, top, width, height, NEWT_FLAG_WRAP);
    newtTextboxSetText(box, for_screen(text).c_str());
    return add(box);
}

std::vector<newtComponent> NewtWindow::add_buttons(int top,
                                                   std::initializer_list<const char*> names) {
    constexpr int kFrame = 3, kGap = 3;
    int total = -kGap;
    for (const char* name : names)
        total += static_cast<int>(std::string_view(name).size()) + kFrame + kGap;
    int left = (width_ - total) / 2;
    std::vector<newtComponent> buttons;
    for (const char* name : names) {
        buttons.push_back(add(newtCompactButton(left, top, name)));
        left += static_cast<int>(std::string_view(name).size()) + kFrame + kGap;
    }
    return buttons;
}

void NewtWindow::focus(newtComponent component) {
    newtFormSetCurrent(form_, component);
}

Pressed NewtWindow::run() {
    Pressed pressed;
    if (!open_) {
        pressed.escaped = true;
        return pressed;
    }
    while (!pressed.gone && !pressed.escaped && pressed.component == nullptr) {
        watch_size();
        newtExitStruct end{};
        newtFormRun(form_, &end);
        pressed.gone = end.reason == newtExitStruct::NEWT_EXIT_ERROR;
        if (end.reason == newtExitStruct::NEWT_EXIT_COMPONENT) pressed.component = end.u.co;
        if (end.reason != newtExitStruct::NEWT_EXIT_HOTKEY) continue;
        if (end.u.key == NEWT_KEY_RESIZE)
            newtResizeScreen(1);
        else if (end.u.key == kCtrlC)
            ::raise(SIGINT);  // it comes back only where that is ignored
        else
            pressed.escaped = true;
    }
    return pressed;
}

void mark_as_wrong(newtComponent text) {
    newtTextboxSetColors(text, kWrong, kWrong);
}

std::string for_screen(const std::string& text) {
    std::string line = shown(text);
    if (is_unicode()) return line;
    std::string ascii;
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) ascii += c;
        if (byte >= 0xC0) ascii += '?';
    }
    return ascii;
}

std::string fitted(const std::string& text, int cells) {
    constexpr int kDots = 3;
    std::vector<Character> characters = characters_of(for_screen(text));
    int used = 0;
    for (const Character& character : characters) used += character.cells;
    const bool cut = used > cells, is_path = text.starts_with('/');
    while (!characters.empty() && used > (cut ? cells - kDots : cells)) {
        const auto out = is_path ? characters.begin() : characters.end() - 1;
        used -= out->cells;
        characters.erase(out);
    }
    std::string line = cut && is_path ? "..." : "";
    for (const Character& character : characters) line += character.bytes;
    if (cut) used += kDots;
    return line + (cut && !is_path ? "..." : "") +
           std::string(static_cast<std::size_t>(std::max(cells - used, 0)), ' ');
}

int wrapped_height(const std::string& text, int width) {
    newtComponent box = newtTextbox(0, 0, width, 1, NEWT_FLAG_WRAP);
    newtTextboxSetText(box, for_screen(text).c_str());
    const int lines = newtTextboxGetNumLines(box);
    newtComponentDestroy(box);
    return std::max(lines, 1);
}

Pressed ask(const NewtScreen& screen, const std::string& title, const std::string& text,
            const char* yes, const char* no, bool& is_yes) {
    const int lines = std::min(wrapped_height(text, kBoxWidth - 2), kTextLines);
    NewtWindow window(screen, kBoxWidth, lines + 2, title);
    window.add_text(1, 0, kBoxWidth - 2, lines, text);
    const auto buttons =
        no ? window.add_buttons(lines + 1, {yes, no}) : window.add_buttons(lines + 1, {yes});
    const Pressed pressed = window.run();
    is_yes = pressed.component == buttons.front();
    return pressed;
}

bool tell(const NewtScreen& screen, const std::string& title, const std::string& text) {
    bool read = false;
    return !ask(screen, title, text, "OK", nullptr, read).gone;
}

}  // namespace vm::app
