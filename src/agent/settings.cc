#include "agent/settings.h"

#include <algorithm>

namespace vm::agent {

namespace {
std::int64_t nanoseconds(const timespec& t) {
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
}  // namespace

SettingsReader::SettingsReader(Paths paths, std::function<bool(const std::string&)> mine)
    : paths_(std::move(paths)), mine_(std::move(mine)), current_(std::make_shared<Settings>()) {}

SettingsReader::Stamp SettingsReader::stamp(const std::filesystem::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

void SettingsReader::read_mailbox(Settings& settings, const std::string& number) {
    Settings::Mailbox& mailbox = settings.mailboxes[number];
    if (auto options = config::load_mailbox(paths_, number)) {
        mailbox.options = std::make_shared<config::MailboxOptions>(std::move(*options));
        mailbox.problem.clear();
    } else {
        mailbox.problem = options.error().text();
    }
}

bool SettingsReader::refresh() {
    std::map<std::string, Stamp> stamps;
    const auto changed = [&](const std::filesystem::path& file) {
        const Stamp now = stamp(file);
        stamps[file.string()] = now;
        const auto before = stamps_.find(file.string());
        return before == stamps_.end() || before->second != now;
    };

    auto next = std::make_shared<Settings>(*current_);
    bool any = false;
    if (changed(paths_.misc_ini())) {
        any = true;
        if (auto misc = config::load_misc(paths_)) {
            next->misc = std::move(*misc);
            next->misc_problem.clear();
        } else {
            next->misc_problem = misc.error().text();
        }
    }
    if (!mine_) {
        stamps_ = std::move(stamps);
        if (any) current_ = std::move(next);
        return any;
    }
    // A new key file opens, or closes, the sealed passwords of all.
    const bool key_changed = changed(paths_.key_file());

    std::vector<std::string> numbers;
    if (auto listed = config::list_mailboxes(paths_)) {
        numbers = std::move(*listed);
    } else {  // the directory cannot be read just now: nothing was deleted
        for (const auto& [number, mailbox] : next->mailboxes) numbers.push_back(number);
    }
    bool files_changed = false;
    for (const std::string& number : numbers) {
        const bool file_changed = changed(paths_.mailbox_ini(number));
        files_changed |= file_changed;
        if (!mine_(number)) continue;
        if (!file_changed && !key_changed) continue;
        read_mailbox(*next, number);
        any = true;
    }
    std::erase_if(next->mailboxes, [&](const auto& entry) {
        return std::find(numbers.begin(), numbers.end(), entry.first) == numbers.end();
    });
    files_changed |= stamps.size() != stamps_.size();  // one was removed, perhaps another worker's
    any |= files_changed;
    stamps_ = std::move(stamps);
    if (!any) return false;

    // Seats are counted over all mailboxes, not only this worker's.
    if (auto seats = config::count_seats(paths_, next->misc)) {
        for (auto& [number, mailbox] : next->mailboxes)
            mailbox.seat = std::find(seats->refused.begin(), seats->refused.end(), number) ==
                           seats->refused.end();
    }
    current_ = std::move(next);
    return true;
}

}  // namespace vm::agent
