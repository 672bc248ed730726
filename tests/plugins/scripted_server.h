// A server on a loopback port that does exactly what a test's script says, one connection after the
// other. A script is a function of its connection: it says and expects lines, starts TLS, stalls,
// closes or resets. It runs in the server's thread.
#ifndef VM_TESTS_PLUGINS_SCRIPTED_SERVER_H
#define VM_TESTS_PLUGINS_SCRIPTED_SERVER_H

#include "test_ca.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace vm::testing {

// The server's end of one connection. Every call throws Gone when the client is gone.
class Peer {
  public:
    struct Gone {};

    explicit Peer(int fd) : fd_(fd) {}
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer();

    void say(std::string_view text);
    void start_tls(const ServerTls& context);
    int renegotiate();        // up to TLS 1.2; how often it was done so far
    std::string read_line();  // without CRLF
    std::string read_data();  // up to the lone dot, still stuffed, without it
    void read_bytes(std::size_t count);
    bool has_more();  // bytes of the client are there that were not read yet
    void wait_until_closed();
    void reset();  // RST; ends the connection

    const std::vector<std::string>& lines() const { return lines_; }
    std::size_t reads() const { return reads_; }

  private:
    void fill();

    int fd_;
    std::shared_ptr<SSL> tls_;
    std::string buffer_;
    std::vector<std::string> lines_;  // all read so far
    std::size_t reads_ = 0;
};

class ScriptedServer {
  public:
    using Script = std::function<void(Peer&)>;

    // Connection i is served by scripts[i], those beyond by the last.
    explicit ScriptedServer(std::vector<Script> scripts, int family = 4);
    explicit ScriptedServer(Script script)
        : ScriptedServer(std::vector<Script>{std::move(script)}) {}
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer() { stop(); }

    std::uint16_t port() const { return port_; }
    // Ends the connection in hand and serves no more. What follows is complete after it.
    void stop();
    int connections() const { return connections_; }
    // The commands of all connections so far.
    std::vector<std::string> lines() const;

  private:
    void run();

    std::vector<Script> scripts_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_ = 0;
    std::atomic<bool> stopping_ = false;
    mutable std::mutex mutex_;
    int current_ = -1;
    std::vector<std::string> lines_;
    std::thread thread_;
};

// What an SMTP server usually says; tests replace single answers.
struct SmtpScript {
    std::string greeting = "220 heaven.af.mil ESMTP\r\n";
    std::string ehlo =
        "250-heaven.af.mil\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 8BITMIME\r\n";
    std::string helo = "250 heaven.af.mil\r\n";
    std::string starttls = "220 go ahead\r\n";
    std::string auth = "235 2.7.0 in\r\n";
    std::string mail = "250 2.1.0 ok\r\n";
    std::string rcpt = "250 2.1.5 ok\r\n";
    std::string data = "354 go ahead\r\n";
    std::string dot = "250 2.0.0 ok 902549473 qp 24035\r\n";
    std::string rset = "250 2.0.0 ok\r\n";
    std::string quit = "221 heaven.af.mil\r\n";
    ServerTls tls;  // for STARTTLS
    bool implicit_tls = false;

    // Called for each step ("greeting", "EHLO", …, "dot") instead of the answer above; true: it has
    // answered. May be empty.
    std::function<bool(Peer&, const std::string& step)> instead;
    // Called with each message's data, still stuffed.
    std::function<void(const std::string&)> on_data;

    void operator()(Peer& peer) const;
};

}  // namespace vm::testing

#endif
