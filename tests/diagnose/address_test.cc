// Which ports answer, also where others swallow what they are sent.
#include "diagnose/address.h"

#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <arpa/inet.h>
#include <poll.h>
#include <vector>

using namespace vm;
using namespace vm::diagnose;

class AddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AddressTest);
    CPPUNIT_TEST(a_port_that_swallows_hides_no_other);
    CPPUNIT_TEST(an_address_that_swallows_hides_no_other);
    CPPUNIT_TEST(what_is_closed_or_asked_for_too_late);
    CPPUNIT_TEST_SUITE_END();

    using Ports = std::vector<std::uint16_t>;
    // What swallows is waited for as long as this.
    static constexpr Millis kTimeout{300};

    static Address at(const char* ip) {
        Address out;
        auto& socket = reinterpret_cast<sockaddr_in&>(out.socket);
        socket.sin_family = AF_INET;
        CPPUNIT_ASSERT_EQUAL(1, ::inet_pton(AF_INET, ip, &socket.sin_addr));
        out.size = sizeof socket;
        out.text = ip;
        return out;
    }

    class Listener {
      public:
        // Port 0: a free one.
        explicit Listener(const char* ip, std::uint16_t port = 0)
            : at_(at(ip)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
            auto* address = reinterpret_cast<sockaddr*>(&at_.socket);
            reinterpret_cast<sockaddr_in&>(at_.socket).sin_port = htons(port);
            CPPUNIT_ASSERT_EQUAL(0, ::bind(fd_.get(), address, at_.size));
            CPPUNIT_ASSERT_EQUAL(0, ::listen(fd_.get(), 10));
            CPPUNIT_ASSERT_EQUAL(0, ::getsockname(fd_.get(), address, &at_.size));
        }
        std::uint16_t port() const {
            return ntohs(reinterpret_cast<const sockaddr_in&>(at_.socket).sin_port);
        }
        // From here on it answers nobody: its queue is full, and the kernel drops what comes.
        void swallow() {
            for (;;) {
                UniqueFd fd(begin_connect(at_, port()));
                pollfd entry{fd.get(), POLLOUT, 0};
                const bool answers = ::poll(&entry, 1, 200) == 1;
                full_.push_back(std::move(fd));
                if (!answers) return;
            }
        }

      private:
        Address at_;
        UniqueFd fd_;
        std::vector<UniqueFd> full_;
    };

    void a_port_that_swallows_hides_no_other() {
        Listener hole("127.0.0.1");
        const Listener open("127.0.0.1");
        hole.swallow();
        CPPUNIT_ASSERT(Ports{open.port()} ==
                       open_ports({at("127.0.0.1")}, {hole.port(), open.port()}, kTimeout));
    }

    void an_address_that_swallows_hides_no_other() {
        Listener hole("127.0.0.7");
        const Listener open("127.0.0.8", hole.port());
        hole.swallow();
        const Ports both{open.port()};
        CPPUNIT_ASSERT(both == open_ports({at("127.0.0.7"), at("127.0.0.8")}, both, kTimeout));
        CPPUNIT_ASSERT(both == open_ports({at("127.0.0.8"), at("127.0.0.7")}, both, kTimeout));
        CPPUNIT_ASSERT(open_ports({at("127.0.0.7")}, both, kTimeout).empty());
    }

    void what_is_closed_or_asked_for_too_late() {
        const Listener open("127.0.0.1");
        std::uint16_t closed = 0;
        {
            const Listener was("127.0.0.1");
            closed = was.port();
        }
        CPPUNIT_ASSERT(Ports{open.port()} ==
                       open_ports({at("127.0.0.1")}, {closed, open.port()}, kTimeout));
        // What answers at once does so though there is no time to wait.
        CPPUNIT_ASSERT(Ports{open.port()} ==
                       open_ports({at("127.0.0.1")}, {open.port()}, Millis(0)));
        CPPUNIT_ASSERT(open_ports({}, {open.port()}, kTimeout).empty());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AddressTest);
