// The table of Misc Setup (etc/misc.ini): the unit's options in screen order (N3), then ours.
#ifndef VM_CONFIG_MISC_OPTIONS_H
#define VM_CONFIG_MISC_OPTIONS_H

#include "base/paths.h"
#include "config/ini_document.h"
#include "config/option.h"

#include <vector>

namespace vm::config {

inline constexpr const char* kValueKey = "Value";
inline constexpr const char* kIgnoreKey = "Ignore";

// `paths` gives the default of g_szEmailDllPath.
std::vector<Option> misc_options(const Paths& paths);

// The options of the table in its order, then what else the file has.
std::vector<std::string> misc_names(const IniDocument& document,
                                    const std::vector<Option>& options);

// One row of the table Option / Value / Ignore.
struct MiscRow {
    std::string value;  // as the file has it; the default when it has none
    bool ignored = false;
    std::size_t line = 0;  // of the value, 0 when the file has none
};

// What `document` says about the option `name`, known or not. kConfig when Ignore is no number.
Result<MiscRow> misc_row(const IniDocument& document, const std::vector<Option>& options,
                         std::string_view name);

// Checks one option, unless it is ignored. kConfig naming file, line, option, value and what is
// allowed.
Result<> check_misc_option(const IniDocument& document, const std::vector<Option>& options,
                           const Option& option);

// Checks every known option so; the first problem.
Result<> check_misc(const IniDocument& document, const std::vector<Option>& options);

// misc.ini as a document; an empty one when the file does not exist.
Result<IniDocument> read_misc(const Paths& paths);

// The text of a new misc.ini: every option at its default with its description.
std::string misc_sample(const Paths& paths);

}  // namespace vm::config

#endif
