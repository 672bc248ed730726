// Misc Setup as a form (N3.15): the options of the table, then what else the file has.
#ifndef VM_APP_MISC_FORM_H
#define VM_APP_MISC_FORM_H

#include "app/option_form.h"
#include "base/paths.h"
#include "config/ini_document.h"

#include <memory>

namespace vm::app {

class MiscForm : public OptionForm {
  public:
    // kConfig when the file cannot be read as a table.
    static Result<std::unique_ptr<MiscForm>> open(const Paths& paths);

    std::string title() const override { return "Misc Setup"; }
    std::string dialog_title(const FormRow& row) const override {
        return "vmconfig [" + row.name + "]";
    }
    bool has_ignore() const override { return true; }
    std::string field_text(std::size_t index) const override { return rows_[index].value; }
    Result<> change(std::size_t index, const FormInput& input) override;
    Result<config::Notes> apply() override;

  private:
    MiscForm(const Paths& paths, std::vector<config::Option> options)
        : paths_(paths), options_(std::move(options)) {}
    Result<> read();
    void mark(std::size_t index);

    // A row as the file has it.
    struct Seen {
        std::string value;
        bool ignored = false;
    };

    const Paths paths_;
    const std::vector<config::Option> options_;
    config::IniDocument document_;
    std::vector<Seen> seen_;  // of each row
};

}  // namespace vm::app

#endif
