#include "agent/service_manager.h"

#include "../base/temporary_directory.h"
#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace vm::testing {

namespace {

using agent::ServiceManager;

class ServiceManagerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServiceManagerTest);
    CPPUNIT_TEST(it_is_told_of_start_and_stop);
    CPPUNIT_TEST(its_socket_may_have_an_abstract_name);
    CPPUNIT_TEST(no_child_speaks_for_us);
    CPPUNIT_TEST(signs_of_life_come_twice_in_its_time);
    CPPUNIT_TEST(another_processs_watchdog_is_not_ours);
    CPPUNIT_TEST(without_one_nothing_is_told);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    UniqueFd manager_;

    // A manager's socket, named `name`, of whose name our process is told.
    void listen(const std::string& name) {
        manager_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        CPPUNIT_ASSERT(name.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name.front() == '@') address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        CPPUNIT_ASSERT_EQUAL(
            0, ::bind(manager_.get(), reinterpret_cast<const sockaddr*>(&address), size));
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    }
    void listen() { listen((directory_.path() / "notify").string()); }
    // The next datagram, "" when none has come.
    std::string told() const {
        char text[100];
        const ssize_t n = ::recv(manager_.get(), text, sizeof text, 0);
        return n < 0 ? "" : std::string(text, static_cast<std::size_t>(n));
    }

  public:
    void tearDown() override {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
            ::unsetenv(name);
    }

  private:
    void it_is_told_of_start_and_stop() {
        listen();
        const ServiceManager manager;
        manager.ready();
        manager.stopping();
        CPPUNIT_ASSERT_EQUAL(std::string("READY=1"), told());
        CPPUNIT_ASSERT_EQUAL(std::string("STOPPING=1"), told());
    }

    void its_socket_may_have_an_abstract_name() {
        listen("@vmemail-test-" + std::to_string(::getpid()));
        ServiceManager().ready();
        CPPUNIT_ASSERT_EQUAL(std::string("READY=1"), told());
    }

    void no_child_speaks_for_us() {
        listen();
        ::setenv("WATCHDOG_USEC", "1000000", 1);
        const ServiceManager manager;
        CPPUNIT_ASSERT(std::getenv("NOTIFY_SOCKET") == nullptr);
        CPPUNIT_ASSERT(std::getenv("WATCHDOG_USEC") == nullptr);
    }

    void signs_of_life_come_twice_in_its_time() {
        listen();
        ::setenv("WATCHDOG_USEC", "30000000", 1);
        ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
        ServiceManager manager;
        manager.keep(1'000'000);
        CPPUNIT_ASSERT_EQUAL(std::string("WATCHDOG=1"), told());
        manager.keep(1'014'999);
        CPPUNIT_ASSERT_EQUAL(std::string(), told());
        manager.keep(1'015'000);
        CPPUNIT_ASSERT_EQUAL(std::string("WATCHDOG=1"), told());
    }

    void another_processs_watchdog_is_not_ours() {
        listen();
        ::setenv("WATCHDOG_USEC", "30000000", 1);
        ::setenv("WATCHDOG_PID", "1", 1);
        ServiceManager manager;
        manager.keep(1'000'000);
        CPPUNIT_ASSERT_EQUAL(std::string(), told());
    }

    void without_one_nothing_is_told() {
        listen();
        ::unsetenv("NOTIFY_SOCKET");
        ::setenv("WATCHDOG_USEC", "30000000", 1);
        ServiceManager manager;
        manager.ready();
        manager.keep(1'000'000);
        CPPUNIT_ASSERT_EQUAL(std::string(), told());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ServiceManagerTest);

}  // namespace

}  // namespace vm::testing
