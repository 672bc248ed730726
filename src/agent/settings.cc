#include "agent/settings.h"

#include <algorithm>
#include <set>

namespace vm::agent {

namespace {

constexpr std::int64_t kLongestPauseMs = 600'000;

std::shared_ptr<const Settings> nothing_yet() {
    auto settings = std::make_shared<Settings>();
    settings->misc = std::make_shared<config::MiscSetup>();
    return settings;
}

}  // namespace

SettingsReader::SettingsReader(Paths paths, std::function<bool(const std::string&)> mine)
    : paths_(std::move(paths)), mine_(std::move(mine)), current_(nothing_yet()) {}

// Both: false when nothing is different from before.

bool SettingsReader::read_misc(Settings& settings) {
    const std::string before = settings.misc_problem;
    if (auto misc = config::load_misc(paths_)) {
        settings.misc = std::make_shared<config::MiscSetup>(std::move(*misc));
        settings.misc_problem.clear();
        return true;
    } else {
        settings.misc_problem = misc.error().text();
        return settings.misc_problem != before;
    }
}

bool SettingsReader::read_mailbox(Settings& settings, const std::string& number) {
    const bool is_new = settings.mailboxes.find(number) == settings.mailboxes.end();
    Settings::Mailbox& mailbox = settings.mailboxes[number];
    const std::string before = mailbox.problem;
    if (auto options = config::load_mailbox(paths_, number)) {
        mailbox.options = std::make_shared<config::MailboxOptions>(std::move(*options));
        mailbox.problem.clear();
        return true;
    } else {
        mailbox.problem = options.error().text();
        return is_new || mailbox.problem != before;
    }
}

void SettingsReader::plan_next_try(std::int64_t now, bool changed) {
    if (changed) failures_ = 0;
    const std::int64_t period_ms = current_->misc->repeat_start_up_period_s * 1000;
    retry_at_ = now + std::min(period_ms << std::min(failures_++, 8), kLongestPauseMs);
}

bool SettingsReader::refresh(std::int64_t now) {
    const bool again = now >= retry_at_;
    std::map<std::string, FileStamp> stamps;
    const auto changed = [&](const std::filesystem::path& file) {
        const FileStamp seen = file_stamp(file);
        stamps[file.string()] = seen;
        const auto before = stamps_.find(file.string());
        return before == stamps_.end() || before->second != seen;
    };

    auto next = std::make_shared<Settings>(*current_);
    bool any = false;
    if (changed(paths_.misc_ini()) || (again && !next->misc_problem.empty()))
        any = read_misc(*next);
    if (!mine_) {
        stamps_ = std::move(stamps);
        if (any) current_ = std::move(next);
        if (any || again) plan_next_try(now, any);
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
        const auto known = next->mailboxes.find(number);
        const bool fresh = known == next->mailboxes.end();  // or mine since now
        const bool broken = !fresh && !known->second.problem.empty();
        if (fresh || file_changed || key_changed || (again && broken))
            any |= read_mailbox(*next, number);
    }
    std::erase_if(next->mailboxes, [&](const auto& entry) {
        return std::find(numbers.begin(), numbers.end(), entry.first) == numbers.end();
    });
    files_changed |= stamps.size() != stamps_.size();  // one was removed, perhaps another worker's
    any |= files_changed;
    stamps_ = std::move(stamps);
    if (any || again) plan_next_try(now, any);
    if (!any) return false;

    // Seats are counted over all mailboxes, not only this worker's; each file is read for that.
    if (next->misc->seats == 0) {
        for (auto& [number, mailbox] : next->mailboxes) mailbox.seat = true;
    } else if (auto seats = config::count_seats(paths_, *next->misc)) {
        const std::set<std::string> refused(seats->refused.begin(), seats->refused.end());
        for (auto& [number, mailbox] : next->mailboxes) mailbox.seat = !refused.contains(number);
    }
    current_ = std::move(next);
    return true;
}

}  // namespace vm::agent
