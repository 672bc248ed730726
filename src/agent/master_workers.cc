#include "agent/deaths.h"
#include "agent/master_state.h"
#include "base/trace.h"
#include "transport/loading_note.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace vm::agent {

namespace {

// So many mailboxes in quarantine have workers of their own at a time: as many as a share's worker
// may have in hand.
constexpr std::ptrdiff_t kAlone = 24;

}  // namespace

Master::Mark Master::mark_of(const std::string& mailbox) const {
    const auto& misc = *settings_.current()->misc;
    return {file_stamp(options_.paths.mailbox_ini(mailbox)), file_stamp(options_.paths.misc_ini()),
            file_stamp(misc.email_dll_path)};
}

// ---- starting workers ---------------------------------------------------------------------------

WorkerOptions Master::options_of(int index) {
    WorkerOptions options(options_.paths);
    options.index = index;
    options.count = static_cast<int>(shares_.size());
    options.once = options_.once;
    options.sync_only = options_.sync_only;
    options.only_mailbox = options_.only_mailbox;
    options.excluded = quarantine_.mailboxes();
    options.plugin_crash = plugin_crash_;
    options.metrics = options_.once ? nullptr : &metrics_table_;
    return options;
}

Result<> Master::start(WorkerProcess& process, const WorkerOptions& options,
                       const std::string& who) {
    VM_TRY(process.start(options, !options_.once && !options_.echo, [this] {
        each_process([](WorkerProcess& other) { other.forget(); });
        socket_.reset();
        signals_.reset();
        metrics_socket_.close();
    }));
    trace(TraceLevel::kInfo, "{} started, process {}", who, process.pid());
    return {};
}

void Master::start_shares() {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
        Share& share = shares_[i];
        if (share.process.running() || clock_.steady_ms() < share.start_at) continue;
        const int index = static_cast<int>(i);
        share.untold.clear();  // what is in quarantine it is told at its start
        auto started = start(share.process, options_of(index), fmt::format("worker {}", index));
        if (started) continue;
        trace(TraceLevel::kError, "{}", started.error().text());
        share.start_at = clock_.steady_ms() + 1000;
        if (!options_.once) continue;
        once_share_done_ = true;
        once_not_started(started.error());
    }
}

void Master::start_alone(const std::string& mailbox, bool note_only) {
    WorkerOptions options = options_of(0);
    options.count = 1;
    options.only_mailbox = mailbox;
    options.excluded.clear();
    options.recovery_reason = quarantine_.what_happened(mailbox);
    if (note_only || !options_.once)
        options.alone = WorkerOptions::Alone{
            quarantine_.words(mailbox, clock_.steady_ms(), clock_.now(), !options_.once), note_only,
            quarantine_.stay_ms(mailbox)};
    Alone& alone = alone_[mailbox];
    alone.note_only = note_only;
    // From before it reads its options: a later edit may mend what it is about to die of.
    if (!note_only) marks_[mailbox] = mark_of(mailbox);
    if (auto started = start(alone.process, options, mailbox + ": worker of its own"); !started) {
        trace(TraceLevel::kError, "{}", started.error().text());
        alone_.erase(mailbox);
        if (options_.once && !note_only) once_not_started(started.error());
        return;
    }
    if (note_only) return;
    if (const auto asked = asked_.extract(mailbox)) alone.process.tell(asked.mapped());
}

// Gives workers of their own to mailboxes whose pause is over.
void Master::start_quarantined() {
    for (const std::string& mailbox : quarantine_.mailboxes())
        if (marks_[mailbox] != mark_of(mailbox)) quarantine_.end_pause(mailbox);
    auto running = std::count_if(alone_.begin(), alone_.end(),
                                 [](const auto& entry) { return !entry.second.note_only; });
    for (const std::string& mailbox : quarantine_.due(clock_.steady_ms())) {
        if (running >= kAlone) return;
        if (alone_.contains(mailbox)) continue;
        start_alone(mailbox, false);
        ++running;
    }
}

// ---- their ends ---------------------------------------------------------------------------------

void Master::note_end(const std::string& who, const WorkerProcess::End& end, bool good) {
    crashed_ |= end.killed || !end.in_hand.empty() || !end.loading.empty();
    std::string words = end.how, joint = "; in hand: ";
    if (!end.loading.empty()) words += " while loading plugin " + end.loading.string();
    for (const auto& [mailbox, works] : end.in_hand) {
        words += joint + mailbox + " (" + Quarantine::words(works) + ")";
        joint = ", ";
    }
    const bool expected = good || stopping_;
    trace(expected ? TraceLevel::kInfo : TraceLevel::kError, "{}, process {}, ended: {}", who,
          end.pid, words);
    metrics_table_.ended(end.pid);
    if (expected) return;
    metrics_.add(Metric::kWorkerDeaths, {});
    if (const auto noted = note_death(options_.paths, clock_.now(), words); !noted)
        trace(TraceLevel::kError, "{}", noted.error().text());
}

// True when it died of the plugin that it was loading: that one counts as refused, and no mailbox
// is to blame.
bool Master::note_plugin(const WorkerProcess::End& end, std::int64_t lived_ms) {
    settings_.refresh(clock_.steady_ms());  // the worker may have seen an edit before
    const auto& misc = *settings_.current()->misc;
    // (What a process wrote that died of overwritten memory may be anything.)
    if (end.loading.empty() || end.loading != misc.email_dll_path) {
        // It has tried the plugin again since, and lives on.
        if (plugin_crash_ && lived_ms > PluginSlot::pause_ms(misc, plugin_crash_->times))
            plugin_crash_.reset();
        return false;
    }
    // Of two workers that tried it at the same time, one counts.
    int times = end.plugin_crashes + 1;
    if (plugin_crash_ && plugin_crash_->file == end.loading)
        times = std::max(times, plugin_crash_->times);
    metrics_.add(Metric::kPluginCrashes, {});
    const Error error = transport::crashed_while_loading(end.loading, end.how);
    plugin_crash_ = {end.loading, end.loading_stamp, error.text(), times};
    trace(TraceLevel::kError, "{}", plugin_crash_->problem);
    return true;
}

// Whose work a share's worker may have died of goes into quarantine.
void Master::put_aside(int index, const WorkerProcess::End& end) {
    for (const auto& [mailbox, works] : end.in_hand) {
        // (What a process wrote that died of overwritten memory may be anything.)
        if (!in_share(mailbox, index, static_cast<int>(shares_.size()))) continue;
        quarantine_.died(mailbox, {end.how, works, clock_.now(), false}, clock_.steady_ms());
        metrics_.add(Metric::kQuarantines, {});
        marks_[mailbox] = mark_of(mailbox);
        trace(TraceLevel::kWarning, "{}: {}", mailbox,
              quarantine_.words(mailbox, clock_.steady_ms(), clock_.now(), !options_.once));
    }
}

void Master::share_ended(int index, const WorkerProcess::End& end) {
    Share& share = shares_[static_cast<std::size_t>(index)];
    const bool died = end.killed || !end.in_hand.empty() || !end.loading.empty() ||
                      (!options_.once && end.status != 0);
    note_end(fmt::format("worker {}", index), end, !died);
    const std::int64_t now = clock_.steady_ms(), lived = now - share.process.started();
    if (!options_.once) share.start_at = now + share.pause.died(lived);
    if (note_plugin(end, lived)) {
        if (!options_.once) return;
        // The next one does not load it, and says so.
        once_share_done_ = stopping_ || plugin_crash_->times > 1;
        if (!once_share_done_) return;
        std::fprintf(stderr, "vmemaild: %s\n", plugin_crash_->problem.c_str());
        once_ended(exit_status(ErrorKind::kConfig));
        return;
    }
    if (!stopping_ && died) put_aside(index, end);
    if (!options_.once) return;
    if (!died) {
        once_share_done_ = true;
        once_ended(end.status);
    } else if (!stopping_ && !end.in_hand.empty()) {
        for (const auto& [mailbox, works] : end.in_hand)
            std::fprintf(stderr,
                         "vmemaild: %s: the worker ended by %s while %s; this mailbox is tried "
                         "again after the others, alone\n",
                         mailbox.c_str(), end.how.c_str(), Quarantine::words(works).c_str());
    } else {
        once_share_done_ = true;
        std::fprintf(stderr,
                     "vmemaild: the worker ended by %s; what it was sending is uncertain now and "
                     "is looked at again by a later run\n",
                     end.how.c_str());
        once_ended(exit_status(stopping_ ? ErrorKind::kUncertain : ErrorKind::kUnavailable));
    }
}

void Master::alone_ended(const std::string& mailbox, bool note_only,
                         const WorkerProcess::End& end) {
    // It was stopped before it had done everything, by a person: it is tried again.
    const bool unfinished = !options_.once && !end.killed && end.in_hand.empty() &&
                            end.loading.empty() && end.status == kStoppedAlone;
    const bool died = !unfinished && (end.killed || !end.in_hand.empty() || !end.loading.empty() ||
                                      (!options_.once && end.status != 0));
    note_end(mailbox + ": worker of its own", end, !died);
    if (note_only) return;
    if (!stopping_ && note_plugin(end, 0)) {
        if (options_.once && plugin_crash_->times < 2) once_tried_.erase(mailbox);
        return;
    }
    if (stopping_) {
        if (options_.once) once_ended(died ? exit_status(ErrorKind::kUncertain) : end.status);
        return;
    }
    if (unfinished) return;
    if (!died) {
        take_back(mailbox);
        if (options_.once) once_ended(end.status);
        return;
    }
    // (With nothing in hand it can only have been this mailbox all the same.)
    const auto works = end.in_hand.find(mailbox);
    quarantine_.died(mailbox,
                     {end.how, works == end.in_hand.end() ? std::vector<Work>() : works->second,
                      clock_.now(), true},
                     clock_.steady_ms());
    metrics_.add(Metric::kQuarantines, {});
    const std::string words =
        quarantine_.words(mailbox, clock_.steady_ms(), clock_.now(), !options_.once);
    trace(TraceLevel::kWarning, "{}: {}", mailbox, words);
    if (options_.once) {
        std::fprintf(stderr, "vmemaild: %s: %s\n", mailbox.c_str(), words.c_str());
        once_ended(exit_status(ErrorKind::kRetryLater));
    }
    start_alone(mailbox, true);
}

// A mailbox that did well alone returns to its share.
void Master::take_back(const std::string& mailbox) {
    quarantine_.released(mailbox, clock_.steady_ms());
    trace(TraceLevel::kInfo, "{}: out of quarantine", mailbox);
    const int count = static_cast<int>(shares_.size());
    for (int i = 0; i < count; ++i)
        if (in_share(mailbox, i, count))
            shares_[static_cast<std::size_t>(i)].untold += mailbox + std::string(kBack) + "\n";
}

void Master::take_ends() {
    for (std::size_t i = 0; i < shares_.size(); ++i)
        if (const auto end = shares_[i].process.reap()) share_ended(static_cast<int>(i), *end);
    std::vector<std::pair<std::string, WorkerProcess::End>> ended;
    for (auto& [mailbox, alone] : alone_)
        if (auto end = alone.process.reap()) ended.emplace_back(mailbox, std::move(*end));
    for (const auto& [mailbox, end] : ended) {
        const bool note_only = alone_.at(mailbox).note_only;
        alone_.erase(mailbox);
        alone_ended(mailbox, note_only, end);
    }
}

// ---- --once -------------------------------------------------------------------------------------

// Of several statuses the one that says most counts.
void Master::once_ended(int status) {
    const auto rank = [](int one) {
        const std::array<int, 4> order{0, exit_status(ErrorKind::kUnavailable),
                                       exit_status(ErrorKind::kRetryLater),
                                       exit_status(ErrorKind::kConfig)};
        return std::find(order.begin(), order.end(), one) - order.begin();
    };
    if (rank(status) > rank(once_status_)) once_status_ = status;
}

// It would be so the next time, too: nobody waits for that with --once.
void Master::once_not_started(const Error& error) {
    std::fprintf(stderr, "vmemaild: %s\n", error.text().c_str());
    once_ended(exit_status(ErrorKind::kUnavailable));
}

// Starts what is to be done next, when nothing runs: the share without what a worker died of, then
// each of these alone. False when everything was done.
bool Master::once_goes_on() {
    if (!stopping_ && !once_share_done_) {
        start_shares();
        if (!once_share_done_) return true;
    }
    for (const std::string& mailbox : quarantine_.mailboxes()) {
        if (!once_tried_.insert(mailbox).second) continue;
        if (stopping_) {
            once_ended(exit_status(ErrorKind::kRetryLater));
            continue;
        }
        start_alone(mailbox, false);
        if (alone_.contains(mailbox)) return true;
    }
    return false;
}

}  // namespace vm::agent
