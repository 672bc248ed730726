// Many mailboxes at one manager interface; the rest of it is in tests/system/asterisk_test.py.
#include "asterisk/ami.h"

#include <cppunit/extensions/HelperMacros.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::asterisk;

// Answers one connection's first `actions` actions.
class Manager {
  public:
    explicit Manager(int actions) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const name = reinterpret_cast<sockaddr*>(&address);
        CPPUNIT_ASSERT_EQUAL(0, ::bind(socket_.get(), name, size));
        CPPUNIT_ASSERT_EQUAL(0, ::listen(socket_.get(), 1));
        CPPUNIT_ASSERT_EQUAL(0, ::getsockname(socket_.get(), name, &size));
        settings_.ami_host = "127.0.0.1";
        settings_.ami_port = ntohs(address.sin_port);
        settings_.ami_user = "vmemail";
        thread_ = std::thread([this, actions] { answer(actions); });
    }
    ~Manager() { thread_.join(); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    const Settings& settings() const { return settings_; }

  private:
    void answer(int actions) const {
        const UniqueFd client(::accept(socket_.get(), nullptr, nullptr));
        (void)write_all(client.get(), "Asterisk Call Manager/7.0.3\r\n", "manager");
        std::string input;
        for (int i = 0; i < actions; ++i) {
            std::size_t end = 0;
            while ((end = input.find("\r\n\r\n")) == std::string::npos) {
                char buffer[4096];
                const ssize_t n = ::read(client.get(), buffer, sizeof buffer);
                if (n <= 0) return;
                input.append(buffer, static_cast<std::size_t>(n));
            }
            const std::size_t at = input.find("ActionID: ");
            const std::string id = input.substr(at, input.find("\r\n", at) - at);
            input.erase(0, end + 4);
            const std::string answer =
                "Response: Success\r\n" + id + "\r\nMessage: " + std::string(100, 'x') + "\r\n\r\n";
            if (!write_all(client.get(), answer, "manager")) return;
        }
    }

    const UniqueFd socket_;
    Settings settings_;
    std::thread thread_;
};

class AmiTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmiTest);
    CPPUNIT_TEST(a_thousand_mailboxes);
    CPPUNIT_TEST(what_was_told_is_not_told_again);
    CPPUNIT_TEST_SUITE_END();

    static std::set<Box> boxes() {
        std::set<Box> out;
        for (int i = 0; i < 1000; ++i) out.insert({"default", std::to_string(1000 + i)});
        return out;
    }

    void a_thousand_mailboxes() {
        const Manager manager(1002);
        std::set<Box> due = boxes();
        const auto done = refresh(manager.settings(), due, std::chrono::seconds(60));
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
        CPPUNIT_ASSERT(due.empty());
    }

    void what_was_told_is_not_told_again() {
        const Manager manager(1 + 10);
        std::set<Box> due = boxes();
        CPPUNIT_ASSERT(!refresh(manager.settings(), due, std::chrono::seconds(60)));
        CPPUNIT_ASSERT_EQUAL(std::size_t{990}, due.size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmiTest);

}  // namespace
