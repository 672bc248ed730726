// A few threads that run jobs, each with a Store of its own; what these write at the same time is
// committed together with what others write by the same `writer`. Threads are made when work waits
// and none is idle, up to the limit or what the system allows; they end with the object, after the
// jobs they are in.
#ifndef VM_AGENT_STORE_THREADS_H
#define VM_AGENT_STORE_THREADS_H

#include "base/paths.h"
#include "store/store.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace vm::agent {

class StoreThreads {
  public:
    // A job gets the thread's Store, or the reason why there is none. Where not even one thread can
    // be made it runs within submit().
    using Job = std::function<void(Result<store::Store*>)>;

    // Without a `writer` each writes by itself.
    StoreThreads(Paths paths, std::size_t limit,
                 std::shared_ptr<store::SharedWriter> writer = nullptr)
        : paths_(std::move(paths)), limit_(limit), writer_(std::move(writer)) {}
    ~StoreThreads();
    StoreThreads(const StoreThreads&) = delete;
    StoreThreads& operator=(const StoreThreads&) = delete;

    void submit(Job job);

  private:
    std::optional<std::string> add_thread();
    void serve();

    Paths paths_;
    std::size_t limit_;
    const std::shared_ptr<store::SharedWriter> writer_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;              // guarded by mutex_
    std::size_t idle_ = 0;              // guarded by mutex_
    bool stop_ = false;                 // guarded by mutex_
    std::vector<std::thread> threads_;  // touched by submit() and the destructor only
};

}  // namespace vm::agent

#endif
