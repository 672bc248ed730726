#include "config/edit.h"

#include "base/text.h"
#include "config/config.h"
#include "config/edit_common.h"
#include "config/mailbox_options.h"
#include "config/seal.h"
#include "config/store_file.h"
#include "config/unit_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace vm::config {

namespace {

constexpr mode_t kMailboxMode = 0600;
constexpr std::size_t kMaxPassword = 64U << 10;

// Refuses what the edits would make wrong, and notes what is wrong elsewhere and was before.
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

namespace {

// A mailbox's file with `edits` in it.
struct Edited {
    IniDocument document;
    Notes notes, old_problems;
};

// With the lock on etc/ held; nothing is written but a key that is missing.
Result<Edited> edit_mailbox(const Paths& paths, const std::string& number,
                            const std::vector<MailboxEdit>& edits, const IniDocument* seen) {
    VM_ASSIGN(const IniDocument before, read_mailbox(paths, number));
    IniDocument document = before;
    const std::string operation = "set mailbox " + number;

    Notes notes;
    std::vector<std::string> done;
    std::vector<Write> writes;
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
                      : text_to_write(operation, name, option, edit.value.reveal()));
        VM_TRY(document.set(kEmailSection, name, text));
        writes.push_back({kEmailSection, name, text});
    }
    VM_ASSIGN(const Notes meanwhile, changed_meanwhile(seen, before, writes, NamedBy::kKey));

    VM_ASSIGN(Notes old_problems, judge_mailbox(paths, operation, before, document, edits));
    const Option& integration = *find_option(mailbox_options(), "Email Integration");
    const IniEntry* entry = document.find(kEmailSection, integration.name);
    if (entry != nullptr && value_of(integration, entry->value) == "Yes")
        VM_TRY(check_seat(paths, number));
    notes.insert(notes.end(), meanwhile.begin(), meanwhile.end());
    return Edited{std::move(document), std::move(notes), std::move(old_problems)};
}

}  // namespace

Result<Notes> set_mailbox(const Paths& paths, const std::string& number,
                          const std::vector<MailboxEdit>& edits, const IniDocument* seen) {
    VM_ASSIGN(const UniqueFd lock, lock_for_edit(paths, seen));
    VM_ASSIGN(Edited edited, edit_mailbox(paths, number, edits, seen));
    VM_TRY(store_file(paths.mailbox_ini(number), edited.document.text(), kMailboxMode));
    Notes notes = std::move(edited.notes);
    notes.insert(notes.end(), edited.old_problems.begin(), edited.old_problems.end());
    if (const auto mailbox = interpret_mailbox(edited.document, number, paths))
        for (std::string& warning : mailbox_warnings(edited.document, *mailbox))
            notes.push_back(std::move(warning));
    return notes;
}

Result<MailboxOptions> preview_mailbox(const Paths& paths, const std::string& number,
                                       const std::vector<MailboxEdit>& edits) {
    VM_ASSIGN(const UniqueFd lock, lock_etc(paths));
    VM_ASSIGN(const Edited edited, edit_mailbox(paths, number, edits, nullptr));
    return open_mailbox(edited.document, number, paths);
}

}  // namespace vm::config
