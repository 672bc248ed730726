#include "app/mailbox_form.h"

#include "config/config.h"
#include "config/edit_common.h"
#include "config/mailbox_options.h"

namespace vm::app {

Result<std::unique_ptr<MailboxForm>> MailboxForm::open(const Paths& paths,
                                                       const std::string& number) {
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    std::unique_ptr<MailboxForm> form(new MailboxForm(paths, number));
    for (const config::Option* option : config::screen_options(config::transport_kind(misc)))
        form->rows_.push_back({option->name, "", false, false, option});
    form->changed_.resize(form->rows_.size());
    VM_TRY(form->read());
    return form;
}

// The values of the file as it is now, with the changes that were made.
Result<> MailboxForm::read() {
    VM_ASSIGN(document_, config::read_mailbox(paths_, number_));
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (!changed_[i]) show(i, written(i));
    return {};
}

void MailboxForm::show(std::size_t index, const std::string& text) {
    const std::string shown = shown_value(*rows_[index].option, text);
    rows_[index].value = shown.empty() ? "(blank)" : shown;
}

// What the file says.
std::string MailboxForm::written(std::size_t index) const {
    const config::IniEntry* entry = document_.find(config::kEmailSection, rows_[index].name);
    return entry ? entry->value : "";
}

std::string MailboxForm::field_text(std::size_t index) const {
    const config::Option& option = *rows_[index].option;
    if (option.secret) return "";
    std::string text = changed_[index] ? changed_[index]->reveal() : written(index);
    if (!config::is_unset(option, text)) return text;
    return config::is_unset(option, option.default_text) ? "" : option.default_text;
}

Result<> MailboxForm::change(std::size_t index, const FormInput& input) {
    if (!input.value) return {};
    FormRow& row = rows_[index];
    const config::Option& option = *row.option;
    Secret text = *input.value;
    bool same = false;
    if (option.secret) {
        // Which password is stored is not looked at: one that was typed is always a change.
        same = config::is_unset(option, text.reveal()) && config::is_unset(option, written(index));
    } else {
        VM_ASSIGN(const std::string canonical,
                  config::text_to_write("set", row.name, row.option, text.reveal()));
        same = means_the_same(row.option, canonical, written(index));
        text = Secret(canonical);
    }
    row.changed = !same;
    show(index, same ? written(index) : text.reveal());
    if (same)
        changed_[index].reset();
    else
        changed_[index] = std::move(text);
    return {};
}

Result<config::Notes> MailboxForm::apply() {
    std::vector<config::MailboxEdit> edits;
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (changed_[i]) edits.push_back({rows_[i].name, *changed_[i]});
    auto done = config::set_mailbox(paths_, number_, edits, &document_);
    if (!done && done.error().kind == ErrorKind::kRetryNow) VM_TRY(read());
    return done;
}

}  // namespace vm::app
