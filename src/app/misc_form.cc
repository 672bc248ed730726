#include "app/misc_form.h"

#include "base/text.h"
#include "config/edit_common.h"
#include "config/misc_options.h"

#include <algorithm>
#include <utility>

namespace vm::app {

Result<std::unique_ptr<MiscForm>> MiscForm::open(const Paths& paths) {
    std::unique_ptr<MiscForm> form(new MiscForm(paths, config::misc_options(paths)));
    VM_TRY(form->read());
    return form;
}

// The rows of the file as it is now, with the changes that were made.
Result<> MiscForm::read() {
    VM_ASSIGN(config::IniDocument document, config::read_misc(paths_));
    std::vector<FormRow> rows;
    std::vector<Seen> seen;
    for (const std::string& name : config::misc_names(document, options_)) {
        VM_ASSIGN(const config::MiscRow row, config::misc_row(document, options_, name));
        rows.push_back({name, row.value, row.ignored, false, config::find_option(options_, name)});
        seen.push_back({row.value, row.ignored});
    }
    const std::vector<FormRow> before = std::exchange(rows_, std::move(rows));
    const std::vector<Seen> seen_before = std::exchange(seen_, std::move(seen));
    document_ = std::move(document);
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (!before[i].changed) continue;
        auto row = std::find_if(rows_.begin(), rows_.end(), [&](const FormRow& now) {
            return iequals(now.name, before[i].name);
        });
        if (row == rows_.end()) {  // somebody has taken it out of the file: applying it says so
            row = rows_.insert(rows_.end(), before[i]);
            seen_.push_back(seen_before[i]);
        }
        if (before[i].value != seen_before[i].value) row->value = before[i].value;
        if (before[i].ignored != seen_before[i].ignored) row->ignored = before[i].ignored;
        mark(static_cast<std::size_t>(row - rows_.begin()));
    }
    return {};
}

void MiscForm::mark(std::size_t index) {
    FormRow& row = rows_[index];
    if (means_the_same(row.option, row.value, seen_[index].value)) row.value = seen_[index].value;
    row.changed = row.value != seen_[index].value || row.ignored != seen_[index].ignored;
}

Result<> MiscForm::change(std::size_t index, const FormInput& input) {
    FormRow& row = rows_[index];
    const std::string value = input.value ? input.value->reveal() : row.value;
    // What is ignored may be wrong, as long as nobody says what it shall be.
    if (value != seen_[index].value || !input.ignored) {
        VM_ASSIGN(row.value, config::text_to_write("set", row.name, row.option, value));
    } else {
        row.value = value;
    }
    row.ignored = input.ignored;
    mark(index);
    return {};
}

Result<config::Notes> MiscForm::apply() {
    std::vector<config::MiscEdit> edits;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const FormRow& row = rows_[i];
        config::MiscEdit edit{row.name, std::nullopt, std::nullopt};
        if (row.value != seen_[i].value) edit.value = row.value;
        if (row.ignored != seen_[i].ignored) edit.ignore = row.ignored;
        if (row.changed) edits.push_back(std::move(edit));
    }
    auto done = config::edit_misc(paths_, edits, &document_);
    if (!done && done.error().kind == ErrorKind::kRetryNow) VM_TRY(read());
    return done;
}

}  // namespace vm::app
