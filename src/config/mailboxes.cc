// Which mailboxes there are and who has a seat: config.h's list_mailboxes and count_seats.
#include "base/text.h"
#include "config/config.h"
#include "config/mailbox_options.h"

#include <algorithm>
#include <system_error>

namespace vm::config {

namespace fs = std::filesystem;

Result<std::vector<std::string>> list_mailboxes(const Paths& paths) {
    std::vector<std::string> numbers;
    std::error_code error;
    for (fs::directory_iterator at(paths.mailboxes(), error), end; !error && at != end;
         at.increment(error)) {
        const fs::path& file = at->path();
        if (file.extension() == ".ini" && is_mailbox_number(file.stem().string()))
            numbers.push_back(file.stem().string());
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return fail_errno(error.value(), "list", paths.mailboxes().string());
    std::sort(numbers.begin(), numbers.end(), [](const std::string& a, const std::string& b) {
        const auto x = *parse_int(a), y = *parse_int(b);
        return x != y ? x < y : a < b;  // "7" and "007" are two mailboxes
    });
    return numbers;
}

bool has_mailbox(const Paths& paths, const std::string& number) {
    std::error_code ignored;
    const auto file = fs::symlink_status(paths.mailbox_ini(number), ignored);
    return file.type() != fs::file_type::not_found;
}

Result<Seats> count_seats(const Paths& paths, const MiscSetup& misc) {
    Seats seats;
    seats.limit = misc.seats;
    VM_ASSIGN(const std::vector<std::string> numbers, list_mailboxes(paths));
    const Option& integration = *find_option(mailbox_options(), "Email Integration");
    for (const std::string& number : numbers) {
        // A file that cannot be read takes no seat: one mailbox's trouble must not reach the
        // others.
        const auto document = read_mailbox_file(paths, number);
        const IniEntry* entry =
            document ? document->find(kEmailSection, integration.name) : nullptr;
        if (entry == nullptr || value_of(integration, entry->value) != "Yes") continue;
        seats.in_use.push_back(number);
        if (seats.limit > 0 && static_cast<std::int64_t>(seats.in_use.size()) > seats.limit)
            seats.refused.push_back(number);
    }
    return seats;
}

Result<std::set<std::string>> refused_seats(const Paths& paths, const MiscSetup& misc) {
    if (misc.seats == 0) return std::set<std::string>();
    VM_ASSIGN(const Seats seats, count_seats(paths, misc));
    return std::set(seats.refused.begin(), seats.refused.end());
}

}  // namespace vm::config
