// A server for the plugins under fuzzing: what it says is the input, over a Wire and by a clock of
// its own, so that no input waits and each gives the same dialogue every time. dial() is defined
// here instead of in common/dial.cc: the login is held as libcurl would hold it, as far as the
// handshakes can see.
//
// The input is what the server says, but for:
//   0x1E, a line of its own   it is silent until the client has sent something
//   0x1D, a line of its own   it closes the connection; the next one goes on behind it
//   0x1C, a line of its own   the host wants the plugin to stop
//   "@ " at a line's begin    the tag of the oldest IMAP command without an answer
// (What stands behind these bytes on their lines is a remark.) At its end the server is silent: who
// waits runs into a timeout.
#ifndef VM_TESTS_FUZZ_HOSTILE_SERVER_H
#define VM_TESTS_FUZZ_HOSTILE_SERVER_H

#include "common/account.h"
#include "common/connection.h"
#include "common/smtp_connect.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vm::fuzz {

inline constexpr const char* kPassword = "chariots of fire";

class HostileServer {
  public:
    // There is one at a time: dial() connects to it. `piecemeal`: everything comes byte by byte,
    // and is taken in pieces.
    explicit HostileServer(std::string_view input, bool piecemeal = false);
    ~HostileServer();
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;

    static HostileServer& current();

    // The host of the sessions; it holds what is traced to vm_transport.h. It stays when the server
    // goes.
    static const vm_host* host();
    // Of an account on this server, for which a password is needed.
    plug::AccountOptions account() const;
    plug::SmtpOptions smtp() const;

    // What dial() needs: a connection, and the lines of the login.
    void accept() { closed_ = false; }
    std::optional<std::string> line();
    void hear(std::string_view data);
    std::unique_ptr<plug::Wire> wire();

    // All of both sides, the login included.
    const std::string& heard() const { return heard_; }
    const std::string& said() const { return said_; }

  private:
    friend class HostileWire;
    plug::Wire::Status say(char* buffer, std::size_t capacity, std::size_t& count);
    bool take_mark(char mark);
    void begin_line();

    std::string_view input_;
    std::string tag_;  // to be said before the rest of the input
    const bool piecemeal_;
    bool line_begins_ = true;
    bool answering_ = false;  // the client has sent something since the server spoke
    bool closed_ = false;
    bool stops_ = false;  // the host does
    bool busy_ = false;   // takes nothing just now
    std::string heard_, said_;
    std::string command_;           // as far as it was sent
    std::deque<std::string> tags_;  // of commands without an answer
    plug::Deadline now_{};
};

}  // namespace vm::fuzz

#endif
