// Waiting for change: store/watch.h for C.
#include "store/watch.h"

#include "base/clock.h"
#include "library/handle.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <poll.h>

struct vm_store_watch {
    vm::library::OfProcess process;
    std::unique_ptr<vm::store::Store> store;  // its own
    std::mutex mutex{};
    vm::store::Watch watch;            // guarded by mutex
    std::deque<std::string> untold{};  // guarded by mutex
};

namespace vm::library {

namespace {

using Clock = std::chrono::steady_clock;

// How long poll() may wait; -1: for as long as it takes.
int left_until(const std::optional<Clock::time_point>& end) {
    if (!end) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
}

// "" when there is none.
Result<std::string> next(vm_store_watch& watch) {
    const std::lock_guard lock(watch.mutex);
    if (watch.untold.empty()) {
        VM_ASSIGN(const std::vector<std::string> changed, watch.watch.look());
        watch.untold.assign(changed.begin(), changed.end());
    }
    if (watch.untold.empty()) return std::string();
    std::string mailbox = std::move(watch.untold.front());
    watch.untold.pop_front();
    return mailbox;
}

// Until there is one, a signal was handled, or the time is over.
Result<std::string> wait_for_next(vm_store_watch& watch, int timeout_ms) {
    std::optional<Clock::time_point> end;
    if (timeout_ms >= 0) end = Clock::now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
        VM_ASSIGN(const std::string mailbox, next(watch));
        const int left = left_until(end);
        if (!mailbox.empty() || left == 0) return mailbox;
        pollfd fd{watch.watch.fd(), POLLIN, 0};
        if (::poll(&fd, 1, left) < 0) {
            if (errno == EINTR) return std::string();
            return fail_errno(errno, "vm_store_watch_next", "wait");
        }
    }
}

}  // namespace

}  // namespace vm::library

using namespace vm;
using namespace vm::library;

int vm_store_watch_open(vm_store* store, const char* mailbox, vm_store_watch** watch,
                        vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        constexpr const char* kFunction = "vm_store_watch_open";
        if (watch == nullptr) return wrong(kFunction, "there is no place for the watch");
        *watch = nullptr;
        VM_TRY(usable(kFunction, store));
        if (mailbox != nullptr) VM_TRY(known_mailbox(kFunction, store->paths, mailbox));
        VM_ASSIGN(OfProcess process, OfProcess::enter(kFunction));
        VM_ASSIGN(auto own, store::Store::open(store->paths));
        VM_ASSIGN(auto begun, store::Watch::begin(store->paths, *own, text_of(mailbox)));
        *watch = new vm_store_watch{std::move(process), std::move(own), {}, std::move(begun), {}};
        return {};
    });
}

int vm_store_watch_fd(const vm_store_watch* watch) {
    return watch == nullptr ? -1 : watch->watch.fd();
}

int vm_store_watch_next(vm_store_watch* watch, int timeout_ms, char* mailbox,
                        vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        constexpr const char* kFunction = "vm_store_watch_next";
        if (mailbox == nullptr) return wrong(kFunction, "there is no place for the mailbox");
        *mailbox = '\0';
        if (watch == nullptr) return wrong(kFunction, "the watch is NULL");
        if (timeout_ms < -1) return wrong(kFunction, "the time is less than -1");
        VM_TRY(watch->process.check(kFunction));
        VM_ASSIGN(const std::string changed, wait_for_next(*watch, timeout_ms));
        const std::size_t length = std::min<std::size_t>(changed.size(), VM_STORE_MAILBOX_SIZE - 1);
        *std::copy_n(changed.begin(), length, mailbox) = '\0';
        return {};
    });
}

void vm_store_watch_close(vm_store_watch* watch) {
    if (watch == nullptr || !watch->process.is_ours()) return;
    at_border(nullptr, [&]() -> Result<> {
        delete watch;
        return {};
    });
}
