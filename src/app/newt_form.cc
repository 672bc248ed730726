#include "app/newt_form.h"

#include "app/newt_dialog.h"

#include <algorithm>

namespace vm::app {

namespace {

// Columns of the table, and the lines of its window below it.
constexpr int kMark = 2, kName = 29, kIgnore = 7, kScrollbar = 3, kBelow = 7, kHelp = 3;
constexpr const char* kHeading = "  -- Additions, not on the unit's own screen --";

class FormTable {
  public:
    FormTable(const NewtScreen& screen, OptionForm& form)
        : screen_(screen),
          form_(form),
          width_(screen.width() - 5),
          height_(screen.height() - 5),
          window_(screen, width_, height_, form.title()) {
        const std::string head = std::string(kMark, ' ') + fitted("Option", kName) +
                                 fitted("Value", value_width()) +
                                 (form.has_ignore() ? "Ignore" : "");
        window_.add(newtLabel(0, 0, head.c_str()));
        list_ = newtListbox(0, 1, height_ - kBelow, NEWT_FLAG_RETURNEXIT | NEWT_FLAG_SCROLL);
        newtListboxSetWidth(list_, width_);
        window_.add(list_);
        help_ = window_.add_text(1, height_ - kBelow + 2, width_ - 2, kHelp, "");
        buttons_ = window_.add_buttons(height_ - 1, {"Apply changes", "Discard"});
        fill();
        newtComponentAddCallback(
            list_, [](newtComponent, void* table) { static_cast<FormTable*>(table)->help(); },
            this);
        help();
    }

    FormEnd run() {
        FormEnd end;
        for (;;) {
            const Pressed pressed = window_.run();
            bool leave = pressed.component == buttons_[1];
            if (pressed.escaped) {
                leave = form_.changes() == 0 || confirm_discard(end);
            } else if (pressed.component == list_) {
                open_row(end);
            } else if (pressed.component == buttons_[0]) {
                leave = form_.changes() == 0 || apply(end);
            }
            end.gone = end.gone || pressed.gone;
            if (leave || end.gone) return end;
        }
    }

  private:
    int value_width() const {
        return width_ - kScrollbar - kMark - kName - (form_.has_ignore() ? kIgnore : 0);
    }
    std::string line(const FormRow& row) const {
        return (row.changed ? "* " : "  ") + fitted(row.name, kName - 1) + " " +
               fitted(row.value, value_width() - 1) + " " +
               (form_.has_ignore() ? row.ignored ? "1" : "0" : "");
    }
    // Each entry points to its row, the heading to none.
    void fill() {
        bool additions = false;
        for (const FormRow& row : form_.rows()) {
            if (!form_.has_ignore() && row.option->extension && !additions) {
                newtListboxAppendEntry(list_, kHeading, nullptr);
                additions = true;
            }
            newtListboxAppendEntry(list_, line(row).c_str(), &row);
        }
    }
    const FormRow* current() const {
        return static_cast<const FormRow*>(newtListboxGetCurrent(list_));
    }
    // The number of the current row; of the heading, that of the first one.
    std::size_t current_number() const {
        return current() ? static_cast<std::size_t>(current() - form_.rows().data()) : 0;
    }
    // All of the table, as others may have changed the file, too; at the row `number`.
    void refresh(std::size_t number) {
        newtListboxClear(list_);
        fill();
        const FormRow& row = form_.rows()[std::min(number, form_.rows().size() - 1)];
        newtListboxSetCurrentByKey(list_, const_cast<FormRow*>(&row));
    }

    // What there is to know about the current option.
    void help() const {
        std::string text;
        if (const FormRow* row = current()) {
            text = row->description();
            if (row->option && !row->is_secret()) text += "\nAllowed: " + row->option->rule.allowed;
        }
        newtTextboxSetText(help_, text.c_str());
    }

    void open_row(FormEnd& end) {
        if (current() == nullptr) return;
        const std::size_t number = current_number();
        end.gone = !edit_row(screen_, form_, number);
        refresh(number);
    }
    bool confirm_discard(FormEnd& end) const {
        const std::size_t n = form_.changes();
        bool discard = false;
        end.gone = ask(screen_, "Discard",
                       (n == 1 ? "One option was" : std::to_string(n) + " options were") +
                           " changed and not applied.",
                       "Discard", "Go on", discard)
                       .gone;
        return discard;
    }
    // Whether it was done; if not, why is shown, and all that was entered stays.
    bool apply(FormEnd& end) {
        const std::size_t number = current_number();
        auto done = form_.apply();
        if (done) {
            end.applied = true;
            end.notes = std::move(*done);
            return true;
        }
        refresh(number);
        end.gone = !tell(screen_, "Nothing was written", done.error().text());
        return false;
    }

    const NewtScreen& screen_;
    OptionForm& form_;
    const int width_, height_;
    NewtWindow window_;
    newtComponent list_ = nullptr, help_ = nullptr;
    std::vector<newtComponent> buttons_;
};

}  // namespace

FormEnd run_form(const NewtScreen& screen, OptionForm& form) {
    return FormTable(screen, form).run();
}

}  // namespace vm::app
