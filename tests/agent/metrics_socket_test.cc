#include "agent/metrics_socket.h"

#include "../base/temporary_directory.h"
#include "agent/http_request.h"
#include "agent/socket_address.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <vector>

namespace vm::testing {

namespace {

using agent::HttpVerdict;
using agent::MetricsSocket;

constexpr const char* kRequest = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

class MetricsSocketTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MetricsSocketTest);
    CPPUNIT_TEST(requests_are_judged);
    CPPUNIT_TEST(answers_a_prometheus_client);
    CPPUNIT_TEST(answers_what_is_no_such_request);
    CPPUNIT_TEST(a_request_may_come_in_pieces);
    CPPUNIT_TEST(silent_clients_have_an_end);
    CPPUNIT_TEST(a_client_that_never_reads_has_an_end);
    CPPUNIT_TEST(a_client_that_writes_without_end_has_one);
    CPPUNIT_TEST(a_client_that_goes_is_forgotten);
    CPPUNIT_TEST(a_dead_agents_socket_is_replaced);
    CPPUNIT_TEST(the_other_end_reads_all);
    CPPUNIT_TEST(without_an_agent_it_says_so);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<Paths> paths_;
    std::unique_ptr<MetricsSocket> socket_;
    std::string text_;
    std::int64_t now_ = 1000;

  public:
    // A root whose sockets' names are longer than the address of a socket.
    void setUp() override {
        directory_ = std::make_unique<TemporaryDirectory>();
        paths_ = std::make_unique<Paths>(directory_->path() / std::string(150, 'r'));
        std::filesystem::create_directories(paths_->run());
        socket_ = std::make_unique<MetricsSocket>();
        const auto opened = socket_->open(*paths_);
        CPPUNIT_ASSERT_MESSAGE(opened ? "" : opened.error().text(), opened.has_value());
        text_ = "vmemail_metrics_dropped_total 0\n";
    }

  private:
    void serve() {
        socket_->serve(now_, [this] { return text_; });
    }
    UniqueFd client(const std::string& says = {}) const {
        const agent::SocketAddress address(paths_->metrics_socket());
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        CPPUNIT_ASSERT_EQUAL(0, ::connect(fd.get(), address.get(), address.size()));
        if (!says.empty()) say(fd, says);
        return fd;
    }
    static void say(const UniqueFd& fd, const std::string& text) {
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(text.size()),
                             ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
    }
    // What it can read now; `closed`: the other end has closed it behind that.
    static std::string heard(const UniqueFd& fd, bool* closed = nullptr) {
        std::string out;
        char buffer[4096];
        for (;;) {
            const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
            if (closed != nullptr) *closed = n == 0 || (n < 0 && errno == ECONNRESET);
            if (n <= 0) return out;
            out.append(buffer, static_cast<std::size_t>(n));
        }
    }
    static bool is_closed(const UniqueFd& fd) {
        bool closed = false;
        heard(fd, &closed);
        return closed;
    }

    void requests_are_judged() {
        const auto judged = [](const std::string& head) { return agent::judge_request(head); };
        CPPUNIT_ASSERT(judged(kRequest) == HttpVerdict::kMetrics);
        CPPUNIT_ASSERT(judged("GET /metrics?x=1 HTTP/1.0\n\n") == HttpVerdict::kMetrics);
        CPPUNIT_ASSERT(judged("GET http://localhost/metrics HTTP/1.1\r\n\r\n") ==
                       HttpVerdict::kMetrics);
        CPPUNIT_ASSERT(judged("HEAD /metrics HTTP/1.1\r\n\r\n") == HttpVerdict::kHead);
        CPPUNIT_ASSERT(judged("GET / HTTP/1.1\r\n\r\n") == HttpVerdict::kNotFound);
        CPPUNIT_ASSERT(judged("GET http://metrics HTTP/1.1\r\n\r\n") == HttpVerdict::kNotFound);
        CPPUNIT_ASSERT(judged("POST /metrics HTTP/1.1\r\n\r\n") == HttpVerdict::kNotAllowed);
        for (const char* bad : {"\r\n\r\n", "GET /metrics\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
                                "get /metrics HTTP/1.1\r\n\r\n", "GET /metrics HTTP/2\r\n\r\n",
                                "GET /metrics HTTP/1.1 x\r\n\r\n", "101 retry\n\n"})
            CPPUNIT_ASSERT_MESSAGE(bad, judged(bad) == HttpVerdict::kBad);
        CPPUNIT_ASSERT(judged("") == HttpVerdict::kIncomplete);
        CPPUNIT_ASSERT(judged("GET /metrics HTTP/1.1\r\n") == HttpVerdict::kIncomplete);
        const std::string large(agent::kLongestHead, 'x');
        CPPUNIT_ASSERT(judged(large) == HttpVerdict::kIncomplete);
        CPPUNIT_ASSERT(judged(large + "x") == HttpVerdict::kTooLarge);
        CPPUNIT_ASSERT(judged(large + "x\r\n\r\n") == HttpVerdict::kTooLarge);
    }

    void answers_a_prometheus_client() {
        struct stat file {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(paths_->metrics_socket().c_str(), &file));
        CPPUNIT_ASSERT(S_ISSOCK(file.st_mode) && (file.st_mode & 0777) == 0660);
        const UniqueFd one = client(kRequest), other = client(kRequest);
        serve();
        for (const UniqueFd* fd : {&one, &other}) {
            bool closed = false;
            CPPUNIT_ASSERT_EQUAL(
                std::string("HTTP/1.1 200 OK\r\n"
                            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                            "Content-Length: 32\r\nConnection: close\r\n\r\n") +
                    text_,
                heard(*fd, &closed));
            CPPUNIT_ASSERT(closed);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, socket_->clients());
    }

    void answers_what_is_no_such_request() {
        const auto answer = [this](const std::string& request) {
            const UniqueFd fd = client(request);
            serve();
            bool closed = false;
            std::string said = heard(fd, &closed);
            CPPUNIT_ASSERT(closed);
            return said;
        };
        CPPUNIT_ASSERT(answer("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        CPPUNIT_ASSERT(answer("DELETE /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        CPPUNIT_ASSERT(answer("\x16\x03\x01\n\n").starts_with("HTTP/1.1 400 "));
        CPPUNIT_ASSERT(
            answer("GET /metrics HTTP/1.1\r\nX: " + std::string(agent::kLongestHead, 'x'))
                .starts_with("HTTP/1.1 431 "));
        const std::string head = answer("HEAD /metrics HTTP/1.1\r\n\r\n");
        CPPUNIT_ASSERT(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, socket_->clients());
    }

    void a_request_may_come_in_pieces() {
        const UniqueFd fd = client();
        for (const char c : std::string(kRequest)) {
            CPPUNIT_ASSERT(heard(fd).empty());
            say(fd, std::string(1, c));
            serve();
        }
        CPPUNIT_ASSERT(heard(fd).ends_with(text_));
    }

    // More of them than are served at a time keep nobody waiting for longer than one has.
    void silent_clients_have_an_end() {
        std::vector<UniqueFd> silent;
        for (std::size_t i = 0; i < MetricsSocket::kClients; ++i) silent.push_back(client());
        serve();
        const UniqueFd fd = client(kRequest);
        serve();
        CPPUNIT_ASSERT_EQUAL(MetricsSocket::kClients, socket_->clients());
        CPPUNIT_ASSERT(heard(fd).empty());
        // Nor does the master look at what it does not take.
        std::vector<pollfd> fds;
        socket_->add_to(fds);
        CPPUNIT_ASSERT_EQUAL(MetricsSocket::kClients, fds.size());
        CPPUNIT_ASSERT_EQUAL(0, ::poll(fds.data(), fds.size(), 0));
        now_ += MetricsSocket::kPatienceMs;
        serve();
        for (const UniqueFd& one : silent) CPPUNIT_ASSERT(is_closed(one));
        serve();
        CPPUNIT_ASSERT(heard(fd).ends_with(text_));
    }

    void a_client_that_never_reads_has_an_end() {
        text_ = std::string(8U << 20, '#');  // more than a socket takes
        const UniqueFd fd = client(kRequest);
        serve();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, socket_->clients());
        // Others are served meanwhile, and with nothing to be done there is nothing to wake up for.
        const UniqueFd other = client("GET / HTTP/1.1\r\n\r\n");
        serve();
        CPPUNIT_ASSERT(heard(other).starts_with("HTTP/1.1 404 "));
        std::vector<pollfd> fds;
        socket_->add_to(fds);
        CPPUNIT_ASSERT_EQUAL(0, ::poll(fds.data(), fds.size(), 0));
        now_ += MetricsSocket::kPatienceMs - 1;
        serve();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, socket_->clients());
        now_ += 1;
        serve();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, socket_->clients());
    }

    void a_client_that_writes_without_end_has_one() {
        const UniqueFd fd = client();
        const std::string much(65536, 'x');
        while (::send(fd.get(), much.data(), much.size(), MSG_NOSIGNAL) > 0) {
        }
        serve();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, socket_->clients());
        CPPUNIT_ASSERT(heard(fd).starts_with("HTTP/1.1 431 "));
        CPPUNIT_ASSERT(::send(fd.get(), much.data(), much.size(), MSG_NOSIGNAL) < 0);
    }

    void a_client_that_goes_is_forgotten() {
        { const UniqueFd gone = client(); }
        { const UniqueFd gone = client("GET /metr"); }
        { const UniqueFd gone = client(kRequest); }
        serve();
        serve();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, socket_->clients());
    }

    void a_dead_agents_socket_is_replaced() {
        socket_ = std::make_unique<MetricsSocket>();
        CPPUNIT_ASSERT(socket_->open(*paths_).has_value());
        const UniqueFd fd = client(kRequest);
        serve();
        CPPUNIT_ASSERT(heard(fd).ends_with(text_));
        socket_->close();
        std::vector<pollfd> fds;
        socket_->add_to(fds);
        CPPUNIT_ASSERT(fds.empty());
    }

    // ---- the other end --------------------------------------------------------------------------

    // As the agent holds it.
    UniqueFd lock() const {
        UniqueFd fd(::open(paths_->lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
        struct flock lock {};
        lock.l_type = F_WRLCK;
        CPPUNIT_ASSERT_EQUAL(0, ::fcntl(fd.get(), F_OFD_SETLK, &lock));
        return fd;
    }

    void the_other_end_reads_all() {
        const UniqueFd held = lock();
        text_ = std::string(3U << 20, '#') + "\n";
        std::atomic<bool> done = false;
        std::jthread master([&] {
            while (!done) {
                std::vector<pollfd> fds;
                socket_->add_to(fds);
                ::poll(fds.data(), fds.size(), 10);
                serve();
            }
        });
        const auto read = agent::fetch_metrics(*paths_);
        done = true;
        CPPUNIT_ASSERT_MESSAGE(read ? "" : read.error().text(), read.has_value());
        CPPUNIT_ASSERT(*read == text_);
    }

    void without_an_agent_it_says_so() {
        const auto none = agent::fetch_metrics(*paths_);
        CPPUNIT_ASSERT(!none && none.error().kind == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(none.error().text().find("no agent runs") != std::string::npos);
        // One that holds the lock and has no socket (yet).
        const UniqueFd held = lock();
        std::filesystem::remove(paths_->metrics_socket());
        const auto starting = agent::fetch_metrics(*paths_);
        CPPUNIT_ASSERT(!starting && starting.error().kind == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT(starting.error().text().find("try again") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MetricsSocketTest);

}  // namespace

}  // namespace vm::testing
