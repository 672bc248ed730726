// The one connection below every protocol: an authenticated byte stream (see dial.h) with
// deadlines, bounded input, cancellation, counters and a transcript. Owned by one session, used by
// one thread at a time. It knows no protocol; it speaks of lines.
//
// Invariants: no call outlives its deadline; the host is asked for cancellation at least once a
// second; a line is at most kMaxLine bytes; after kLost, kTimeout, kGarbage or kCancelled the
// stream may be anywhere inside a line: the caller drops the connection.
#ifndef VM_PLUGINS_COMMON_CONNECTION_H
#define VM_PLUGINS_COMMON_CONNECTION_H

#include "common/host.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vm::plug {

using SteadyClock = std::chrono::steady_clock;
using Deadline = SteadyClock::time_point;

// Bytes as they come and go. libcurl's is made by dial(); tests make their own to inject faults.
class Wire {
  public:
    enum class Status { kOk, kAgain, kClosed };
    virtual ~Wire() = default;
    // Neither blocks. kOk: `count` bytes (at least one) were taken or given.
    virtual Status send(std::string_view data, std::size_t& count) = 0;
    virtual Status receive(char* buffer, std::size_t capacity, std::size_t& count) = 0;
    // Waits until there may be something to receive, or room to send if that is wanted.
    virtual void wait(bool for_room, std::chrono::milliseconds limit) = 0;
    // The socket, for those who wait for input elsewhere; -1: there is none.
    virtual int descriptor() const { return -1; }
    // The time that deadlines are held against.
    virtual Deadline now() const { return SteadyClock::now(); }
};

// What was exchanged, in bytes of the protocol (without TLS), and how often the client had to wait
// for the server.
struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint32_t round_trips = 0;
};

class Connection {
  public:
    enum class Io {
        kOk,
        kInput,  // send: the server spoke before it had taken everything
        kTimeout,
        kLost,       // closed or reset
        kGarbage,    // a line without end
        kCancelled,  // the host wants to stop
    };
    // Whether a call ends early when the host wants to stop.
    enum class Patience { kStopWhenAsked, kWaitForAnswer };
    enum class Input { kNone, kSome, kClosed };

    // `host` and `counters` outlive the connection; `received` is what was read from the wire
    // before and is yet to be read here.
    Connection(std::unique_ptr<Wire> wire, const Host& host, Counters& counters,
               std::string received = {})
        : wire_(std::move(wire)), host_(host), counters_(counters), buffer_(std::move(received)) {}

    Deadline now() const { return wire_->now(); }

    // Hands over all of `data`. With `stop_on_input` it ends with kInput as soon as the server says
    // something.
    Io send(std::string_view data, Deadline deadline, Patience patience,
            bool stop_on_input = false);

    // The next line without its end (CRLF or LF), traced.
    Io read_line(std::string& line, Deadline deadline, Patience patience);

    // Whether the server has said something that nobody asked for yet. Does not wait.
    Input input();

    // For protocols with other units than lines: what was received and not yet read, the part of it
    // that was read, and more of it - awaited, or as much as there is (kNone: nothing came).
    std::string_view received() const { return std::string_view(buffer_).substr(taken_); }
    void consume(std::size_t count);
    // Gives back the room for what was received, where nothing of it is left.
    void rest();
    Io fill(Deadline deadline, Patience patience);
    Input poll();
    // For who awaits elsewhere the answer to what was sent.
    void count_round_trip();

    int descriptor() const { return wire_->descriptor(); }
    // The stream, for another Connection, which is to be given received(), too.
    std::unique_ptr<Wire> take_wire() { return std::move(wire_); }

  private:
    Io pause(bool for_room, Deadline deadline, Patience patience);
    Wire::Status receive();

    std::unique_ptr<Wire> wire_;
    const Host& host_;
    Counters& counters_;
    std::string buffer_;  // received; read up to taken_
    std::size_t taken_ = 0;
    bool unanswered_ = false;  // something was sent since the last time an answer was awaited
};

}  // namespace vm::plug

#endif
