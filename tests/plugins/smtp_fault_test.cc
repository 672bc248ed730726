// The connection cut at every single byte, in both directions, in any fragmentation. Whatever
// happens:
// - a message the server took is never reported as not delivered;
// - success is only reported when the server took it;
// - "uncertain" is only reported when the dot had been handed over.
#include "smtp_fixture.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <algorithm>
#include <memory>

namespace vm::testing {

namespace {

using plug::Ending;
using plug::SmtpOptions;
using plug::SmtpSession;
using plug::Wire;

constexpr std::size_t kNever = std::string::npos;

struct Cut {
    std::size_t sent = kNever;      // so many bytes reach the server
    std::size_t received = kNever;  // so many bytes reach the client
    std::size_t piece = kNever;     // bytes moved by one call
};

// An SMTP server in memory; what it has taken outlives the wire.
struct MemoryServer {
    bool pipelining = true;
    std::string refuse;  // "RCPT": that command is refused
    int taken = 0;       // messages it has taken responsibility for

    std::string input, output;
    bool in_data = false, rcpt_ok = false;

    void feed(std::string_view bytes) {
        input += bytes;
        for (;;) {
            if (in_data) {
                const auto end = input.starts_with(".\r\n") ? 0 : input.find("\r\n.\r\n");
                if (end == std::string::npos) return;
                input.erase(0, end == 0 ? 3 : end + 5);
                in_data = false;
                if (rcpt_ok) ++taken;
                output += rcpt_ok ? "250 2.0.0 taken\r\n" : "554 5.5.1 nobody to take it for\r\n";
                rcpt_ok = false;
                continue;
            }
            const auto end = input.find("\r\n");
            if (end == std::string::npos) return;
            const std::string verb = input.substr(0, 4);
            input.erase(0, end + 2);
            if (verb == refuse) {
                output += "550 5.7.1 no\r\n";
            } else if (verb == "DATA") {
                in_data = true;
                output += "354 go\r\n";
            } else {
                if (verb == "RCPT") rcpt_ok = true;
                output += "250 ok\r\n";
            }
        }
    }
};

class MemoryWire : public Wire {
  public:
    MemoryWire(MemoryServer& server, Cut cut) : server_(server), cut_(cut) {}

    Status send(std::string_view data, std::size_t& count) override {
        if (closed_) return Status::kClosed;
        // Alternately there is no room, as on a slow network.
        if (cut_.piece != kNever && (room_ = !room_)) return Status::kAgain;
        count = std::min(data.size(), cut_.piece);
        const std::size_t reaching = std::min(count, cut_.sent - sent_);
        server_.feed(data.substr(0, reaching));
        sent_ += reaching;
        // The kernel takes what the network then loses.
        if (reaching < count || sent_ == cut_.sent) closed_ = true;
        return Status::kOk;
    }
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override {
        count = std::min({capacity, server_.output.size(), cut_.piece, cut_.received - received_});
        if (count == 0)
            return closed_ || received_ == cut_.received ? Status::kClosed : Status::kAgain;
        server_.output.copy(buffer, count);
        server_.output.erase(0, count);
        received_ += count;
        return Status::kOk;
    }
    void wait(bool, std::chrono::milliseconds) override {}

  private:
    MemoryServer& server_;
    Cut cut_;
    std::size_t sent_ = 0, received_ = 0;
    bool closed_ = false, room_ = false;
};

// Room for `piece` bytes comes once in `pause`. Nobody waits: the clock is the wire's own.
class SlowWire : public MemoryWire {
  public:
    SlowWire(MemoryServer& server, std::size_t piece, std::chrono::milliseconds pause,
             std::chrono::milliseconds& clock)
        : MemoryWire(server, Cut{}), piece_(piece), pause_(pause), clock_(clock), room_at_(clock) {}

    Status send(std::string_view data, std::size_t& count) override {
        if (clock_ < room_at_) return Status::kAgain;
        room_at_ = clock_ + pause_;
        return MemoryWire::send(data.substr(0, piece_), count);
    }
    void wait(bool for_room, std::chrono::milliseconds limit) override {
        const auto left = room_at_ - clock_;
        clock_ += for_room && left.count() > 0 ? std::min(limit, left) : limit;
    }
    plug::Deadline now() const override { return plug::Deadline(clock_); }

  private:
    std::size_t piece_;
    std::chrono::milliseconds pause_;
    std::chrono::milliseconds& clock_;
    std::chrono::milliseconds room_at_;
};

// Takes nothing, and says what the test wants.
class FloodWire : public Wire {
  public:
    explicit FloodWire(std::size_t bytes) : left_(bytes) {}
    Status send(std::string_view, std::size_t&) override { return Status::kAgain; }
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override {
        count = std::min(capacity, left_);
        if (count == 0) return Status::kClosed;
        std::fill_n(buffer, count, '\n');
        left_ -= count;
        return Status::kOk;
    }
    void wait(bool, std::chrono::milliseconds) override {}

  private:
    std::size_t left_;
};

class SmtpFaultTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SmtpFaultTest);
    CPPUNIT_TEST(cut_while_sending);
    CPPUNIT_TEST(cut_while_receiving);
    CPPUNIT_TEST(cut_with_a_refused_recipient);
    CPPUNIT_TEST(cut_of_a_kept_connection_sends_at_most_once_more);
    CPPUNIT_TEST(flooded_while_sending);
    CPPUNIT_TEST(fragmentation_does_not_matter);
    CPPUNIT_TEST(a_server_that_takes_next_to_nothing_is_left);
    CPPUNIT_TEST(a_slow_server_gets_its_message);
    CPPUNIT_TEST_SUITE_END();

    const std::string text_ = "Subject: x\r\n\r\n.dots\r\n..\r\n" + std::string(200, 'x') + "\r\n";

    struct Outcome {
        Ending ending;
        int taken = 0;
        bool cut = false;  // the cut was reached
    };

    static SmtpSession::Connect connect_to(MemoryServer& server, std::vector<Cut> cuts) {
        auto left = std::make_shared<std::vector<Cut>>(std::move(cuts));
        return [&server, left](const SmtpOptions&, const plug::Host&,
                               plug::Counters&) -> tl::expected<plug::SmtpLink, Ending> {
            if (left->empty())
                return tl::unexpected(
                    plug::ending_of(VM_STEP_CONNECT, VM_CAUSE_REFUSED, "no further connection"));
            const Cut cut = left->front();
            left->erase(left->begin());
            server.input.clear();
            server.output.clear();
            server.in_data = server.rcpt_ok = false;
            plug::Capabilities capabilities;
            capabilities.pipelining = server.pipelining;
            return plug::SmtpLink{std::make_unique<MemoryWire>(server, cut), capabilities};
        };
    }

    static SmtpOptions options() {
        SmtpOptions options;
        options.host = "memory";
        options.port = 25;
        return options;
    }

    Ending push(MemoryServer& server, Cut cut) {
        FakeHost host;
        TestMessage message(text_);
        SmtpSession session(options(), host.session(), connect_to(server, {cut}));
        return session.push(*message);
    }

    void check(const Ending& ending, int taken, const std::string& where) {
        const std::string what = where + ": " + describe(ending);
        const DeliveryEvent event = event_of(ending);
        if (event == DeliveryEvent::kAccepted) CPPUNIT_ASSERT_EQUAL_MESSAGE(what, 1, taken);
        if (taken > 0)
            CPPUNIT_ASSERT_MESSAGE(
                what, event == DeliveryEvent::kAccepted || event == DeliveryEvent::kReplyLost);
        if (event == DeliveryEvent::kReplyLost)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{VM_STEP_DOT}, int{ending.step});
        CPPUNIT_ASSERT_MESSAGE(what, event != DeliveryEvent::kFailure);
    }

    // Every cut of one direction, until one is behind the end. Returns how often each event came.
    std::map<DeliveryEvent, int> cut_everywhere(std::size_t Cut::*direction) {
        std::map<DeliveryEvent, int> events;
        for (const bool pipelining : {true, false})
            for (const std::size_t piece : {kNever, std::size_t{1}, std::size_t{7}})
                for (std::size_t at = 0;; ++at) {
                    MemoryServer server;
                    server.pipelining = pipelining;
                    Cut cut;
                    cut.piece = piece;
                    cut.*direction = at;
                    const Ending ending = push(server, cut);
                    check(ending, server.taken, "cut at " + std::to_string(at));
                    ++events[event_of(ending)];
                    if (event_of(ending) == DeliveryEvent::kAccepted) break;
                }
        return events;
    }

    void cut_while_sending() {
        const auto events = cut_everywhere(&Cut::sent);
        CPPUNIT_ASSERT(events.at(DeliveryEvent::kDeferral) > 100);
        CPPUNIT_ASSERT(events.at(DeliveryEvent::kReplyLost) > 0);
        CPPUNIT_ASSERT_EQUAL(6, events.at(DeliveryEvent::kAccepted));
    }

    void cut_while_receiving() {
        const auto events = cut_everywhere(&Cut::received);
        CPPUNIT_ASSERT(events.at(DeliveryEvent::kDeferral) > 100);
        CPPUNIT_ASSERT(events.at(DeliveryEvent::kReplyLost) > 0);
        CPPUNIT_ASSERT_EQUAL(6, events.at(DeliveryEvent::kAccepted));
    }

    // The message may fail for its recipient, be deferred; never be taken or thought to be.
    void cut_with_a_refused_recipient() {
        for (const bool pipelining : {true, false})
            for (std::size_t at = 0; at < 80; ++at) {
                MemoryServer server;
                server.pipelining = pipelining;
                server.refuse = "RCPT";
                Cut cut;
                cut.received = at;
                const Ending ending = push(server, cut);
                CPPUNIT_ASSERT_EQUAL(0, server.taken);
                const DeliveryEvent event = event_of(ending);
                CPPUNIT_ASSERT_MESSAGE(describe(ending), event == DeliveryEvent::kFailure ||
                                                             event == DeliveryEvent::kDeferral);
                if (event == DeliveryEvent::kFailure) CPPUNIT_ASSERT_EQUAL(550, ending.code);
            }
    }

    void cut_of_a_kept_connection_sends_at_most_once_more() {
        std::size_t whole = 0;
        {
            MemoryServer server;
            FakeHost host;
            TestMessage message(text_);
            SmtpSession session(options(), host.session(), connect_to(server, {Cut{}}));
            session.push(*message);
            whole = session.counters().received;
        }
        for (std::size_t at = 0; at <= whole; ++at) {
            MemoryServer server;
            FakeHost host;
            TestMessage message(text_);
            Cut cut;
            cut.received = whole + at;
            SmtpSession session(options(), host.session(), connect_to(server, {cut, Cut{}}));
            CPPUNIT_ASSERT(event_of(session.push(*message)) == DeliveryEvent::kAccepted);
            message.again();
            const Ending ending = session.push(*message);
            check(ending, server.taken - 1, "kept, cut at " + std::to_string(at));
            CPPUNIT_ASSERT(server.taken <= 2);
        }
    }

    // Pushes `size` bytes to a server that takes `piece` bytes in `pause`; `clock` is how long it
    // took.
    static Ending push_slowly(MemoryServer& server, std::size_t size, std::size_t piece,
                              std::chrono::milliseconds pause, std::chrono::milliseconds& clock) {
        FakeHost host;
        TestMessage message(std::string(size, 'x'));
        SmtpSession session(options(), host.session(),
                            [&](const SmtpOptions&, const plug::Host&,
                                plug::Counters&) -> tl::expected<plug::SmtpLink, Ending> {
                                plug::Capabilities capabilities;
                                capabilities.pipelining = true;
                                return plug::SmtpLink{
                                    std::make_unique<SlowWire>(server, piece, pause, clock),
                                    capabilities};
                            });
        return session.push(*message);
    }

    // It takes each block just in time, and would hold the message for days.
    void a_server_that_takes_next_to_nothing_is_left() {
        constexpr std::size_t kSize = 400'000;
        for (const std::size_t piece : {std::size_t{64} * 1024, std::size_t{300}}) {
            MemoryServer server;
            std::chrono::milliseconds clock{0};
            const Ending ending = push_slowly(server, kSize, piece,
                                              std::chrono::seconds(piece == 300 ? 1 : 299), clock);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(ending), int{VM_STEP_BODY}, int{ending.step});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(describe(ending), int{VM_CAUSE_TIMEOUT},
                                         int{ending.cause});
            CPPUNIT_ASSERT(event_of(ending) == DeliveryEvent::kDeferral);
            CPPUNIT_ASSERT_EQUAL(0, server.taken);
            CPPUNIT_ASSERT(clock <= std::chrono::seconds(300 + kSize / 1000 + 300));
        }
    }

    void a_slow_server_gets_its_message() {
        constexpr std::size_t kSize = 400'000;
        MemoryServer server;
        std::chrono::milliseconds clock{0};
        const Ending ending = push_slowly(server, kSize, 1100, std::chrono::seconds(1), clock);
        CPPUNIT_ASSERT_MESSAGE(describe(ending), event_of(ending) == DeliveryEvent::kAccepted);
        CPPUNIT_ASSERT_EQUAL(1, server.taken);
        CPPUNIT_ASSERT(clock > std::chrono::minutes(6));
    }

    // A server that takes nothing and does not stop talking costs neither memory nor time.
    void flooded_while_sending() {
        FakeHost host;
        const plug::Host session = host.session();
        plug::Counters counters;
        for (const auto& [bytes, expected] :
             {std::pair{std::size_t{1} << 40, plug::Connection::Io::kGarbage},
              std::pair{std::size_t{10'000}, plug::Connection::Io::kLost}}) {
            plug::Connection connection(std::make_unique<FloodWire>(bytes), session, counters);
            CPPUNIT_ASSERT(expected == connection.send("x", plug::Deadline::max(),
                                                       plug::Connection::Patience::kStopWhenAsked));
            std::size_t lines = 0;
            while (!connection.received().empty()) {
                connection.consume(1);
                ++lines;
            }
            CPPUNIT_ASSERT(lines >= 10'000);
        }
    }

    void fragmentation_does_not_matter() {
        CPPUNIT_ASSERT(rc::check("any text in any pieces arrives", [](const std::string& text) {
            MemoryServer server;
            FakeHost host;
            TestMessage message(text);
            Cut cut;
            cut.piece = *rc::gen::inRange<std::size_t>(1, 20);
            SmtpSession session(options(), host.session(), connect_to(server, {cut}));
            RC_ASSERT(event_of(session.push(*message)) == DeliveryEvent::kAccepted);
            RC_ASSERT(server.taken == 1);
        }));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SmtpFaultTest);

}  // namespace

}  // namespace vm::testing
