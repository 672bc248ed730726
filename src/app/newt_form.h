// A form on the terminal: its rows as a table that scrolls; Enter opens the dialog of an option.
#ifndef VM_APP_NEWT_FORM_H
#define VM_APP_NEWT_FORM_H

#include "app/newt_screen.h"
#include "app/option_form.h"

namespace vm::app {

struct FormEnd {
    bool applied = false;  // else discarded, or nothing was changed
    bool gone = false;     // the terminal was closed
    config::Notes notes;   // of what was applied
};

FormEnd run_form(const NewtScreen& screen, OptionForm& form);

}  // namespace vm::app

#endif
