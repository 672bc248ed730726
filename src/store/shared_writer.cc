#include "store/shared_writer.h"

#include <algorithm>
#include <utility>

namespace vm::store {

using std::chrono::steady_clock;

Result<> SharedWriter::open() {
    const std::lock_guard lock(opening_);
    if (sql_) return {};
    VM_ASSIGN(auto sql, open_database(paths_));
    VM_TRY(guarded("open the store", paths_.database().string(), [&]() -> Result<> {
        // What a savepoint may have to put back stays in memory: SQLite would write more than a few
        // pages of it to a file in the system's temporary directory.
        *sql << "PRAGMA temp_store = MEMORY";
        return {};
    }));
    sql_ = std::move(sql);
    return {};
}

std::size_t SharedWriter::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size() - taken_;
}

Result<> SharedWriter::write(const Write& what, const Body& body) {
    VM_TRY(open());
    Member mine{what, body};
    Lock lock(mutex_);
    mine.since = steady_clock::now();
    waiting_.push_back(&mine);
    while (!mine.done) {
        if (led_)
            mine.wake->ring.wait(lock);
        else
            lead(lock);
    }
    if (!mine.thrown) return {};
    return guarded(what.operation, what.object,
                   [&]() -> Result<> { std::rethrow_exception(mine.thrown); });
}

// Makes one transaction of those who wait, and wakes them; then somebody else may lead. Allocates
// nothing: there is nobody who could be told.
void SharedWriter::lead(Lock& lock) noexcept {
    led_ = true;
    const std::size_t together = waiting_.size();
    const bool durable = std::any_of(waiting_.begin(), waiting_.end(), [](const Member* member) {
        return member->what.durable == Durable::kAtCommit;
    });
    const auto deadline = waiting_.front()->since + kBusyTimeout;
    lock.unlock();
    try {
        run(together == 1, durable ? Durable::kAtCommit : Durable::kSoon, deadline);
        lock.lock();
    } catch (const soci::soci_error& error) {
        lock.lock();
        // What does not begin has failed for all who were there; but where it is another's lock
        // that keeps us, for those who have waited for it long enough.
        const bool others_lock = taken_ == 0 && is_busy(error);
        while (taken_ < together && (!others_lock || taken_ == 0 ||
                                     waiting_[taken_]->since <= steady_clock::now() - kBusyTimeout))
            ++taken_;
        fail_taken();
    } catch (...) {
        lock.lock();
        if (taken_ == 0) taken_ = together;
        fail_taken();
    }
    led_ = false;
    std::shared_ptr<Wake> chain;
    for (; taken_ > 0; --taken_) {
        Member* const member = waiting_.front();
        waiting_.pop_front();
        member->done = true;
        member->wake->next = std::move(chain);
        chain = member->wake;
    }
    const std::shared_ptr<Wake> leader = waiting_.empty() ? nullptr : waiting_.front()->wake;
    // Without the lock, which the first thing is that they need.
    lock.unlock();
    while (chain) {
        chain->ring.notify_one();
        chain = std::exchange(chain->next, nullptr);
    }
    if (leader) leader->ring.notify_one();
    lock.lock();
}

// To be called while what failed is being handled.
void SharedWriter::fail_taken() {
    for (std::size_t i = 0; i < taken_; ++i) waiting_[i]->thrown = std::current_exception();
}

void SharedWriter::run(bool alone, Durable durable, steady_clock::time_point deadline) {
    Transaction transaction(*sql_, durable, deadline);
    const auto longest = steady_clock::now() + kLongest;
    bool any = false;
    while (Member* const member = next(durable)) {
        // Who is alone needs no savepoint: what it leaves goes with the transaction.
        const bool stays = alone ? member->body(*sql_) : run_within(*member);
        if (stays) transaction.join(member->what.name);
        if (alone && !stays) return;
        any |= stays;
        alone = false;
        if (steady_clock::now() >= longest) break;
    }
    if (any) transaction.commit();
}

// Takes the next that may join a transaction; nullptr when there is none.
SharedWriter::Member* SharedWriter::next(Durable durable) {
    const std::lock_guard lock(mutex_);
    if (taken_ == waiting_.size()) return nullptr;
    Member* const first = waiting_[taken_];
    // SQLite wants to know it before a transaction begins.
    if (durable == Durable::kSoon && first->what.durable == Durable::kAtCommit) return nullptr;
    ++taken_;
    return first;
}

// One write of several. False: nothing of it is left. Throws when nothing of the transaction is.
bool SharedWriter::run_within(Member& member) {
    *sql_ << "SAVEPOINT member";
    try {
        const bool stays = member.body(*sql_);
        if (!stays) *sql_ << "ROLLBACK TO member";
        *sql_ << "RELEASE member";
        return stays;
    } catch (const soci::soci_error&) {
        if (!undo()) throw;  // SQLite has rolled back everything, as it does when the disk is full
        member.thrown = std::current_exception();
        return false;
    }
}

bool SharedWriter::undo() {
    try {
        *sql_ << "ROLLBACK TO member";
        *sql_ << "RELEASE member";
        return true;
    } catch (const soci::soci_error&) {
        return false;
    }
}

}  // namespace vm::store
