#include "common/smtp.h"

#include "common/dot_stuffer.h"
#include "common/text.h"

#include <algorithm>
#include <cstdio>
#include <memory>

namespace vm::plug {

namespace {

constexpr int kClosing = 421;
constexpr std::size_t kBlock = std::size_t{64} * 1024;  // message data handed over at a time
constexpr std::uint64_t kSlowest = 1000;  // bytes of data a second, below which a server is left

std::string seconds(std::chrono::milliseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", static_cast<double>(time.count()) / 1000);
    return text;
}

}  // namespace

// ---- before anything is sent --------------------------------------------------------------------

std::optional<Ending> SmtpTransaction::refused_locally(const vm_message& message) const {
    if (capabilities_.size_limit != 0 && message.size > capabilities_.size_limit)
        return ending_of(VM_STEP_MAIL, VM_CAUSE_SIZE_LIMIT,
                         "the message has " + std::to_string(message.size) +
                             " bytes, the server takes at most " +
                             std::to_string(capabilities_.size_limit));
    if (message.eight_bit != 0 && !capabilities_.eight_bit_mime)
        return ending_of(VM_STEP_MAIL, VM_CAUSE_CONFIG,
                         "the message has 8-bit data and the server offers no 8BITMIME");
    return std::nullopt;
}

std::vector<SmtpTransaction::Command> SmtpTransaction::commands(const vm_message& message) const {
    std::string mail = std::string("MAIL FROM:<") + message.sender + ">";
    if (capabilities_.size && message.size != 0) mail += " SIZE=" + std::to_string(message.size);
    if (message.eight_bit != 0) mail += " BODY=8BITMIME";
    std::vector<Command> out;
    if (reset_first_) out.push_back({VM_STEP_NONE, "RSET", 2});
    out.push_back({VM_STEP_MAIL, std::move(mail), 2});
    out.push_back({VM_STEP_RCPT, std::string("RCPT TO:<") + message.recipient + ">", 2});
    out.push_back({VM_STEP_DATA, "DATA", 3});
    return out;
}

// What lies there before MAIL was not meant for this message: the server's good-bye, or a reply too
// many, which would be taken for the answer to the next command.
std::optional<Ending> SmtpTransaction::unasked_input() {
    const Connection::Input input = connection_.input();
    if (input == Connection::Input::kNone) return std::nullopt;
    stale_ = true;
    const Io io = read_reply(connection_.now() + options_.reply_timeout, Patience::kStopWhenAsked);
    if (io != Io::kOk) return broken(io);
    if (reply_.code == kClosing) return ending_of(step_, reply_);
    return ending_of(step_, VM_CAUSE_PROTOCOL, "a reply nobody asked for: " + reply_.text());
}

// ---- MAIL, RCPT, DATA ----

SmtpTransaction::Io SmtpTransaction::read_reply(Deadline deadline, Patience patience) {
    ReplyParser parser;
    std::string line;
    for (;;) {
        garbage_.clear();
        if (const Io io = connection_.read_line(line, deadline, patience); io != Io::kOk) return io;
        switch (parser.feed(line)) {
            case ReplyParser::State::kMore:
                break;
            case ReplyParser::State::kComplete:
                reply_ = parser.reply();
                return Io::kOk;
            case ReplyParser::State::kGarbage:
                garbage_ = line.empty() ? "an empty line" : host_.hide(line, kLongestQuote);
                return Io::kGarbage;
        }
    }
}

Ending SmtpTransaction::broken(Io io) const {
    switch (io) {
        case Io::kTimeout:
            return ending_of(
                step_, VM_CAUSE_TIMEOUT,
                "no answer within " +
                    seconds(step_ == VM_STEP_DOT ? options_.dot_timeout : options_.reply_timeout));
        case Io::kGarbage:
            return ending_of(step_, VM_CAUSE_PROTOCOL,
                             garbage_.empty() ? "a line without end"
                                              : "not a valid SMTP reply: \"" + garbage_ + "\"");
        case Io::kCancelled:
            return ending_of(step_, VM_CAUSE_CANCELLED, "stopped");
        case Io::kOk:
        case Io::kInput:
        case Io::kLost:
            break;
    }
    return ending_of(step_, VM_CAUSE_LOST, "the server closed the connection");
}

// Sends the commands and matches the replies, in order. The first command refused decides the
// ending; the replies behind it are still the server's, and are read. Nothing: the data may follow.
std::optional<Ending> SmtpTransaction::envelope(const std::vector<Command>& all) {
    std::optional<Ending> failure;
    bool first = true, mail_open = false, rcpt_open = false, data_open = false;
    const std::size_t flight = capabilities_.pipelining ? all.size() : 1;
    for (std::size_t start = 0; start < all.size() && !failure; start += flight) {
        std::string text;
        for (std::size_t i = start; i < start + flight; ++i) {
            host_.trace("C: ", all[i].line);
            text += all[i].line + "\r\n";
        }
        step_ = all[start].step;
        const Io sent = connection_.send(text, connection_.now() + options_.reply_timeout,
                                         Patience::kStopWhenAsked);
        // A lost connection may still have the server's last words in it.
        if (sent != Io::kOk && sent != Io::kLost) return broken(sent);
        for (std::size_t i = start; i < start + flight; ++i) {
            const Command& command = all[i];
            step_ = command.step;
            const Io io =
                read_reply(connection_.now() + options_.reply_timeout, Patience::kStopWhenAsked);
            const bool closing = io == Io::kOk && reply_.code == kClosing;
            if (first) stale_ = io == Io::kLost || closing;
            first = false;
            if (io != Io::kOk) return failure ? *failure : broken(io);
            if (closing) return failure ? *failure : ending_of(step_, reply_);
            const bool accepted = reply_.group() == command.wanted;
            const bool refused = reply_.group() >= 4;
            if (!accepted && !refused)
                return failure ? *failure
                               : ending_of(step_, VM_CAUSE_PROTOCOL,
                                           "unexpected reply: " + reply_.text());
            if (command.step == VM_STEP_MAIL) mail_open = accepted;
            if (command.step == VM_STEP_RCPT) rcpt_open = accepted;
            if (command.step == VM_STEP_DATA) data_open = accepted;
            if (refused && !failure) {
                failure = ending_of(step_, reply_);
                if (command.step == VM_STEP_NONE) stale_ = true;  // no RSET: a new connection
            }
        }
    }
    if (!failure) return std::nullopt;
    reusable_ = !stale_;
    reset_needed_ = mail_open;
    if (!data_open) return failure;
    // Where there is a recipient, of this envelope or of one that was not reset, a dot would be an
    // empty mail for them: the connection ends without it.
    if (rcpt_open || stale_)
        reusable_ = false;
    else
        end_empty_data();
    return failure;
}

// The server wants data though it has no valid recipient (RFC 2920 section 3.1): it gets none. Its
// answer, whatever it is, is no success.
void SmtpTransaction::end_empty_data() {
    host_.trace("C: ", ".");
    const Deadline deadline = connection_.now() + options_.reply_timeout;
    reusable_ =
        connection_.send(DotStuffer::kEndOfData, deadline, Patience::kStopWhenAsked) == Io::kOk &&
        read_reply(deadline, Patience::kStopWhenAsked) == Io::kOk && reply_.code != kClosing;
    reset_needed_ = false;
}

// ---- the data ----

// The server spoke, or the connection broke, while data was being sent.
Ending SmtpTransaction::early_ending() {
    const Patience patience =
        step_ == VM_STEP_DOT ? Patience::kWaitForAnswer : Patience::kStopWhenAsked;
    const Io io = read_reply(connection_.now() + options_.reply_timeout, patience);
    if (io != Io::kOk) return broken(io);
    if (reply_.group() >= 4) return ending_of(step_, reply_);
    return ending_of(step_, VM_CAUSE_PROTOCOL,
                     "a reply before the end of the data: " + reply_.text());
}

// A server that takes each block just in time would hold a long message for days.
std::optional<Ending> SmtpTransaction::out_of_time(Deadline end) const {
    if (connection_.now() < end) return std::nullopt;
    return ending_of(step_, VM_CAUSE_TIMEOUT,
                     "the server takes less than " + std::to_string(kSlowest) +
                         " bytes of the message a second");
}

std::optional<Ending> SmtpTransaction::send_data(std::string_view block, Deadline end) {
    if (auto ending = out_of_time(end)) return ending;
    if (connection_.input() != Connection::Input::kNone) return early_ending();
    const Io io = connection_.send(block, std::min(connection_.now() + options_.reply_timeout, end),
                                   Patience::kStopWhenAsked, true);
    if (io == Io::kOk) return std::nullopt;
    if (io == Io::kTimeout)
        if (auto ending = out_of_time(end)) return ending;
    return io == Io::kInput || io == Io::kLost ? early_ending() : broken(io);
}

// The last block with the final dot, and the answer to it.
Ending SmtpTransaction::send_end(std::string block) {
    // What was said before the dot cannot be the answer to it.
    if (connection_.input() != Connection::Input::kNone) return early_ending();
    block += DotStuffer::kEndOfData;
    step_ = VM_STEP_DOT;
    host_.trace("C: ", ".");
    const Io sent = connection_.send(block, connection_.now() + options_.reply_timeout,
                                     Patience::kWaitForAnswer, true);
    if (sent == Io::kInput || sent == Io::kLost) return early_ending();
    if (sent != Io::kOk) return broken(sent);
    const Io io = read_reply(connection_.now() + options_.dot_timeout, Patience::kWaitForAnswer);
    if (io != Io::kOk) return broken(io);
    if (reply_.group() == 3)
        return ending_of(step_, VM_CAUSE_PROTOCOL, "unexpected reply: " + reply_.text());
    reusable_ = reply_.code != kClosing;
    return ending_of(step_, reply_);
}

Ending SmtpTransaction::data(const vm_message& message) {
    step_ = VM_STEP_BODY;
    DotStuffer stuffer;
    const auto raw = std::make_unique_for_overwrite<char[]>(kBlock);
    std::string block;
    std::uint64_t total = 0;
    const Deadline start = connection_.now() + options_.reply_timeout;
    const auto end = [&] {
        return start + std::chrono::seconds(std::max(message.size, total) / kSlowest);
    };
    const auto unreadable = [&](const std::string& why) {
        return ending_of(step_, VM_CAUSE_LOCAL,
                         why + " after " + std::to_string(total) + " of " +
                             std::to_string(message.size) + " bytes");
    };
    for (;;) {
        const std::int64_t count = message.read(message.read_context, raw.get(), kBlock);
        if (count < 0 || static_cast<std::uint64_t>(count) > kBlock)
            return unreadable("the message could not be read");
        if (count == 0) break;
        total += static_cast<std::uint64_t>(count);
        if (message.size != 0 && total > message.size) return unreadable("the message has grown");
        const std::string_view piece(raw.get(), static_cast<std::size_t>(count));
        if (block.empty() && piece.size() == kBlock && stuffer.passes(piece)) {
            if (auto ending = send_data(piece, end())) return *ending;
            continue;
        }
        stuffer.feed(piece, block);
        if (block.size() < kBlock) continue;
        if (auto ending = send_data(block, end())) return *ending;
        block.clear();
    }
    if (message.size != 0 && total < message.size) return unreadable("the message ended");
    if (auto ending = out_of_time(end())) return *ending;
    stuffer.finish(block);
    host_.trace("C: ", "[" + std::to_string(total) + " bytes of message data]");
    return send_end(std::move(block));
}

Ending SmtpTransaction::run(const vm_message& message) {
    if (auto ending = refused_locally(message)) {
        reusable_ = true;
        reset_needed_ = reset_first_;
        return *ending;
    }
    if (auto ending = unasked_input()) return *ending;
    if (auto ending = envelope(commands(message))) return *ending;
    return data(message);
}

}  // namespace vm::plug
