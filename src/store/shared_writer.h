// One session that the writes of many threads go through, several in one transaction: what costs
// most of a write is the fsync at its commit, and one is enough for all that wait.
//
// Whoever finds nobody at work leads: begins a transaction, runs its own write and those of all who
// have come meanwhile, commits when nobody waits any more, and wakes them. Nobody waits for more
// writers to come: alone, a write costs what it costs by a session of its own; under load those who
// come during a commit are the next one's. A transaction is bounded by its writers, of whom each
// waits for its end, and by kLongest, because other processes want the lock too.
//
// - A write that fails, or is refused by its body, leaves nothing behind (a savepoint) and concerns
//   nobody else.
// - When the transaction fails (it does not begin, does not commit, or is taken along by the error
//   of a write, as when the disk is full), all of its writes have failed, those that were refused
//   too: they may have been for what another of them had written.
// - It is durable when one of its writes is to be.
//
// The lock of another process is waited for by each for kBusyTimeout, from when it came; the others
// go on waiting.
//
// An exception that is no soci_error (memory is used up) is thrown to all whose writes were in its
// transaction, of which nothing is left; or, when none was yet, to all who waited for one.
#ifndef VM_STORE_SHARED_WRITER_H
#define VM_STORE_SHARED_WRITER_H

#include "base/paths.h"
#include "store/writer.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>

namespace vm::store {

// Any thread may call it.
class SharedWriter : public Writer {
  public:
    // Opens nothing.
    explicit SharedWriter(Paths paths) : paths_(std::move(paths)) {}

    // The schema is up to date. Does nothing when it is open; otherwise the first write does it.
    Result<> open();
    Result<> write(const Write& what, const Body& body) override;

    // How many writes wait for one that is running. For tests.
    std::size_t waiting() const;

  private:
    // After so long a transaction takes in no more writes.
    static constexpr std::chrono::milliseconds kLongest{100};

    // Also of who rings it, when the member is gone already.
    struct Wake {
        std::condition_variable ring;
        std::shared_ptr<Wake> next;  // the ringing leader's
    };
    struct Member {
        const Write& what;
        const Body& body;
        std::exception_ptr thrown{};  // the leader's, as the two above, until it is done
        bool done = false;            // guarded by mutex_
        std::chrono::steady_clock::time_point since{};  // when it came
        std::shared_ptr<Wake> wake{std::make_shared<Wake>()};
    };
    using Lock = std::unique_lock<std::mutex>;

    void lead(Lock& lock) noexcept;
    void fail_taken();
    void run(bool alone, Durable durable, std::chrono::steady_clock::time_point deadline);
    Member* next(Durable durable);
    bool run_within(Member& member);
    bool undo();

    const Paths paths_;
    std::mutex opening_;
    std::unique_ptr<soci::session> sql_;  // the leader's; set under opening_, before any write
    mutable std::mutex mutex_;
    bool led_ = false;             // guarded by mutex_
    std::deque<Member*> waiting_;  // guarded by mutex_; by the time they came
    std::size_t taken_ = 0;        // guarded by mutex_; so many of these are in the transaction
};

}  // namespace vm::store

#endif
