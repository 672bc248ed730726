// Pushes by SMTP to a hostile server, from the greeting on. The first line of an input says what is
// pushed, a letter each:
//   p b g   a small message, one in 8 bits, one of several blocks
//   f       one that cannot be read to its end
//   n x s   without authentication, by XOAUTH2, with STARTTLS demanded
//   c       the server's bytes come one by one, and it takes few at a time
// and the rest is what the server says (hostile_server.h).
#include "../plugins/test_message.h"
#include "common/reply.h"
#include "common/smtp_session.h"
#include "common/text.h"
#include "fuzz.h"
#include "hostile_server.h"
#include "transport/report.h"

#include <string>

namespace {

using namespace vm::fuzz;
namespace plug = vm::plug;

constexpr std::size_t kMostPushes = 6;
// The end of every message: it and the final dot are on the wire, or the dot was not sent.
constexpr const char* kTail = "the end of the message\r\n";

void check_ending(const plug::Ending& ending, const std::string& text) {
    vm_push_report report{};
    report.step = static_cast<std::uint8_t>(ending.step);
    report.cause = static_cast<std::uint8_t>(ending.cause);
    report.code = static_cast<std::uint16_t>(ending.code);
    plug::copy_text(report.enhanced, sizeof report.enhanced, ending.enhanced);
    plug::copy_text(report.text, sizeof report.text, text);
    FUZZ_REQUIRE(!plug::has_control(text) && !text.empty());
    FUZZ_REQUIRE(text.find(kPassword) == std::string::npos);
    FUZZ_REQUIRE(ending.code >= 0 && ending.code <= 599);
    // What the host makes of it is never that it makes no sense.
    FUZZ_REQUIRE(vm::transport::judge_report(report, "heaven").cause != vm::PushCause::kPlugin);
}

void push(plug::SmtpSession& session, const HostileServer& server, char letter) {
    std::string text = "Subject: chariot\r\n\r\n.\r\n..x\r\n";
    if (letter == 'g')
        while (text.size() < 150'000) text += "the chariots of fire, the horsemen thereof\r\n";
    vm::testing::TestMessage message(text + kTail);
    message.abi().eight_bit = letter == 'b' ? 1 : 0;
    if (letter == 'f') message.fail_at(30);
    const std::size_t before = server.heard().size();
    const plug::Ending ending = session.push(*message);
    check_ending(ending, session.hide(ending.text));
    // Only a message that went over the wire whole, with its dot, can have been delivered; and one
    // whose dot went is never said to have ended before it.
    const std::string sent = server.heard().substr(before);
    const bool ended = sent.find(kTail + std::string(".\r\n")) != std::string::npos;
    const bool delivered = ending.cause == VM_CAUSE_REPLY && ending.code / 100 == 2;
    FUZZ_REQUIRE(!delivered || (ended && ending.step == VM_STEP_DOT));
    FUZZ_REQUIRE(!ended || ending.step == VM_STEP_DOT);
    FUZZ_REQUIRE(letter != 'f' || !ended);
}

// Replies by themselves, as the greeting is one and the answer to each command.
void check_replies(std::string_view input) {
    plug::ReplyParser parser;
    while (!input.empty()) {
        if (parser.feed(take_line(input)) != plug::ReplyParser::State::kComplete) continue;
        const plug::Reply& reply = parser.reply();
        FUZZ_REQUIRE(reply.code >= 200 && reply.code <= 599);
        FUZZ_REQUIRE(!reply.lines.empty() && reply.lines.size() <= plug::kMaxReplyLines);
        FUZZ_REQUIRE(!plug::has_control(reply.text()));
        FUZZ_REQUIRE(reply.enhanced.empty() ||
                     plug::enhanced_status(reply.enhanced, reply.code) == reply.enhanced);
        FUZZ_REQUIRE(reply.enhanced.size() < sizeof vm_push_report{}.enhanced);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = view(data, size);
    const std::string_view letters = take_line(input).substr(0, kMostPushes);
    const auto asked = [&](char letter) { return letters.find(letter) != std::string_view::npos; };
    HostileServer server(input, asked('c'));
    plug::SmtpOptions options = server.smtp();
    if (asked('n')) options.auth = VM_AUTH_NONE;
    if (asked('x')) options.auth = VM_AUTH_XOAUTH2;
    if (asked('s')) options.tls = VM_TLS_STARTTLS;
    plug::Redactor secrets;
    secrets.add(options.password);
    {
        plug::SmtpSession session(std::move(options),
                                  plug::Host(HostileServer::host(), nullptr, std::move(secrets)));
        for (const char letter : letters)
            if (letter == 'p' || letter == 'b' || letter == 'g' || letter == 'f')
                push(session, server, letter);
    }
    check_replies(input);
    return 0;
}
