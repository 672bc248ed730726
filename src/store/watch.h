// Tells whose messages change, whoever changes them, with a descriptor to wait at; works with or
// without an agent. What is seen: everything that gives a mailbox a new sequence (MailboxChange).
//
// SQLite tells nobody of a commit, but its files are written before: the descriptor is readable
// when they were, and then every few milliseconds until they have been still for a while, as what
// was written cannot be read before its commit is over; and once a second, since a slow disk may
// take longer, and the system may be unable to tell. One thread at a time.
#ifndef VM_STORE_WATCH_H
#define VM_STORE_WATCH_H

#include "base/error.h"
#include "base/files.h"
#include "base/paths.h"
#include "store/store.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vm::store {

class Watch {
  public:
    // Of what is committed from now on, in mailbox `only` ("": in all). `store` is the caller's,
    // and not one for_threads(); nothing is told that itself writes.
    static Result<Watch> begin(const Paths& paths, Store& store, std::string only);

    // Readable when it is time for look(); the Watch's.
    int fd() const { return epoll_.get(); }
    // The mailboxes that have changed since the last look, each once. Never blocks.
    Result<std::vector<std::string>> look();

  private:
    using Clock = std::chrono::steady_clock;
    Watch(Store& store, std::string only) : store_(&store), only_(std::move(only)) {}
    Result<std::vector<MailboxChange>> changes();
    Result<> listen(const Paths& paths);
    bool drain();
    Result<> wake_after(std::chrono::milliseconds pause, bool at_writes);

    Store* store_;
    std::string only_;
    UniqueFd inotify_, timer_, epoll_;
    std::int64_t mark_ = 0, sequence_ = 0;
    Clock::time_point settled_{};  // when the files will have been still long enough
};

}  // namespace vm::store

#endif
