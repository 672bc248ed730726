#include "app/newt_dialog.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string.h>

namespace vm::app {

namespace {

constexpr int kWidth = 70, kText = kWidth - 2, kField = 9, kFieldWidth = kWidth - kField - 1;
constexpr int kDescriptionLines = 2, kRuleLines = 4, kMessageLines = 3;
constexpr int kChoicesInSight = 6;

// The field of a password. What is typed into it lies in one buffer, large enough not to be moved,
// which is cleared when it goes. Nothing of it is seen, so what did not get in must be said.
class PasswordField {
  public:
    newtComponent make(int left, int top, int width) {
        const std::string room(kRoom, ' ');
        entry_ = newtEntry(left, top, room.c_str(), width, nullptr,
                           NEWT_FLAG_RETURNEXIT | NEWT_FLAG_SCROLL | NEWT_FLAG_HIDDEN);
        newtEntrySet(entry_, "", 0);
        newtEntrySetFilter(
            entry_,
            [](newtComponent, void* field, int key, int) {
                return static_cast<PasswordField*>(field)->typed(key);
            },
            this);
        newtComponentAddDestroyCallback(
            entry_, [](newtComponent, void* field) { static_cast<PasswordField*>(field)->wipe(); },
            this);
        return entry_;
    }
    // nullopt: nothing was typed.
    Result<std::optional<Secret>> value(const std::string& name) {
        note_loss();
        if (too_long_)
            return fail(ErrorKind::kConfig, "set", name,
                        "it is longer than " + std::to_string(kRoom - kCharacter) + " bytes",
                        "type another one, or let mailbox set read it from a file");
        if (lost_)
            return fail(ErrorKind::kConfig, "set", name,
                        "it has characters that this terminal and its locale do not agree about",
                        "type another one, or start again with LC_ALL=C.UTF-8");
        if (length() == 0) return std::nullopt;
        return Secret(newtEntryGetValue(entry_));
    }
    void clear() {
        wipe();
        newtEntrySet(entry_, "", 0);
        too_long_ = lost_ = false;
        before_.reset();
    }

  private:
    static constexpr std::size_t kRoom = 8192;
    static constexpr std::size_t kCharacter = 4;  // bytes of one, at most

    // Says whether newt takes the key.
    int typed(int key) {
        note_loss();
        if (key < 0x20 || key > 0xFF) return key;  // no character
        if (length() + kCharacter < kRoom) {
            before_ = length();
            return key;
        }
        too_long_ = true;
        newtBell();
        return 0;
    }
    // newt drops characters that the locale does not have.
    void note_loss() {
        lost_ = lost_ || (before_ && length() == *before_);
        before_.reset();
    }
    std::size_t length() const { return std::strlen(newtEntryGetValue(entry_)); }
    void wipe() const { ::explicit_bzero(newtEntryGetValue(entry_), kRoom); }

    newtComponent entry_ = nullptr;
    std::optional<std::size_t> before_;  // bytes that were there when the last character came
    bool too_long_ = false, lost_ = false;
};

// The field of a value: a list where all values are known, else a line to type in.
class Field {
  public:
    Field(const FormRow& row, std::string text) : row_(row), text_(std::move(text)) {
        if (row.option == nullptr || row.option->rule.choices.empty()) return;
        const auto now = config::value_of(*row.option, text_);
        if (!now) choices_.push_back(text_);  // wrong, and may stay so
        choices_.insert(choices_.end(), row.option->rule.choices.begin(),
                        row.option->rule.choices.end());
        current_ =
            std::find(choices_.begin(), choices_.end(), now.value_or(text_)) - choices_.begin();
    }

    int height() const { return std::clamp(static_cast<int>(choices_.size()), 1, kChoicesInSight); }
    newtComponent make(int top) {
        if (!choices_.empty()) return make_list(top);
        if (row_.is_secret()) return password_.make(kField, top, kFieldWidth);
        entry_ = newtEntry(kField, top, text_.c_str(), kFieldWidth, nullptr,
                           NEWT_FLAG_RETURNEXIT | NEWT_FLAG_SCROLL);
        return entry_;
    }
    // What was entered; nullopt: it stays as it was.
    Result<std::optional<Secret>> value() {
        if (row_.is_secret()) return password_.value(row_.name);
        std::string entered;
        if (entry_ != nullptr)
            entered = newtEntryGetValue(entry_);
        else if (const auto* chosen = static_cast<std::string*>(newtListboxGetCurrent(list_)))
            entered = *chosen;
        if (entered == text_) return std::nullopt;
        return Secret(std::move(entered));
    }
    void clear_password() {
        if (row_.is_secret()) password_.clear();
    }

  private:
    newtComponent make_list(int top) {
        const bool scrolls = static_cast<int>(choices_.size()) > kChoicesInSight;
        list_ = newtListbox(kField, top, height(),
                            NEWT_FLAG_RETURNEXIT | (scrolls ? NEWT_FLAG_SCROLL : 0));
        for (const std::string& choice : choices_)
            newtListboxAppendEntry(list_, for_screen(" " + choice + " ").c_str(), &choice);
        newtListboxSetCurrent(list_, static_cast<int>(current_));
        return list_;
    }

    const FormRow& row_;
    const std::string text_;
    std::vector<std::string> choices_;
    std::ptrdiff_t current_ = 0;
    newtComponent entry_ = nullptr, list_ = nullptr;
    PasswordField password_;
};

// What is allowed, or how a password is entered.
std::string rule_of(const FormRow& row) {
    if (row.option == nullptr) return "Any text.";
    if (row.option->secret)
        return "Now " + row.value + ". What is typed is not shown; nothing typed: it stays.";
    const std::string& by_default = row.option->default_text;
    return "Allowed: " + row.option->rule.allowed +
           ". Default: " + (by_default.empty() ? "blank" : by_default) + ".";
}

// What is wrong, as far as there is room.
std::string words_of(const Error& wrong) {
    std::string all = wrong.reason + (wrong.hint.empty() ? "" : "; " + wrong.hint);
    if (wrong.hint.empty() || wrapped_height(all, kText) <= kMessageLines) return all;
    return "It is not valid; " + wrong.hint;
}

}  // namespace

bool edit_row(const NewtScreen& screen, OptionForm& form, std::size_t row_index) {
    const FormRow& row = form.rows()[row_index];
    const std::string before = form.field_text(row_index);
    if (for_screen(before) != before && !is_unicode())
        return tell(screen, form.dialog_title(row),
                    "The value has characters that this terminal cannot show. Start again with "
                    "LC_ALL=C.UTF-8, or set it from the command line.");
    Field field(row, before);

    const std::string description = row.description(), rule = rule_of(row);
    const int rule_top = std::min(wrapped_height(description, kText), kDescriptionLines);
    const int value_top = rule_top + std::min(wrapped_height(rule, kText), kRuleLines) + 1;
    const int ignore_top = value_top + field.height();
    const int message_top = ignore_top + (form.has_ignore() ? 2 : 1);
    const int buttons_top = message_top + kMessageLines;

    NewtWindow window(screen, kWidth, buttons_top + 1, form.dialog_title(row));
    window.add_text(1, 0, kText, rule_top, description);
    window.add_text(1, rule_top, kText, value_top - rule_top - 1, rule);
    window.add(newtLabel(1, value_top, "Value"));
    newtComponent value = window.add(field.make(value_top));
    newtComponent ignore = nullptr;
    if (form.has_ignore()) {
        window.add(newtLabel(1, ignore_top, "Ignore"));
        ignore = window.add(newtCheckbox(kField, ignore_top, "1: the default holds, not the value",
                                         row.ignored ? '1' : '0', "01", nullptr));
    }
    newtComponent message = window.add_text(1, message_top, kText, kMessageLines, "");
    mark_as_wrong(message);
    const auto buttons = row.is_secret()
                             ? window.add_buttons(buttons_top, {"OK", "Cancel", "Take it away"})
                             : window.add_buttons(buttons_top, {"OK", "Cancel"});
    window.focus(value);
    for (;;) {
        const Pressed pressed = window.run();
        if (pressed.component == nullptr || pressed.component == buttons[1]) return !pressed.gone;
        FormInput input;
        input.ignored = ignore && newtCheckboxGetValue(ignore) == '1';
        auto entered = field.value();
        if (row.is_secret() && pressed.component == buttons.back())
            entered = std::optional<Secret>(Secret());
        Result<> taken;
        if (entered) {
            input.value = std::move(*entered);
            taken = form.change(row_index, input);
        } else {
            taken = fail(std::move(entered).error());
        }
        if (taken) return true;
        newtTextboxSetText(message, for_screen(words_of(taken.error())).c_str());
        field.clear_password();
        window.focus(value);
    }
}

}  // namespace vm::app
