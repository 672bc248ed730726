#include "agent/settings.h"

#include "base/clock.h"
#include "oauth2/token_file.h"

#include <algorithm>
#include <utility>

namespace vm::agent {

namespace {

constexpr std::int64_t kLongestPauseMs = 600'000;
// So long after its last change a directory's stamp tells of the next one for sure.
constexpr std::int64_t kSettledMs = 2000;

std::shared_ptr<const Settings> nothing_yet() {
    auto settings = std::make_shared<Settings>();
    settings->misc = std::make_shared<config::MiscSetup>();
    return settings;
}

}  // namespace

SettingsReader::SettingsReader(Paths paths, std::function<bool(const std::string&)> mine,
                               std::optional<std::string> only)
    : paths_(std::move(paths)),
      mine_(std::move(mine)),
      only_(std::move(only)),
      current_(nothing_yet()) {}

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

// Brings files_ up to what lies in the directory, `all` or mine; true when some are gone. The list
// is read when the directory has changed: while it is young it may change again within the same
// tick of its clock.
bool SettingsReader::list_files(bool all) {
    if (only_ && !all) {
        listed_stamp_.reset();
        if (config::has_mailbox(paths_, *only_)) {
            files_.try_emplace(*only_);
            return false;
        }
        return files_.erase(*only_) > 0;
    }
    const FileStamp stamp = file_stamp(paths_.mailboxes());
    if (listed_stamp_ == stamp) return false;
    const auto numbers = config::list_mailboxes(paths_);
    if (!numbers) return false;  // it cannot be read just now: nothing was deleted
    const std::int64_t age_ms = system_clock().now() - stamp.changed_ns / 1'000'000;
    listed_stamp_.reset();
    if (age_ms > kSettledMs) listed_stamp_ = stamp;
    for (auto& [number, known] : files_) known.listed = false;
    for (const std::string& number : *numbers) files_[number].listed = true;
    return std::erase_if(files_, [](const auto& entry) { return !entry.second.listed; }) > 0;
}

bool SettingsReader::granted_anew(const Settings& settings, const std::string& number,
                                  Known& known) const {
    const auto mailbox = settings.mailboxes.find(number);
    if (mailbox == settings.mailboxes.end() || !mailbox->second.options ||
        mailbox->second.options->oauth2.provider == config::OAuth2Provider::kNone)
        return false;
    const FileStamp seen = file_stamp(oauth2::grant_file(paths_, number));
    if (std::exchange(known.tokens, seen) == seen) return false;
    const TimeMs granted = oauth2::granted_at(paths_, number);
    return std::exchange(known.granted, granted) != granted;
}

bool SettingsReader::refresh(std::int64_t now) {
    const bool again = now >= retry_at_;
    const auto changed = [](std::optional<FileStamp>& known, const std::filesystem::path& file) {
        const FileStamp seen = file_stamp(file);
        return std::exchange(known, seen) != seen;
    };
    // A copy of thousands is made only when something is to be changed in it.
    std::shared_ptr<Settings> copy;
    const auto next = [&]() -> Settings& {
        if (!copy) copy = std::make_shared<Settings>(*current_);
        return *copy;
    };
    bool any = false;
    if (changed(misc_stamp_, paths_.misc_ini()) || (again && !current_->misc_problem.empty()))
        any = read_misc(next());
    if (!mine_) {
        if (any) current_ = std::move(copy);
        if (any || again) plan_next_try(now, any);
        return any;
    }
    // A new key file opens, or closes, the sealed passwords of all.
    const bool key_changed = changed(key_stamp_, paths_.key_file());

    const bool limited = (copy ? copy->misc : current_->misc)->seats > 0;
    bool files_changed = list_files(limited);
    if (files_changed)
        std::erase_if(next().mailboxes,
                      [&](const auto& entry) { return !files_.contains(entry.first); });
    const std::filesystem::path directory = paths_.mailboxes();
    for (auto& [number, known] : files_) {
        const bool mine = mine_(number);
        if (!mine && !limited) continue;
        const FileStamp seen = file_stamp(directory / (number + ".ini"));
        const bool file_changed = std::exchange(known.stamp, seen) != seen;
        files_changed |= file_changed;
        if (!mine) continue;
        const auto is_broken = [&, &number = number] {
            return !(copy ? *copy : *current_).mailboxes.at(number).problem.empty();
        };
        const bool granted = known.taken && granted_anew(*current_, number, known);
        if (known.taken && !file_changed && !key_changed && !granted && !(again && is_broken()))
            continue;
        any |= read_mailbox(next(), number);
        known.taken = true;
        if (!granted) (void)granted_anew(*copy, number, known);
    }
    any |= files_changed;
    if (any || again) plan_next_try(now, any);
    if (!any) return false;

    // Seats are counted over all mailboxes, not only this worker's.
    if (auto refused = config::refused_seats(paths_, *next().misc))
        for (auto& [number, mailbox] : next().mailboxes) mailbox.seat = !refused->contains(number);
    current_ = std::move(copy);
    return true;
}

}  // namespace vm::agent
