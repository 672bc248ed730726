#include "agent/message_waiting.h"

#include "base/process.h"
#include "base/trace.h"

namespace vm::agent {

namespace {

// A lamp is switched in no time; a command that hangs must not keep the others' lamps dark.
constexpr std::chrono::seconds kLimit{10};
constexpr std::int64_t kRetryMs = 60'000;

}  // namespace

void MessageWaiting::tell(const std::string& command, const std::string& mailbox,
                          store::Store& store) {
    const InHand note(in_hand_, mailbox, Work::kWaiting);
    const auto failed = [&](const std::string& words) {
        trace(TraceLevel::kError, "{}: message waiting: {}", mailbox, words);
        const std::lock_guard lock(mutex_);
        failed_.insert(mailbox);
    };
    const auto told = store.waiting_told(mailbox);
    const auto counts = store.counts(mailbox);
    if (!told || !counts) return failed((!told ? told.error() : counts.error()).text());
    const store::Store::Waiting now{counts->new_messages, counts->old_messages};
    if (*told == now || (!*told && now == store::Store::Waiting{})) return;
    const auto done = run_process(
        {command, mailbox, std::to_string(now.new_messages), std::to_string(now.old_messages)},
        kLimit);
    if (!done) return failed(done.error().text());
    if (done->exit_code != 0)
        return failed(command + " ended with status " + std::to_string(done->exit_code) + ": " +
                      done->diagnostics);
    if (auto kept = store.set_waiting_told(mailbox, now); !kept) failed(kept.error().text());
}

void MessageWaiting::take_failed(std::int64_t now) {
    for (const std::string& mailbox : failed_) due_.try_emplace(mailbox, now + kRetryMs);
    failed_.clear();
}

void MessageWaiting::start(const std::string& command, std::int64_t now) {
    {
        const std::lock_guard lock(mutex_);
        take_failed(now);
        if (running_) return;
    }
    std::set<std::string> due;
    if (!command.empty())
        std::erase_if(due_, [&](const auto& entry) {
            if (entry.second > now) return false;
            due.insert(entry.first);
            return true;
        });
    if (due.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        running_ = true;
    }
    threads_.submit([this, command, due = std::move(due)](Result<store::Store*> store) {
        for (const std::string& mailbox : due) {
            if (store && !stopping_()) {
                tell(command, mailbox, **store);
            } else {
                const std::lock_guard lock(mutex_);
                failed_.insert(mailbox);
            }
        }
        const std::lock_guard lock(mutex_);
        running_ = false;
        idle_.notify_all();
    });
}

void MessageWaiting::finish(const std::string& command, std::int64_t now) {
    const auto wait = [this] {
        std::unique_lock lock(mutex_);
        idle_.wait(lock, [this] { return !running_; });
    };
    wait();
    start(command, now);
    wait();
}

}  // namespace vm::agent
