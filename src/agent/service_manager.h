// What the master tells a service manager that has started it with $NOTIFY_SOCKET (systemd, type
// notify): that it is ready, that it stops, that it still lives. Without one nothing is told.
//
// A datagram of NAME=VALUE lines each, sd_notify(3): this protocol is meant to be spoken without
// libsystemd, which would bring six more libraries into every start of the agent.
#ifndef VM_AGENT_SERVICE_MANAGER_H
#define VM_AGENT_SERVICE_MANAGER_H

#include <cstdint>
#include <string>

namespace vm::agent {

// Of the process's main thread.
class ServiceManager {
  public:
    // Takes what it needs out of the environment, so that no child speaks for this process.
    ServiceManager();

    void ready() const { tell("READY=1"); }
    void stopping() const { tell("STOPPING=1"); }
    // To be called from the loop that must not hang (WatchdogSec=): a sign of life when one is due,
    // twice in the time that the manager waits for it.
    void keep(std::int64_t steady_ms);

  private:
    void tell(const char* message) const;

    std::string socket_;             // "": there is no manager
    std::int64_t watchdog_ms_ = 0;   // 0: no sign of life is wanted
    std::int64_t next_sign_ms_ = 0;  // steady
};

}  // namespace vm::agent

#endif
