#include "store/read_sessions.h"

#include "store/database.h"

namespace vm::store {

Result<ReadSessions::Loan> ReadSessions::borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !free_.empty() || made_ < limit_; });
    if (!free_.empty()) {
        Loan loan(free_.back().release(), {this});
        free_.pop_back();
        loan->get_query_stream().clear();  // of what failed for the last
        return loan;
    }
    free_.reserve(made_ + 1);  // that it comes back must not fail
    Place place(*this);
    lock.unlock();
    VM_ASSIGN(auto opened, open_database(*paths_));
    place.keep();
    return Loan(opened.release(), {this});
}

ReadSessions::Place::~Place() {
    if (in_ == nullptr) return;
    {
        const std::lock_guard lock(in_->mutex_);
        --in_->made_;
    }
    in_->returned_.notify_one();
}

void ReadSessions::take_back(soci::session* session) {
    {
        const std::lock_guard lock(mutex_);
        free_.emplace_back(session);
    }
    returned_.notify_one();
}

}  // namespace vm::store
