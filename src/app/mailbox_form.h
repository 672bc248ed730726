// Mailbox Options of one mailbox as a form: the Email tab for the plugin in force, in its order
// (N2.22), then our extensions. Passwords go in and never come out.
#ifndef VM_APP_MAILBOX_FORM_H
#define VM_APP_MAILBOX_FORM_H

#include "app/option_form.h"
#include "base/paths.h"
#include "config/ini_document.h"

#include <memory>

namespace vm::app {

class MailboxForm : public OptionForm {
  public:
    // The errors of config::read_mailbox; kConfig when misc.ini does not say which plugin is in
    // force.
    static Result<std::unique_ptr<MailboxForm>> open(const Paths& paths, const std::string& number);

    std::string title() const override { return "Mailbox Options [" + number_ + "]: Email"; }
    std::string dialog_title(const FormRow& row) const override {
        return "Mailbox " + number_ + " [" + row.name + "]";
    }
    bool has_ignore() const override { return false; }
    std::string field_text(std::size_t index) const override;
    Result<> change(std::size_t index, const FormInput& input) override;
    Result<config::Notes> apply() override;

  private:
    MailboxForm(const Paths& paths, std::string number)
        : paths_(paths), number_(std::move(number)) {}
    Result<> read();
    std::string written(std::size_t index) const;
    void show(std::size_t index, const std::string& text);

    const Paths paths_;
    const std::string number_;
    config::IniDocument document_;
    std::vector<std::optional<Secret>> changed_;  // of each row, what it shall be
};

}  // namespace vm::app

#endif
