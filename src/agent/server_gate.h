// Who may talk to which server now. Keeps one dead, slow or strict server from delaying the
// mailboxes of others:
// - a server that has not proved itself gets one dialogue at a time, one that is down none until
//   its pause is over, and all such servers together at most half of the threads;
// - one that proved itself gets a few at a time, with each that goes well one more, up to a limit
//   that leaves threads to others;
// - new connections (and so logins) are spread over time, and open ones are limited, by the options
//   and by what the server itself has shown to bear.
//
// Pure bookkeeping, times in milliseconds of Clock::steady_ms(). One thread: the worker's
// scheduler.
#ifndef VM_AGENT_SERVER_GATE_H
#define VM_AGENT_SERVER_GATE_H

#include "config/config.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace vm::agent {

// What a turn found out about its server: the news of its last dialogue.
enum class ServerSeen {
    kNothing,     // there was no dialogue, or it broke off for a reason of ours
    kWorks,       // it answered as a working server does
    kStalls,      // it broke off or went silent in the middle
    kTurnedAway,  // it refused the connection in its greeting, or closed it before one
    kDown,        // nobody gets through to it
};

class ServerGate {
  public:
    // `most_at_once`: dialogues with one server, however well it works.
    ServerGate(int threads, int most_at_once)
        : unproven_limit_(threads > 1 ? threads / 2 : 1), most_at_once_(most_at_once) {}

    // g_nLoginsPerSecond and g_nConnectionsPerServer, as the share of worker `index` of so many; of
    // the latter at least one.
    void set_limits(const config::MiscSetup& misc, int index, int workers);

    enum class Verdict {
        kGo,     // start: call started(), later finished()
        kWait,   // its dialogues, or the threads for servers like it, are taken: ask again later
        kPaced,  // not before may_connect_at(): connections are spread over time
        kFull,   // as many connections are open as may be: close another one, or ask again later
        kDown,   // it is down until down_until(): do not try
    };
    // `connects`: the dialogue needs a new connection.
    Verdict ask(const std::string& server, std::int64_t now, bool connects) const;
    void started(const std::string& server, std::int64_t now, bool connects);
    void finished(const std::string& server, ServerSeen seen);
    // The same as finished() with kWorks, of a dialogue that goes on.
    void works(const std::string& server);
    // A connection that a dialogue had opened is closed.
    void closed(const std::string& server);
    // Found down, `failures` times in a row: not to be tried until then.
    void finished_down(const std::string& server, const std::string& reason, int failures,
                       std::int64_t until);
    // It turned one away while others of ours are open: no more than these for now. False: there
    // are no others, so that it is down.
    bool finished_turned_away(const std::string& server, std::int64_t now);
    // How often in a row it was found down.
    int failures(const std::string& server) const;

    // The server may be tried at once.
    void end_pause(const std::string& server);

    // The end of the pause and why, for a server that ask() called down.
    std::int64_t down_until(const std::string& server) const;
    std::string down_reason(const std::string& server) const;
    std::int64_t may_connect_at(const std::string& server, std::int64_t now) const;
    int open(const std::string& server) const;  // connections; for tests

  private:
    struct Server {
        bool proven = false;  // the last conversation showed that it works
        int running = 0;      // dialogues
        int at_once = 0;      // so many may be, when it is proven
        int open = 0;         // connections
        int failures = 0;     // in a row
        std::int64_t down_until = 0;
        std::string reason;
        // What it has shown to bear since it was down; one more is tried each kForgiveMs after
        // that.
        std::optional<int> bears;
        std::int64_t turned_away_at = 0;
        double spent = 0;  // of the connections that may be opened at once, as of spent_at
        std::int64_t spent_at = 0;
    };
    static void answered(Server& server);
    const Server* find(const std::string& name) const;
    int unproven_running() const;
    static int bears(const Server& server, std::int64_t now);
    bool is_full(const Server& server, std::int64_t now) const;
    double spent(const Server& server, std::int64_t now) const;

    const int unproven_limit_;
    const int most_at_once_;
    double rate_ = 0;
    int most_open_ = 0;
    std::map<std::string, Server> servers_;
};

}  // namespace vm::agent

#endif
