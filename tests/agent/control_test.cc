#include "agent/control.h"

#include "../base/temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <poll.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <thread>

namespace vm::testing {

namespace {

class ControlTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ControlTest);
    CPPUNIT_TEST(a_poke_arrives);
    CPPUNIT_TEST(no_retry_is_lost_of_many);
    CPPUNIT_TEST(a_dead_agents_socket_is_replaced);
    CPPUNIT_TEST_SUITE_END();

    // A root whose name has `length` bytes more than its directory's.
    static Paths root_in(const TemporaryDirectory& directory, std::size_t length) {
        Paths paths(directory.path() / std::string(length, 'r'));
        std::filesystem::create_directories(paths.run());
        return paths;
    }

    // The address of a socket has 108 bytes.
    void a_poke_arrives() {
        for (const std::size_t length : {std::size_t{1}, std::size_t{200}}) {
            const TemporaryDirectory directory;
            const Paths paths = root_in(directory, length);
            agent::poke(paths, "101");  // no agent: nothing happens
            const auto socket = agent::open_control_socket(paths);
            CPPUNIT_ASSERT_MESSAGE(socket ? "" : socket.error().text(), socket.has_value());
            agent::poke(paths, "101");
            agent::poke(paths, "7", agent::Request::kSync);
            const auto pokes = agent::read_pokes(socket->get());
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, pokes.size());
            CPPUNIT_ASSERT(pokes[0].mailbox == "101" &&
                           pokes[0].request == agent::Request::kNothing);
            CPPUNIT_ASSERT(pokes[1].mailbox == "7" && pokes[1].request == agent::Request::kSync);
            struct stat file {};
            CPPUNIT_ASSERT_EQUAL(0, ::stat(paths.socket().c_str(), &file));
            CPPUNIT_ASSERT(S_ISSOCK(file.st_mode) && (file.st_mode & 0777) == 0660);
        }
    }

    // More than a socket takes at a time.
    void no_retry_is_lost_of_many() {
        const TemporaryDirectory directory;
        const Paths paths = root_in(directory, 1);
        const auto socket = agent::open_control_socket(paths);
        CPPUNIT_ASSERT(socket.has_value());
        constexpr std::size_t kMany = 2000;
        std::jthread person([&] {
            std::set<std::string> mailboxes;
            for (std::size_t i = 0; i < kMany; ++i) mailboxes.insert(std::to_string(i));
            agent::poke(paths, mailboxes, agent::Request::kRetry);
        });
        std::size_t arrived = 0;
        pollfd ready{socket->get(), POLLIN, 0};
        while (arrived<kMany&& ::poll(&ready, 1, 10'000)> 0)
            arrived += agent::read_pokes(socket->get()).size();
        CPPUNIT_ASSERT_EQUAL(kMany, arrived);
    }

    void a_dead_agents_socket_is_replaced() {
        for (const std::size_t length : {std::size_t{1}, std::size_t{200}}) {
            const TemporaryDirectory directory;
            const Paths paths = root_in(directory, length);
            { const auto dead = agent::open_control_socket(paths); }
            const auto socket = agent::open_control_socket(paths);
            CPPUNIT_ASSERT_MESSAGE(socket ? "" : socket.error().text(), socket.has_value());
            agent::poke(paths, "101");
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, agent::read_pokes(socket->get()).size());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ControlTest);

}  // namespace

}  // namespace vm::testing
