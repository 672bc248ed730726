#include "agent/store_threads.h"

namespace vm::agent {

StoreThreads::~StoreThreads() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void StoreThreads::submit(Job job) {
    bool grow = false;
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        grow = idle_ < jobs_.size() && threads_.size() < limit_;
    }
    if (grow) threads_.emplace_back([this] { serve(); });
    wake_.notify_one();
}

void StoreThreads::serve() {
    std::unique_ptr<store::Store> store;
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
        if (!store) {
            auto opened = store::Store::open(paths_);
            if (!opened) {
                job(fail(opened.error()));
                continue;
            }
            store = std::move(*opened);
        }
        job(store.get());
    }
}

}  // namespace vm::agent
