#include "smtpimap4/dialogue.h"

#include <algorithm>
#include <utility>

namespace vm::plug::imap {

namespace {

using Io = Connection::Io;
using Patience = Connection::Patience;

// Between two tagged answers. The longest honest ones are of a hundred thousand changed messages.
constexpr std::size_t kBudget = std::size_t{16} << 20;
constexpr std::size_t kLongestTraced = 1000;
constexpr std::chrono::seconds kLogoutTime{1};
// Of what take_answer() takes at a time. An honest answer has three, and news before them.
constexpr int kMostAnswerLines = 100;
// What an IDLE that was ended is instead of a step.
constexpr std::size_t kEndedIdle = ~std::size_t{0};

const char* word_of(Status status) {
    switch (status) {
        case Status::kOk:
            return "OK";
        case Status::kNo:
            return "NO";
        case Status::kBad:
            return "BAD";
        case Status::kBye:
            return "BYE";
        case Status::kPreauth:
            break;
    }
    return "PREAUTH";
}

std::string words_of(const Condition& condition) {
    return one_line(word_of(condition.status) + (" " + condition.text));
}

std::string tag_of(unsigned number) {
    return "v" + std::to_string(number);
}

[[noreturn]] void lose(vm_cause cause, std::string text) {
    throw Ended(ending_of(VM_STEP_ACCOUNT, cause, std::move(text)), false);
}

}  // namespace

void require(const Condition& answer, const std::string& what) {
    if (answer.status == Status::kOk) return;
    throw Ended(ending_of(VM_STEP_ACCOUNT, VM_CAUSE_REPLY, what + ": " + words_of(answer)), true);
}

void give_up(vm_cause cause, std::string text) {
    throw Ended(ending_of(VM_STEP_ACCOUNT, cause, std::move(text)), true);
}

Dialogue::Dialogue(std::unique_ptr<Wire> wire, std::string received, const Host& host,
                   Counters& counters, std::chrono::milliseconds reply_timeout,
                   std::function<void(const Response&)> news)
    : connection_(std::move(wire), host, counters, std::move(received)),
      host_(host),
      reply_timeout_(reply_timeout),
      news_(std::move(news)) {}

void Dialogue::check(Io io, const char* what) {
    if (auto ending = ending_of(io, what, "a response without end"))
        throw Ended(std::move(*ending), false);
}

void Dialogue::send(const std::vector<Step>& steps, bool then_idle) {
    std::string out;
    const auto add = [&](const std::string& line) {
        host_.trace("C: ", line);
        out += line + "\r\n";
    };
    if (std::exchange(idling_, false)) {
        add("DONE");
        pending_.front().step = kEndedIdle;
    }
    const auto begin = [&](std::size_t step, const std::string& command) {
        pending_.push_back({tag_of(++tag_), step});
        add(pending_.back().tag + " " + command);
    };
    for (std::size_t i = 0; i < steps.size(); ++i) begin(i, steps[i].command);
    if (then_idle) begin(steps.size(), "IDLE");
    budget_ = kBudget;
    check(connection_.send(out, std::min(connection_.now() + reply_timeout_, end_),
                           Patience::kStopWhenAsked),
          "sending a command");
}

// The line that is complete in the connection's buffer.
Response Dialogue::take_line() {
    const std::string_view received = connection_.received();
    host_.trace("S: ", framer_.shown(received), kLongestTraced);
    const std::size_t size = framer_.take();
    if (size > budget_) lose(VM_CAUSE_PROTOCOL, "responses without end");
    budget_ -= size;
    std::string_view line = received.substr(0, size - 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    Response response = parser_.parse(line);
    if (std::holds_alternative<Malformed>(response))
        lose(VM_CAUSE_PROTOCOL,
             "not a valid IMAP response: \"" + host_.hide(line, kLongestQuote) + "\"");
    connection_.consume(size);
    auto* condition = std::get_if<Condition>(&response);
    // Its words go to the host by many ways, and are cut on some of them: they are hidden here.
    if (condition != nullptr) condition->text = host_.hide(condition->text);
    if (condition != nullptr && condition->status == Status::kBye)
        lose(VM_CAUSE_REPLY, words_of(*condition));
    return response;
}

Response Dialogue::next(Deadline deadline) {
    for (;;) {
        // An endless stream of what is not asked for would never run into the socket's waiting.
        if (connection_.now() > deadline) check(Io::kTimeout, "waiting for an answer");
        if (host_.cancelled()) check(Io::kCancelled, "waiting for an answer");
        switch (framer_.look(connection_.received())) {
            case Framer::State::kComplete:
                return take_line();
            case Framer::State::kTooLong:
                check(Io::kGarbage, "");
                break;
            case Framer::State::kMore:
                break;
        }
        check(connection_.fill(deadline, Patience::kStopWhenAsked), "waiting for an answer");
    }
}

// To the first command in hand that takes it: servers execute in order, but some give the tagged
// answers late.
void Dialogue::hand_out(const Response& response, const std::vector<Step>& steps) {
    if (std::holds_alternative<Unknown>(response)) return;
    // What the server says of itself is no answer to anything (RFC 5465 section 5.8).
    const auto* condition = std::get_if<Condition>(&response);
    if (condition != nullptr && condition->code == "NOTIFICATIONOVERFLOW") return news_(response);
    for (const Pending& pending : pending_)
        if (pending.step < steps.size() && steps[pending.step].answer &&
            steps[pending.step].answer(response))
            return;
    news_(response);
}

// The tagged answer `condition` completes a command; which one of the steps.
std::size_t Dialogue::complete(const Condition& condition) {
    const auto pending = std::find_if(pending_.begin(), pending_.end(),
                                      [&](const Pending& one) { return one.tag == condition.tag; });
    if (pending == pending_.end())
        lose(VM_CAUSE_PROTOCOL,
             "an answer to a command that was not sent: \"" + one_line(condition.tag) + "\"");
    const std::size_t step = pending->step;
    pending_.erase(pending);
    answered_ = true;
    budget_ = kBudget;
    return step;
}

std::string Dialogue::text_of(const std::vector<Step>& steps) {
    std::string out;
    unsigned tag = 0;
    for (const Step& step : steps) out += tag_of(++tag) + " " + step.command + "\r\n";
    return out;
}

std::vector<Condition> Dialogue::answers_to(const std::vector<Step>& steps,
                                            std::chrono::milliseconds patience) {
    for (std::size_t i = 0; i < steps.size(); ++i) pending_.push_back({tag_of(++tag_), i});
    budget_ = kBudget;
    return await(steps, false, patience);
}

// One response while the steps are in hand, and IDLE behind them; `out` gets the tagged answers.
// True: it is one.
bool Dialogue::hear(const Response& response, const std::vector<Step>& steps, bool then_idle,
                    std::vector<Condition>& out) {
    if (std::holds_alternative<Continuation>(response)) {
        if (!then_idle || idling_ || pending_.size() > 1)
            lose(VM_CAUSE_PROTOCOL, "the server wants more of a command that was complete");
        idling_ = true;
        out.back().status = Status::kOk;
        return false;
    }
    const auto* condition = std::get_if<Condition>(&response);
    if (condition == nullptr || condition->tag.empty()) {
        hand_out(response, steps);
        return false;
    }
    const std::size_t step = complete(*condition);
    if (step < out.size()) out[step] = *condition;
    // OK to IDLE would say that it is over before it began.
    if (then_idle && step == steps.size() && condition->status == Status::kOk)
        out[step].status = Status::kNo;
    return true;
}

// Reads until no command is in hand but IDLE, which waits for the server's '+'. `patience`: for the
// first tagged answer.
std::vector<Condition> Dialogue::await(const std::vector<Step>& steps, bool then_idle,
                                       std::chrono::milliseconds patience) {
    std::vector<Condition> out(steps.size() + (then_idle ? 1 : 0));
    Deadline deadline = std::min(connection_.now() + patience, end_);
    while (!pending_.empty() && !idling_)
        if (hear(next(deadline), steps, then_idle, out))
            deadline = std::min(connection_.now() + reply_timeout_, end_);
    return out;
}

std::vector<Condition> Dialogue::exchange(std::vector<Step> steps, bool then_idle) {
    if (std::exchange(asked_, false)) await(question_, true, reply_timeout_);
    const auto before = static_cast<std::ptrdiff_t>(preceding_.size());
    if (before > 0) {
        steps.insert(steps.begin(), preceding_.begin(), preceding_.end());
        preceding_ = std::vector<Step>();
    }
    send(steps, then_idle);
    std::vector<Condition> out = await(steps, then_idle, reply_timeout_);
    out.erase(out.begin(), out.begin() + before);
    return out;
}

std::vector<Condition> Dialogue::run(const std::vector<Step>& steps) {
    return exchange(steps, false);
}

Condition Dialogue::run(std::string command, Answer answer) {
    return run({{std::move(command), std::move(answer)}}).front();
}

std::vector<Condition> Dialogue::idle(const std::vector<Step>& steps) {
    return exchange(steps, true);
}

void Dialogue::ask(std::string command) {
    question_ = {{std::move(command), {}}};
    send(question_, true);
    connection_.count_round_trip();
    asked_ = true;
}

Dialogue::Taken Dialogue::take_answer() {
    std::vector<Condition> out(question_.size() + 1);
    for (int lines = 0; asked_;) {
        if (lines == kMostAnswerLines) return Taken::kTooMuch;
        const Framer::State state = framer_.look(connection_.received());
        if (state == Framer::State::kTooLong) check(Io::kGarbage, "");
        if (state == Framer::State::kComplete) {
            ++lines;
            hear(take_line(), question_, true, out);
            asked_ = !pending_.empty() && !idling_;
            continue;
        }
        const Connection::Input input = connection_.poll();
        if (input == Connection::Input::kNone) return Taken::kSome;
        if (input == Connection::Input::kClosed) check(Io::kLost, "waiting for an answer");
    }
    return Taken::kAll;
}

void Dialogue::poll() {
    if (asked_ && take_answer() != Taken::kAll) return;
    budget_ = kBudget;
    for (;;) {
        const Framer::State state = framer_.look(connection_.received());
        if (state == Framer::State::kTooLong) check(Io::kGarbage, "");
        if (state == Framer::State::kComplete) {
            const Response response = take_line();
            const auto* condition = std::get_if<Condition>(&response);
            if (condition != nullptr && !condition->tag.empty())
                lose(VM_CAUSE_PROTOCOL, "the server ended IDLE by itself: " + words_of(*condition));
            hand_out(response, {});
            continue;
        }
        const Connection::Input input = connection_.poll();
        if (input == Connection::Input::kNone) return;
        if (input == Connection::Input::kClosed) check(Io::kLost, "it was idle");
    }
}

void Dialogue::rest() {
    parser_.rest();
    connection_.rest();
}

void Dialogue::log_out() {
    host_.trace("C: ", idling_ ? "DONE, LOGOUT" : "LOGOUT");
    connection_.send((idling_ ? "DONE\r\n" : "") + (tag_of(++tag_) + " LOGOUT\r\n"),
                     connection_.now() + kLogoutTime, Patience::kStopWhenAsked);
}

}  // namespace vm::plug::imap
