#include "store/shared_writer.h"

#include <algorithm>

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
    return waiting_.size();
}

Result<> SharedWriter::write(const Write& what, const Body& body) {
    VM_TRY(open());
    Member mine{what, body};
    Lock lock(mutex_);
    waiting_.push_back(&mine);
    while (!mine.done) {
        if (led_)
            mine.wake->wait(lock);
        else
            lead(lock);
    }
    if (mine.thrown) std::rethrow_exception(mine.thrown);
    return std::move(mine.result);
}

// Makes one transaction of those who wait, and wakes them; then somebody else may lead.
void SharedWriter::lead(Lock& lock) noexcept {
    led_ = true;
    const std::size_t together = waiting_.size();
    const bool durable = std::any_of(waiting_.begin(), waiting_.end(), [](const Member* member) {
        return member->what.durable == Durable::kAtCommit;
    });
    lock.unlock();
    std::vector<Member*> batch;
    try {
        run(batch, together == 1, durable ? Durable::kAtCommit : Durable::kSoon);
        lock.lock();
    } catch (const soci::soci_error& error) {
        lock.lock();
        // With it fail all who were there at its begin: they have waited for the lock of another
        // process together, and one after the other they would do so for minutes.
        for (; batch.size() < together; waiting_.pop_front()) batch.push_back(waiting_.front());
        for (Member* member : batch) member->fail_for(error);
    } catch (...) {
        lock.lock();
        for (Member* member : batch) member->thrown = std::current_exception();
    }
    led_ = false;
    std::vector<std::shared_ptr<std::condition_variable>> wakes;
    for (Member* member : batch) {
        member->done = true;
        wakes.push_back(member->wake);
    }
    if (!waiting_.empty()) wakes.push_back(waiting_.front()->wake);
    // Without the lock, which the first thing is that they need.
    lock.unlock();
    for (const auto& wake : wakes) wake->notify_one();
    lock.lock();
}

// Takes them from waiting_ into `batch`.
void SharedWriter::run(std::vector<Member*>& batch, bool alone, Durable durable) {
    Transaction transaction(*sql_, durable);
    const auto deadline = steady_clock::now() + kLongest;
    bool any = false;
    while (Member* const member = next(durable)) {
        batch.push_back(member);
        // Who is alone needs no savepoint: what it leaves goes with the transaction.
        const bool stays = alone ? member->body(*sql_) : run_within(*member);
        if (stays) transaction.join(member->what.name);
        if (alone && !stays) return;
        any |= stays;
        alone = false;
        if (steady_clock::now() >= deadline) break;
    }
    if (any) transaction.commit();
}

// The next that may join a transaction; nullptr when there is none.
SharedWriter::Member* SharedWriter::next(Durable durable) {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return nullptr;
    Member* const first = waiting_.front();
    // SQLite wants to know it before a transaction begins.
    if (durable == Durable::kSoon && first->what.durable == Durable::kAtCommit) return nullptr;
    waiting_.pop_front();
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
    } catch (const soci::soci_error& error) {
        if (!undo()) throw;  // SQLite has rolled back everything, as it does when the disk is full
        member.fail_for(error);
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

void SharedWriter::Member::fail_for(const soci::soci_error& error) {
    result = fail(database_error(what.operation, what.object, error));
}

}  // namespace vm::store
