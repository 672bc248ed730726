#include "common/connection.h"

#include "base/crash_point.h"
#include "common/reply.h"

#include <algorithm>
#include <set>

namespace vm::plug {

namespace {

// How long to wait before asking the host again whether to go on.
constexpr std::chrono::milliseconds kSlice{500};

constexpr std::size_t kMostReadWhileSending = std::size_t{8} << 20;

#ifdef VM_CRASH_POINTS
// The step of a dialogue that `data` is, for the name of a crash point: the commands of the flight,
// each once ("MAIL+RCPT+DATA", "UID FETCH"), "dot" for the end of a message, "text" for the rest of
// it (and what answers a challenge).
std::string step_of(std::string_view data) {
    if (data == ".\r\n" || data.ends_with("\r\n.\r\n")) return "dot";
    std::string out;
    std::set<std::string> steps;
    while (!data.empty()) {
        std::string_view line = data.substr(0, data.find('\n'));
        data.remove_prefix(std::min(data.size(), line.size() + 1));
        if (line.starts_with('v')) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
        const std::string_view uid = line.starts_with("UID ") ? line.substr(0, 4) : "";
        line.remove_prefix(uid.size());
        const std::string_view verb = line.substr(0, line.find_first_of(" \r"));
        if (verb.empty() || verb.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != verb.npos)
            return out.empty() ? "text" : out;
        const std::string step = std::string(uid) + std::string(verb);
        if (steps.insert(step).second) out += (out.empty() ? "" : "+") + step;
    }
    return out;
}

// The last step this thread has sent, on whichever connection.
thread_local std::string sent_step;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
#endif

}  // namespace

Connection::Io Connection::pause(bool for_room, Deadline deadline, Patience patience) {
    if (patience == Patience::kStopWhenAsked && host_.cancelled()) return Io::kCancelled;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
    if (left.count() <= 0) return Io::kTimeout;
    wire_->wait(for_room, std::min(left, kSlice));
    return Io::kOk;
}

Wire::Status Connection::receive() {
    char block[4096];
    std::size_t count = 0;
    const Wire::Status status = wire_->receive(block, sizeof block, count);
    if (status == Wire::Status::kOk) {
        buffer_.append(block, count);
        counters_.received += count;
        VM_CRASH_POINT("answer " + sent_step);
    }
    return status;
}

Connection::Io Connection::send(std::string_view data, Deadline deadline, Patience patience,
                                bool stop_on_input) {
#ifdef VM_CRASH_POINTS
    sent_step = step_of(data);
#endif
    VM_CRASH_POINT("send " + sent_step);
    while (!data.empty()) {
        std::size_t count = 0;
        const Wire::Status status = wire_->send(data, count);
        if (status == Wire::Status::kClosed) return Io::kLost;
        if (status == Wire::Status::kOk) {
            data.remove_prefix(count);
            counters_.sent += count;
            unanswered_ = true;
            continue;
        }
        // The server takes no more just now; perhaps it has something to say. Reading is also what
        // lets TLS go on when it needs the peer's bytes to send its own.
        if (stop_on_input && input() != Input::kNone) return Io::kInput;
        // Read all the same, or neither side could go on.
        if (!stop_on_input && received().size() >= kMostReadWhileSending) return Io::kGarbage;
        if (!stop_on_input && receive() == Wire::Status::kClosed) return Io::kLost;
        if (const Io io = pause(true, deadline, patience); io != Io::kOk) return io;
    }
    VM_CRASH_POINT("sent " + sent_step);
    return Io::kOk;
}

void Connection::consume(std::size_t count) {
    taken_ += count;
    // Moving the rest for every line would cost the square of what is there.
    if (taken_ < buffer_.size() / 2) return;
    buffer_.erase(0, taken_);
    taken_ = 0;
}

void Connection::rest() {
    if (!received().empty()) return;
    buffer_ = std::string();
    taken_ = 0;
}

// Whether the answer is already there or not: what counts is that it had to be awaited.
void Connection::count_round_trip() {
    if (unanswered_) ++counters_.round_trips;
    unanswered_ = false;
}

Connection::Io Connection::fill(Deadline deadline, Patience patience) {
    count_round_trip();
    for (;;) {
        switch (receive()) {
            case Wire::Status::kOk:
                return Io::kOk;
            case Wire::Status::kClosed:
                return Io::kLost;
            case Wire::Status::kAgain:
                break;
        }
        if (const Io io = pause(false, deadline, patience); io != Io::kOk) return io;
    }
}

Connection::Io Connection::read_line(std::string& line, Deadline deadline, Patience patience) {
    for (;;) {
        const std::string_view text = received();
        const auto end = text.find('\n');
        if (end <= kMaxLine) {  // npos is larger
            line.assign(text, 0, end > 0 && text[end - 1] == '\r' ? end - 1 : end);
            consume(end + 1);
            // (A challenge: the base64 of SASL is no one's business.)
            host_.trace("S: ", line.starts_with("+ ") ? "+ [hidden]" : std::string_view(line));
            return Io::kOk;
        }
        if (text.size() > kMaxLine) return Io::kGarbage;
        if (const Io io = fill(deadline, patience); io != Io::kOk) return io;
    }
}

Connection::Input Connection::input() {
    return received().empty() ? poll() : Input::kSome;
}

Connection::Input Connection::poll() {
    switch (receive()) {
        case Wire::Status::kOk:
            return Input::kSome;
        case Wire::Status::kClosed:
            return Input::kClosed;
        case Wire::Status::kAgain:
            break;
    }
    return Input::kNone;
}

}  // namespace vm::plug
