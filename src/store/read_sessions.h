// The sessions that a Store reads by: one of its own, or a few that the Stores of many threads
// share. A session costs the opening of a file and its schema, a cache of pages and one of
// statements; a thread that reads now and then needs none for itself.
#ifndef VM_STORE_READ_SESSIONS_H
#define VM_STORE_READ_SESSIONS_H

#include "base/error.h"
#include "base/paths.h"

#include <soci/soci.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vm::store {

// Any thread may call it. It outlives what it lends.
class ReadSessions {
  public:
    struct Return {
        ReadSessions* to = nullptr;
        void operator()(soci::session* session) const { to->take_back(session); }
    };
    // Gives its session back when it ends.
    using Loan = std::unique_ptr<soci::session, Return>;

    // The schema of the database is up to date. Opens nothing: a session is opened when none is
    // free, up to `limit`.
    ReadSessions(Paths paths, std::size_t limit) : paths_(std::move(paths)), limit_(limit) {}
    // One, which is open.
    explicit ReadSessions(std::unique_ptr<soci::session> session) : limit_(1), made_(1) {
        free_.push_back(std::move(session));
    }

    // Waits while all are lent. A thread that has one must not ask for another.
    Result<Loan> borrow();

  private:
    // Of one more session; taken with the lock, and given up unless it is kept.
    class Place {
      public:
        explicit Place(ReadSessions& in) : in_(&in) { ++in.made_; }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place();
        void keep() { in_ = nullptr; }

      private:
        ReadSessions* in_;
    };

    void take_back(soci::session* session);

    const std::optional<Paths> paths_;
    const std::size_t limit_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<soci::session>> free_;  // guarded by mutex_; the last was used last
    std::size_t made_ = 0;                              // guarded by mutex_
};

}  // namespace vm::store

#endif
