// Asterisk's manager interface (AMI), as far as message waiting needs it: after a change of the
// spool from outside, VoicemailRefresh has Asterisk count a mailbox anew (18.20, 20.5 and later;
// older ones do by pollmailboxes).
#ifndef VM_ASTERISK_AMI_H
#define VM_ASTERISK_AMI_H

#include "asterisk/settings.h"
#include "base/error.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace vm::asterisk {

// Logs in and has Asterisk count `boxes` (none: logs in only); those that it was told leave the
// set, also when there is an error. What the server says is bounded, and so is the time. kAccount:
// the login was refused; kUnavailable, with the server's words. Blocks; any thread.
Result<> refresh(const Settings& settings, std::set<Box>& boxes, std::chrono::milliseconds limit);

// Does so in a thread of its own, for what nobody waits. Trouble is told once, and what could not
// be told is told with the next.
class Refresher {
  public:
    explicit Refresher(const Settings& settings);  // which outlives it
    ~Refresher();                                  // after what was asked for is done
    Refresher(const Refresher&) = delete;
    Refresher& operator=(const Refresher&) = delete;

    // Nothing when no AMI Host is set.
    void ask(const Box& box);

  private:
    void run();

    const Settings& settings_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::set<Box> due_;    // guarded by mutex_
    bool ending_ = false;  // guarded by mutex_
    std::thread thread_;   // last
};

}  // namespace vm::asterisk

#endif
