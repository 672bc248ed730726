#include "store/watch.h"

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace vm::store {

namespace {

using std::chrono::milliseconds;

// How long the files are to be still, and how often to look until then.
constexpr milliseconds kSettle{200}, kStep{5};
// How often to look when nobody tells of writes.
constexpr milliseconds kLook{1000};

constexpr const char* kOperation = "watch the store";

}  // namespace

Result<Watch> Watch::begin(const Paths& paths, Store& store, std::string only) {
    Watch watch(store, std::move(only));
    // Before it is asked what there is: what is written meanwhile is told of.
    VM_TRY(watch.listen(paths));
    VM_ASSIGN(watch.mark_, store.change_mark());
    VM_ASSIGN(const std::vector<MailboxChange> changes, watch.changes());
    if (!changes.empty()) watch.sequence_ = changes.back().sequence;
    return watch;
}

Result<> Watch::listen(const Paths& paths) {
    const auto failed = [&] { return fail_errno(errno, kOperation, paths.database().string()); };
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return failed();
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_) return failed();
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event) != 0) return failed();
    // There are only so many for a user; without one it is looked once a second.
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (inotify_ && (::inotify_add_watch(inotify_.get(), paths.var().c_str(),
                                         IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ||
                     ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, inotify_.get(), &event) != 0))
        inotify_.reset();
    return wake_after(kLook, true);
}

Result<std::vector<MailboxChange>> Watch::changes() {
    return only_.empty() ? store_->changes_since(sequence_)
                         : store_->changes_since(sequence_, only_);
}

// Whether there was news of writes.
bool Watch::drain() {
    alignas(inotify_event) char events[4096];
    bool any = false;
    while (inotify_ && ::read(inotify_.get(), events, sizeof events) > 0) any = true;
    return any;
}

// Makes the descriptor readable then, and no more until then; with `at_writes` also at the next
// write.
Result<> Watch::wake_after(milliseconds pause, bool at_writes) {
    itimerspec when{};
    when.it_value.tv_sec = pause.count() / 1000;
    when.it_value.tv_nsec = pause.count() % 1000 * 1'000'000;
    epoll_event event{};
    if (at_writes) event.events = EPOLLIN;
    if (::timerfd_settime(timer_.get(), 0, &when, nullptr) != 0 ||
        (inotify_ && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, inotify_.get(), &event) != 0))
        return fail_errno(errno, kOperation, "its descriptor");
    return {};
}

Result<std::vector<std::string>> Watch::look() {
    const auto now = Clock::now();
    if (drain()) settled_ = now + kSettle;
    const bool settling = now < settled_;
    VM_TRY(wake_after(settling ? kStep : kLook, !settling));
    VM_ASSIGN(const std::int64_t mark, store_->change_mark());
    if (mark == mark_) return std::vector<std::string>();
    VM_ASSIGN(const std::vector<MailboxChange> found, changes());
    // Only now: what could not be read is looked for again.
    mark_ = mark;
    std::vector<std::string> mailboxes;
    for (const MailboxChange& change : found) {
        sequence_ = std::max(sequence_, change.sequence);
        mailboxes.push_back(change.mailbox);
    }
    return mailboxes;
}

}  // namespace vm::store
