// Which process something was opened in. SQLite keeps in memory what locks the process has on a
// database: a child that was forked meanwhile would believe that it had them.
#ifndef VM_LIBRARY_PROCESS_H
#define VM_LIBRARY_PROCESS_H

#include "base/error.h"

#include <sys/types.h>

namespace vm::library {

// Part of everything that has the database open. Any thread.
class OfProcess {
  public:
    // kUsage in the child of a process that had something open when it forked.
    static Result<OfProcess> enter(const char* function);
    OfProcess(OfProcess&& other) noexcept;
    OfProcess& operator=(OfProcess&&) = delete;
    ~OfProcess();
    // kUsage in another process than that which made it.
    Result<> check(const char* function) const;
    bool is_ours() const;

  private:
    explicit OfProcess(pid_t process) : process_(process) {}
    pid_t process_;  // 0: moved from
};

}  // namespace vm::library

#endif
