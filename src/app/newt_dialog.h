// The dialog of one option: its value, and Ignore where the form has that.
#ifndef VM_APP_NEWT_DIALOG_H
#define VM_APP_NEWT_DIALOG_H

#include "app/newt_screen.h"
#include "app/option_form.h"

namespace vm::app {

// Until what was entered is valid and taken by the form, or the dialog is left. False when the
// terminal is gone.
bool edit_row(const NewtScreen& screen, OptionForm& form, std::size_t row);

}  // namespace vm::app

#endif
