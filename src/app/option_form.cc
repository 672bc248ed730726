#include "app/option_form.h"

#include <algorithm>

namespace vm::app {

std::string FormRow::description() const {
    return option ? option->description : "An option that only the file knows; it is kept.";
}

std::size_t OptionForm::changes() const {
    return static_cast<std::size_t>(
        std::count_if(rows_.begin(), rows_.end(), [](const FormRow& row) { return row.changed; }));
}

std::vector<std::string> OptionForm::summary() const {
    std::vector<std::string> lines;
    for (const FormRow& row : rows_)
        if (row.changed)
            lines.push_back(row.name + " = " + row.value +
                            (has_ignore() && row.ignored ? " (ignored)" : ""));
    return lines;
}

std::string shown_value(const config::Option& option, const std::string& written) {
    if (option.secret) return config::is_unset(option, written) ? "(blank)" : "(set)";
    const std::string value = config::value_of(option, written).value_or(written);
    return value.empty() ? option.default_text : value;
}

bool means_the_same(const config::Option* option, const std::string& a, const std::string& b) {
    if (a == b || option == nullptr) return a == b;
    const auto value = config::value_of(*option, a);
    return value && value == config::value_of(*option, b);
}

}  // namespace vm::app
