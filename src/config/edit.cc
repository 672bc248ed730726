#include "config/edit.h"

#include "base/plugin_file.h"
#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"
#include "config/misc_options.h"
#include "config/seal.h"
#include "config/store_file.h"
#include "config/unit_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::config {

namespace {

constexpr mode_t kMiscMode = 0640, kMailboxMode = 0600;
constexpr std::size_t kMaxPassword = 64U << 10;

tl::unexpected<Error> unknown_name(const std::string& operation, const std::string& name,
                                   const std::vector<std::string>& names, const char* list) {
    const std::string near = nearest_name(names, name);
    return fail(ErrorKind::kUsage, operation, name, "there is no such option",
                near.empty() ? "see " + std::string(list) : "did you mean " + near + "?");
}

std::vector<std::string> misc_names(const IniDocument& document,
                                    const std::vector<Option>& options) {
    std::vector<std::string> names = document.sections();
    for (const Option& option : options) names.push_back(option.name);
    return names;
}

// The option's name as the file or else the table spells it; kUsage when neither has it.
Result<std::string> misc_name(const std::string& operation, const IniDocument& document,
                              const std::vector<Option>& options, const std::string& name) {
    const std::vector<std::string> names = misc_names(document, options);
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const std::string& n) { return iequals(n, name); });
    if (found == names.end()) return unknown_name(operation, name, names, "vmconfig misc list");
    return *found;
}

constexpr const char* kUntilCorrected = " (until it is corrected, the agent keeps to what it had)";

// Refuses what the edit of `name` would make wrong; of what is wrong elsewhere and was before, it
// notes that it still is, so that a file with several problems can be repaired one by one.
Result<Notes> judge_misc(const std::string& operation, const IniDocument& before,
                         const IniDocument& after, const std::vector<Option>& options,
                         const std::string& name) {
    Notes notes;
    for (const Option& option : options) {
        auto valid = check_misc_option(after, options, option);
        if (valid) continue;
        Error problem = std::move(valid).error();
        problem.operation = operation;
        if (iequals(option.name, name) || check_misc_option(before, options, option))
            return fail(std::move(problem));
        notes.push_back(problem.object + ": " + problem.reason + "; " + problem.hint +
                        kUntilCorrected);
    }
    if (auto row = misc_row(after, options, name); !row) return fail(std::move(row).error());
    return notes;
}

// The same for a mailbox's file and the keys of `edits`.
Result<Notes> judge_mailbox(const Paths& paths, const std::string& operation,
                            const IniDocument& before, const IniDocument& after,
                            const std::vector<MailboxEdit>& edits) {
    const std::vector<MailboxProblem> old_problems = mailbox_problems(before, paths);
    Notes notes;
    for (MailboxProblem& problem : mailbox_problems(after, paths)) {
        const bool edited = problem.option != nullptr &&
                            std::any_of(edits.begin(), edits.end(), [&](const MailboxEdit& edit) {
                                return iequals(edit.key, problem.option->name);
                            });
        const bool is_old =
            std::any_of(old_problems.begin(), old_problems.end(), [&](const MailboxProblem& old) {
                return old.option == problem.option && old.error.reason == problem.error.reason;
            });
        problem.error.operation = operation;
        if (edited || !is_old) return fail(std::move(problem.error));
        notes.push_back(problem.error.object + ": " + problem.error.reason + "; " +
                        problem.error.hint + kUntilCorrected);
    }
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

Result<> check_seat(const Paths& paths, const std::string& number) {
    // Who has a seat keeps it, whatever misc.ini says now.
    VM_ASSIGN(Seats seats, count_seats(paths, {}));
    if (std::find(seats.in_use.begin(), seats.in_use.end(), number) != seats.in_use.end())
        return {};
    VM_ASSIGN(const MiscSetup misc, load_misc(paths));
    seats.limit = misc.seats;
    if (seats.limit == 0 || static_cast<std::int64_t>(seats.in_use.size()) < seats.limit) return {};
    return fail(
        ErrorKind::kConfig, "set", "mailbox " + number,
        fmt::format("Email Integration = Yes needs a seat; there are {} and {} in use, by {}",
                    seats.limit, seats.in_use.size(), join(seats.in_use, ", ")),
        "set Email Integration = No in one of them, or raise g_nUnifiedMessagingSeats");
}

// The unit's key; made when there is none yet.
Result<Secret> key_for_sealing(const Paths& paths, const std::vector<SealContext>& replaced,
                               Notes& notes) {
    VM_ASSIGN(const bool made, make_missing_key(paths, replaced));
    if (made)
        notes.push_back("created the key file " + paths.key_file().string() +
                        "; keep a copy of it in a safe place");
    return load_key(paths);
}

// The text to write for a value that is no secret; `option` is nullptr for a name that only the
// file knows.
Result<std::string> plain_text(const std::string& operation, const std::string& name,
                               const Option* option, const std::string& value) {
    const std::string trimmed(trim(value));
    if (const auto reason = why_not_representable(trimmed))
        return fail(ErrorKind::kConfig, operation, name,
                    "\"" + trimmed + "\" cannot stand in an INI file: " + *reason);
    if (option == nullptr) return trimmed;
    if (auto text = written_form(*option, trimmed)) return std::move(*text);
    return fail(ErrorKind::kConfig, operation, name, "\"" + trimmed + "\" is not valid",
                "allowed: " + option->rule.allowed);
}

// The text to write for a password.
Result<std::string> sealed_text(const Paths& paths, const std::string& number, const Option& option,
                                const Secret& value, const std::vector<SealContext>& replaced,
                                Notes& notes) {
    const auto refuse = [&](std::string reason) {
        return fail(ErrorKind::kConfig, "set mailbox " + number, option.name, std::move(reason));
    };
    if (is_unset(option, value.reveal())) return std::string();
    if (value.reveal().size() > kMaxPassword)
        return refuse("the password is longer than " + std::to_string(kMaxPassword) + " bytes");
    if (value.reveal().find('\0') != std::string::npos)
        return refuse("the password contains a NUL byte, which no server takes");
    VM_ASSIGN(const Secret key, key_for_sealing(paths, replaced, notes));
    return seal(value, key, {number, option.name});
}

}  // namespace

bool is_secret_key(const std::string& key) {
    const Option* option = find_option(mailbox_options(), key);
    return option != nullptr && option->secret;
}

Result<Notes> set_misc(const Paths& paths, const std::string& name, const std::string& value) {
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    const std::vector<Option> options = misc_options(paths);
    VM_ASSIGN(const IniDocument before, read_misc(paths));
    VM_ASSIGN(const std::string section, misc_name("set", before, options, name));

    IniDocument document = before;
    const Option* option = find_option(options, section);
    VM_ASSIGN(const std::string text, plain_text("set", section, option, value));
    VM_TRY(document.set(section, kValueKey, text));
    VM_ASSIGN(Notes notes, judge_misc("set", before, document, options, section));
    VM_TRY(store_misc(paths, document));

    if (misc_row(document, options, section)->ignored)
        notes.push_back(
            section + " is ignored and its default holds; to use the value: vmconfig misc ignore " +
            section + " 0");
    note_consequences(paths, section, notes);
    return notes;
}

Result<Notes> set_misc_ignore(const Paths& paths, const std::string& name, bool ignore) {
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    const std::vector<Option> options = misc_options(paths);
    VM_ASSIGN(const IniDocument before, read_misc(paths));
    VM_ASSIGN(const std::string section, misc_name("ignore", before, options, name));

    IniDocument document = before;
    if (document.find(section, kValueKey) == nullptr)
        if (const Option* option = find_option(options, section))
            VM_TRY(document.set(section, kValueKey, option->default_text));
    VM_TRY(document.set(section, kIgnoreKey, ignore ? "1" : "0"));
    VM_ASSIGN(Notes notes, judge_misc("ignore", before, document, options, section));
    VM_TRY(store_misc(paths, document));
    note_consequences(paths, section, notes);
    return notes;
}

Result<> create_mailbox(const Paths& paths, const std::string& number) {
    if (!is_mailbox_number(number))
        return fail(ErrorKind::kUsage, "create mailbox", number,
                    "a mailbox number has 1 to 8 digits");
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    const std::filesystem::path file = paths.mailbox_ini(number);
    if (::access(file.c_str(), F_OK) == 0)
        return fail(ErrorKind::kUsage, "create mailbox", number, "it exists already",
                    "vmconfig mailbox show " + number);
    return store_file(file, mailbox_sample(), kMailboxMode);
}

Result<> delete_mailbox(const Paths& paths, const std::string& number) {
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    if (!is_mailbox_number(number))
        return fail(ErrorKind::kUsage, "delete mailbox", number,
                    "a mailbox number has 1 to 8 digits");
    const std::filesystem::path file = paths.mailbox_ini(number);
    if (::unlink(file.c_str()) != 0)
        return fail(errno_kind(errno), "delete mailbox", number,
                    errno == ENOENT ? "there is no such mailbox" : errno_text(errno));
    return fsync_directory(paths.mailboxes());
}

Result<Notes> set_mailbox(const Paths& paths, const std::string& number,
                          const std::vector<MailboxEdit>& edits) {
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    VM_ASSIGN(const IniDocument before, read_mailbox(paths, number));
    IniDocument document = before;
    const std::string operation = "set mailbox " + number;

    Notes notes;
    std::vector<std::string> done;
    std::vector<SealContext> replaced;
    replaced.reserve(edits.size());
    for (const MailboxEdit& edit : edits) replaced.push_back({number, edit.key});
    for (const MailboxEdit& edit : edits) {
        const Option* option = find_option(mailbox_options(), edit.key);
        const IniEntry* entry = document.find(kEmailSection, edit.key);
        if (option == nullptr && entry == nullptr) {
            std::vector<std::string> names;
            for (const Option& known : mailbox_options()) names.push_back(known.name);
            return unknown_name(operation, edit.key, names, "vm-mailbox.ini(5)");
        }
        const std::string name = entry ? entry->key : option->name;
        if (std::find(done.begin(), done.end(), to_lower(name)) != done.end())
            return fail(ErrorKind::kUsage, operation, name, "it is given twice");
        done.push_back(to_lower(name));
        VM_ASSIGN(const std::string text,
                  option && option->secret
                      ? sealed_text(paths, number, *option, edit.value, replaced, notes)
                      : plain_text(operation, name, option, edit.value.reveal()));
        VM_TRY(document.set(kEmailSection, name, text));
    }

    VM_ASSIGN(const Notes old_problems, judge_mailbox(paths, operation, before, document, edits));
    const Option& integration = *find_option(mailbox_options(), "Email Integration");
    const IniEntry* entry = document.find(kEmailSection, integration.name);
    if (entry != nullptr && value_of(integration, entry->value) == "Yes")
        VM_TRY(check_seat(paths, number));
    VM_TRY(store_file(paths.mailbox_ini(number), document.text(), kMailboxMode));
    notes.insert(notes.end(), old_problems.begin(), old_problems.end());
    if (const auto mailbox = interpret_mailbox(document, number, paths))
        for (std::string& warning : mailbox_warnings(document, *mailbox))
            notes.push_back(std::move(warning));
    return notes;
}

}  // namespace vm::config
