// What `vmconfig ... edit` shows and does, without a terminal: the options of one file as rows,
// what was changed in them and not applied yet, and the one write that applies it. A change is
// judged by the rules that `vmconfig misc set` and `mailbox set` use. The file is only written by
// apply().
//
// One thread; one form at a time has the terminal (newt_form.h).
#ifndef VM_APP_OPTION_FORM_H
#define VM_APP_OPTION_FORM_H

#include "base/error.h"
#include "base/secret.h"
#include "config/edit.h"
#include "config/option.h"

#include <optional>
#include <string>
#include <vector>

namespace vm::app {

struct FormRow {
    std::string name;
    std::string value;  // of a password only whether there is one
    bool ignored = false;
    bool changed = false;  // here, and not applied yet
    // What is known of it; nullptr: only the file knows the name, and any text will do.
    const config::Option* option = nullptr;

    std::string description() const;
    bool is_secret() const { return option != nullptr && option->secret; }
};

// What a dialog gives back.
struct FormInput {
    std::optional<Secret> value;  // nullopt: it stays as it is
    bool ignored = false;
};

class OptionForm {
  public:
    virtual ~OptionForm() = default;
    OptionForm() = default;
    OptionForm(const OptionForm&) = delete;
    OptionForm& operator=(const OptionForm&) = delete;

    virtual std::string title() const = 0;
    virtual std::string dialog_title(const FormRow& row) const = 0;
    // Whether rows have the column Ignore.
    virtual bool has_ignore() const = 0;
    // What the field of row `index` begins with: blank for what is not set, and for a password.
    virtual std::string field_text(std::size_t index) const = 0;
    // kConfig with what is wrong; then nothing has changed.
    virtual Result<> change(std::size_t index, const FormInput& input) = 0;
    // Writes all changes or none. kRetryNow: somebody else changed the same meanwhile; the rows are
    // then those of now with the changes in them, and the next apply() writes them. After any other
    // error everything is as before.
    virtual Result<config::Notes> apply() = 0;

    const std::vector<FormRow>& rows() const { return rows_; }
    std::size_t changes() const;
    // One line for each change: what it was changed to.
    std::vector<std::string> summary() const;

  protected:
    std::vector<FormRow> rows_;
};

// How a mailbox's screen shows an option whose value is `written` in the file; of a password only
// whether there is one.
std::string shown_value(const config::Option& option, const std::string& written);

// The values mean the same. `option` may be nullptr.
bool means_the_same(const config::Option* option, const std::string& a, const std::string& b);

}  // namespace vm::app

#endif
