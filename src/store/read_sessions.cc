#include "store/read_sessions.h"

#include "store/database.h"

namespace vm::store {

Result<ReadSessions::Loan> ReadSessions::borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !free_.empty() || made_ < limit_; });
    if (!free_.empty()) {
        Loan loan(free_.back().release(), {this});
        free_.pop_back();
        return loan;
    }
    ++made_;
    lock.unlock();
    auto opened = open_database(*paths_);
    if (opened) return Loan(opened->release(), {this});
    lock.lock();
    --made_;
    returned_.notify_one();
    return fail(opened.error());
}

void ReadSessions::take_back(soci::session* session) {
    {
        const std::lock_guard lock(mutex_);
        free_.emplace_back(session);
    }
    returned_.notify_one();
}

}  // namespace vm::store
