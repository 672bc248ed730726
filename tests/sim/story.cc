// What the agent does in a schedule, what comes in between, and the end.
#include "story.h"

#include "base/text.h"
#include "base/trace.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace vm {

namespace {
sim::Story* g_story = nullptr;
}

void crash_point(const std::string& name) {
    if (g_story != nullptr) g_story->at_commit(name);
}

namespace sim {

namespace {

constexpr unsigned kDeepest = 2;  // a pass, and a turn at one of its points
constexpr int kMostSettling = 14;
constexpr std::int64_t kPastAllPausesMs = 26 * 3'600'000LL;
constexpr std::int64_t kRetentionMs = 14 * 86'400'000LL;

}  // namespace

Story::Story(const Schedule& schedule, Ground& ground, bool telling)
    : schedule_(schedule),
      telling_(telling),
      outside_(schedule.setting, *this),
      unit_(ground, schedule.setting, schedule.seed),
      model_(unit_, outside_) {
    g_story = this;
    if (!telling_ || ::pipe2(trace_.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    trace_to_pipe(trace_[1]);
    trace_everything(true);
}

Story::~Story() {
    g_story = nullptr;
    if (trace_[0] < 0) return;
    trace_to_pipe(-1);
    for (const int end : trace_) ::close(end);
}

void Story::tell(const std::string& line) {
    if (!telling_) return;
    tell_trace();
    story_.push_back(std::string(2 * static_cast<std::size_t>(depth_), ' ') + line);
}

// What the agent has said of what it did, with the messages' names here.
void Story::tell_trace() {
    std::string said;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(trace_[0], buffer.data(), buffer.size())) > 0;)
        said.append(buffer.data(), static_cast<std::size_t>(n));
    for (const Truth& one : model_.messages)
        for (auto at = said.find(one.id); at != std::string::npos; at = said.find(one.id))
            said.replace(at, one.id.size(), one.name);
    for (const std::string& line : split(said, '\n')) {
        // (Without time, process and level.)
        const std::vector<std::string> words = split(line, ' ');
        if (words.size() > 3)
            story_.push_back(std::string(2 * static_cast<std::size_t>(depth_) + 2, ' ') + "| " +
                             line.substr(line.find(' ' + words[3]) + 1));
    }
}

Verdict Story::run() {
    tell("seed " + std::to_string(schedule_.seed) + ": " + to_text(schedule_.setting));
    for (const Event& event : schedule_.events) {
        if (!model_.violation.empty()) break;
        if (event.at > 0)
            traps_.push_back(event);
        else
            happen(event);
    }
    for (unsigned i = 0; i < unit_.boxes().size() && model_.violation.empty(); ++i)
        quiet(i, {Doing::kQuiet, 0, i, static_cast<unsigned>(schedule_.seed % 2), 0});
    if (!model_.violation.empty()) tell("!! " + model_.violation);
    return {model_.violation, std::move(story_)};
}

Verdict run_schedule(const Schedule& schedule, Ground& ground, bool tell) {
    return Story(schedule, ground, tell).run();
}

void Story::happen(const Event& event) {
    ++model_.now;
    tell(to_text(event));
    switch (event.what) {
        case Doing::kTurn:
        case Doing::kPass:
        case Doing::kPurge:
            work(event.what, any_box(event));
            return;
        case Doing::kQuiet:
            if (depth_ == 0) quiet(any_box(event), event);
            return;
        default:
            break;
    }
    if (event.what <= Doing::kReleaseKeeping)
        phone(event);
    else if (event.what <= Doing::kForeignDeleted)
        subscriber(event);
    else if (event.what <= Doing::kRenumber)
        account_changes(event);
    else if (event.what <= Doing::kLose)
        delivery(event);
    else if (event.what <= Doing::kServersWell)
        servers(event);
    else if (event.what <= Doing::kClock)
        machine(event);
    else
        options(event);
}

// ---- the agent
// -----------------------------------------------------------------------------------

// True when it changed something, or did not come to its end.
bool Story::work(Doing what, unsigned number) {
    Box& in = box(number);
    bool& busy = what == Doing::kTurn ? in.pushing : in.passing;
    if (busy || depth_ == kDeepest || outside_.dead) return false;
    if (depth_ == 0) {
        points_ = 0;
        outside_.cut = disk_full_ = false;
    }
    Began began = model_.begin(number);
    began_.push_back(&began);
    const Who before = std::exchange(who_, Who::kAgent);
    ++depth_;
    busy = true;
    bool did = true;
    try {
        did = do_work(what, number);
    } catch (const Killed&) {
        outside_.dead = true;
    }
    busy = false;
    --depth_;
    who_ = before;
    began_.pop_back();
    if (depth_ > 0 && outside_.dead) return true;
    if (depth_ == 0) {
        traps_.clear();
        if (outside_.dead) {
            began.alone = false;
            restart();
            for (const unsigned one : purged_) note_purged(one);
        }
        purged_.clear();
    }
    for (unsigned i = 0; i < unit_.boxes().size(); ++i) {
        // (A push changes nothing that both sides have.)
        if (what == Doing::kTurn && began.alone) break;
        if (i == number) {
            model_.observe(began);
        } else if (!began.alone) {
            Began other = model_.begin(i);
            other.when = began.when;
            other.alone = false;
            other.hold = false;
            model_.observe(other);
        }
    }
    model_.check_foreign();
    return did;
}

bool Story::do_work(Doing what, unsigned number) {
    Box& in = box(number);
    if (what == Doing::kTurn) {
        const agent::RunResult result = unit_.turn(in);
        tell("turn: " + std::to_string(result.recorded) + " outcomes" +
             (result.pause ? ", pause: " + result.pause->reason : "") +
             (result.store_error ? ", " + result.store_error->text() : ""));
        return result.recorded > 0 || result.pause || result.store_error;
    }
    if (what == Doing::kPass) {
        const agent::SyncResult result = unit_.pass(in);
        tell("pass: here " + std::to_string(result.changed_here) + ", there " +
             std::to_string(result.changed_there) + (result.complete ? ", complete" : "") +
             (result.hold.empty() ? "" : ", hold: " + result.hold) +
             (result.failure ? ", " + result.failure->text : "") +
             (result.store_error ? ", " + result.store_error->text() : ""));
        for (const std::string& note : result.notes) tell("  " + note);
        hold_ = !result.hold.empty();
        return !result.complete || result.changed_here + result.changed_there > 0;
    }
    purged_.insert(number);
    unit_.purge(in);
    note_purged(number);
    return true;
}

// What is gone since a purge of the mailbox began, which a kill may have ended.
void Story::note_purged(unsigned number) {
    std::vector<std::string> left;
    if (const auto records = unit_.store().list({box(number).number, std::nullopt, true}))
        for (const MessageRecord& record : *records) left.push_back(record.message.id);
    for (Truth& one : model_.messages) {
        if (one.box != number || one.purged ||
            std::find(left.begin(), left.end(), one.id) != left.end())
            continue;
        one.purged = true;
        tell("purged " + one.name);
        if (one.state != MessageState::kDeleted)
            model_.wrong(one.name + " was purged and is not deleted");
        else if (one.phone_deleted && unit_.clock().now() - one.deleted_time < kRetentionMs)
            model_.wrong(one.name + " was purged before its retention was over");
        else if (model_.left_behind(one))
            model_.wrong(one.name + " was purged, and its mail was never deleted for it");
    }
}

void Story::restart() {
    tell("-- the agent is started again");
    unit_.forget();
    outside_.dead = false;
    outside_.cut = disk_full_ = false;
    unit_.start();
}

// ---- points
// --------------------------------------------------------------------------------------

void Story::at_point(const std::string& point) {
    if (who_ != Who::kAgent) return;
    ++points_;
    if (traps_.empty()) return;
    const unsigned here = points_;
    for (std::size_t i = 0; i < traps_.size();) {
        if (traps_[i].at > here) {
            ++i;
            continue;
        }
        const Event event = traps_[i];
        traps_.erase(traps_.begin() + static_cast<std::ptrdiff_t>(i));
        tell("[" + point + "] " +
             (event.what == Doing::kCut || event.what == Doing::kKill ||
                      event.what == Doing::kDiskFull
                  ? to_text(event)
                  : ""));
        if (event.what == Doing::kCut) {
            outside_.cut = true;
            outside_.cut_kind = event.c;
            return;  // what else is due comes at the next point
        }
        if (event.what == Doing::kKill) {
            outside_.dead = true;
            return;
        }
        if (event.what == Doing::kDiskFull) {
            disk_full_ = true;
            continue;
        }
        for (Began* began : began_) began->alone = false;
        ++depth_;
        try {
            happen(event);
        } catch (const Killed&) {  // another thread of the agent's: with it dies the process
            outside_.dead = true;
        }
        --depth_;
        if (outside_.dead) return;
        i = 0;
    }
}

void Story::at_commit(const std::string& name) {
    const bool before = name.rfind("commit ", 0) == 0;
    if (who_ == Who::kPhone) {
        if (phone_dies_ && before) throw Killed{};
        return;
    }
    if (who_ != Who::kAgent) return;
    if (outside_.dead) throw Killed{};
    ++points_;
    for (std::size_t i = 0; i < traps_.size(); ++i) {
        if (traps_[i].at > points_) continue;
        const Doing what = traps_[i].what;
        if (what != Doing::kKill && !(what == Doing::kDiskFull && before)) continue;
        traps_.erase(traps_.begin() + static_cast<std::ptrdiff_t>(i));
        disk_full_ = what == Doing::kDiskFull;
        tell("[" + name + "] " + (disk_full_ ? "the disk is full" : "killed"));
        if (disk_full_) break;
        outside_.dead = true;
        throw Killed{};
    }
    if (!before || !std::exchange(disk_full_, false)) return;
    throw soci::sqlite3_soci_error("simulated", SQLITE_FULL);
}

void Story::taken(unsigned account, const std::string& id, const std::string& message_id) {
    model_.taken(account, id, message_id);
}
void Story::told_absent(unsigned account, const std::string& id, bool by_recovery) {
    model_.told_absent(account, id, by_recovery);
}
void Story::asked(unsigned account, const vm_change& change, const FakeMail* mail) {
    model_.asked(account, change, mail);
}
void Story::asked_to_drop(unsigned account, const FakeMail& mail, const std::string& id) {
    model_.asked_to_drop(account, mail, id);
}
void Story::refused(const std::string& id) {
    if (Truth* one = model_.find(id)) one->may_fail = true;
}

// ---- all is quiet
// --------------------------------------------------------------------------------

void Story::quiet(unsigned number, const Event& event) {
    traps_.clear();
    outside_.restart_servers();
    if (!box(number).options->integration) happen({Doing::kSwitchOn, 0, number, 0, 0});
    settle(number, event.b % 2 == 0);
    if (model_.violation.empty()) model_.check_in_step(number);
    if (!model_.violation.empty()) return;
    unit_.clock().advance(kPastAllPausesMs);
    settle(number, event.b % 2 == 0);
    if (!model_.violation.empty()) return;
    model_.check_in_step(number);
    model_.check_delivered(number);
    if (model_.violation.empty()) model_.new_epoch(number);
}

void Story::settle(unsigned number, bool keep) {
    for (int i = 0; i < kMostSettling && model_.violation.empty(); ++i) {
        bool did = work(Doing::kTurn, number);
        did |= deliver_all(number);
        hold_ = false;
        did |= work(Doing::kPass, number);
        if (hold_) {
            ++model_.now;
            tell(keep ? "released, keeping" : "released");
            model_.muddle(number);
            (void)unit_.store().release(box(number).number, keep);
        }
        if (!did && !hold_) return;
    }
    if (model_.violation.empty()) model_.wrong("it finds no end, though all is well");
}

}  // namespace sim

}  // namespace vm
