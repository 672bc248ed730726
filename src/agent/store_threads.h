// A few threads that run jobs, with one Store for all of them. Threads are made when work waits and
// none is idle, up to the limit or what the system allows; they end with the object, after the jobs
// they are in.
#ifndef VM_AGENT_STORE_THREADS_H
#define VM_AGENT_STORE_THREADS_H

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
    // A job gets the Store. Where not even one thread can be made it gets the reason instead,
    // within submit().
    using Job = std::function<void(Result<store::Store*>)>;

    // `store`: Store::for_threads().
    StoreThreads(std::shared_ptr<store::Store> store, std::size_t limit)
        : store_(std::move(store)), limit_(limit) {}
    ~StoreThreads();
    StoreThreads(const StoreThreads&) = delete;
    StoreThreads& operator=(const StoreThreads&) = delete;

    void submit(Job job);

  private:
    std::optional<std::string> add_thread();
    void serve();

    const std::shared_ptr<store::Store> store_;
    const std::size_t limit_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;              // guarded by mutex_
    std::size_t idle_ = 0;              // guarded by mutex_
    bool stop_ = false;                 // guarded by mutex_
    std::vector<std::thread> threads_;  // touched by submit() and the destructor only
};

}  // namespace vm::agent

#endif
