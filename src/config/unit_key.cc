#include "config/unit_key.h"

#include "base/files.h"
#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace vm::config {

namespace {

// Whether the mailbox has a sealed password other than `replaced`.
bool has_sealed(const Paths& paths, const std::string& number,
                const std::vector<SealContext>& replaced) {
    const auto text = read_file(paths.mailbox_ini(number));
    if (!text) return text.error().kind != ErrorKind::kNoInput;
    const auto document = read_mailbox_file(paths, number);
    if (!document) return text->find("sealed:") != std::string::npos;
    return std::any_of(
        document->entries().begin(), document->entries().end(), [&](const IniEntry& entry) {
            return is_sealed(entry.value) && iequals(entry.section, kEmailSection) &&
                   std::none_of(replaced.begin(), replaced.end(), [&](const SealContext& context) {
                       return context.mailbox == number && iequals(context.key, entry.key);
                   });
        });
}

}  // namespace

Result<bool> make_missing_key(const Paths& paths, const std::vector<SealContext>& replaced) {
    if (::access(paths.key_file().c_str(), F_OK) == 0 || errno != ENOENT) return false;
    VM_ASSIGN(std::vector<std::string> numbers, list_mailboxes(paths));
    std::erase_if(numbers,
                  [&](const std::string& number) { return !has_sealed(paths, number, replaced); });
    if (!numbers.empty())
        return fail(ErrorKind::kConfig, "create", paths.key_file().string(),
                    "the key file is missing, and passwords are sealed with it: mailbox " +
                        join(numbers, ", "),
                    "restore it from a copy; without one, remove the sealed: values from the files "
                    "of these mailboxes and set the passwords again with vmconfig mailbox set");
    VM_TRY(create_key(paths));
    return true;
}

}  // namespace vm::config
