#include "agent/store_threads.h"

#include <system_error>

namespace vm::agent {

StoreThreads::~StoreThreads() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

// Makes one more; the reason when the system refuses (a limit of tasks, no memory).
std::optional<std::string> StoreThreads::add_thread() {
    try {
        threads_.emplace_back([this] { serve(); });
        return std::nullopt;
    } catch (const std::system_error& problem) {
        return problem.code().message();
    }
}

void StoreThreads::submit(Job job) {
    bool grow = false;
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        grow = idle_ < jobs_.size() && threads_.size() < limit_;
    }
    if (grow) {
        const auto problem = add_thread();
        if (problem && threads_.empty()) {  // nobody else would ever take it
            std::unique_lock lock(mutex_);
            const Job refused = std::move(jobs_.back());
            jobs_.pop_back();
            lock.unlock();
            refused(fail(ErrorKind::kUnavailable, "start", "a thread of the worker", *problem,
                         "is the limit of tasks too low?"));
            return;
        }
    }
    wake_.notify_one();
}

void StoreThreads::serve() {
    for (;;) {
        Job job;
        {
            std::unique_lock lock(mutex_);
            ++idle_;
            wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
            --idle_;
            if (jobs_.empty()) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job(store_.get());
    }
}

}  // namespace vm::agent
