// The edits of misc.ini.
#include "base/plugin_file.h"
#include "base/text.h"
#include "config/config.h"
#include "config/edit.h"
#include "config/edit_common.h"
#include "config/misc_options.h"
#include "config/store_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <sys/stat.h>

namespace vm::config {

namespace {

constexpr mode_t kMiscMode = 0640;

// The option's name as the file or else the table spells it; kUsage when neither has it.
Result<std::string> misc_name(const std::string& operation, const IniDocument& document,
                              const std::vector<Option>& options, const std::string& name) {
    std::vector<std::string> names = document.sections();
    for (const Option& option : options) names.push_back(option.name);
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const std::string& n) { return iequals(n, name); });
    if (found == names.end()) return unknown_name(operation, name, names, "vmconfig misc list");
    return *found;
}

// Refuses what the edits would make wrong; of what is wrong elsewhere and was before, it notes that
// it still is, so that a file with several problems can be repaired one by one.
Result<Notes> judge_misc(const std::string& operation, const IniDocument& before,
                         const IniDocument& after, const std::vector<Option>& options,
                         const std::vector<MiscEdit>& edits) {
    Notes notes;
    for (const Option& option : options) {
        auto valid = check_misc_option(after, options, option);
        if (valid) continue;
        Error problem = std::move(valid).error();
        problem.operation = operation;
        const bool edited = std::any_of(edits.begin(), edits.end(), [&](const MiscEdit& edit) {
            return iequals(edit.name, option.name);
        });
        if (edited || check_misc_option(before, options, option)) return fail(std::move(problem));
        notes.push_back(problem.object + ": " + problem.reason + "; " + problem.hint +
                        kUntilCorrected);
    }
    for (const MiscEdit& edit : edits)
        if (auto row = misc_row(after, options, edit.name); !row)
            return fail(std::move(row).error());
    return notes;
}

Result<> store_misc(const Paths& paths, const IniDocument& document) {
    struct stat status {};
    const bool exists = ::stat(paths.misc_ini().c_str(), &status) == 0;
    return store_file(paths.misc_ini(), document.text(),
                      exists ? status.st_mode & 0777 : kMiscMode);
}

// Why the agent would refuse the plugin that misc.ini now names.
void note_plugin(const MiscSetup& misc, Notes& notes) {
    if (const auto allowed = check_plugin_file(misc.email_dll_path); !allowed)
        notes.push_back("the agent will refuse this plugin: " + misc.email_dll_path.string() +
                        ": " + allowed.error().reason +
                        (allowed.error().hint.empty() ? "" : "; " + allowed.error().hint));
}

void note_seats(const Paths& paths, const MiscSetup& misc, Notes& notes) {
    const auto seats = count_seats(paths, misc);
    if (seats && !seats->refused.empty())
        notes.push_back(fmt::format("{} of {} integrated mailboxes have no seat now: {}",
                                    seats->refused.size(), seats->in_use.size(),
                                    join(seats->refused, ", ")));
}

// What the option that was just stored means for the unit.
void note_consequences(const Paths& paths, const std::string& name, Notes& notes) {
    const auto misc = load_misc(paths);
    if (!misc) return;  // noted already
    if (iequals(name, "g_szEmailDllPath")) note_plugin(*misc, notes);
    if (iequals(name, "g_nUnifiedMessagingSeats")) note_seats(paths, *misc, notes);
}

// What `edit` writes. With Ignore, an option that the file does not have gets its default as the
// value, so that the section is whole.
Result<std::vector<Write>> writes_of(const std::string& operation, const MiscEdit& edit,
                                     const std::string& section, const IniDocument& document,
                                     const std::vector<Option>& options) {
    const Option* option = find_option(options, section);
    std::vector<Write> writes;
    if (edit.value) {
        VM_ASSIGN(std::string text, text_to_write(operation, section, option, *edit.value));
        writes.push_back({section, kValueKey, std::move(text)});
    } else if (option != nullptr && document.find(section, kValueKey) == nullptr) {
        writes.push_back({section, kValueKey, option->default_text});
    }
    if (edit.ignore) writes.push_back({section, kIgnoreKey, *edit.ignore ? "1" : "0"});
    return writes;
}

Result<Notes> edit(const Paths& paths, const std::string& operation,
                   const std::vector<MiscEdit>& edits, const IniDocument* seen) {
    VM_ASSIGN(const UniqueFd lock, lock_for_edit(paths, seen));
    const std::vector<Option> options = misc_options(paths);
    VM_ASSIGN(const IniDocument before, read_misc(paths));

    std::vector<std::string> sections;
    std::vector<Write> writes;
    for (const MiscEdit& edit : edits) {
        VM_ASSIGN(const std::string section, misc_name(operation, before, options, edit.name));
        VM_ASSIGN(const std::vector<Write> of_it,
                  writes_of(operation, edit, section, before, options));
        writes.insert(writes.end(), of_it.begin(), of_it.end());
        sections.push_back(section);
    }
    VM_ASSIGN(Notes notes, changed_meanwhile(seen, before, writes, NamedBy::kSection));
    IniDocument document = before;
    for (const Write& write : writes) VM_TRY(document.set(write.section, write.key, write.text));
    VM_ASSIGN(const Notes old_problems, judge_misc(operation, before, document, options, edits));
    VM_TRY(store_misc(paths, document));

    notes.insert(notes.end(), old_problems.begin(), old_problems.end());
    for (std::size_t i = 0; i < edits.size(); ++i) {
        if (!edits[i].ignore && misc_row(document, options, sections[i])->ignored)
            notes.push_back(
                sections[i] +
                " is ignored and its default holds; to use the value: vmconfig misc ignore " +
                sections[i] + " 0");
        note_consequences(paths, sections[i], notes);
    }
    return notes;
}

}  // namespace

Result<Notes> set_misc(const Paths& paths, const std::string& name, const std::string& value) {
    return edit(paths, "set", {{name, value, std::nullopt}}, nullptr);
}

Result<Notes> set_misc_ignore(const Paths& paths, const std::string& name, bool ignore) {
    return edit(paths, "ignore", {{name, std::nullopt, ignore}}, nullptr);
}

Result<Notes> edit_misc(const Paths& paths, const std::vector<MiscEdit>& edits,
                        const IniDocument* seen) {
    return edit(paths, "set", edits, seen);
}

}  // namespace vm::config
