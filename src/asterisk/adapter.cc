#include "asterisk/adapter.h"

#include "base/text.h"
#include "config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace vm::asterisk {

namespace {

// All is looked at once in a while, whatever was told.
constexpr std::int64_t kFullLookMs = 300'000;
// After an error: a lock that is taken, a disk that is full.
constexpr std::int64_t kRetryMs = 1000;
// How often files that nobody tells of are looked at.
constexpr int kIdleMs = 1000;
// As in vmctl watch: a write is told of before its commit can be read.
constexpr int kSettleMs = 200, kStepMs = 5;
// Looks of --once at one mailbox: more than this, and somebody is changing it all the time.
constexpr int kMostLooks = 20;

std::string owner_of(const Paths& paths) {
    return "vmasterisk " + paths.root.string() + "\n";
}

}  // namespace

Adapter::Adapter(Unit& unit, const Settings& settings)
    : unit_(unit),
      settings_(settings),
      spool_(settings, owner_of(unit.paths)),
      watch_(settings.spool),
      refresher_(settings) {}

// Whose mailbox it was may have been said otherwise meanwhile: all are looked at.
void Adapter::break_own_locks(const std::vector<Box>& boxes) {
    for (const Box& box : boxes) {
        if (unlocked_.contains(box)) continue;
        const auto broken = spool_.break_own_locks(box);
        notices_.say(box.text() + " left", broken ? "" : box.text() + ": " + broken.error().text());
        if (!broken) continue;
        unlocked_.insert(box);
        if (*broken > 0)
            trace(TraceLevel::kWarning, "{}: {} locks that a process before this one left",
                  box.text(), *broken);
    }
}

Result<> Adapter::find_boxes() {
    VM_ASSIGN(const std::vector<Box> all, spool_.boxes());
    break_own_locks(all);
    std::vector<Box> ours, others;
    for (const Box& box : all) {
        const auto number = settings_.number_of(unit_.paths, box);
        const auto known = boxes_.find(box);
        if (known != boxes_.end() && known->second.number() != number.value_or("")) {
            boxes_.erase(known);
            due_.erase(box);
        }
        (number ? ours : others).push_back(box);
        if (!number || boxes_.contains(box)) continue;
        boxes_.try_emplace(box, unit_, settings_, spool_, notices_, box, *number);
        due_[box] = 0;
    }
    std::vector<std::string> names;
    names.reserve(others.size());
    for (const Box& box : others) names.push_back(box.text());
    notices_.say("others", names.empty() ? ""
                                         : "left alone, as no mailbox of the unit is theirs: " +
                                               sanitize_line(join(names, ", "), 1000));
    watch_.add(ours);
    return {};
}

void Adapter::look(BoxSync& box) {
    std::int64_t& due = due_[box.box()];
    const auto done = box.run(false, false);
    const std::int64_t now = unit_.clock.steady_ms();
    notices_.say(box.box().text(), done ? "" : box.box().text() + ": " + done.error().text());
    due = now + (done ? done->again_ms.value_or(done->retry_ms.value_or(kFullLookMs)) : kRetryMs);
    if (done && done->removed + done->moved > 0) refresher_.ask(box.box());
}

void Adapter::take_changes() {
    const auto mark = unit_.store.change_mark();
    if (!mark || *mark == mark_) return;
    const auto changes = unit_.store.changes_since(sequence_);
    if (!changes) return notices_.say("store", changes.error().text());
    mark_ = *mark;
    for (const store::MailboxChange& change : *changes) {
        sequence_ = std::max(sequence_, change.sequence);
        for (const auto& [box, sync] : boxes_)
            if (sync.number() == change.mailbox) due_[box] = 0;
    }
}

Result<Adapter::Summary> Adapter::once(const std::string& release, bool dry) {
    VM_TRY(find_boxes());
    Summary out;
    std::set<Box> left, failed;
    std::map<Box, std::vector<std::string>> plans;
    for (const auto& [name, box] : boxes_) left.insert(name);
    for (int looks = 0; looks < kMostLooks && !left.empty(); ++looks) {
        std::int64_t wait = 0;
        for (auto& [name, box] : boxes_) {
            if (left.erase(name) == 0) continue;
            const auto done = box.run(box.number() == release, dry);
            if (!done) {
                notices_.say(name.text(), name.text() + ": " + done.error().text());
                failed.insert(name);
                continue;
            }
            out.added += done->added;
            out.followed += done->followed;
            out.removed += done->removed;
            out.moved += done->moved;
            out.held = out.held || done->held;
            if (done->failed > 0) failed.insert(name);
            plans[name] = done->plan;
            if (done->removed + done->moved > 0) refresher_.ask(name);
            if (!done->again_ms) continue;
            left.insert(name);
            wait = std::max(wait, *done->again_ms);
        }
        if (!left.empty()) ::poll(nullptr, 0, static_cast<int>(wait));
    }
    out.failed = static_cast<int>(failed.size());
    for (const auto& [name, plan] : plans)
        out.plan.insert(out.plan.end(), plan.begin(), plan.end());
    return out;
}

Result<Adapter::Ended> Adapter::run(int stop) {
    const FileStamp settings = file_stamp(settings_file(unit_.paths));
    FileStamp mailboxes = file_stamp(unit_.paths.mailboxes());
    const UniqueFd store(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    ::inotify_add_watch(store.get(), unit_.paths.database().parent_path().c_str(),
                        IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    std::int64_t find_at = 0, settled_at = 0;
    for (;;) {
        std::int64_t now = unit_.clock.steady_ms();
        if (now >= find_at) {
            find_at = now + kFullLookMs;
            // Of a spool that is not there nothing is known, and nothing is done.
            const auto found = find_boxes();
            notices_.say("spool", found ? "" : found.error().text());
            if (!found) find_at = now + kRetryMs;
        }
        take_changes();
        for (auto& [name, box] : boxes_)
            if (due_[name] <= now) {
                look(box);
                if (pollfd asked{stop, POLLIN, 0}; ::poll(&asked, 1, 0) > 0) return Ended::kStopped;
            }
        now = unit_.clock.steady_ms();
        std::int64_t next = now < settled_at ? now + kStepMs : now + kIdleMs;
        for (const auto& [name, due] : due_) next = std::min(next, due);
        pollfd fds[] = {{watch_.fd(), POLLIN, 0}, {store.get(), POLLIN, 0}, {stop, POLLIN, 0}};
        ::poll(fds, 3, static_cast<int>(std::max<std::int64_t>(next - now, 0)));
        if (fds[2].revents != 0) return Ended::kStopped;
        const Watch::News news = watch_.read();
        for (const Box& box : news.boxes)
            if (boxes_.contains(box)) due_[box] = 0;
        if (news.directories) find_at = 0;
        char events[4096];
        while (::read(store.get(), events, sizeof events) > 0)
            settled_at = unit_.clock.steady_ms() + kSettleMs;
        if (file_stamp(settings_file(unit_.paths)) != settings) return Ended::kOtherSettings;
        if (const FileStamp other = file_stamp(unit_.paths.mailboxes()); other != mailboxes) {
            mailboxes = other;
            find_at = 0;
        }
    }
}

}  // namespace vm::asterisk
