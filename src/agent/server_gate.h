// Who may talk to which server now. Keeps one dead or slow server from delaying the mailboxes of
// others: a server that has not proved itself gets one connection at a time, one that is down none
// until its pause is over, and all such servers together at most half of the threads.
//
// Pure bookkeeping, times in milliseconds of Clock::steady_ms(). One thread: the worker's
// scheduler.
#ifndef VM_AGENT_SERVER_GATE_H
#define VM_AGENT_SERVER_GATE_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace vm::agent {

// What a turn found out about its server: the news of its last dialogue.
enum class ServerSeen {
    kNothing,  // there was no dialogue, or it broke off for a reason of ours
    kWorks,    // it answered as a working server does
    kStalls,   // it broke off or went silent in the middle
    kDown,     // nobody gets through to it
};

class ServerGate {
  public:
    explicit ServerGate(int threads) : unproven_limit_(threads > 1 ? threads / 2 : 1) {}

    enum class Verdict {
        kGo,    // start: call started(), later finished()
        kWait,  // its connections, or the threads for servers like it, are taken: ask again later
        kDown,  // it is down until down_until(): do not try
    };
    Verdict ask(const std::string& server, std::int64_t now) const;
    void started(const std::string& server);
    void finished(const std::string& server, ServerSeen seen);
    // Found down, `failures` times in a row: not to be tried until then.
    void finished_down(const std::string& server, const std::string& reason, int failures,
                       std::int64_t until);
    // How often in a row it was found down.
    int failures(const std::string& server) const;

    // The server may be tried at once.
    void end_pause(const std::string& server);

    // The end of the pause and why, for a server that ask() called down.
    std::int64_t down_until(const std::string& server) const;
    std::string down_reason(const std::string& server) const;

  private:
    struct Server {
        bool proven = false;  // the last conversation showed that it works
        int running = 0;
        int failures = 0;  // in a row
        std::int64_t down_until = 0;
        std::string reason;
    };
    int unproven_running() const;

    int unproven_limit_;
    std::map<std::string, Server> servers_;
};

}  // namespace vm::agent

#endif
