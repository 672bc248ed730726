#include "config/edit_common.h"

#include "base/text.h"
#include "config/store_file.h"

#include <algorithm>
#include <chrono>

namespace vm::config {

namespace {

constexpr std::chrono::seconds kPatience{5};

// Entries of `a` that `b` does not have so.
std::vector<const IniEntry*> differing(const IniDocument& a, const IniDocument& b) {
    std::vector<const IniEntry*> found;
    for (const IniEntry& entry : a.entries()) {
        const IniEntry* other = b.find(entry.section, entry.key);
        if (other == nullptr || other->value != entry.value) found.push_back(&entry);
    }
    return found;
}

}  // namespace

Result<std::string> text_to_write(const std::string& operation, const std::string& name,
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

tl::unexpected<Error> unknown_name(const std::string& operation, const std::string& name,
                                   const std::vector<std::string>& names, const char* list) {
    const std::string near = nearest_name(names, name);
    return fail(ErrorKind::kUsage, operation, name, "there is no such option",
                near.empty() ? "see " + std::string(list) : "did you mean " + near + "?");
}

Result<UniqueFd> lock_for_edit(const Paths& paths, const IniDocument* seen) {
    return seen == nullptr ? lock_etc(paths) : lock_etc(paths, kPatience);
}

Result<Notes> changed_meanwhile(const IniDocument* seen, const IniDocument& now,
                                const std::vector<Write>& writes, NamedBy named_by) {
    if (seen == nullptr) return Notes{};
    const auto name_of = [&](const auto& of) {
        return named_by == NamedBy::kSection ? of.section : of.key;
    };
    const auto text_in = [](const IniDocument& document, const Write& write) {
        const IniEntry* entry = document.find(write.section, write.key);
        return entry ? entry->value : std::string();
    };
    std::vector<std::string> both;
    for (const Write& write : writes) {
        const std::string theirs = text_in(now, write);
        if (theirs == text_in(*seen, write) || theirs == write.text) continue;
        const bool is_secret = named_by == NamedBy::kKey && is_secret_key(write.key);
        both.push_back(name_of(write) + (is_secret ? "" : " (now \"" + theirs + "\")"));
    }
    if (!both.empty())
        return fail(ErrorKind::kRetryNow, "set", now.name(),
                    "somebody else has changed this meanwhile, too: " + join(both, ", "),
                    "nothing was written; apply again to put your changes in its place");

    std::vector<std::string> others;
    std::vector<const IniEntry*> entries = differing(now, *seen);
    for (const IniEntry* gone : differing(*seen, now)) entries.push_back(gone);
    for (const IniEntry* entry : entries)
        if (const std::string name = name_of(*entry);
            std::find(others.begin(), others.end(), name) == others.end())
            others.push_back(name);
    if (others.empty()) return Notes{};
    return Notes{now.name() + " was changed by somebody else meanwhile, and that was kept: " +
                 join(others, ", ")};
}

}  // namespace vm::config
